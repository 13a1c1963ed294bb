// Starts: how many, when, for whom, and what happens while they fail.
#include "support/core_harness.hpp"

using namespace mcp_pool;
using namespace mcp_pool::test;

namespace {

start_verdict permanent()
{
    start_verdict v;
    v.permanent = true;
    return v;
}

start_verdict exhausted()
{
    start_verdict v;
    v.exhausted = true;
    return v;
}

// The time until the core tries the next start.
duration until_next_start(core_harness& pool)
{
    const time_point begin = pool.now;
    while (pool.in(slot_state::starting).empty()) {
        BOOST_TEST_REQUIRE((pool.core.next_wake() != time_point::max()));
        pool.advance(pool.core.next_wake() - pool.now);
    }
    return pool.now - begin;
}

void fail_times(core_harness& pool, int times)
{
    for (int i = 0; i != times; ++i) {
        until_next_start(pool);
        pool.fail(pool.the(slot_state::starting));
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(core_starts)

BOOST_AUTO_TEST_CASE(demand_table)
{
    struct row
    {
        std::size_t max_size, min_size, max_starting, leased, resetting, waiting, started;
    };
    const row table[] = {
        // Nobody asks.
        {10, 0, 2, 0, 0, 0, 0},
        {10, 0, 2, 3, 0, 0, 0},
        // The floor counts what is alive, in use or not.
        {10, 1, 2, 0, 0, 0, 1},
        {10, 4, 9, 0, 0, 0, 4},
        {10, 4, 9, 3, 0, 0, 1},
        {10, 4, 9, 5, 0, 0, 0},
        // One start for each who waits, within the limits.
        {10, 0, 9, 0, 0, 1, 1},
        {10, 0, 9, 2, 0, 5, 5},
        {10, 0, 2, 0, 0, 9, 2},
        {10, 0, 1, 0, 0, 9, 1},
        {3, 0, 9, 2, 0, 5, 1},
        {3, 0, 9, 3, 0, 5, 0},
        // What is being reset is about to serve a waiter.
        {10, 0, 9, 0, 2, 1, 0},
        {10, 0, 9, 0, 2, 5, 3},
        // Those who wait count for the floor, and the other way round.
        {10, 3, 9, 0, 0, 1, 3},
        {10, 1, 9, 0, 0, 3, 3},
    };
    for (const row& r : table) {
        BOOST_TEST_CONTEXT("row " << &r - table)
        {
            core_harness pool(
                [&](pool_options& o) { o.max_size = r.max_size, o.max_starting = r.max_starting; });
            std::vector<slot*> lent;
            while (lent.size() != r.leased + r.resetting)
                lent.push_back(&pool.lend());
            for (std::size_t i = 0; i != r.resetting; ++i)
                pool.give_back(*lent[i], dirty());
            pool.resize(r.min_size, r.max_size, r.max_starting);
            for (std::size_t i = 0; i != r.waiting; ++i)
                pool.acquire();
            pool.core.start(pool.now);
            pool.pump();
            BOOST_TEST(pool.count(slot_state::starting) == r.started);
        }
    }
}

BOOST_AUTO_TEST_CASE(nothing_starts_before_somebody_asks)
{
    core_harness pool([](pool_options& o) { o.min_size = 2; });
    pool.pump();
    BOOST_TEST(pool.core.size() == 0u);
    BOOST_TEST(pool.acquire(0s).failed(errc::acquire_timeout));
    BOOST_TEST(pool.count(slot_state::starting) == 2u);
}

BOOST_AUTO_TEST_CASE(max_starting)
{
    core_harness pool([](pool_options& o) { o.max_size = 10, o.max_starting = 3; });
    for (int i = 0; i != 10; ++i)
        pool.acquire();
    BOOST_TEST(pool.count(slot_state::starting) == 3u);
    pool.ready(*pool.in(slot_state::starting).front());
    BOOST_TEST(pool.count(slot_state::starting) == 3u);
    BOOST_TEST(pool.core.size() == 4u);
}

BOOST_AUTO_TEST_CASE(era_unknown_starts_alone)
{
    core_harness pool([](pool_options& o) { o.max_size = 10, o.max_starting = 3; });
    pool.core.set_era_known(false, pool.now);
    for (int i = 0; i != 10; ++i)
        pool.acquire();
    BOOST_TEST(pool.count(slot_state::starting) == 1u);
    pool.core.set_era_known(true, pool.now);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(pool.count(slot_state::starting) == 3u);
}

BOOST_AUTO_TEST_CASE(a_cancelled_acquire_never_kills_a_start)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    ticket& gone = pool.acquire(1s);
    slot& s = pool.the(slot_state::starting);
    pool.advance(1s);
    BOOST_TEST(gone.failed(errc::acquire_timeout));
    BOOST_TEST((s.state == slot_state::starting));

    // It serves whoever is at the head by then.
    ticket& next = pool.acquire();
    pool.ready(s);
    BOOST_TEST(next.granted());
}

BOOST_AUTO_TEST_CASE(elide_start)
{
    core_harness pool;
    slot& lent = pool.lend();
    pool.take_jobs = false;
    ticket& waits = pool.acquire();
    BOOST_TEST(pool.count(slot_state::starting) == 1u);

    // The lease comes back before the driver has begun with the start.
    pool.give_back(lent);
    BOOST_TEST(waits.granted());
    BOOST_TEST(pool.count(slot_state::starting) == 0u);
    pool.take_jobs = true;
    pool.pump();
    BOOST_TEST(pool.take(slot_action::start).empty());
    BOOST_TEST(pool.permits_out == 1);
}

BOOST_AUTO_TEST_CASE(a_start_in_the_last_place_of_the_pool_is_dropped_too_once_nobody_needs_it)
{
    core_harness pool([](pool_options& o) { o.max_size = 2; });
    slot& lent = pool.lend();
    pool.take_jobs = false;
    ticket& waits = pool.acquire();
    BOOST_TEST(pool.count(slot_state::starting) == 1u);

    pool.give_back(lent);
    BOOST_TEST(waits.granted());
    BOOST_TEST(pool.count(slot_state::starting) == 0u);
}

BOOST_AUTO_TEST_CASE(a_permit_that_comes_too_late_is_given_back)
{
    core_harness pool;
    pool.grant_permits = false;
    ticket& waits = pool.acquire(1s);
    BOOST_TEST(pool.permits_wanted == 1u);
    BOOST_TEST(pool.core.size() == 0u);
    pool.advance(1s);
    BOOST_TEST(waits.failed(errc::acquire_timeout));

    pool.grant_permits = true;
    pool.pump();
    BOOST_TEST(pool.core.size() == 0u);
    BOOST_TEST(pool.permits_out == 0);

    // One that was not even asked for is not asked for any more.
    ticket& w = pool.acquire(duration::max());
    pool.cancel(w);
    slot& s = pool.the(slot_state::starting);
    pool.fail(s);
    BOOST_TEST(pool.permits_out == 0);
}

BOOST_AUTO_TEST_CASE(a_denied_permit_is_asked_for_again_after_a_pause)
{
    core_harness pool;
    pool.grant_permits = false;
    ticket& waits = pool.acquire();
    for (int i = 0; i != 3; ++i) {
        BOOST_TEST_REQUIRE(pool.permits_wanted == 1u);
        pool.permits_wanted = 0;
        pool.core.permit_denied(pool.now);
        pool.pump();
        BOOST_TEST(pool.permits_wanted == 0u);
        BOOST_TEST((pool.core.next_wake() > pool.now));
        BOOST_TEST((pool.core.next_wake() <= pool.now + 1s));
        pool.advance(pool.core.next_wake() - pool.now);
    }
    pool.grant_permits = true;
    pool.pump();
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(waits.granted());
}

BOOST_AUTO_TEST_CASE(start_fail_wakes_next)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    ticket& first = pool.acquire();
    ticket& second = pool.acquire();
    pool.fail(pool.the(slot_state::starting));
    BOOST_TEST(first.waiting());
    until_next_start(pool);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(first.granted());
    pool.give_back(*first.slot);
    BOOST_TEST(second.granted());
}

BOOST_AUTO_TEST_CASE(a_start_that_hangs_is_expired_then_given_up)
{
    core_harness pool([](pool_options& o) { o.max_size = 2; });
    ticket& first = pool.acquire(duration::max());
    pool.acquire(duration::max());
    slot& hangs = *pool.in(slot_state::starting).front();
    pool.ready(*pool.in(slot_state::starting).back());
    BOOST_TEST(first.granted());
    pool.jobs.clear();

    pool.advance(pool.options.start_timeout - 1ns);
    BOOST_TEST(pool.jobs.empty());
    pool.advance(1ns);
    BOOST_TEST(pool.take(slot_action::expire_start).size() == 1u);
    BOOST_TEST((hangs.state == slot_state::starting));
    // Not even that is answered.
    pool.advance(5s);
    BOOST_TEST((hangs.state != slot_state::starting));
    BOOST_TEST((hangs.reason == end_reason::start_failed));
    BOOST_TEST(pool.core.consecutive_failures() == 1u);
}

BOOST_AUTO_TEST_CASE(ready_at_the_last_moment_is_not_expired_any_more)
{
    core_harness pool;
    ticket& waits = pool.acquire(duration::max());
    pool.take_jobs = false;
    pool.advance(pool.options.start_timeout);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(waits.granted());
    pool.take_jobs = true;
    pool.jobs.clear();
    pool.pump();
    BOOST_TEST(pool.take(slot_action::expire_start).empty());
}

BOOST_AUTO_TEST_CASE(backoff_bounds)
{
    core_harness pool([](pool_options& o) {
        o.backoff_initial = 100ms, o.backoff_max = 30s, o.breaker_threshold = 0;
    });
    pool.acquire(duration::max());
    duration bound = 100ms, longest{};
    for (int i = 0; i != 200; ++i) {
        pool.fail(pool.the(slot_state::starting));
        const duration pause = until_next_start(pool);
        BOOST_TEST((pause >= 1ms));
        BOOST_TEST((pause <= bound));
        longest = std::max(longest, pause);
        bound = std::min<duration>(bound * 2, 30s);
    }
    // Full jitter reaches far into the range.
    BOOST_TEST((longest > 20s));
}

BOOST_AUTO_TEST_CASE(no_backoff_is_not_a_busy_loop)
{
    core_harness pool([](pool_options& o) { o.backoff_initial = 0s, o.breaker_threshold = 0; });
    pool.acquire(duration::max());
    pool.fail(pool.the(slot_state::starting));
    BOOST_TEST((until_next_start(pool) >= 1ms));
    // Nor does the longest of all overflow.
    core_harness patient([](pool_options& o) {
        o.backoff_initial = o.backoff_max = duration::max(), o.breaker_threshold = 0;
    });
    ticket& waits = patient.acquire(1h);
    patient.fail(patient.the(slot_state::starting));
    patient.advance(1h);
    BOOST_TEST(waits.failed(errc::acquire_timeout));
}

BOOST_AUTO_TEST_CASE(one_try_at_a_time_while_failing)
{
    core_harness pool([](pool_options& o) { o.max_size = 8, o.max_starting = 4; });
    for (int i = 0; i != 8; ++i)
        pool.acquire(duration::max());
    BOOST_TEST(pool.count(slot_state::starting) == 4u);
    for (slot* s : pool.in(slot_state::starting))
        pool.fail(*s);
    until_next_start(pool);
    BOOST_TEST(pool.count(slot_state::starting) == 1u);
    // The try succeeds, but has not proved anything yet.
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(pool.count(slot_state::starting) == 1u);
    pool.give_back(*pool.in(slot_state::leased).front(), clean(true));
    BOOST_TEST(pool.core.consecutive_failures() == 0u);
    BOOST_TEST(pool.count(slot_state::starting) == 4u);
}

BOOST_AUTO_TEST_CASE(breaker_opens_only_when_nothing_is_alive)
{
    core_harness pool([](pool_options& o) { o.max_size = 2, o.breaker_threshold = 3; });
    slot& lent = pool.lend();
    ticket& waits = pool.acquire(duration::max());
    fail_times(pool, 5);
    BOOST_TEST(waits.waiting());
    BOOST_TEST(!pool.core.circuit_open());
    pool.give_back(lent);
    BOOST_TEST(waits.granted());

    // The last one alive dies: who waits is refused, and so is who comes before the next try.
    ticket& refused = pool.acquire(duration::max());
    ticket& boot = pool.await_ready(1);
    BOOST_TEST(boot.granted());
    fail_times(pool, 1);
    pool.die(lent, false);
    BOOST_TEST(pool.core.alive() == 0u);
    BOOST_TEST(pool.core.circuit_open());
    BOOST_TEST(refused.failed(errc::circuit_open));
    BOOST_TEST(pool.acquire().failed(errc::circuit_open));
    BOOST_TEST(pool.await_ready(1).failed(errc::start_failed));

    // Later one asks again: a trial start, and it closes the circuit.
    pool.advance(30s);
    ticket& trial = pool.acquire(duration::max());
    ticket& joins = pool.acquire(duration::max());
    BOOST_TEST(trial.waiting());
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(trial.granted());
    BOOST_TEST(joins.waiting());
    BOOST_TEST(!pool.core.circuit_open());
}

BOOST_AUTO_TEST_CASE(breaker_opens_at_threshold)
{
    core_harness pool([](pool_options& o) { o.breaker_threshold = 3; });
    ticket& waits = pool.acquire(duration::max());
    fail_times(pool, 2);
    BOOST_TEST(waits.waiting());
    fail_times(pool, 1);
    BOOST_TEST(waits.failed(errc::circuit_open));

    // A failed trial keeps it open.
    pool.advance(30s);
    ticket& trial = pool.acquire(duration::max());
    BOOST_TEST(trial.waiting());
    pool.fail(pool.the(slot_state::starting));
    BOOST_TEST(trial.failed(errc::circuit_open));
}

BOOST_AUTO_TEST_CASE(a_command_that_cannot_run_opens_the_breaker_at_once)
{
    core_harness pool;
    ticket& waits = pool.acquire();
    ticket& boot = pool.await_ready(2);
    BOOST_TEST(pool.count(slot_state::starting) == 2u);
    pool.fail(*pool.in(slot_state::starting).front(), permanent());
    // There is one more start that may succeed.
    BOOST_TEST(waits.waiting());
    pool.fail(pool.the(slot_state::starting), permanent());
    BOOST_TEST(waits.failed(errc::circuit_open));
    BOOST_TEST(boot.failed(errc::start_failed));
}

BOOST_AUTO_TEST_CASE(refused_waiters_in_batches_of_64)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    for (int i = 0; i != 150; ++i)
        pool.acquire(duration::max());
    slot& s = pool.the(slot_state::starting);
    pool.core.start_failed(s, s.epoch, permanent(), pool.now);
    BOOST_TEST(pool.core.waiting() == 150u - 64u);
    BOOST_TEST((pool.core.next_wake() <= pool.now));
    // One who comes meanwhile is not among those who are refused later on.
    pool.advance(0s);
    BOOST_TEST(pool.core.waiting() == 0u);
    BOOST_TEST(pool.core.counters().failed == 150u);
}

BOOST_AUTO_TEST_CASE(exhaustion_is_not_the_servers_failure)
{
    core_harness pool([](pool_options& o) { o.max_size = 2, o.breaker_threshold = 2; });
    ticket& waits = pool.acquire();
    ticket& boot = pool.await_ready(1);
    pool.fail(pool.the(slot_state::starting), exhausted());
    BOOST_TEST(waits.failed(errc::resource_exhausted));
    BOOST_TEST(boot.failed(errc::resource_exhausted));
    BOOST_TEST(pool.acquire().failed(errc::resource_exhausted));

    // However often, it does not count for the breaker.
    for (int i = 0; i != 5; ++i) {
        pool.advance(30s);
        BOOST_TEST(pool.acquire().waiting());
        pool.fail(pool.the(slot_state::starting), exhausted());
    }
    pool.advance(30s);
    ticket& patient = pool.acquire(duration::max());
    pool.fail(pool.the(slot_state::starting));
    BOOST_TEST(patient.waiting());
    fail_times(pool, 1);
    BOOST_TEST(patient.failed(errc::circuit_open));
}

BOOST_AUTO_TEST_CASE(leases_go_on_while_the_host_is_exhausted)
{
    core_harness pool([](pool_options& o) { o.max_size = 2; });
    slot& lent = pool.lend();
    ticket& waits = pool.acquire(duration::max());
    pool.fail(pool.the(slot_state::starting), exhausted());
    BOOST_TEST(waits.waiting());
    pool.give_back(lent);
    BOOST_TEST(waits.granted());
}

BOOST_AUTO_TEST_CASE(early_exit_without_an_answer_is_a_failed_start)
{
    core_harness pool([](pool_options& o) { o.min_uptime = 10s; });
    slot& s = pool.lend();
    ticket& waits = pool.acquire(duration::max());
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(waits.granted());
    pool.advance(10s - 1ns);
    pool.die(s, false);
    BOOST_TEST(pool.core.consecutive_failures() == 1u);

    // The same after min_uptime is the life of a server.
    pool.advance(1ns);
    pool.die(*waits.slot, false);
    BOOST_TEST(pool.core.consecutive_failures() == 1u);
}

BOOST_AUTO_TEST_CASE(crash_loop_is_slowed_down)
{
    core_harness pool([](pool_options& o) { o.min_size = 1, o.breaker_threshold = 3; });
    pool.core.start(pool.now);
    pool.pump();
    for (std::size_t i = 1; i != 4; ++i) {
        until_next_start(pool);
        pool.ready(pool.the(slot_state::starting));
        pool.die(pool.the(slot_state::idle), false);
        BOOST_TEST(pool.core.consecutive_failures() == i);
        BOOST_TEST(pool.count(slot_state::starting) == 0u);
    }
    BOOST_TEST(pool.core.circuit_open());
}

BOOST_AUTO_TEST_CASE(proven_session_is_replaced_without_delay)
{
    core_harness pool([](pool_options& o) { o.min_size = 1; });
    slot& s = pool.lend();
    pool.die(s, true);
    pool.give_back(s);
    BOOST_TEST(pool.count(slot_state::starting) == 1u);
    BOOST_TEST(pool.core.consecutive_failures() == 0u);
}

BOOST_AUTO_TEST_CASE(living_for_min_uptime_clears_the_failures)
{
    for (const bool lent : {false, true}) {
        core_harness pool([](pool_options& o) { o.min_uptime = 10s; });
        ticket& waits = pool.acquire(duration::max());
        fail_times(pool, 2);
        until_next_start(pool);
        pool.ready(pool.the(slot_state::starting));
        if (!lent)
            pool.give_back(*waits.slot, clean(false));
        pool.advance(10s - 1ns);
        BOOST_TEST(pool.core.consecutive_failures() == 2u);
        pool.advance(1ns);
        BOOST_TEST(pool.core.consecutive_failures() == 0u);
    }
}

BOOST_AUTO_TEST_CASE(old_sessions_say_nothing_about_new_starts)
{
    // A licence for one session, say: it serves all the time, others never start.
    core_harness pool([](pool_options& o) { o.max_size = 2, o.backoff_max = 30s; });
    slot& works = pool.lend();
    pool.give_back(works, clean(true));
    std::size_t tries = 0;
    BOOST_TEST(pool.acquire().granted());
    for (int i = 0; i != 1000; ++i) {
        pool.acquire(duration::max());
        for (slot* s : pool.in(slot_state::starting)) {
            ++tries;
            pool.fail(*s);
        }
        pool.advance(100ms);
        pool.give_back(works, clean(true));
    }
    // 100 s with tries every 15 s on average, once the pauses have grown.
    BOOST_TEST(tries > 3u);
    BOOST_TEST(tries < 40u);
}

BOOST_AUTO_TEST_CASE(wait_ready_semantics)
{
    core_harness pool([](pool_options& o) { o.max_size = 3, o.max_starting = 3; });
    ticket& two = pool.await_ready(2);
    ticket& three = pool.await_ready(3, 1s);
    BOOST_TEST(pool.count(slot_state::starting) == 3u);
    BOOST_TEST(pool.await_ready(1, 0s).failed(errc::acquire_timeout));
    pool.ready(*pool.in(slot_state::starting).front());
    BOOST_TEST(two.waiting());
    pool.ready(*pool.in(slot_state::starting).front());
    BOOST_TEST(two.granted());
    pool.advance(1s);
    BOOST_TEST(three.failed(errc::acquire_timeout));
    BOOST_TEST(pool.await_ready(2, 0s).granted());
    BOOST_TEST(pool.await_ready(0, 0s).granted());

    // What died in a lease's hands is not ready.
    BOOST_TEST(pool.acquire().granted());
    pool.die(pool.the(slot_state::leased));
    BOOST_TEST(pool.await_ready(2, 0s).failed(errc::acquire_timeout));

    // Nobody waits for what a resize has made impossible.
    ticket& many = pool.await_ready(3, duration::max());
    pool.resize(0, 2, 3);
    BOOST_TEST(many.failed(errc::invalid_config));
}

BOOST_AUTO_TEST_CASE(unneeded_sessions_of_wait_ready_end_by_idle_timeout)
{
    core_harness pool([](pool_options& o) { o.idle_timeout = 60s, o.probe_interval = 0s; });
    pool.warm(3);
    pool.advance(60s);
    BOOST_TEST(pool.count(slot_state::idle) == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
