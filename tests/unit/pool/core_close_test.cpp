// The end of a pool, orderly and not.
#include "support/core_harness.hpp"

using namespace mcp_pool;
using namespace mcp_pool::test;

BOOST_AUTO_TEST_SUITE(core_closing)

BOOST_AUTO_TEST_CASE(an_empty_pool_closes_at_once)
{
    core_harness pool;
    BOOST_TEST(pool.close(10s).granted());
    BOOST_TEST(pool.acquire().failed(errc::pool_closed));
    BOOST_TEST(pool.await_ready(1).failed(errc::pool_closed));
    BOOST_TEST(!pool.core.try_acquire(nullptr, pool.now));
    BOOST_TEST(pool.close(10s).granted());
    BOOST_TEST((pool.core.next_wake() == time_point::max()));
}

BOOST_AUTO_TEST_CASE(close_each_state)
{
    core_harness pool([](pool_options& o) { o.max_size = 5, o.max_probing = 5; });
    pool.warm(4);
    slot& leased = pool.lend();
    slot& resetting = pool.lend();
    slot& probing = pool.lend();
    pool.give_back(resetting, dirty());
    pool.give_back(probing, suspect());
    slot& idle = pool.the(slot_state::idle);
    BOOST_TEST(pool.acquire().granted());
    slot* const broken = pool.in(slot_state::leased)[pool.in(slot_state::leased)[0] == &leased];
    BOOST_TEST_REQUIRE(broken == &idle);
    pool.broken(*broken);
    for (int i = 0; i != 3; ++i)
        pool.acquire(duration::max());
    slot& starting = pool.the(slot_state::starting);
    ticket& boot = pool.await_ready(5, duration::max());

    ticket& closed = pool.close(10s);
    BOOST_TEST((resetting.state == slot_state::stopping));
    BOOST_TEST((probing.state == slot_state::stopping));
    BOOST_TEST((starting.state == slot_state::stopping));
    BOOST_TEST((leased.state == slot_state::leased));
    BOOST_TEST(!leased.broken);
    BOOST_TEST(pool.core.waiting() == 0u);
    BOOST_TEST(boot.failed(errc::pool_closed));
    BOOST_TEST(pool.core.report().waiters_failed == 3u);

    for (slot* s : {&resetting, &probing, &starting, broken})
        pool.ended(*s);
    BOOST_TEST(closed.waiting());
    pool.give_back(*broken);
    pool.advance(1s);
    pool.give_back(leased);
    BOOST_TEST(closed.waiting());
    pool.ended(leased);
    BOOST_TEST(closed.granted());
    BOOST_TEST(pool.core.report().finished == 2u);
    BOOST_TEST(pool.core.report().forced == 0u);
    BOOST_TEST((pool.core.report().elapsed == 1s));
    BOOST_TEST(pool.core.size() == 0u);
    BOOST_TEST(pool.permits_out == 0);
}

BOOST_AUTO_TEST_CASE(idle_sessions_end_at_once)
{
    core_harness pool;
    pool.warm(3);
    ticket& closed = pool.close(10s);
    BOOST_TEST(pool.count(slot_state::stopping) == 3u);
    for (slot* s : pool.in(slot_state::stopping))
        pool.ended(*s);
    BOOST_TEST(closed.granted());
}

BOOST_AUTO_TEST_CASE(a_start_that_has_not_begun_is_dropped)
{
    core_harness pool;
    pool.take_jobs = false;
    ticket& waits = pool.acquire();
    BOOST_TEST(pool.count(slot_state::starting) == 1u);
    ticket& closed = pool.close(10s);
    BOOST_TEST(waits.failed(errc::pool_closed));
    BOOST_TEST(closed.granted());
    BOOST_TEST(pool.permits_out == 0);
}

BOOST_AUTO_TEST_CASE(close_deadline_forces)
{
    struct row
    {
        duration deadline, forced_at;
    };
    // max(d/2, d − 2·stop_grace), stop_grace being 2 s.
    for (const row& r : {row{10s, 6s}, row{4s, 2s}, row{1s, 500ms}, row{60s, 56s}, row{0s, 0s}}) {
        BOOST_TEST_CONTEXT("deadline " << r.deadline.count())
        {
            core_harness pool;
            slot& s = pool.lend();
            const time_point begin = pool.now;
            ticket& closed = pool.close(r.deadline);
            if (r.forced_at != 0s) {
                pool.advance(r.forced_at - 1ns);
                BOOST_TEST(!s.broken);
                pool.advance(1ns);
            } else {
                pool.advance(0s);
            }
            BOOST_TEST(s.broken);
            BOOST_TEST(pool.core.report().forced == 1u);

            // SIGKILL no later than the deadline, the end no later than 100 ms after it, and the
            // lease need not come back for it.
            pool.advance(begin + r.deadline - pool.now);
            const auto stops = pool.take(slot_action::stop);
            BOOST_TEST_REQUIRE(!stops.empty());
            BOOST_TEST((stops.back().step == stop_rung::kill));
            BOOST_TEST(closed.waiting());
            pool.advance(100ms);
            BOOST_TEST(closed.granted());
            BOOST_TEST(pool.core.report().survivors == 1u);
            pool.give_back(s);
            BOOST_TEST(pool.core.size() == 0u);
            BOOST_TEST(pool.core.report().finished == 0u);
        }
    }
}

BOOST_AUTO_TEST_CASE(compressed_ladder_skips_no_rung)
{
    core_harness pool([](pool_options& o) { o.stop_grace = 2s; });
    pool.warm(1);
    const time_point begin = pool.now;
    pool.close(1s);
    std::vector<duration> at;
    for (const stop_rung rung : {stop_rung::close_input, stop_rung::terminate, stop_rung::kill}) {
        const auto stops = pool.take(slot_action::stop);
        BOOST_TEST_REQUIRE(stops.size() == 1u);
        BOOST_TEST((stops.front().step == rung));
        at.push_back(pool.now - begin);
        pool.advance(pool.core.next_wake() - pool.now);
    }
    BOOST_TEST((at[1] == 500ms));
    BOOST_TEST((at[2] == 1s));
}

BOOST_AUTO_TEST_CASE(a_ladder_under_way_is_compressed_too)
{
    core_harness pool([](pool_options& o) { o.stop_grace = 20s; });
    slot& s = pool.lend();
    pool.give_back(s, discard());
    pool.advance(1s);
    ticket& closed = pool.close(2s);
    pool.advance(2s);
    BOOST_TEST((s.step == stop_rung::kill));
    pool.ended(s, true);
    BOOST_TEST(closed.granted());
    BOOST_TEST(pool.core.report().killed == 1u);
    BOOST_TEST(pool.core.report().survivors == 0u);
}

BOOST_AUTO_TEST_CASE(a_second_close_joins_and_the_earlier_deadline_wins)
{
    core_harness pool;
    slot& s = pool.lend();
    ticket& first = pool.close(60s);
    ticket& longer = pool.close(120s);
    pool.advance(10s);
    ticket& shorter = pool.close(4s);
    pool.advance(2s);
    BOOST_TEST(s.broken);
    pool.advance(2s);
    BOOST_TEST((s.step == stop_rung::kill));
    pool.ended(s, true);
    BOOST_TEST(first.granted());
    BOOST_TEST(longer.granted());
    BOOST_TEST(shorter.granted());
    BOOST_TEST((pool.core.report().elapsed == 14s));
}

BOOST_AUTO_TEST_CASE(a_later_second_close_does_not_add_time)
{
    core_harness pool;
    slot& s = pool.lend();
    pool.close(4s);
    pool.advance(1s);
    pool.close(60s);
    pool.advance(1s);
    BOOST_TEST(s.broken);
}

BOOST_AUTO_TEST_CASE(waiters_fail_in_batches_of_64)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    slot& s = pool.lend();
    for (int i = 0; i != 150; ++i)
        pool.acquire(duration::max());
    pool.core.close(pool.now + 10s, pool.now);
    BOOST_TEST(pool.core.waiting() == 150u - 64u);

    // What comes back meanwhile is not handed to those who are about to be refused.
    pool.core.release(s.own, clean(), pool.now);
    BOOST_TEST((s.state == slot_state::stopping));
    pool.pump();
    BOOST_TEST((pool.core.next_wake() <= pool.now));
    pool.advance(0s);
    BOOST_TEST(pool.core.waiting() == 0u);
    BOOST_TEST(pool.core.report().waiters_failed == 150u);
}

BOOST_AUTO_TEST_CASE(a_lease_whose_session_died_may_still_come_back)
{
    core_harness pool;
    slot& s = pool.lend();
    pool.die(s);
    ticket& closed = pool.close(10s);
    BOOST_TEST(closed.waiting());
    pool.give_back(s);
    BOOST_TEST(closed.granted());
    BOOST_TEST(pool.core.report().finished == 1u);

    // If it does not, it is cut off like any other.
    core_harness other;
    other.die(other.lend());
    ticket& cut = other.close(10s);
    other.advance(6s);
    BOOST_TEST(cut.granted());
    BOOST_TEST(other.core.report().forced == 1u);
}

BOOST_AUTO_TEST_CASE(abandon_claims_everybody_and_stops_nothing)
{
    core_harness pool([](pool_options& o) { o.max_size = 4, o.max_starting = 1; });
    pool.warm(2);
    slot& lent = pool.lend();
    slot& broken = pool.lend();
    pool.broken(broken);
    ticket& waits = pool.acquire();
    ticket& boot = pool.await_ready(4);
    ticket end;
    pool.core.await_closed(end, pool.now);
    slot& starting = pool.the(slot_state::starting);
    pool.jobs.clear();

    pool.core.abandon();
    pool.pump();
    BOOST_TEST(waits.failed(errc::pool_closed));
    BOOST_TEST(boot.failed(errc::pool_closed));
    BOOST_TEST(end.granted());
    BOOST_TEST(pool.jobs.empty());
    BOOST_TEST((pool.core.next_wake() == time_point::max()));

    // Afterwards events, leases and callers touch memory only.
    pool.ready(starting);
    pool.die(lent);
    pool.advance(1h);
    pool.give_back(lent);
    pool.give_back(broken);
    pool.core.abandon();
    BOOST_TEST(pool.acquire().failed(errc::pool_closed));
    BOOST_TEST(pool.close(1s).granted());
    BOOST_TEST(pool.core.size() == 0u);
    BOOST_TEST(pool.permits_out == 0);
    BOOST_TEST(pool.jobs.empty());
}

BOOST_AUTO_TEST_SUITE_END()
