// Sessions of the pool: their states, events and timers.
#include "pool/core.hpp"

#include <algorithm>
#include <utility>

namespace mcp_pool::pooling {

namespace {

// How long an expired start may take to say how far it came.
constexpr duration expiry_patience = std::chrono::seconds(1);
// How long a session that is given more time to answer has at least.
constexpr duration least_patience = std::chrono::milliseconds(1);
// A server that is well answers a probe or a reset in much less. After it nobody counts on the session:
// who waits gets another one.
constexpr duration promise = std::chrono::milliseconds(50);

// a + b, where b may be duration::max() for never.
time_point after(time_point a, duration b) noexcept
{
    return detail::saturating_add(a, b);
}

} // namespace

void pool_core::enter(slot& s, slot_state next) noexcept
{
    const auto list = [this](slot_state state) -> slot_list& {
        return state == slot_state::empty ? empty_ : state == slot_state::idle ? idle_ : busy_;
    };
    if (s.state == slot_state::idle)
        group_of(s).erase(group_list::s_iterator_to(s));
    slot_list& to = list(next);
    to.splice(to.begin(), list(s.state), slot_list::s_iterator_to(s));
    --counts_[static_cast<std::size_t>(s.state)];
    if (s.state == slot_state::leased && (s.broken || s.detached)) {
        s.broken = false;
        --lost_leases_;
    }
    set_promising(s, false);
    s.doubted = false;
    s.state = next;
    ++counts_[static_cast<std::size_t>(next)];
    s.deadline = time_point::max();
    if (next == slot_state::resetting || next == slot_state::probing)
        set_promising(s, true);
    if (s.offered != 0)
        update_open(s);
}

void pool_core::set_promising(slot& s, bool promising) noexcept
{
    if (std::exchange(s.promising, promising) == promising)
        return;
    key_record* const key = s.stateless ? nullptr : s.key;
    std::size_t& number = key ? key->promising : unbound_promising_;
    number = promising ? number + 1 : number - 1;
    if (key)
        update_provided(*key);
}

time_point pool_core::slow_at(const slot& s) const noexcept
{
    if (!s.promising)
        return time_point::max();
    return after(s.state == slot_state::probing ? s.probed_at : s.last_used, promise);
}

void pool_core::want(slot& s, slot_action action) noexcept
{
    if (s.todo == slot_action::none && action != slot_action::none)
        todo_.push_back(s);
    else if (s.todo != slot_action::none && action == slot_action::none)
        todo_.erase(todo_.iterator_to(s));
    s.todo = action;
}

// A slot that wakes too early looks at itself again; so a later time costs nothing here, and the
// sequence idle, leased, idle, … never touches the timers.
void pool_core::wake_at(slot& s, time_point when) noexcept
{
    if (s.in_wakes.is_linked()) {
        if (s.wake <= when)
            return;
        wakes_.erase(wakes_.iterator_to(s));
    }
    s.wake = when;
    if (when != time_point::max())
        wakes_.insert(s);
}

void pool_core::unlink_wake(slot& s) noexcept
{
    if (s.in_wakes.is_linked())
        wakes_.erase(wakes_.iterator_to(s));
    s.wake = time_point::max();
}

void pool_core::begin_start(slot& s, time_point now) noexcept
{
    enter(s, slot_state::starting);
    ++s.epoch;
    s.number = ++last_session_;
    s.uses = 0;
    s.ready_at = time_point{};
    s.reason = s.doomed = s.due = end_reason::none;
    s.step = stop_rung::close_input;
    s.ended = s.expired = s.proven = s.suspect = s.stateless = false;
    s.probe_jitter = static_cast<std::uint16_t>(random() % 1024);
    s.lifetime_jitter = static_cast<std::uint16_t>(random() % 1024);
    s.started_at = now;
    s.deadline = options_.start_timeout == duration::zero() ? time_point::max()
                                                            : after(now, options_.start_timeout);
    wake_at(s, s.deadline);
    want(s, slot_action::start);
}

void pool_core::ready(slot& s, std::uint64_t epoch, bool stateless, time_point now) noexcept
{
    if (late(s, epoch) || s.state != slot_state::starting)
        return;
    want(s, slot_action::none);
    ++counters_.created;
    s.ready_at = s.last_used = s.probed_at = s.measured_at = now;
    s.failures_before = counters_.start_failures;
    s.stateless = stateless;
    // The host can start a process, and the server a session. Whether it is worth anything, the
    // session has to prove.
    shortages_ = 0;
    tripped_ = false;
    note(core_event::kind::started, &s, now - s.started_at);
    if (std::exchange(circuit_open_, false))
        note(core_event::kind::circuit_closed, nullptr);
    owed_ -= owed_ != 0 ? 1 : 0;
    admit(s, now);
    dismiss_due(1, now);
    wake_at(s, proof_due(s));
    settle(now);
}

void pool_core::start_failed(
    slot& s, std::uint64_t epoch, start_verdict why, time_point now) noexcept
{
    if (late(s, epoch) || s.state != slot_state::starting)
        return;
    note_failure(why, now);
    retire(s, end_reason::start_failed, now);
    settle(now);
}

void pool_core::broken(
    slot& s, std::uint64_t epoch, end_reason why, bool served, time_point now) noexcept
{
    if (late(s, epoch) || on_ladder(s))
        return;
    if (s.state == slot_state::starting)
        return start_failed(s, epoch, {}, now);
    // A release looks at a coarser clock.
    const duration age = std::max(now - s.ready_at, duration::zero());
    if (served || age >= options_.min_uptime)
        note_success(s);
    else if (!s.proven)
        note_failure({}, now);
    if (s.state == slot_state::leased)
        break_lease(s, why, now);
    else
        retire(s, why, now);
    settle(now);
}

void pool_core::begin_reset(lease_place& p, time_point now) noexcept
{
    slot& s = *p.of;
    p.state = lease_place::stage::resetting;
    p.reset_asked = false;
    ++s.resets;
    ++counters_.resets;
    p.reset_by = after(now, options_.reset_timeout);
    s.deadline = reset_deadline(s);
    wake_at(s, s.deadline);
    want(s, slot_action::reset);
}

time_point pool_core::reset_deadline(const slot& s) noexcept
{
    time_point earliest = time_point::max();
    for (std::uint16_t i = 0; s.resets != 0 && i != s.place_count; ++i) {
        if (s.places[i].state == lease_place::stage::resetting)
            earliest = std::min(earliest, s.places[i].reset_by);
    }
    return earliest;
}

void pool_core::give_up_resets(slot& s) noexcept
{
    for (std::uint16_t i = 0; s.resets != 0 && i != s.place_count; ++i) {
        if (s.places[i].state == lease_place::stage::resetting) {
            s.places[i].state = lease_place::stage::free;
            --s.resets;
        }
    }
    if (s.todo == slot_action::reset)
        want(s, slot_action::none);
}

void pool_core::reset_done(
    slot& s, std::uint64_t epoch, std::size_t place, bool undone, time_point now) noexcept
{
    if (late(s, epoch) || place >= s.place_count)
        return;
    lease_place& p = s.places[place];
    // An answer before the question is a duplicate of an earlier answer.
    if (p.state != lease_place::stage::resetting || !p.reset_asked)
        return;
    p.state = lease_place::stage::free;
    --s.resets;
    // It was in use until now, and has been heard of.
    s.last_used = now;
    if (!undone && s.doomed == end_reason::none)
        doom(s, end_reason::reset);
    s.deadline = reset_deadline(s);
    if (s.state == slot_state::leased) {
        lend_more(s, now);
    } else if (s.resets == 0 || s.doomed != end_reason::none) {
        admit(s, now);
    }
    settle(now);
}

void pool_core::probe_done(slot& s, std::uint64_t epoch, time_point now) noexcept
{
    if (late(s, epoch) || s.state != slot_state::probing || s.todo == slot_action::probe)
        return;
    if (events_.on()) {
        core_event e;
        e.what = core_event::kind::probed;
        e.good = true;
        e.session = s.number;
        e.where = &s;
        e.epoch = s.epoch;
        e.took = std::max(now - s.probed_at, duration::zero());
        events_.add(e);
    }
    ++probes_good_;
    s.probed_at = now;
    s.suspect = false;
    note_success(s);
    look_at_memory(s, now);
    admit(s, now);
    settle(now);
}

bool pool_core::late(const slot& s, std::uint64_t epoch) noexcept
{
    return s.epoch != epoch || s.state == slot_state::empty || s.todo == slot_action::start;
}

void pool_core::begin_probe(slot& s, time_point now) noexcept
{
    enter(s, slot_state::probing);
    ++counters_.probes;
    s.probed_at = now;
    s.deadline = after(now, options_.probe_timeout);
    wake_at(s, leased_wake(s));
    want(s, slot_action::probe);
}

// More than half of the probes of a window without an answer: then this host, or what all the servers
// lean on, is the likelier cause, and replacing everything at once would make it worse.
void pool_core::probe_failed(slot& s, time_point now) noexcept
{
    if (now >= probe_window_ends_) {
        probes_good_ = probes_bad_ = 0;
        probe_window_ends_ = after(
            now, std::max(options_.probe_interval, 2 * options_.probe_timeout));
    }
    if (!s.doubted) {
        ++probes_bad_;
        note(core_event::kind::probed, &s, now - s.probed_at);
    }
    if (now >= next_probe_loss_ || probes_bad_ <= probes_good_) {
        next_probe_loss_ = after(now, options_.probe_timeout);
        return retire(s, end_reason::probe, now);
    }
    set_promising(s, false);
    if (!std::exchange(s.doubted, true))
        note(core_event::kind::suspected, &s);
    s.deadline = std::max(next_probe_loss_, now + least_patience);
    wake_at(s, s.deadline);
}

void pool_core::stalled(duration late_by, time_point now) noexcept
{
    note(core_event::kind::stalled, nullptr, late_by);
    for (slot& s : busy_) {
        if (s.deadline == time_point::max() || on_ladder(s))
            continue;
        if (s.state == slot_state::starting)
            s.deadline = after(s.deadline, late_by);
        else if (s.state == slot_state::probing)
            s.deadline = after(now, options_.probe_timeout);
        else if (s.resets != 0) {
            for (std::uint16_t i = 0; i != s.place_count; ++i)
                s.places[i].reset_by = after(now, options_.reset_timeout);
            s.deadline = reset_deadline(s);
        }
    }
    // Whatever is due now looks at its deadline again, after the input has been read.
}

void pool_core::wake(slot& s, time_point now) noexcept
{
    unlink_wake(s);
    if (proof_due(s) <= now)
        note_success(s);
    if (s.state == slot_state::idle)
        return wake_idle(s, now);
    report_overdue(s, now);
    if (s.state == slot_state::leased && !on_ladder(s))
        return wake_leased(s, now);
    if (slow_at(s) <= now)
        set_promising(s, false);
    if (s.deadline > now)
        return wake_at(s, leased_wake(s));
    switch (s.state) {
    case slot_state::starting:
        if (s.todo == slot_action::start) {
            // The driver has not come to it yet: its time begins when it does.
            s.deadline = after(now, options_.start_timeout);
            wake_at(s, s.deadline);
        } else if (!s.expired) {
            s.expired = true;
            want(s, slot_action::expire_start);
            s.deadline = now + expiry_patience;
            wake_at(s, s.deadline);
        } else {
            note_failure({}, now);
            retire(s, end_reason::start_failed, now);
        }
        break;
    case slot_state::resetting:
        retire(s, end_reason::reset, now);
        break;
    case slot_state::probing:
        probe_failed(s, now);
        break;
    case slot_state::stopping:
    case slot_state::leased:
        climb(s, now);
        break;
    case slot_state::empty:
    case slot_state::idle:
        break;
    }
}

void pool_core::wake_idle(slot& s, time_point now) noexcept
{
    // One that nobody needs is not replaced.
    if (idle_due(s) <= now && alive() > floor())
        return retire(s, end_reason::idle, now);
    if (!recycle_if_due(s, now))
        return retire(s, s.doomed, now);
    if (probe_due(s) <= now) {
        if (count(slot_state::probing) < options_.max_probing)
            return begin_probe(s, now);
        probe_postponed_ = true;
    }
    time_point next = time_point::max();
    for (const time_point due : {probe_due(s), proof_due(s), lifetime_due(s), idle_due(s)}) {
        if (due > now)
            next = std::min(next, due);
    }
    // It may be superfluous later.
    if (idle_due(s) <= now)
        next = std::min(next, after(now, idle_due(s) - s.last_used));
    wake_at(s, next);
}

void pool_core::wake_leased(slot& s, time_point now) noexcept
{
    if (s.resets != 0 && s.deadline <= now) {
        // The others keep it until they are done.
        give_up_resets(s);
        s.deadline = time_point::max();
        if (s.doomed == end_reason::none)
            doom(s, end_reason::reset);
    }
    wake_at(s, leased_wake(s));
}

void pool_core::report_overdue(slot& s, time_point now) noexcept
{
    if (overdue_at(s) > now)
        return;
    for (std::uint16_t i = 0; i != s.place_count; ++i) {
        lease_place& p = s.places[i];
        if (p.state != lease_place::stage::out || p.overdue
            || after(p.leased_at, options_.overdue_after) > now)
            continue;
        p.overdue = true;
        ++counters_.overdue;
        if (events_.on()) {
            core_event e;
            e.what = core_event::kind::overdue;
            e.place = i;
            e.lease = p.number;
            e.session = s.number;
            e.where = &s;
            e.epoch = s.epoch;
            e.took = now - p.leased_at;
            events_.add(e);
        }
    }
}

// The session that has been idle longest comes first.
void pool_core::probe_postponed(time_point now) noexcept
{
    if (!probe_postponed_ || count(slot_state::probing) >= options_.max_probing)
        return;
    probe_postponed_ = false;
    for (auto it = idle_.end(); it != idle_.begin();) {
        const auto candidate = std::prev(it);
        if (probe_due(*candidate) > now) {
            it = candidate;
        } else if (count(slot_state::probing) < options_.max_probing) {
            begin_probe(*candidate, now);
        } else {
            probe_postponed_ = true;
            return;
        }
    }
}

} // namespace mcp_pool::pooling
