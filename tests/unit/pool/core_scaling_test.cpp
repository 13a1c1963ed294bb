// The core under load in virtual time: how many sessions a spike starts, who waits how long, what
// scaling = adaptive keeps warm.
#include "model/virtual_load.hpp"
#include "support/core_harness.hpp"

#include <algorithm>
#include <cmath>
#include <deque>

using namespace mcp_pool;
using namespace mcp_pool::test;

namespace {

constexpr time_point midnight{1h};

// Fifty acquires at once on an empty pool.
struct spike
{
    std::size_t max_starting = 10;
    duration hold = 2ms;
    std::uint64_t seed = 1;
    // Every acquire that finds no session brings its start through, whether or not it is served
    // before.
    bool without_elision = false;

    static constexpr std::size_t users = 50;

    // Of the starts, in order.
    [[nodiscard]] std::vector<duration> start_times() const
    {
        chance random(seed);
        std::vector<duration> times;
        for (std::size_t i = 0; i != 4 * users; ++i)
            times.push_back(random.exponential(150ms));
        return times;
    }

    struct outcome
    {
        std::uint64_t started = 0;
        duration last_served{};
    };

    [[nodiscard]] outcome run() const
    {
        load_settings s;
        s.options.min_size = 5;
        s.options.max_size = 50;
        s.options.max_starting = max_starting;
        s.start_time = [times = start_times()](std::size_t n) { return times[n]; };
        s.seed = seed;
        virtual_load load(s);
        outcome o;
        load.on_served = [&](const virtual_load::visit& v) { o.last_served = v.served - midnight; };
        load.core().start(midnight);
        detail::waiter all;
        all.count = users;
        for (std::size_t i = 0; i != users; ++i)
            load.arrive(midnight, i, {}, hold);
        if (without_elision)
            load.at(midnight, [&] { load.core().await_ready(all, load.now()); });
        load.run_until(midnight + 60s);
        BOOST_TEST(load.core().counters().granted == users);
        o.started = load.started();
        return o;
    }

    // When the last user is served if the times of the starts are known beforehand: as many starts
    // as may be at a time until there are as many as users, each session to the next in the queue.
    [[nodiscard]] duration offline_optimum() const
    {
        const std::vector<duration> times = start_times();
        std::vector<duration> starting(max_starting), free;
        for (std::size_t i = 0; i != users; ++i) {
            auto first = std::min_element(starting.begin(), starting.end());
            *first += times[i];
            free.push_back(*first);
        }
        duration last{};
        for (std::size_t i = 0; i != users; ++i) {
            auto first = std::min_element(free.begin(), free.end());
            last = *first;
            *first += hold;
        }
        return last;
    }
};

// Response times of somebody who comes now and then, beside somebody who always has `flood` acquires
// open.
duration light_users_p99(std::size_t flood, bool stateless, std::size_t share)
{
    load_settings s;
    s.options.queue = queue_policy::fair;
    s.options.max_leases_per_key = share;
    s.start_time = [](std::size_t) { return 300ms; };
    s.stateless = stateless;
    virtual_load load(s);
    chance random(7);
    std::vector<duration> taken;
    load.on_gone = [&](const virtual_load::visit& v) {
        if (v.user == 0)
            load.arrive(load.now(), 0, "flood", 20ms);
        // Not the very first one, for which a session starts in any case.
        else if (v.user > 10)
            taken.push_back(load.now() - v.arrived);
    };
    for (std::size_t i = 0; i != flood; ++i)
        load.arrive(midnight, 0, "flood", 20ms);
    time_point when = midnight + 1s;
    for (std::size_t i = 1; i != 1000; ++i) {
        load.arrive(when, i, "light", 20ms);
        when += 30ms + random.exponential(100ms);
    }
    load.run_until(when + 10s);
    BOOST_TEST(taken.size() == 989u);
    return percentile(taken, 0.99);
}

} // namespace

BOOST_AUTO_TEST_SUITE(core_load)

BOOST_AUTO_TEST_CASE(a_spike_starts_no_more_than_it_needs)
{
    for (std::uint64_t seed = 1; seed != 51; ++seed) {
        spike fifty;
        fifty.seed = seed;
        const std::uint64_t started = fifty.run().started;
        BOOST_TEST(started <= 20u, "seed " << seed << ": " << started);
        fifty.without_elision = true;
        BOOST_TEST(2 * fifty.run().started >= 3 * started);
    }
    for (std::uint64_t seed = 1; seed != 51; ++seed) {
        spike fifty;
        fifty.seed = seed;
        fifty.max_starting = 2;
        BOOST_TEST(fifty.run().started <= 10u);
    }
}

BOOST_AUTO_TEST_CASE(the_last_user_of_a_spike_is_served_in_time)
{
    for (const std::size_t at_once : {2u, 10u}) {
        for (std::uint64_t seed = 1; seed != 51; ++seed) {
            spike fifty;
            fifty.seed = seed;
            fifty.max_starting = at_once;
            fifty.hold = 400ms;
            const double ratio = std::chrono::duration<double>(fifty.run().last_served)
                / std::chrono::duration<double>(fifty.offline_optimum());
            BOOST_TEST(ratio <= 1.25, "seed " << seed << ": " << ratio);
            // Nobody can do better than that.
            BOOST_TEST(ratio >= 1 - 1e-9);
        }
    }
}

BOOST_AUTO_TEST_CASE(two_hundred_waiters_are_served_in_order_and_alike)
{
    constexpr std::size_t users = 200;
    load_settings s;
    s.start_time = [](std::size_t) { return 100ms; };
    virtual_load load(s);
    chance random(3);
    std::deque<std::size_t> in_order;
    std::vector<double> served(users);
    bool fifo = true;
    const auto come = [&](std::size_t user) {
        in_order.push_back(user);
        load.arrive(load.now(), user, {}, 5ms + random.exponential(10ms));
    };
    load.on_served = [&](const virtual_load::visit& v) {
        fifo = fifo && v.user == in_order.front();
        in_order.pop_front();
        ++served[v.user];
    };
    load.on_gone = [&](const virtual_load::visit& v) { come(v.user); };
    for (std::size_t i = 0; i != users; ++i)
        come(i);
    load.run_until(midnight + 10s);
    BOOST_TEST(fifo);
    double sum = 0, squares = 0;
    for (const double n : served) {
        sum += n;
        squares += n * n;
    }
    BOOST_TEST(sum > 5000);
    // Jain's index: 1 if all are served equally often.
    BOOST_TEST(sum * sum / (users * squares) >= 0.999);
}

BOOST_AUTO_TEST_CASE(a_light_user_does_not_notice_a_flood)
{
    // Sessions that fit every key.
    BOOST_TEST((light_users_p99(500, true, 0) <= 2 * light_users_p99(0, true, 0)));
    // Sessions that belong to a key: the share of the flood leaves one to others.
    BOOST_TEST((light_users_p99(500, false, 9) <= 2 * light_users_p99(0, false, 9)));
}

BOOST_AUTO_TEST_CASE(adaptive_keeps_warm_what_the_load_asks_for)
{
    core_harness pool([](pool_options& o) {
        o.max_size = 20, o.max_starting = 20, o.scaling = scaling_policy::adaptive;
    });
    // Eight a second for half a second each are four at a time, and two for the waves.
    std::deque<ticket*> leases;
    for (int i = 0; i != 8 * 40; ++i) {
        leases.push_back(&pool.acquire(duration::max()));
        for (slot* const s : pool.in(slot_state::starting))
            pool.ready(*s);
        pool.advance(125ms);
        if (leases.size() == 4) {
            pool.give_back(*leases.front());
            leases.pop_front();
        }
    }
    BOOST_TEST(pool.core.load() > 3.5);
    BOOST_TEST(pool.core.load() < 4.5);
    BOOST_TEST(pool.core.floor() >= 6u);
    BOOST_TEST(pool.core.floor() <= 7u);
    BOOST_TEST(pool.core.alive() >= pool.core.floor());
}

BOOST_AUTO_TEST_CASE(adaptive_stays_between_min_size_and_max_size)
{
    core_harness pool([](pool_options& o) {
        o.max_size = 3, o.min_size = 1, o.max_starting = 3, o.scaling = scaling_policy::adaptive;
        o.probe_interval = 0s;
    });
    pool.core.start(pool.now);
    pool.warm(1);
    std::vector<ticket*> leases;
    for (int i = 0; i != 6; ++i) {
        leases.push_back(&pool.acquire(duration::max()));
        for (slot* const s : pool.in(slot_state::starting))
            pool.ready(*s);
        pool.advance(1s);
    }
    BOOST_TEST(pool.core.floor() == 3u);
    for (ticket* const w : leases) {
        if (w->granted())
            pool.give_back(*w);
    }
    for (ticket* const w : leases) {
        if (w->place && w->place->state == lease_place::stage::out)
            pool.give_back(*w);
    }
    // Without load it comes back, and then no timer is left.
    for (int i = 0; i != 600; ++i) {
        pool.advance(1s);
        pool.stop_all();
    }
    BOOST_TEST(pool.core.floor() == 1u);
    BOOST_TEST(pool.core.alive() == 1u);
}

BOOST_AUTO_TEST_CASE(adaptive_can_be_turned_off)
{
    core_harness pool([](pool_options& o) { o.scaling = scaling_policy::adaptive; });
    pool.lend();
    pool.advance(5s);
    BOOST_TEST(pool.core.floor() != 0u);
    pool.change([](pool_options& o) { o.scaling = scaling_policy::fixed; });
    BOOST_TEST(pool.core.floor() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
