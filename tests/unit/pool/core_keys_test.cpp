// Isolation keys: which session serves whom, who may go first, and what a key costs.
#include "support/core_harness.hpp"

using namespace mcp_pool;
using namespace mcp_pool::test;

namespace {

// A session that is idle after a lease with this key.
slot& idle_with(core_harness& pool, const std::string& key)
{
    ticket& w = pool.acquire_for(key);
    while (!w.completed && !pool.in(slot_state::starting).empty())
        pool.ready(*pool.in(slot_state::starting).front());
    BOOST_TEST_REQUIRE(w.granted());
    pool.give_back(w);
    pool.jobs.clear();
    return *w.slot;
}

void fair(pool_options& o)
{
    o.queue = queue_policy::fair;
}

} // namespace

BOOST_AUTO_TEST_SUITE(core_keys)

BOOST_AUTO_TEST_CASE(affinity_exact)
{
    core_harness pool;
    slot& of_a = idle_with(pool, "a");
    slot& clean_one = *pool.warm(2).back();
    BOOST_TEST(&clean_one != &of_a);
    const lease_place* const lease = pool.try_acquire("a");
    BOOST_TEST_REQUIRE(lease);
    BOOST_TEST(lease->of == &of_a);
    BOOST_TEST((clean_one.state == slot_state::idle));
}

BOOST_AUTO_TEST_CASE(affinity_clean)
{
    core_harness pool;
    slot& of_a = idle_with(pool, "a");
    slot& clean_one = *pool.warm(2).back();
    const lease_place* const lease = pool.try_acquire("b");
    BOOST_TEST_REQUIRE(lease);
    BOOST_TEST(lease->of == &clean_one);
    BOOST_TEST(of_a.epoch == 1u);
}

BOOST_AUTO_TEST_CASE(a_new_session_comes_before_a_stolen_one)
{
    core_harness pool;
    slot& of_a = idle_with(pool, "a");
    BOOST_TEST(!pool.try_acquire("b"));
    ticket& w = pool.acquire_for("b");
    BOOST_TEST((of_a.state == slot_state::idle));
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(w.granted());
    BOOST_TEST(w.slot != &of_a);
}

BOOST_AUTO_TEST_CASE(affinity_steal)
{
    core_harness pool([](pool_options& o) { o.max_size = 2; });
    ticket& first = pool.acquire_for("a");
    pool.ready(pool.the(slot_state::starting));
    slot& newer = idle_with(pool, "b");
    pool.give_back(first);
    slot& newest = *first.slot;
    BOOST_TEST(&newest != &newer);

    // No room for a new one: the session that has been idle longest ends for it, no other.
    ticket& w = pool.acquire_for("c");
    BOOST_TEST((newer.state == slot_state::stopping));
    BOOST_TEST((newer.reason == end_reason::rekeyed));
    BOOST_TEST((newest.state == slot_state::idle));
    pool.ended(newer);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(w.granted());
    BOOST_TEST(pool.ended_for(end_reason::rekeyed) == 1u);
}

BOOST_AUTO_TEST_CASE(affinity_age)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    ticket* holder = &pool.acquire_for("a");
    pool.ready(pool.the(slot_state::starting));
    ticket& other = pool.acquire_for("b");
    std::vector<ticket*> own;
    for (int i = 0; i != 10; ++i)
        own.push_back(&pool.acquire_for("a"));

    for (int i = 0; i != 8; ++i) {
        pool.give_back(*holder);
        BOOST_TEST_REQUIRE(own[std::size_t(i)]->granted());
        holder = own[std::size_t(i)];
    }
    pool.give_back(*holder);
    BOOST_TEST(!own[8]->completed);
    slot& s = pool.the(slot_state::stopping);
    BOOST_TEST((s.reason == end_reason::rekeyed));
    pool.ended(s);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(other.granted());
    BOOST_TEST(!own[8]->completed);
}

BOOST_AUTO_TEST_CASE(overtaking_is_free_while_a_session_for_the_first_is_on_its_way)
{
    core_harness pool([](pool_options& o) { o.max_size = 2; });
    ticket* holder = &pool.acquire_for("a");
    pool.ready(pool.the(slot_state::starting));
    ticket& other = pool.acquire_for("b");
    BOOST_TEST(pool.count(slot_state::starting) == 1u);
    for (int i = 0; i != 20; ++i) {
        ticket& next = pool.acquire_for("a");
        pool.give_back(*holder);
        BOOST_TEST_REQUIRE(next.granted());
        holder = &next;
    }
    BOOST_TEST(pool.ended_for(end_reason::rekeyed) == 0u);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(other.granted());
}

// Ending sessions for somebody whose session cannot be started would end one after the other.
BOOST_AUTO_TEST_CASE(no_session_ends_for_another_key_while_no_start_is_tried)
{
    core_harness pool([](pool_options& o) {
        o.max_size = 2, o.backoff_initial = o.backoff_max = 1h, o.breaker_threshold = 0;
    });
    std::vector<ticket*> holders{&pool.acquire_for("a", duration::max())};
    pool.ready(pool.the(slot_state::starting));
    ticket& other = pool.acquire_for("b", duration::max());
    pool.fail(pool.the(slot_state::starting));
    for (int i = 0; i != 20; ++i) {
        ticket& next = pool.acquire_for("a", duration::max());
        pool.give_back(*holders.back());
        BOOST_TEST_REQUIRE(next.granted());
        holders.push_back(&next);
    }
    BOOST_TEST(pool.ended_for(end_reason::rekeyed) == 0u);
    BOOST_TEST(other.waiting());
}

BOOST_AUTO_TEST_CASE(one_session_at_a_time_ends_for_a_waiter_while_permits_are_denied)
{
    core_harness pool([](pool_options& o) { o.max_size = 3; });
    std::vector<ticket*> holders;
    for (int i = 0; i != 3; ++i) {
        holders.push_back(&pool.acquire_for("a", duration::max()));
        for (slot* const s : pool.in(slot_state::starting))
            pool.ready(*s);
    }
    pool.grant_permits = false;
    pool.acquire_for("b", duration::max());
    for (int i = 0; i != 60; ++i) {
        ticket& next = pool.acquire_for("a", duration::max());
        pool.give_back(*holders[std::size_t(i) % 3]);
        pool.stop_all();
        while (pool.permits_wanted != 0) {
            --pool.permits_wanted;
            pool.core.permit_denied(pool.now);
            pool.pump();
        }
        if (!next.completed)
            continue;
        holders[std::size_t(i) % 3] = &next;
    }
    BOOST_TEST(pool.ended_for(end_reason::rekeyed) == 1u);
}

BOOST_AUTO_TEST_CASE(who_waits_overtakes_nobody_with_the_same_key)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    ticket& holder = pool.acquire_for("a");
    pool.ready(pool.the(slot_state::starting));
    ticket& first = pool.acquire_for("a");
    ticket& second = pool.acquire_for("a");
    BOOST_TEST(!pool.try_acquire("a"));
    pool.give_back(holder);
    BOOST_TEST(first.granted());
    BOOST_TEST(!second.completed);
}

BOOST_AUTO_TEST_CASE(a_stateless_session_fits_every_key)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    pool.stateless = true;
    slot& s = idle_with(pool, "a");
    for (const char* const key : {"b", "", "c"}) {
        lease_place* const lease = pool.try_acquire(key);
        BOOST_TEST_REQUIRE(lease);
        pool.core.release(*lease, clean(true), pool.now);
        pool.pump();
    }
    BOOST_TEST(s.epoch == 1u);
    BOOST_TEST(s.uses == 4u);
}

BOOST_AUTO_TEST_CASE(no_key_is_a_key_of_its_own)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    slot& s = idle_with(pool, "");
    BOOST_TEST(!pool.try_acquire("a"));
    BOOST_TEST(pool.try_acquire(""));
    BOOST_TEST(s.epoch == 1u);
}

BOOST_AUTO_TEST_CASE(a_key_lives_as_long_as_something_refers_to_it)
{
    core_harness pool;
    ticket& w = pool.acquire_for("a");
    BOOST_TEST(pool.keys() == 1u);
    pool.ready(pool.the(slot_state::starting));
    pool.give_back(w);
    // Its session remembers it.
    BOOST_TEST(pool.keys() == 1u);
    pool.die(*w.slot);
    BOOST_TEST(pool.keys() == 0u);

    ticket& waits = pool.acquire_for("b");
    BOOST_TEST(pool.keys() == 1u);
    pool.cancel(waits);
    BOOST_TEST(pool.keys() == 0u);
}

BOOST_AUTO_TEST_CASE(a_closed_pool_keeps_no_key)
{
    core_harness pool;
    pool.close(1s);
    BOOST_TEST(pool.acquire_for("a").failed(errc::pool_closed));
    BOOST_TEST(!pool.try_acquire("b"));
    BOOST_TEST(pool.keys() == 0u);
}

BOOST_AUTO_TEST_CASE(fair_serves_the_keys_in_turn)
{
    core_harness pool([](pool_options& o) { fair(o), o.max_size = 1; });
    pool.stateless = true;
    ticket* holder = &pool.acquire_for("flood");
    pool.ready(pool.the(slot_state::starting));
    std::vector<ticket*> flood;
    for (int i = 0; i != 5; ++i)
        flood.push_back(&pool.acquire_for("flood"));
    ticket& a = pool.acquire_for("a");
    ticket& b = pool.acquire_for("b");
    for (ticket* const next : {flood[0], &a, &b, flood[1], flood[2]}) {
        pool.give_back(*holder);
        BOOST_TEST_REQUIRE(next->granted());
        holder = next;
    }
    BOOST_TEST(!flood[3]->completed);
}

BOOST_AUTO_TEST_CASE(a_key_has_at_most_its_share_of_leases)
{
    core_harness pool([](pool_options& o) { fair(o), o.max_leases_per_key = 2; });
    pool.warm(3);
    ticket& first = pool.acquire_for("a");
    BOOST_TEST(first.granted());
    BOOST_TEST(pool.acquire_for("a").granted());
    ticket& third = pool.acquire_for("a");
    BOOST_TEST(!third.completed);
    BOOST_TEST(!pool.try_acquire("a"));
    // Nothing is started for a waiter whose key has its share, and others are served.
    BOOST_TEST(pool.count(slot_state::starting) == 0u);
    BOOST_TEST(pool.acquire_for("b").granted());
    pool.give_back(first);
    BOOST_TEST(third.granted());
}

BOOST_AUTO_TEST_CASE(a_detached_session_leaves_room_in_the_share)
{
    core_harness pool([](pool_options& o) { fair(o), o.max_leases_per_key = 1; });
    pool.warm(2);
    ticket& first = pool.acquire_for("a");
    ticket& second = pool.acquire_for("a");
    BOOST_TEST(!second.completed);
    BOOST_TEST(pool.detach(*first.slot));
    BOOST_TEST(second.granted());
}

BOOST_AUTO_TEST_CASE(a_larger_share_serves_who_waits)
{
    core_harness pool([](pool_options& o) { fair(o), o.max_leases_per_key = 1; });
    pool.warm(3);
    pool.acquire_for("a");
    ticket& second = pool.acquire_for("a");
    ticket& third = pool.acquire_for("a");
    pool.change([](pool_options& o) { o.max_leases_per_key = 2; });
    BOOST_TEST(second.granted());
    BOOST_TEST(!third.completed);
    pool.change([](pool_options& o) { o.max_leases_per_key = 0; });
    BOOST_TEST(third.granted());
}

BOOST_AUTO_TEST_CASE(a_key_has_at_most_its_share_of_waiters)
{
    core_harness pool([](pool_options& o) { fair(o), o.max_waiters_per_key = 2; });
    pool.acquire_for("a");
    pool.acquire_for("a");
    BOOST_TEST(pool.acquire_for("a").failed(errc::too_many_waiters));
    BOOST_TEST(pool.acquire_for("b").waiting());
    BOOST_TEST(pool.core.counters().rejected == 1u);
}

BOOST_AUTO_TEST_CASE(nobody_counts_on_a_session_of_another_key_that_is_about_to_be_free)
{
    core_harness pool([](pool_options& o) { o.probe_interval = 0s; });
    ticket& theirs = pool.acquire_for("theirs");
    pool.ready(pool.the(slot_state::starting));
    pool.give_back(theirs, dirty());
    BOOST_TEST(pool.count(slot_state::resetting) == 1u);
    pool.acquire_for("theirs");
    BOOST_TEST(pool.count(slot_state::starting) == 0u);
    pool.acquire_for("mine", 1s);
    BOOST_TEST(pool.count(slot_state::starting) == 1u);
}

BOOST_AUTO_TEST_CASE(nobody_counts_for_long_on_a_session_that_does_not_answer)
{
    core_harness pool([](pool_options& o) { o.probe_interval = 0s; });
    slot& silent = pool.lend();
    pool.give_back(silent, dirty());
    ticket& hopeful = pool.acquire(1s);
    // A server that is well answers in less.
    BOOST_TEST(pool.count(slot_state::starting) == 0u);
    pool.advance(100ms);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(hopeful.granted());
    BOOST_TEST((silent.state == slot_state::resetting));
}

BOOST_AUTO_TEST_SUITE_END()
