// The life of a session between its start and its end: probes, idle time, eviction, the stop ladder,
// and what changing the size does.
#include "support/core_harness.hpp"

using namespace mcp_pool;
using namespace mcp_pool::test;

namespace {

// The session that is due for a probe first.
slot& until_probe(core_harness& pool)
{
    while (pool.count(slot_state::probing) == 0) {
        BOOST_TEST_REQUIRE((pool.core.next_wake() != time_point::max()));
        pool.advance(pool.core.next_wake() - pool.now);
    }
    return pool.the(slot_state::probing);
}

} // namespace

BOOST_AUTO_TEST_SUITE(core_lives)

BOOST_AUTO_TEST_CASE(idle_timeout_respects_min)
{
    core_harness pool(
        [](pool_options& o) { o.min_size = 1, o.idle_timeout = 60s, o.probe_interval = 0s; });
    const auto sessions = pool.warm(3);

    pool.advance(60s - 1ns);
    BOOST_TEST(pool.count(slot_state::idle) == 3u);
    pool.advance(1ns);
    BOOST_TEST(pool.count(slot_state::idle) == 1u);
    BOOST_TEST(pool.count(slot_state::stopping) == 2u);
    BOOST_TEST(pool.core.counters().ended[std::size_t(end_reason::idle)] == 2u);
    pool.advance(1h);
    BOOST_TEST(pool.count(slot_state::idle) == 1u);
}

BOOST_AUTO_TEST_CASE(use_postpones_idle_timeout)
{
    core_harness pool([](pool_options& o) { o.idle_timeout = 60s, o.probe_interval = 0s; });
    slot& s = *pool.warm(1).front();
    pool.advance(50s);
    pool.give_back(pool.lend());
    pool.advance(59s);
    BOOST_TEST((s.state == slot_state::idle));
    pool.advance(1s);
    BOOST_TEST((s.state == slot_state::stopping));
}

BOOST_AUTO_TEST_CASE(idle_timeout_never_ends_a_lease)
{
    core_harness pool([](pool_options& o) { o.idle_timeout = 60s, o.probe_interval = 10s; });
    pool.warm(1);
    slot& s = pool.lend();
    pool.advance(1h);
    BOOST_TEST((s.state == slot_state::leased));
    BOOST_TEST(pool.core.counters().probes == 0u);
}

BOOST_AUTO_TEST_CASE(probe_one_at_a_time)
{
    core_harness pool([](pool_options& o) { o.probe_timeout = 60s; });
    pool.warm(3);
    until_probe(pool);
    pool.advance(10s);
    // All three are due by now; the end of each probe makes place for the next one.
    for (int probed = 0; probed != 3; ++probed) {
        BOOST_TEST(pool.count(slot_state::probing) == 1u);
        BOOST_TEST(pool.take(slot_action::probe).size() == 1u);
        pool.probe_done(pool.the(slot_state::probing));
    }
    BOOST_TEST(pool.count(slot_state::probing) == 0u);
    BOOST_TEST(pool.count(slot_state::idle) == 3u);
}

BOOST_AUTO_TEST_CASE(probes_are_jittered_around_probe_interval)
{
    core_harness pool([](pool_options& o) { o.max_size = 8, o.max_probing = 8; });
    std::vector<duration> after;
    for (const slot* s : pool.warm(8))
        after.push_back(s->wake - s->ready_at);
    std::sort(after.begin(), after.end());
    BOOST_TEST((after.front() >= 27s));
    BOOST_TEST((after.back() <= 33s));
    BOOST_TEST((std::adjacent_find(after.begin(), after.end()) == after.end()));
}

BOOST_AUTO_TEST_CASE(the_place_of_a_mute_session_goes_to_the_next_probe)
{
    core_harness pool([](pool_options& o) { o.max_size = 2, o.probe_timeout = 10s; });
    pool.warm(2);
    slot& mute = until_probe(pool);
    pool.advance(10s);
    BOOST_TEST((mute.state == slot_state::stopping));
    BOOST_TEST((mute.reason == end_reason::probe));
    BOOST_TEST(&pool.the(slot_state::probing) != &mute);

    // So does the place of one that dies.
    pool.die(pool.the(slot_state::probing));
    BOOST_TEST(pool.count(slot_state::probing) == 0u);
    pool.probe_done(mute);
    BOOST_TEST((mute.state == slot_state::stopping));
}

BOOST_AUTO_TEST_CASE(a_session_alone_in_its_pool_is_probed_too)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    pool.warm(1);
    pool.advance(27s - 1ns);
    BOOST_TEST(pool.count(slot_state::probing) == 0u);
    const time_point begin = pool.now;
    pool.probe_done(until_probe(pool));
    BOOST_TEST((pool.now - begin <= 6s + 1ns));
    BOOST_TEST(pool.count(slot_state::idle) == 1u);
}

BOOST_AUTO_TEST_CASE(probe_skipped_with_waiters)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    slot& s = pool.lend();
    pool.acquire(duration::max());
    pool.advance(10min);
    // Long due, and handed over all the same.
    pool.give_back(s);
    BOOST_TEST((s.state == slot_state::leased));
    pool.advance(10min);
    BOOST_TEST(pool.core.counters().probes == 0u);
}

BOOST_AUTO_TEST_CASE(a_waiter_gets_the_session_whose_probe_ends)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    pool.warm(1);
    slot& s = until_probe(pool);
    ticket& waits = pool.acquire();
    BOOST_TEST(waits.waiting());
    pool.probe_done(s);
    BOOST_TEST(waits.granted());
}

BOOST_AUTO_TEST_CASE(a_probe_is_no_use)
{
    core_harness pool(
        [](pool_options& o) { o.probe_timeout = 60s, o.idle_timeout = 60s, o.max_probing = 3; });
    const auto sessions = pool.warm(3);
    pool.give_back(pool.lend());
    pool.advance(34s);
    // The answers come in an order of their own; the most recently used one stays on top, and
    // idle_timeout counts from the last use.
    pool.probe_done(*sessions[2]);
    pool.probe_done(*sessions[0]);
    pool.probe_done(*sessions[1]);
    BOOST_TEST(&pool.lend() == sessions[2]);
    pool.advance(26s);
    BOOST_TEST(pool.count(slot_state::stopping) == 2u);
}

BOOST_AUTO_TEST_CASE(death_is_seen_in_every_state)
{
    core_harness pool([](pool_options& o) { o.max_size = 1, o.min_size = 1; });
    pool.core.start(pool.now);
    pool.pump();
    const auto restarted = [&](slot& s) {
        pool.die(s);
        BOOST_TEST(pool.core.size() == 1u);
        BOOST_TEST(pool.core.consecutive_failures() == 0u);
        pool.ready(pool.the(slot_state::starting));
        return &pool.the(slot_state::idle);
    };
    pool.ready(pool.the(slot_state::starting));
    slot* s = restarted(pool.the(slot_state::idle));
    BOOST_TEST(pool.acquire().granted());
    pool.give_back(*s, suspect());
    s = restarted(pool.the(slot_state::probing));
    BOOST_TEST(pool.acquire().granted());
    pool.give_back(*s, dirty());
    s = restarted(pool.the(slot_state::resetting));

    // One in a lease's hands stays there until it is let go.
    BOOST_TEST(pool.acquire().granted());
    pool.die(*s);
    BOOST_TEST((s->state == slot_state::leased));
    BOOST_TEST(pool.take(slot_action::forget).empty());
    pool.give_back(*s);
    BOOST_TEST(pool.count(slot_state::starting) == 1u);
}

BOOST_AUTO_TEST_CASE(stop_ladder_has_three_rungs)
{
    core_harness pool([](pool_options& o) { o.stop_grace = 2s; });
    slot& s = pool.lend();
    pool.give_back(s, discard());
    const auto rung = [&]() {
        const auto jobs = pool.take(slot_action::stop);
        BOOST_TEST_REQUIRE(jobs.size() == 1u);
        return jobs.front().step;
    };
    BOOST_TEST((rung() == stop_rung::close_input));
    pool.advance(2s - 1ns);
    BOOST_TEST(pool.take(slot_action::stop).empty());
    pool.advance(1ns);
    BOOST_TEST((rung() == stop_rung::terminate));
    pool.advance(2s);
    BOOST_TEST((rung() == stop_rung::kill));

    // What outlives SIGKILL does not hold its place for ever.
    pool.advance(10s);
    BOOST_TEST((s.state == slot_state::empty));
    BOOST_TEST(pool.take(slot_action::forget).size() == 1u);
    pool.ended(s, true);
    BOOST_TEST(pool.core.report().survivors == 0u);
}

BOOST_AUTO_TEST_CASE(a_broken_session_climbs_the_ladder_under_its_lease)
{
    core_harness pool([](pool_options& o) { o.stop_grace = 2s; });
    slot& s = pool.lend();
    pool.broken(s);
    pool.advance(2s);
    pool.give_back(s);
    BOOST_TEST((s.state == slot_state::stopping));
    pool.advance(2s);
    const auto jobs = pool.take(slot_action::stop);
    BOOST_TEST_REQUIRE(jobs.size() == 3u);
    BOOST_TEST((jobs[1].step == stop_rung::terminate));
    BOOST_TEST((jobs[2].step == stop_rung::kill));
    pool.ended(s, true);
    BOOST_TEST((s.state == slot_state::empty));

    // One that outlives SIGKILL under its lease is forgotten when the lease ends, not before.
    slot& t = pool.lend();
    pool.broken(t);
    pool.advance(1min);
    BOOST_TEST(t.ended);
    BOOST_TEST(pool.take(slot_action::forget).empty());
    pool.give_back(t);
    BOOST_TEST(pool.take(slot_action::forget).size() == 1u);
}

BOOST_AUTO_TEST_CASE(generation_evict)
{
    core_harness pool([](pool_options& o) { o.max_size = 6; });
    slot& lent = pool.lend();
    slot& resetting = pool.lend();
    slot& probing = pool.lend();
    pool.give_back(resetting, dirty());
    pool.give_back(probing, suspect());
    ticket& before = pool.acquire();
    pool.acquire();
    ticket& waits = pool.acquire();
    slot& starting = pool.the(slot_state::starting);

    pool.core.evict_all(pool.now);
    pool.pump();
    BOOST_TEST((resetting.state == slot_state::stopping));
    BOOST_TEST((probing.state == slot_state::stopping));
    BOOST_TEST((starting.state == slot_state::stopping));
    BOOST_TEST((lent.state == slot_state::leased));
    BOOST_TEST(before.waiting());
    pool.give_back(lent);
    BOOST_TEST((lent.state == slot_state::stopping));
    BOOST_TEST((lent.reason == end_reason::evicted));

    for (slot* s : pool.in(slot_state::stopping))
        pool.ended(*s);

    // What starts now is of the new generation.
    while (waits.waiting())
        pool.ready(*pool.in(slot_state::starting).front());
    BOOST_TEST(before.granted());
    pool.give_back(*before.slot);
    BOOST_TEST((before.slot->state == slot_state::idle));
}

BOOST_AUTO_TEST_CASE(a_start_that_has_not_begun_survives_an_eviction)
{
    core_harness pool;
    pool.take_jobs = false;
    ticket& waits = pool.acquire();
    pool.core.permit_granted(pool.now);
    pool.core.evict_all(pool.now);
    pool.take_jobs = true;
    pool.pump();
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(waits.granted());
    BOOST_TEST(pool.core.counters().ended[std::size_t(end_reason::evicted)] == 0u);
}

BOOST_AUTO_TEST_CASE(resize_up_serves_who_waits)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; }, 3);
    pool.lend();
    ticket& first = pool.acquire();
    ticket& second = pool.acquire();
    BOOST_TEST(pool.count(slot_state::starting) == 0u);
    pool.resize(0, 3, 2);
    BOOST_TEST(pool.count(slot_state::starting) == 2u);
    while (!pool.in(slot_state::starting).empty())
        pool.ready(*pool.in(slot_state::starting).front());
    BOOST_TEST(first.granted());
    BOOST_TEST(second.granted());
}

BOOST_AUTO_TEST_CASE(resize_down_while_leased)
{
    core_harness pool([](pool_options& o) { o.max_size = 5, o.max_starting = 5; });
    slot& a = pool.lend();
    slot& b = pool.lend();
    slot& c = pool.lend();
    slot& d = pool.lend();
    pool.give_back(c, suspect());
    ticket& waits = pool.acquire();
    ticket& more = pool.acquire();
    slot& starting = pool.the(slot_state::starting);

    pool.resize(0, 2, 2);
    // Starts are of no use yet and go first; leases end by themselves.
    BOOST_TEST((starting.state == slot_state::stopping));
    BOOST_TEST(pool.core.leases() == 3u);
    pool.ended(starting);
    pool.probe_done(c);
    BOOST_TEST((c.state == slot_state::stopping));
    pool.give_back(a);
    BOOST_TEST((a.state == slot_state::stopping));
    BOOST_TEST(waits.waiting());
    pool.give_back(b);
    BOOST_TEST(waits.granted());
    pool.give_back(d);
    BOOST_TEST(more.granted());
    BOOST_TEST(pool.core.alive() == 2u);
}

BOOST_AUTO_TEST_CASE(resize_down_ends_the_longest_idle_first)
{
    core_harness pool;
    const auto sessions = pool.warm(3);
    pool.resize(0, 1, 2);
    BOOST_TEST(&pool.the(slot_state::idle) == sessions[2]);
    // A raised minimum is met, a lowered one lets the idle end in time.
    pool.ended(*sessions[0]);
    pool.ended(*sessions[1]);
    pool.resize(2, 3, 2);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(pool.count(slot_state::idle) == 2u);
}

BOOST_AUTO_TEST_CASE(a_lowered_minimum_ends_what_has_been_idle_for_long)
{
    core_harness pool(
        [](pool_options& o) { o.min_size = 2, o.probe_interval = 0s, o.idle_timeout = 60s; });
    pool.warm(2);
    pool.advance(90s);
    BOOST_TEST(pool.count(slot_state::idle) == 2u);
    pool.resize(0, 3, 2);
    pool.advance(0s);
    BOOST_TEST(pool.count(slot_state::idle) == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
