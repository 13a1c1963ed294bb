// Each option: its limits, 0, and what becomes of it in a running pool.
#include "support/pool_fixture.hpp"

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

constexpr auto unlimited = static_cast<std::size_t>(-1);
constexpr std::size_t billion = 1'000'000'000;

// A number and what bounds it.
struct count_option
{
    const char* name;
    std::optional<std::size_t> pool_overrides::*asked;
    std::size_t pool_options::*resolved;
    std::size_t least, most;
    bool can_change;
};

const std::vector<count_option> count_options{
    {"max_size", &pool_overrides::max_size, &pool_options::max_size, 1, 10'000, true},
    {"min_size", &pool_overrides::min_size, &pool_options::min_size, 0, 10'000, true},
    {"max_starting", &pool_overrides::max_starting, &pool_options::max_starting, 1, 10'000, true},
    {"max_probing", &pool_overrides::max_probing, &pool_options::max_probing, 1, 10'000, true},
    {"max_waiters", &pool_overrides::max_waiters, &pool_options::max_waiters, 0, billion, true},
    {"max_uses", &pool_overrides::max_uses, &pool_options::max_uses, 0, billion, true},
    {"max_rss", &pool_overrides::max_rss, &pool_options::max_rss, 0, unlimited, true},
    {"breaker_threshold", &pool_overrides::breaker_threshold, &pool_options::breaker_threshold, 0,
        billion, true},
    {"max_leases_per_key", &pool_overrides::max_leases_per_key, &pool_options::max_leases_per_key,
        0, billion, true},
    {"max_waiters_per_key", &pool_overrides::max_waiters_per_key,
        &pool_options::max_waiters_per_key, 0, billion, true},
    {"max_leases_per_session", &pool_overrides::max_leases_per_session,
        &pool_options::max_leases_per_session, 1, 1000, false},
    {"max_message_bytes", &pool_overrides::max_message_bytes, &pool_options::max_message_bytes,
        1024, unlimited, false},
    {"max_buffered_bytes", &pool_overrides::max_buffered_bytes, &pool_options::max_buffered_bytes,
        1024, unlimited, false},
    {"stderr_tail_bytes", &pool_overrides::stderr_tail_bytes, &pool_options::stderr_tail_bytes, 0,
        std::size_t{1} << 30, false},
};

struct duration_option
{
    const char* name;
    std::optional<duration> pool_overrides::*asked;
    duration pool_options::*resolved;
    bool zero_allowed, can_change;
};

const std::vector<duration_option> duration_options{
    {"max_wait", &pool_overrides::max_wait, &pool_options::max_wait, true, true},
    {"start_timeout", &pool_overrides::start_timeout, &pool_options::start_timeout, true, true},
    {"probe_interval", &pool_overrides::probe_interval, &pool_options::probe_interval, true, true},
    {"probe_timeout", &pool_overrides::probe_timeout, &pool_options::probe_timeout, false, true},
    {"validate_after", &pool_overrides::validate_after, &pool_options::validate_after, true, true},
    {"idle_timeout", &pool_overrides::idle_timeout, &pool_options::idle_timeout, true, true},
    {"max_lifetime", &pool_overrides::max_lifetime, &pool_options::max_lifetime, true, true},
    {"backoff_initial", &pool_overrides::backoff_initial, &pool_options::backoff_initial, true,
        true},
    {"backoff_max", &pool_overrides::backoff_max, &pool_options::backoff_max, true, true},
    {"min_uptime", &pool_overrides::min_uptime, &pool_options::min_uptime, true, true},
    {"stop_grace", &pool_overrides::stop_grace, &pool_options::stop_grace, true, true},
    {"reset_timeout", &pool_overrides::reset_timeout, &pool_options::reset_timeout, false, true},
    {"overdue_after", &pool_overrides::overdue_after, &pool_options::overdue_after, true, true},
    {"era_timeout", &pool_overrides::era_timeout, &pool_options::era_timeout, false, false},
    {"era_ttl", &pool_overrides::era_ttl, &pool_options::era_ttl, true, false},
    {"call_timeout", &pool_overrides::call_timeout, &pool_options::call_timeout, true, false},
    {"write_timeout", &pool_overrides::write_timeout, &pool_options::write_timeout, true, false},
};

// What must stand beside an option so that its own range is what is looked at.
pool_overrides room_for_all()
{
    pool_overrides o;
    o.max_size = 10'000;
    o.sharing = sharing_policy::multiplexed;
    o.queue = queue_policy::fair;
    return o;
}

std::string not_while_it_runs(const std::string& name)
{
    return name + " cannot be changed while the pool runs; make a new pool";
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(pool_change, pool_fixture)

BOOST_AUTO_TEST_CASE(each_number_is_taken_at_both_ends_of_its_range_and_refused_beyond)
{
    for (const count_option& option : count_options) {
        BOOST_TEST_CONTEXT(option.name)
        {
            const auto with = [&](std::size_t value) {
                pool_overrides o = room_for_all();
                o.*option.asked = value;
                return o;
            };
            for (const std::size_t value : {option.least, option.most}) {
                const pool_options resolved = resolve(with(value));
                BOOST_TEST((resolved.*option.resolved) == value);
            }
            std::string range = "expected an integer from " + std::to_string(option.least);
            range += option.most == unlimited ? " on" : " to " + std::to_string(option.most);
            const auto refused = [&](std::size_t value) {
                BOOST_TEST(refusal_of([&] { resolve(with(value)); })
                    == std::string(option.name) + "=" + std::to_string(value) + ": " + range);
            };
            if (option.least != 0)
                refused(option.least - 1);
            if (option.most != unlimited)
                refused(option.most + 1);
        }
    }
}

BOOST_AUTO_TEST_CASE(each_duration_is_off_at_0_or_refuses_it_and_has_a_least_value)
{
    for (const duration_option& option : duration_options) {
        BOOST_TEST_CONTEXT(option.name)
        {
            const auto with = [&](duration value) {
                pool_overrides o;
                o.*option.asked = value;
                return o;
            };
            for (const duration value : {duration(1ms), duration::max()}) {
                const pool_options resolved = resolve(with(value));
                BOOST_TEST((resolved.*option.resolved == value));
            }
            const std::string rule = option.zero_allowed
                ? ": expected at least 0.001 s, or 0 for off"
                : ": expected at least 0.001 s";
            BOOST_TEST(refusal_of([&] { resolve(with(500us)); })
                == std::string(option.name) + "=0.0005 s" + rule);
            BOOST_TEST(refusal_of([&] { resolve(with(-1s)); })
                == std::string(option.name) + "=-1 s" + rule);
            if (option.zero_allowed) {
                const pool_options off = resolve(with(0s));
                BOOST_TEST((off.*option.resolved == duration::zero()));
            } else {
                BOOST_TEST(refusal_of([&] { resolve(with(0s)); })
                    == std::string(option.name) + "=0 s" + rule);
            }
        }
    }
    pool_overrides none_in_flight;
    none_in_flight.max_requests_in_flight = 0;
    BOOST_TEST(resolve(none_in_flight).max_requests_in_flight.value() == 0u);
}

BOOST_AUTO_TEST_CASE(a_pool_with_all_that_can_be_off_works)
{
    pool_overrides off;
    for (const count_option& option : count_options)
        off.*option.asked = option.least;
    for (const duration_option& option : duration_options) {
        if (option.zero_allowed)
            off.*option.asked = duration::zero();
    }
    open(off);
    BOOST_TEST(finish(pool->acquire(0s))->code() == errc::acquire_timeout);
    lease mine = acquire();
    BOOST_TEST(
        finish(mine->call_tool("echo", object("message", "hi")))->value.value().text() == "hi");
    auto waiter = spawn(pool->acquire());
    until([&] { return pool->stats().waiting == 1; });
    mine.release();
    until([&] { return waiter->done; });
    waiter->value->discard();
    lease next = acquire();
    next.release();
    const auto closed = finish(pool->close(30s));
    BOOST_REQUIRE(closed->value);
    BOOST_TEST(server.sessions_alive() == 0u);
}

BOOST_AUTO_TEST_CASE(what_can_change_while_the_pool_runs_changes_and_the_rest_is_refused_by_name)
{
    pool_overrides kind;
    kind.queue = queue_policy::fair;
    open(kind);
    const auto value_of = [this](const auto& option) {
        const pool_options now = pool->options();
        return now.*option.resolved;
    };
    lease busy = acquire();
    for (const count_option& option : count_options) {
        BOOST_TEST_CONTEXT(option.name)
        {
            const std::size_t before = value_of(option);
            pool_overrides change;
            change.*option.asked = before + 1;
            if (option.can_change) {
                // min_size may be as large as max_size, which has grown.
                pool->change_options(change);
                BOOST_TEST(value_of(option) == before + 1);
            } else {
                BOOST_TEST(refusal_of([&] { pool->change_options(change); })
                    == not_while_it_runs(option.name));
                BOOST_TEST(value_of(option) == before);
                // To say once more what holds already is no change.
                change.*option.asked = before;
                pool->change_options(change);
            }
        }
    }
    for (const duration_option& option : duration_options) {
        BOOST_TEST_CONTEXT(option.name)
        {
            const duration before = value_of(option);
            pool_overrides change;
            change.*option.asked = before + 1h;
            if (option.can_change) {
                pool->change_options(change);
                BOOST_TEST((value_of(option) == before + 1h));
            } else {
                BOOST_TEST(refusal_of([&] { pool->change_options(change); })
                    == not_while_it_runs(option.name));
                BOOST_TEST((value_of(option) == before));
            }
        }
    }
    BOOST_TEST(finish(busy->ping())->value.has_value());
}

BOOST_AUTO_TEST_CASE(what_is_decided_by_kind_cannot_change)
{
    open();
    const auto refused = [this](const char* name, const auto& set) {
        pool_overrides change;
        set(change);
        BOOST_TEST(refusal_of([&] { pool->change_options(change); }) == not_while_it_runs(name));
    };
    refused("reset", [](auto& o) { o.reset = reset_policy::none; });
    refused("sharing", [](auto& o) { o.sharing = sharing_policy::multiplexed; });
    refused("force", [](auto& o) { o.force = true; });
    refused("max_requests_in_flight", [](auto& o) { o.max_requests_in_flight = 2; });
    refused("single_writer", [](auto& o) { o.single_writer = true; });
    refused("queue", [](auto& o) { o.queue = queue_policy::fair; });
    refused("stderr", [](auto& o) { o.stderr = stderr_policy::log; });
    refused("stderr_file", [](auto& o) { o.stderr_file = "x"; });
    refused("invalid_utf8", [](auto& o) { o.invalid_utf8 = invalid_utf8_policy::reject; });
    pool_overrides scaling;
    scaling.scaling = scaling_policy::adaptive;
    pool->change_options(scaling);
    BOOST_TEST((pool->options().scaling == scaling_policy::adaptive));
}

BOOST_AUTO_TEST_CASE(a_refused_change_changes_nothing_else_either)
{
    open();
    pool_limits limits;
    limits.max_size = 5;
    limits.min_size = 6;
    limits.max_waiters = 7;
    BOOST_TEST(refusal_of([&] { pool->resize(limits); })
        == "min_size=6: expected at most max_size, which is 5");
    BOOST_TEST(pool->options().max_size == 10u);
    BOOST_TEST(pool->options().max_waiters == 0u);
    limits.min_size = 5;
    limits.max_starting = 0;
    BOOST_TEST(refusal_of([&] { pool->resize(limits); })
        == "max_starting=0: expected an integer from 1 to 10000");
    limits.max_starting = 3;
    pool->resize(limits);
    BOOST_TEST(pool->options().max_size == 5u);
    BOOST_TEST(pool->options().min_size == 5u);
    BOOST_TEST(pool->options().max_starting == 3u);
    BOOST_TEST(pool->options().max_waiters == 7u);
    pool_limits fewer;
    fewer.max_size = 4;
    BOOST_TEST(refusal_of([&] { pool->resize(fewer); })
        == "min_size=5: expected at most max_size, which is 4");
    pool_overrides share;
    share.max_leases_per_key = 1;
    BOOST_TEST(refusal_of([&] { pool->change_options(share); })
        == "max_leases_per_key=1: expected 0, or queue=fair beside it");
}

BOOST_AUTO_TEST_CASE(changed_limits_hold_for_those_who_wait_already)
{
    pool_overrides options;
    options.max_size = 1;
    open(options);
    lease held = acquire();
    auto first = spawn(pool->acquire(30s));
    auto second = spawn(pool->acquire(30s));
    until([&] { return pool->stats().waiting == 2; });
    pool_limits crowded;
    crowded.max_waiters = 2;
    pool->resize(crowded);
    const auto refused = finish(pool->acquire(30s));
    BOOST_TEST(refused->code() == errc::too_many_waiters);
    BOOST_TEST(
        std::string(refused->failure->what()).find("already 2 acquires wait") != std::string::npos);
    pool_limits larger;
    larger.max_size = 3;
    pool->resize(larger);
    until([&] { return first->done && second->done; });
    BOOST_TEST(first->value.has_value());
    BOOST_TEST(second->value.has_value());
    BOOST_TEST(pool->stats().in_use == 3u);
    // Below what is lent: nobody loses a lease, and the pool shrinks as they come back.
    pool_limits smaller;
    smaller.max_size = 1;
    pool->resize(smaller);
    BOOST_TEST(finish((*second->value)->ping())->value.has_value());
    first->value->release();
    second->value->release();
    until([&] { return server.sessions_alive() == 1; });
    BOOST_TEST(pool->stats().replaced.surplus == 2u);
    held.release();
    BOOST_TEST(pool->stats().available == 1u);
}

BOOST_AUTO_TEST_CASE(a_raised_minimum_is_started_and_times_hold_from_the_change_on)
{
    open();
    pool->start();
    pool_limits warm;
    warm.min_size = 3;
    pool->resize(warm);
    until([&] { return pool->stats().available == 3; });
    BOOST_TEST(server.sessions_started() == 3u);
    pool_overrides impatient;
    impatient.min_size = 0;
    impatient.idle_timeout = 1ms;
    pool->change_options(impatient);
    until([&] { return server.sessions_alive() == 0; });
    BOOST_TEST(pool->stats().replaced.idle == 3u);
    pool_overrides watched;
    watched.idle_timeout = 0s;
    watched.probe_interval = 1ms;
    pool->change_options(watched);
    acquire().release();
    until([&] { return server.count("ping") >= 2; });
    BOOST_TEST(pool->stats().replaced.probe == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
