// sharing = multiplexed: one session, several leases.
#include "support/core_harness.hpp"

using namespace mcp_pool;
using namespace mcp_pool::test;

namespace {

// At most `sessions` of them, with three places each.
core_harness shared_pool(
    std::size_t sessions, const std::function<void(pool_options&)>& change = {})
{
    return core_harness([&](pool_options& o) {
        o.max_size = sessions;
        o.sharing = sharing_policy::multiplexed;
        o.max_leases_per_session = 3;
        if (change)
            change(o);
    });
}

std::vector<ticket*> lend(core_harness& pool, std::size_t n, const std::string& key = {})
{
    std::vector<ticket*> leases;
    for (std::size_t i = 0; i != n; ++i)
        leases.push_back(&pool.acquire_for(key, duration::max()));
    while (!pool.in(slot_state::starting).empty())
        pool.ready(*pool.in(slot_state::starting).front());
    for (const ticket* const w : leases)
        BOOST_TEST_REQUIRE(w->granted());
    pool.jobs.clear();
    return leases;
}

} // namespace

BOOST_AUTO_TEST_SUITE(core_sharing)

BOOST_AUTO_TEST_CASE(a_session_is_lent_to_as_many_as_it_has_places)
{
    core_harness pool = shared_pool(1);
    const auto leases = lend(pool, 3);
    for (const ticket* const w : leases) {
        BOOST_TEST(w->slot == leases[0]->slot);
        BOOST_TEST(std::count_if(leases.begin(), leases.end(), [w](const ticket* other) {
            return other->place == w->place;
        }) == 1);
    }
    ticket& fourth = pool.acquire();
    BOOST_TEST(!fourth.completed);
    BOOST_TEST(pool.core.available() == 0u);
    pool.give_back(*leases[1]);
    BOOST_TEST(fourth.granted());
    BOOST_TEST(fourth.place == leases[1]->place);
    BOOST_TEST(pool.core.leases() == 3u);
}

BOOST_AUTO_TEST_CASE(the_session_with_the_fewest_leases_comes_first)
{
    core_harness pool = shared_pool(2);
    const auto leases = lend(pool, 6);
    for (const std::size_t i : {0u, 1u, 3u})
        pool.give_back(*leases[i]);
    BOOST_TEST(pool.try_acquire()->of == leases[0]->slot);
}

BOOST_AUTO_TEST_CASE(starts_are_counted_in_places)
{
    core_harness pool = shared_pool(4, [](pool_options& o) { o.max_starting = 4; });
    for (int i = 0; i != 4; ++i)
        pool.acquire();
    BOOST_TEST(pool.count(slot_state::starting) == 2u);
}

BOOST_AUTO_TEST_CASE(a_place_is_reset_while_the_others_go_on)
{
    core_harness pool = shared_pool(1);
    const auto leases = lend(pool, 3);
    ticket& next = pool.acquire();
    pool.give_back(*leases[1], dirty());
    BOOST_TEST(!next.completed);
    const auto resets = pool.take(slot_action::reset);
    BOOST_TEST_REQUIRE(resets.size() == 1u);
    BOOST_TEST(leases[1]->slot->reset_place == leases[1]->place->index);
    pool.reset_done(*leases[1]->slot, leases[1]->place->index);
    BOOST_TEST(next.granted());
    BOOST_TEST(next.place == leases[1]->place);
}

// Each reset has reset_timeout for itself, however many follow one another.
BOOST_AUTO_TEST_CASE(a_chain_of_resets_is_not_one_long_reset)
{
    core_harness pool = shared_pool(1);
    auto leases = lend(pool, 3);
    slot& s = *leases[0]->slot;
    std::size_t index = leases[1]->place->index;
    pool.give_back(*leases[1], dirty());
    for (int i = 0; i != 10; ++i) {
        pool.advance(1s);
        ticket& next = pool.acquire(duration::max());
        ticket& last = *leases[2];
        const std::size_t other = last.place->index;
        pool.give_back(last, dirty());
        pool.reset_done(s, index);
        BOOST_TEST_REQUIRE(next.granted());
        leases[2] = &next;
        index = other;
    }
    BOOST_TEST((s.state == slot_state::leased));
    BOOST_TEST(s.epoch == 1u);
    pool.advance(2s);
    BOOST_TEST((s.doomed == end_reason::reset));
}

BOOST_AUTO_TEST_CASE(the_last_lease_does_not_prolong_the_reset_of_another)
{
    core_harness pool = shared_pool(1);
    const auto leases = lend(pool, 2);
    slot& s = *leases[0]->slot;
    pool.give_back(*leases[0], dirty());
    pool.advance(1900ms);
    pool.give_back(*leases[1]);
    BOOST_TEST((s.state == slot_state::resetting));
    pool.advance(100ms);
    BOOST_TEST((s.state == slot_state::stopping));
    BOOST_TEST((s.reason == end_reason::reset));
}

BOOST_AUTO_TEST_CASE(a_reset_that_ran_out_of_time_is_not_asked_for)
{
    core_harness pool = shared_pool(1);
    const auto leases = lend(pool, 2);
    pool.take_jobs = false;
    pool.give_back(*leases[0], dirty());
    pool.advance(3s);
    pool.take_jobs = true;
    pool.pump();
    BOOST_TEST(pool.take(slot_action::reset).empty());
    pool.give_back(*leases[1]);
    BOOST_TEST(pool.ended_for(end_reason::reset) == 1u);
}

BOOST_AUTO_TEST_CASE(an_evicted_session_is_lent_to_nobody_else)
{
    core_harness pool = shared_pool(2);
    const auto leases = lend(pool, 1);
    pool.evict_all();
    BOOST_TEST(!pool.try_acquire());
    BOOST_TEST(pool.core.available() == 0u);
    pool.give_back(*leases[0]);
    BOOST_TEST(pool.ended_for(end_reason::evicted) == 1u);
}

BOOST_AUTO_TEST_CASE(a_closing_pool_has_nothing_to_lend)
{
    core_harness pool = shared_pool(1);
    lend(pool, 1);
    BOOST_TEST(pool.core.available() == 2u);
    pool.close(10s);
    BOOST_TEST(pool.core.available() == 0u);
}

BOOST_AUTO_TEST_CASE(resize_down_and_up_under_shared_leases)
{
    core_harness pool = shared_pool(2);
    const auto leases = lend(pool, 4);
    BOOST_TEST(pool.core.available() == 2u);
    pool.resize(0, 1, 2);
    // Neither may be lent while there is one too many.
    pool.give_back(*leases[0]);
    BOOST_TEST(!pool.try_acquire());
    ticket& waits = pool.acquire();
    BOOST_TEST(!waits.completed);
    // One has gone: the other one serves again.
    BOOST_TEST_REQUIRE(leases[3]->slot != leases[1]->slot);
    pool.give_back(*leases[3]);
    BOOST_TEST(waits.granted());
    BOOST_TEST(waits.slot == leases[1]->slot);
    BOOST_TEST(pool.ended_for(end_reason::surplus) == 1u);
}

BOOST_AUTO_TEST_CASE(a_place_given_back_dirty_above_max_size_is_reset_all_the_same)
{
    core_harness pool = shared_pool(2);
    const auto leases = lend(pool, 4);
    pool.resize(0, 1, 2);
    pool.give_back(*leases[0], dirty());
    BOOST_TEST(pool.take(slot_action::reset).size() == 1u);
    pool.give_back(*leases[3]);
    // Its two other places are lent.
    BOOST_TEST(!pool.try_acquire());
    pool.reset_done(*leases[0]->slot, leases[0]->place->index);
    BOOST_TEST(pool.try_acquire() == leases[0]->place);
}

BOOST_AUTO_TEST_CASE(a_session_that_is_probed_has_no_place_to_lend)
{
    core_harness pool = shared_pool(1);
    const auto leases = lend(pool, 1);
    pool.give_back(*leases[0], suspect());
    BOOST_TEST(pool.count(slot_state::probing) == 1u);
    BOOST_TEST(!pool.try_acquire());
    BOOST_TEST(pool.core.available() == 0u);
}

BOOST_AUTO_TEST_CASE(a_suspect_session_waits_for_its_last_lease)
{
    core_harness pool = shared_pool(1);
    const auto leases = lend(pool, 2);
    pool.give_back(*leases[0], suspect());
    BOOST_TEST(!pool.try_acquire());
    pool.give_back(*leases[1]);
    BOOST_TEST(pool.count(slot_state::probing) == 1u);
    pool.probe_done(pool.the(slot_state::probing));
    BOOST_TEST(pool.try_acquire());
}

BOOST_AUTO_TEST_CASE(a_dying_session_takes_all_its_leases_along)
{
    core_harness pool = shared_pool(1);
    const auto leases = lend(pool, 3);
    ticket& next = pool.acquire();
    pool.die(*leases[0]->slot);
    BOOST_TEST((leases[0]->slot->state == slot_state::leased));
    for (ticket* const w : leases)
        pool.give_back(*w);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(next.granted());
}

BOOST_AUTO_TEST_CASE(hot_shared_session_still_retires)
{
    core_harness pool = shared_pool(1, [](pool_options& o) { o.max_lifetime = 60s; });
    auto leases = lend(pool, 2);
    slot& s = *leases[0]->slot;
    // It is never quite free.
    for (int i = 0; i != 12 && s.doomed == end_reason::none; ++i) {
        pool.advance(6s);
        ticket& next = pool.acquire(duration::max());
        pool.give_back(*leases[0]);
        if (next.completed)
            leases.push_back(&next);
        leases.erase(leases.begin());
    }
    BOOST_TEST((s.doomed == end_reason::lifetime));
    BOOST_TEST((pool.now - s.ready_at <= 66s));
}

// Who comes at the right moment for each free place would keep another key out for ever.
BOOST_AUTO_TEST_CASE(hits_overtake_another_key_at_most_eight_times)
{
    core_harness pool = shared_pool(1);
    auto leases = lend(pool, 2, "a");
    slot& s = *leases[0]->slot;
    ticket& other = pool.acquire_for("b", duration::max());
    int hits = 0;
    while (hits != 20) {
        ticket& next = pool.acquire_for("a", 0s);
        if (next.failed(errc::acquire_timeout))
            break;
        ++hits;
        leases.push_back(&next);
        pool.give_back(*leases[0]);
        leases.erase(leases.begin());
    }
    BOOST_TEST(hits == 8);
    BOOST_TEST((s.doomed == end_reason::rekeyed));
    for (ticket* const w : leases)
        pool.give_back(*w);
    pool.stop_all();
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(other.granted());
}

BOOST_AUTO_TEST_CASE(a_session_that_lends_is_not_detached)
{
    core_harness pool = shared_pool(1);
    const auto leases = lend(pool, 1);
    BOOST_TEST(!pool.detach(*leases[0]->slot));
}

BOOST_AUTO_TEST_SUITE_END()
