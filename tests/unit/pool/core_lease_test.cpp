// Leases and the queue: who gets which session, and what becomes of it afterwards.
#include "support/core_harness.hpp"

using namespace mcp_pool;
using namespace mcp_pool::test;

BOOST_AUTO_TEST_SUITE(core_leases)

BOOST_AUTO_TEST_CASE(hit_lifo)
{
    core_harness pool;
    const auto sessions = pool.warm(3);
    slot& a = pool.lend();
    slot& b = pool.lend();
    BOOST_TEST(&a == sessions[2]);
    BOOST_TEST(&b == sessions[1]);

    pool.give_back(b);
    pool.give_back(a);
    BOOST_TEST(pool.acquire().slot == &a);
    BOOST_TEST(pool.core.counters().hits == 3u);
    BOOST_TEST(pool.core.counters().granted == 3u);
    BOOST_TEST(pool.core.counters().reused == 1u);
    BOOST_TEST(a.uses == 2u);
}

BOOST_AUTO_TEST_CASE(a_session_that_is_given_back_dead_goes_to_nobody)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    slot& s = pool.lend();
    ticket& waits = pool.acquire();
    return_verdict dead = clean(true);
    dead.dead = true;
    pool.give_back(s, dead);
    BOOST_TEST(waits.waiting());
    BOOST_TEST((s.state == slot_state::stopping));
    // The connection's word of it comes later and changes nothing.
    pool.core.broken(s, s.epoch, end_reason::died, true, pool.now);
    pool.pump();
    BOOST_TEST(pool.core.counters().ended[static_cast<std::size_t>(end_reason::died)] == 1u);
    pool.ended(s);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(waits.granted());
}

BOOST_AUTO_TEST_CASE(fifo_handoff)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    slot& s = pool.lend();
    ticket& first = pool.acquire();
    ticket& second = pool.acquire();
    ticket& third = pool.acquire();

    pool.give_back(s);
    BOOST_TEST(first.granted());
    BOOST_TEST(first.slot == &s);
    BOOST_TEST(second.waiting());
    pool.give_back(s);
    BOOST_TEST(second.granted());
    BOOST_TEST(third.waiting());
    pool.give_back(s);
    BOOST_TEST(third.granted());
    BOOST_TEST(pool.core.counters().hits == 0u);
    BOOST_TEST(pool.core.counters().reused == 3u);
}

BOOST_AUTO_TEST_CASE(no_barging)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    slot& s = pool.lend();
    ticket& waits = pool.acquire();

    // Between the release and the delivery to the waiter, a newcomer asks.
    pool.core.release(s.own, clean(), pool.now);
    BOOST_TEST(!pool.core.try_acquire(nullptr, pool.now));
    ticket& newcomer = pool.acquire();
    BOOST_TEST(waits.granted());
    BOOST_TEST(newcomer.waiting());

    pool.give_back(s);
    BOOST_TEST(newcomer.granted());
}

BOOST_AUTO_TEST_CASE(broken_return_is_capacity)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    slot& s = pool.lend();
    ticket& waits = pool.acquire();

    pool.die(s);
    BOOST_TEST(waits.waiting());
    BOOST_TEST(pool.core.alive() == 0u);
    BOOST_TEST(pool.core.leases() == 1u);
    pool.give_back(s);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(waits.granted());
    BOOST_TEST(pool.core.counters().ended[std::size_t(end_reason::died)] == 1u);
}

BOOST_AUTO_TEST_CASE(discarded_session_is_replaced_for_the_waiter)
{
    core_harness pool([](pool_options& o) { o.max_size = 2; });
    slot& s = pool.lend();
    pool.lend();
    ticket& waits = pool.acquire();

    pool.give_back(s, discard());
    BOOST_TEST((s.state == slot_state::stopping));
    BOOST_TEST(waits.waiting());
    pool.ended(s);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(waits.granted());
}

BOOST_AUTO_TEST_CASE(timeout_exact_tick)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    pool.lend();
    ticket& waits = pool.acquire(100ms);
    BOOST_TEST((pool.core.next_wake() == waits.deadline));

    pool.advance(100ms - 1ns);
    BOOST_TEST(waits.waiting());
    pool.advance(1ns);
    BOOST_TEST(waits.failed(errc::acquire_timeout));
    BOOST_TEST(pool.core.counters().timed_out == 1u);
    BOOST_TEST(pool.core.waiting() == 0u);
}

BOOST_AUTO_TEST_CASE(a_shorter_deadline_behind_a_longer_one_is_kept)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    slot& s = pool.lend();
    ticket& patient = pool.acquire(10s);
    ticket& hasty = pool.acquire(1s);
    ticket& eternal = pool.acquire(duration::max());

    pool.advance(1s);
    BOOST_TEST(hasty.failed(errc::acquire_timeout));
    pool.give_back(s);
    BOOST_TEST(patient.granted());
    pool.advance(24h);
    BOOST_TEST(eternal.waiting());
}

BOOST_AUTO_TEST_CASE(without_patience_a_hit_or_a_timeout_at_once)
{
    core_harness pool;
    BOOST_TEST(pool.acquire(0s).failed(errc::acquire_timeout));
    BOOST_TEST(pool.core.waiting() == 0u);
    pool.warm(1);
    BOOST_TEST(pool.acquire(0s).granted());
}

BOOST_AUTO_TEST_CASE(at_most_max_waiters_queue)
{
    core_harness pool([](pool_options& o) { o.max_size = 1, o.max_waiters = 2; });
    slot& s = pool.lend();
    ticket& first = pool.acquire();
    pool.acquire();
    BOOST_TEST(pool.acquire().failed(errc::too_many_waiters));
    BOOST_TEST(pool.core.counters().rejected == 1u);

    pool.give_back(s);
    BOOST_TEST(first.granted());
    BOOST_TEST(pool.acquire().waiting());
}

BOOST_AUTO_TEST_CASE(cancel_each_state)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });

    // While its session starts: the start goes on.
    ticket& early = pool.acquire();
    slot& s = pool.the(slot_state::starting);
    pool.cancel(early);
    BOOST_TEST(early.failed(cancelled()));
    BOOST_TEST((s.state == slot_state::starting));
    pool.ready(s);
    BOOST_TEST((s.state == slot_state::idle));

    // After its completion: nothing.
    ticket& served = pool.acquire();
    pool.cancel(served);
    pool.cancel(early);
    BOOST_TEST(served.granted());
    BOOST_TEST(early.failed(cancelled()));

    // In the middle, at the head and at the tail of the queue.
    ticket& head = pool.acquire();
    ticket& middle = pool.acquire();
    ticket& tail = pool.acquire();
    ticket& last = pool.acquire();
    pool.cancel(middle);
    pool.cancel(head);
    pool.cancel(last);
    pool.give_back(s);
    BOOST_TEST(tail.granted());
    BOOST_TEST(pool.core.counters().cancelled == 4u);

    // While it waits for sessions or for the end.
    ticket& many = pool.await_ready(1, 1s);
    BOOST_TEST(many.granted());
    ticket& closing = pool.close(10s);
    pool.cancel(closing);
    BOOST_TEST(closing.failed(cancelled()));
    BOOST_TEST(pool.core.closing());
}

BOOST_AUTO_TEST_CASE(a_claimed_waiter_cannot_be_cancelled)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    slot& s = pool.lend();
    ticket& first = pool.acquire();
    ticket& second = pool.acquire();

    // The release has chosen; the cancellation comes before the delivery.
    pool.core.release(s.own, clean(), pool.now);
    BOOST_TEST(!pool.core.cancel(first, pool.now));
    pool.cancel(second);
    BOOST_TEST(first.granted());
    BOOST_TEST(second.failed(cancelled()));
}

BOOST_AUTO_TEST_CASE(an_outcome_that_could_not_be_posted_is_kept)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    slot& s = pool.lend();
    ticket& waits = pool.acquire();
    pool.core.release(s.own, clean(), pool.now);

    waiter* const undelivered = pool.core.next_ready();
    BOOST_TEST(undelivered == &waits);
    pool.core.put_back(*undelivered);
    BOOST_TEST(pool.core.has_ready());
    pool.pump();
    BOOST_TEST(waits.granted());
}

BOOST_AUTO_TEST_CASE(dirty_is_reset_before_it_is_lent_again)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    slot& s = pool.lend();
    ticket& waits = pool.acquire();

    pool.give_back(s, dirty());
    BOOST_TEST((s.state == slot_state::resetting));
    BOOST_TEST(waits.waiting());
    BOOST_TEST(pool.take(slot_action::reset).size() == 1u);
    pool.reset_done(s);
    BOOST_TEST(waits.granted());
    BOOST_TEST(waits.slot == &s);
}

BOOST_AUTO_TEST_CASE(resetting_counts_as_soon_available)
{
    core_harness pool([](pool_options& o) { o.max_size = 2; });
    slot& s = pool.lend();
    pool.give_back(s, dirty());
    pool.acquire();
    BOOST_TEST(pool.count(slot_state::starting) == 0u);
    pool.acquire();
    BOOST_TEST(pool.count(slot_state::starting) == 1u);
}

BOOST_AUTO_TEST_CASE(a_reset_that_hangs_ends_within_reset_timeout)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    slot& s = pool.lend();
    ticket& waits = pool.acquire();
    pool.give_back(s, dirty());

    pool.advance(pool.options.reset_timeout - 1ns);
    BOOST_TEST((s.state == slot_state::resetting));
    pool.advance(1ns);
    BOOST_TEST((s.state == slot_state::stopping));
    BOOST_TEST((s.reason == end_reason::reset));
    pool.reset_done(s);
    BOOST_TEST((s.state == slot_state::stopping));
    pool.ended(s);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(waits.granted());
}

BOOST_AUTO_TEST_CASE(suspect_is_probed_before_it_is_lent_again)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    slot& s = pool.lend();
    ticket& waits = pool.acquire();

    pool.give_back(s, suspect());
    BOOST_TEST((s.state == slot_state::probing));
    BOOST_TEST(waits.waiting());
    pool.probe_done(s);
    BOOST_TEST(waits.granted());

    // With something to undo: first the reset, then the probe; and not again the next time.
    ticket& next = pool.acquire();
    return_verdict both = dirty();
    both.suspect = true;
    pool.give_back(s, both);
    BOOST_TEST((s.state == slot_state::resetting));
    pool.reset_done(s);
    BOOST_TEST((s.state == slot_state::probing));
    BOOST_TEST(next.waiting());
    pool.probe_done(s);
    BOOST_TEST(next.granted());
    pool.give_back(s, dirty());
    pool.reset_done(s);
    BOOST_TEST((s.state == slot_state::idle));
}

BOOST_AUTO_TEST_CASE(respawn_ends_the_session_with_the_lease)
{
    core_harness pool([](pool_options& o) { o.reset = reset_policy::respawn; });
    slot& s = pool.lend();
    ticket& waits = pool.acquire();
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(waits.granted());

    pool.give_back(s);
    BOOST_TEST((s.state == slot_state::stopping));
    BOOST_TEST((s.reason == end_reason::reset));
}

BOOST_AUTO_TEST_CASE(expiring_waiters_in_batches_of_64)
{
    core_harness pool([](pool_options& o) { o.max_size = 1; });
    pool.lend();
    for (int i = 0; i != 150; ++i)
        pool.acquire(1s);
    pool.now += 1s;

    BOOST_TEST(pool.core.tick(pool.now));
    BOOST_TEST(pool.core.waiting() == 150u - 64u);
    BOOST_TEST(pool.core.tick(pool.now));
    BOOST_TEST(!pool.core.tick(pool.now));
    BOOST_TEST(pool.core.waiting() == 0u);
    pool.pump();
    BOOST_TEST(pool.core.counters().timed_out == 150u);
}

BOOST_AUTO_TEST_CASE(late_and_duplicate_events_are_harmless)
{
    core_harness pool([](pool_options& o) { o.max_size = 2; });
    slot& s = pool.lend();
    slot& other = pool.lend();
    pool.give_back(other);
    const std::uint64_t epoch = s.epoch;
    const auto everything = [&](std::uint64_t of) {
        pool.core.ready(s, of, false, pool.now);
        pool.core.start_failed(s, of, {}, pool.now);
        pool.core.reset_done(s, of, 0, true, pool.now);
        pool.core.probe_done(s, of, pool.now);
        pool.pump();
    };

    // A lent session is not ready, failed, reset or probed again.
    everything(epoch);
    BOOST_TEST((s.state == slot_state::leased));
    pool.give_back(s);
    pool.give_back(s);
    everything(epoch);
    BOOST_TEST((s.state == slot_state::idle));
    BOOST_TEST(pool.core.leases() == 0u);

    // The answer to an earlier reset does not answer one that has not been asked for yet.
    BOOST_TEST(pool.acquire().slot == &s);
    pool.take_jobs = false;
    pool.give_back(s, dirty());
    pool.reset_done(s);
    BOOST_TEST((s.state == slot_state::resetting));
    pool.take_jobs = true;
    pool.pump();
    pool.reset_done(s);
    BOOST_TEST((s.state == slot_state::idle));

    // Nothing that concerns a former session touches its successor.
    pool.die(s);
    pool.die(s);
    BOOST_TEST(pool.core.counters().ended[std::size_t(end_reason::died)] == 1u);
    pool.acquire();
    pool.acquire();
    slot& successor = pool.the(slot_state::starting);
    BOOST_TEST_REQUIRE(&successor == &s);
    everything(epoch);
    pool.core.broken(s, epoch, end_reason::died, false, pool.now);
    pool.core.ended(s, epoch, true, 3, pool.now);
    pool.pump();
    BOOST_TEST((s.state == slot_state::starting));
    BOOST_TEST(pool.core.consecutive_failures() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
