// Sessions that have served long enough: age, uses, memory, reset = respawn; leases that are overdue
// or detached; what silence and stalls lead to.
#include "support/core_harness.hpp"

#include <set>

using namespace mcp_pool;
using namespace mcp_pool::test;

namespace {

constexpr auto no_probes = [](pool_options& o) { o.probe_interval = 0s, o.idle_timeout = 0s; };

} // namespace

BOOST_AUTO_TEST_SUITE(core_recycling)

BOOST_AUTO_TEST_CASE(lifetime_jitter_is_fixed_at_birth)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.max_size = 8, o.max_lifetime = 1h; });
    std::set<std::uint16_t> drawn;
    for (slot* const s : pool.warm(8)) {
        drawn.insert(s->lifetime_jitter);
        const std::uint16_t at_birth = s->lifetime_jitter;
        pool.give_back(*pool.acquire().slot);
        pool.advance(1min);
        BOOST_TEST(s->lifetime_jitter == at_birth);
    }
    BOOST_TEST(drawn.size() > 1u);
    // Nobody goes before nine tenths of the time, the first before all of it.
    pool.advance(54min - 8min - 1s);
    BOOST_TEST(pool.ended_for(end_reason::lifetime) == 0u);
    pool.advance(6min + 1s);
    BOOST_TEST(pool.ended_for(end_reason::lifetime) == 1u);
}

BOOST_AUTO_TEST_CASE(hot_pool_still_retires)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.max_size = 1, o.max_lifetime = 60s; });
    slot& s = pool.lend();
    // Somebody always waits: it is handed over and never idle.
    for (int i = 0; i != 60 && s.epoch == 1; ++i) {
        ticket& next = pool.acquire(duration::max());
        pool.advance(1s);
        pool.give_back(s);
        if (next.granted())
            continue;
        BOOST_TEST((s.reason == end_reason::lifetime));
        pool.ended(s);
        pool.ready(pool.the(slot_state::starting));
        BOOST_TEST(next.granted());
    }
    BOOST_TEST(pool.ended_for(end_reason::lifetime) == 1u);
}

BOOST_AUTO_TEST_CASE(an_old_session_is_not_lent_though_its_timer_is_late)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.max_size = 1, o.max_lifetime = 60s; });
    pool.warm(1);
    pool.now += 61s;
    BOOST_TEST(!pool.try_acquire());
    BOOST_TEST(pool.ended_for(end_reason::lifetime) == 1u);
}

BOOST_AUTO_TEST_CASE(kill_gap)
{
    core_harness pool([](pool_options& o) {
        no_probes(o), o.max_size = 4, o.min_size = 4, o.max_lifetime = 400s;
    });
    pool.core.start(pool.now);
    pool.warm(4);
    std::vector<time_point> ends;
    for (int i = 0; i != 3000; ++i) {
        const std::uint64_t before = pool.ended_for(end_reason::lifetime);
        pool.advance(1s);
        if (pool.ended_for(end_reason::lifetime) != before)
            ends.push_back(pool.now);
        pool.stop_all();
        for (slot* const s : pool.in(slot_state::starting))
            pool.ready(*s);
    }
    BOOST_TEST(ends.size() >= 7u);
    for (std::size_t i = 1; i != ends.size(); ++i)
        BOOST_TEST((ends[i] - ends[i - 1] >= 100s));
}

BOOST_AUTO_TEST_CASE(a_lowered_lifetime_lowers_the_gap_too)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.max_size = 1, o.max_lifetime = 1h; });
    pool.warm(1);
    pool.advance(1h);
    pool.stop_all();
    slot& s = *pool.warm(1).front();
    pool.change([](pool_options& o) { o.max_lifetime = 60s; });
    pool.advance(60s);
    BOOST_TEST((s.state == slot_state::stopping));
}

BOOST_AUTO_TEST_CASE(the_replacement_is_started_first_where_there_is_room)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.max_lifetime = 60s; }, 3);
    slot& old = *pool.warm(1).front();
    pool.advance(60s);
    BOOST_TEST((old.due == end_reason::lifetime));
    BOOST_TEST((old.state == slot_state::idle));
    // It serves until then.
    BOOST_TEST(pool.acquire().slot == &old);
    pool.give_back(old);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST((old.state == slot_state::stopping));
    BOOST_TEST(pool.count(slot_state::idle) == 1u);
}

BOOST_AUTO_TEST_CASE(a_hit_that_finds_a_session_old_starts_its_replacement)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.max_size = 2, o.max_lifetime = 60s; });
    pool.warm(1);
    pool.now += 61s;
    BOOST_TEST(pool.try_acquire());
    BOOST_TEST(pool.count(slot_state::starting) == 1u);
}

BOOST_AUTO_TEST_CASE(a_session_that_is_too_old_and_needed_by_nobody_is_not_replaced)
{
    core_harness pool(
        [](pool_options& o) { o.probe_interval = 0s, o.idle_timeout = 60s, o.max_lifetime = 60s; });
    pool.warm(1);
    pool.now += 61s;
    pool.advance(1s);
    BOOST_TEST(pool.ended_for(end_reason::idle) == 1u);
    BOOST_TEST(pool.count(slot_state::starting) == 0u);
}

BOOST_AUTO_TEST_CASE(retire_triggers_refill_same_tick)
{
    core_harness pool([](pool_options& o) {
        no_probes(o), o.max_size = 2, o.min_size = 2, o.max_lifetime = 60s;
    });
    pool.core.start(pool.now);
    pool.warm(2);
    while (pool.count(slot_state::stopping) == 0)
        pool.advance(1s);
    // It has no room before the old process has ended.
    pool.ended(pool.the(slot_state::stopping));
    BOOST_TEST(pool.count(slot_state::starting) == 1u);
}

BOOST_AUTO_TEST_CASE(a_session_that_was_to_be_replaced_stays_while_starts_fail)
{
    core_harness pool([](pool_options& o) {
        no_probes(o), o.max_size = 2, o.max_lifetime = 60s, o.breaker_threshold = 2;
    });
    slot& old = *pool.warm(1).front();
    pool.advance(60s);
    for (int i = 0; i != 2; ++i) {
        pool.fail(pool.the(slot_state::starting));
        pool.advance(1s);
    }
    pool.advance(1h);
    BOOST_TEST((old.state == slot_state::idle));
    BOOST_TEST(pool.try_acquire());
}

BOOST_AUTO_TEST_CASE(max_uses)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.max_size = 1, o.max_uses = 3; });
    slot& s = pool.lend();
    for (int i = 1; i != 3; ++i) {
        pool.give_back(s);
        BOOST_TEST(pool.acquire().slot == &s);
    }
    pool.give_back(s);
    BOOST_TEST((s.state == slot_state::stopping));
    BOOST_TEST((s.reason == end_reason::uses));
}

BOOST_AUTO_TEST_CASE(max_uses_of_one_is_a_session_for_each_lease)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.max_uses = 1; });
    slot& s = pool.lend();
    pool.give_back(s);
    BOOST_TEST((s.reason == end_reason::uses));
}

BOOST_AUTO_TEST_CASE(a_session_that_waits_for_its_replacement_is_not_used_beyond_max_uses)
{
    core_harness pool(
        [](pool_options& o) { no_probes(o), o.max_size = 2, o.max_uses = 2, o.max_rss = 100; });
    slot& s = pool.lend();
    pool.measured(s, 101);
    BOOST_TEST((s.due == end_reason::memory));
    pool.give_back(s);
    BOOST_TEST(pool.acquire().slot == &s);
    pool.give_back(s);
    BOOST_TEST((s.state == slot_state::stopping));
    BOOST_TEST(!pool.try_acquire());
}

BOOST_AUTO_TEST_CASE(a_lowered_max_uses_holds_for_what_is_idle)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.max_size = 1; });
    for (int i = 0; i != 5; ++i)
        pool.give_back(pool.lend());
    pool.change([](pool_options& o) { o.max_uses = 3; });
    BOOST_TEST(!pool.try_acquire());
    BOOST_TEST(pool.ended_for(end_reason::uses) == 1u);
}

BOOST_AUTO_TEST_CASE(memory_is_looked_at_between_leases_once_a_second_at_most)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.max_size = 1, o.max_rss = 1000; });
    slot& s = pool.lend();
    pool.give_back(s);
    BOOST_TEST(pool.take(slot_action::measure).empty());
    pool.lend();
    pool.advance(1s);
    pool.give_back(s);
    BOOST_TEST(pool.take(slot_action::measure).size() == 1u);
    pool.lend();
    pool.give_back(s);
    BOOST_TEST(pool.take(slot_action::measure).empty());

    pool.measured(s, 1000);
    BOOST_TEST((s.state == slot_state::idle));
    pool.measured(s, 1001);
    BOOST_TEST((s.state == slot_state::stopping));
    BOOST_TEST((s.reason == end_reason::memory));
}

BOOST_AUTO_TEST_CASE(memory_is_looked_at_while_somebody_waits_too)
{
    core_harness pool([](pool_options& o) {
        no_probes(o), o.max_size = 1, o.max_rss = 1000, o.max_lifetime = 1h;
    });
    slot& s = pool.lend();
    ticket& first = pool.acquire();
    pool.advance(1s);
    pool.give_back(s);
    BOOST_TEST(first.granted());
    BOOST_TEST(pool.take(slot_action::measure).size() == 1u);
    ticket& second = pool.acquire();
    pool.advance(1s);
    pool.give_back(s, dirty());
    pool.reset_done(s);
    BOOST_TEST(second.granted());
    BOOST_TEST(pool.take(slot_action::measure).size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_replacement_that_could_not_be_started_is_tried_again)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.max_size = 2, o.max_rss = 1000; });
    slot& hog = *pool.warm(1).front();
    pool.measured(hog, 5000);
    start_verdict no_memory;
    no_memory.exhausted = true;
    pool.fail(pool.the(slot_state::starting), no_memory);
    BOOST_TEST((hog.state == slot_state::idle));
    pool.advance(1min);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST((hog.reason == end_reason::memory));
}

BOOST_AUTO_TEST_CASE(memory_of_an_earlier_session_says_nothing)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.max_size = 1, o.max_rss = 1000; });
    slot& s = *pool.warm(1).front();
    pool.die(s);
    pool.warm(1);
    pool.core.measured(s, s.epoch - 1, 5000, pool.now);
    pool.pump();
    BOOST_TEST((s.state == slot_state::idle));
}

BOOST_AUTO_TEST_CASE(respawn_keeps_warm_spares)
{
    core_harness pool(
        [](pool_options& o) { no_probes(o), o.max_size = 3, o.reset = reset_policy::respawn; });
    slot& lent = pool.lend();
    // The next one is started while the lease is out.
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(pool.count(slot_state::idle) == 1u);
    pool.give_back(lent);
    BOOST_TEST((lent.reason == end_reason::reset));
    BOOST_TEST(pool.acquire().granted());
}

BOOST_AUTO_TEST_CASE(respawn_lends_no_session_twice)
{
    core_harness pool([](pool_options& o) { o.max_size = 1, o.reset = reset_policy::respawn; });
    slot& s = pool.lend();
    ticket& next = pool.acquire();
    pool.give_back(s);
    BOOST_TEST(!next.completed);
    pool.ended(s);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(next.granted());
    BOOST_TEST(next.slot->uses == 1u);
}

BOOST_AUTO_TEST_CASE(validate_after_probes_what_was_silent)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.max_size = 1, o.validate_after = 5s; });
    slot& s = *pool.warm(1).front();
    pool.advance(5s);
    BOOST_TEST(pool.acquire().granted());
    pool.give_back(s);

    pool.advance(5s + 1ms);
    ticket& w = pool.acquire();
    BOOST_TEST(!w.completed);
    BOOST_TEST((s.state == slot_state::probing));
    pool.probe_done(s);
    BOOST_TEST(w.granted());
    // No answer: another one is started for the waiter.
    pool.give_back(s);
    pool.advance(6s);
    ticket& unlucky = pool.acquire();
    pool.advance(5s);
    pool.stop_all();
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(unlucky.granted());
    BOOST_TEST(pool.ended_for(end_reason::probe) == 1u);
}

BOOST_AUTO_TEST_CASE(validate_after_takes_a_session_that_was_probed_meanwhile)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.max_size = 2, o.validate_after = 5s; });
    pool.warm(2);
    pool.advance(10s);
    ticket& w = pool.acquire();
    slot& probed = pool.the(slot_state::probing);
    pool.cancel(w);
    pool.probe_done(probed);
    slot& other = *pool.in(slot_state::idle)[pool.in(slot_state::idle).front() == &probed];
    // Used after the probed one, but silent since.
    BOOST_TEST(&other != &probed);
    other.last_used += 1s;
    probed.last_used -= 1s;
    BOOST_TEST(pool.acquire().slot == &probed);
}

BOOST_AUTO_TEST_CASE(overdue_once)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.overdue_after = 10s; });
    pool.observe();
    slot& s = pool.lend();
    pool.advance(10s - 1ns);
    BOOST_TEST(pool.core.counters().overdue == 0u);
    pool.advance(1ns);
    const auto reported = pool.events(core_event::kind::overdue);
    BOOST_TEST_REQUIRE(reported.size() == 1u);
    BOOST_TEST(reported[0].where == &s);
    BOOST_TEST(reported[0].session == s.number);
    BOOST_TEST((reported[0].took == 10s));
    pool.advance(1h);
    BOOST_TEST(pool.core.counters().overdue == 1u);
    // The next lease has its own time.
    pool.give_back(s);
    pool.lend();
    pool.advance(10s);
    BOOST_TEST(pool.core.counters().overdue == 2u);
}

BOOST_AUTO_TEST_CASE(a_lease_of_a_dead_session_is_overdue_too)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.overdue_after = 60s; });
    slot& dead = pool.lend();
    pool.die(dead);
    slot& stubborn = pool.lend();
    pool.broken(stubborn);
    pool.advance(60s);
    BOOST_TEST(pool.core.counters().overdue == 2u);
}

BOOST_AUTO_TEST_CASE(overdue_after_is_off_by_default_and_can_be_turned_on)
{
    core_harness pool(no_probes);
    pool.lend();
    pool.advance(24h);
    BOOST_TEST(pool.core.counters().overdue == 0u);
    pool.change([](pool_options& o) { o.overdue_after = 1ms; });
    pool.advance(0s);
    BOOST_TEST(pool.core.counters().overdue == 1u);
}

BOOST_AUTO_TEST_CASE(a_detached_session_counts_no_more)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.max_size = 1; }, 2);
    slot& s = pool.lend();
    ticket& next = pool.acquire();
    BOOST_TEST(pool.detach(s));
    BOOST_TEST(!pool.detach(s));
    BOOST_TEST(pool.core.leases() == 0u);
    pool.ready(pool.the(slot_state::starting));
    BOOST_TEST(next.granted());
    BOOST_TEST(pool.core.size() == 1u);
    BOOST_TEST(pool.core.alive() == 1u);
    pool.give_back(s);
    BOOST_TEST((s.state == slot_state::stopping));
    BOOST_TEST(pool.core.size() == 1u);
    pool.ended(s);
    BOOST_TEST(pool.permits_out == 1);
}

BOOST_AUTO_TEST_CASE(a_detached_session_outlives_close)
{
    core_harness pool(no_probes);
    slot& s = pool.lend();
    BOOST_TEST(pool.detach(s));
    BOOST_TEST(pool.close(1s).granted());
    BOOST_TEST((s.state == slot_state::leased));
    pool.give_back(s);
    pool.ended(s);
    BOOST_TEST((s.state == slot_state::empty));
    BOOST_TEST(pool.permits_out == 0);
}

BOOST_AUTO_TEST_CASE(a_detached_session_given_back_after_close_has_all_the_time_to_end)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.stop_grace = 2s; });
    slot& s = pool.lend();
    BOOST_TEST(pool.detach(s));
    BOOST_TEST(pool.close(1s).granted());
    pool.advance(10s);
    pool.give_back(s);
    pool.advance(1s);
    BOOST_TEST((s.step == stop_rung::close_input));
    pool.advance(2s);
    BOOST_TEST((s.step == stop_rung::terminate));
}

BOOST_AUTO_TEST_CASE(a_start_that_is_given_up_was_never_retired)
{
    core_harness pool(no_probes);
    pool.observe();
    pool.warm(1);
    pool.lend();
    pool.acquire();
    slot& starting = pool.the(slot_state::starting);
    pool.evict_all();
    BOOST_TEST((starting.state == slot_state::stopping));
    // It had not been initialised.
    BOOST_TEST(pool.events(core_event::kind::retired).empty());
}

BOOST_AUTO_TEST_CASE(probe_never_in_time_for_most_is_put_down_to_the_host)
{
    core_harness pool([](pool_options& o) {
        o.max_size = 4, o.max_probing = 4, o.probe_interval = 10s, o.idle_timeout = 0s;
    });
    pool.observe();
    pool.warm(4);
    // All are asked within two seconds, and nobody answers.
    while (pool.count(slot_state::probing) != 4)
        pool.advance(100ms);
    const time_point asked = pool.now;
    while (pool.ended_for(end_reason::probe) == 0)
        pool.advance(100ms);
    const time_point first = pool.now;
    pool.advance(4s);
    BOOST_TEST(pool.ended_for(end_reason::probe) == 1u);
    BOOST_TEST(!pool.events(core_event::kind::suspected).empty());
    BOOST_TEST((first - asked <= 5s));
    // Those that answer after all stay.
    for (slot* const s : pool.in(slot_state::probing))
        pool.probe_done(*s);
    BOOST_TEST(pool.count(slot_state::idle) == 3u);
}

BOOST_AUTO_TEST_CASE(a_stall_gives_back_the_time_that_nobody_had)
{
    core_harness pool([](pool_options& o) { no_probes(o), o.probe_timeout = 1s; });
    slot& reset = pool.lend();
    slot& probed = pool.lend();
    pool.acquire();
    pool.give_back(reset, dirty());
    pool.give_back(probed, suspect());
    pool.now += 10s;
    pool.core.stalled(10s, pool.now);
    pool.core.tick(pool.now);
    pool.pump();
    pool.advance(0s);
    BOOST_TEST((probed.state == slot_state::probing));
    BOOST_TEST((reset.state == slot_state::resetting));
    pool.advance(2s);
    BOOST_TEST(pool.ended_for(end_reason::probe) == 1u);
    BOOST_TEST(pool.ended_for(end_reason::reset) == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
