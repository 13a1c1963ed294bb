// Sessions of the pool: their states, their timers and the stop ladder.
#include "pool/core.hpp"

#include <algorithm>

namespace mcp_pool::pooling {

namespace {

// Even without stop_grace each rung reaches the process.
constexpr duration least_grace = std::chrono::milliseconds(1);
// How long the process of a killed group may take to be reaped before it counts as a survivor.
constexpr duration kill_patience = std::chrono::seconds(1);
// The same at the end of close(), which promises to complete 100 ms after its deadline.
constexpr duration close_patience = std::chrono::milliseconds(90);
// How long an expired start may take to say how far it came.
constexpr duration expiry_patience = std::chrono::seconds(1);

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
    slot_list& to = list(next);
    to.splice(to.begin(), list(s.state), slot_list::s_iterator_to(s));
    --counts_[static_cast<std::size_t>(s.state)];
    if (s.state == slot_state::leased && s.broken) {
        s.broken = false;
        --broken_leases_;
    }
    s.state = next;
    ++counts_[static_cast<std::size_t>(next)];
    s.deadline = time_point::max();
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
    s.uses = 0;
    s.reason = end_reason::none;
    s.step = stop_rung::close_input;
    s.ended = s.expired = s.proven = s.suspect = false;
    s.started_at = now;
    s.deadline = options_.start_timeout == duration::zero() ? time_point::max()
                                                            : after(now, options_.start_timeout);
    wake_at(s, s.deadline);
    want(s, slot_action::start);
}

void pool_core::ready(slot& s, std::uint64_t epoch, time_point now) noexcept
{
    if (late(s, epoch) || s.state != slot_state::starting)
        return;
    want(s, slot_action::none);
    ++counters_.created;
    s.ready_at = s.last_used = s.probed_at = now;
    s.failures_before = counters_.start_failures;
    // Within ±10 %, so that sessions born together are not probed together.
    const auto interval = std::min(options_.probe_interval, duration::max() / 2);
    s.probe_after = interval == duration::zero()
        ? duration::max()
        : interval - interval / 10 + interval / 5 / 1024 * static_cast<int>(random() % 1024);
    // The host can start a process, and the server a session. Whether it is worth anything, the
    // session has to prove.
    shortages_ = 0;
    circuit_open_ = tripped_ = false;
    admit(s, now);
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

void pool_core::reset_done(slot& s, std::uint64_t epoch, time_point now) noexcept
{
    // An answer before the question is a duplicate of an earlier answer.
    if (late(s, epoch) || s.state != slot_state::resetting || s.todo == slot_action::reset)
        return;
    admit(s, now);
    settle(now);
}

void pool_core::probe_done(slot& s, std::uint64_t epoch, time_point now) noexcept
{
    if (late(s, epoch) || s.state != slot_state::probing || s.todo == slot_action::probe)
        return;
    s.probed_at = now;
    s.suspect = false;
    note_success(s);
    admit(s, now);
    settle(now);
}

void pool_core::ended(
    slot& s, std::uint64_t epoch, bool killed, std::size_t survivors, time_point now) noexcept
{
    if (late(s, epoch) || s.ended)
        return;
    if (!on_ladder(s))
        broken(s, epoch, end_reason::died, false, now);
    if (closing_) {
        report_.killed += killed ? 1 : 0;
        report_.survivors += survivors;
    }
    leave(s);
    settle(now);
}

bool pool_core::late(const slot& s, std::uint64_t epoch) noexcept
{
    return s.epoch != epoch || s.state == slot_state::empty || s.todo == slot_action::start;
}

bool pool_core::on_ladder(const slot& s) noexcept
{
    return s.state == slot_state::stopping || (s.state == slot_state::leased && s.broken);
}

// Takes a session that nobody holds out of service.
void pool_core::retire(slot& s, end_reason why, time_point now) noexcept
{
    if (s.state == slot_state::starting && s.todo == slot_action::start)
        return vacate(s); // Nothing has begun.
    enter(s, slot_state::stopping);
    begin_ladder(s, why, now);
}

// The same for a session whose lease is still out; the slot stays with the lease.
void pool_core::break_lease(slot& s, end_reason why, time_point now) noexcept
{
    s.broken = true;
    ++broken_leases_;
    begin_ladder(s, why, now);
}

void pool_core::begin_ladder(slot& s, end_reason why, time_point now) noexcept
{
    s.reason = why;
    ++counters_.ended[static_cast<std::size_t>(why)];
    s.step = stop_rung::close_input;
    want(s, slot_action::stop);
    s.deadline = rung_deadline(s.step, now);
    wake_at(s, s.deadline);
}

// One rung up, because the deadline of the present one has passed.
void pool_core::climb(slot& s, time_point now) noexcept
{
    switch (s.step) {
    case stop_rung::close_input:
        s.step = stop_rung::terminate;
        break;
    case stop_rung::terminate:
        s.step = stop_rung::kill;
        break;
    case stop_rung::kill:
        // The kernel does not let go of it. The process thread goes on waiting for it; the pool
        // does not.
        if (closing_)
            ++report_.survivors;
        return leave(s);
    }
    want(s, slot_action::stop);
    s.deadline = rung_deadline(s.step, now);
    wake_at(s, s.deadline);
}

time_point pool_core::rung_deadline(stop_rung rung, time_point now) const noexcept
{
    const time_point patient = after(now, std::max(options_.stop_grace, least_grace));
    if (!closing_)
        return rung == stop_rung::kill ? after(now, kill_patience) : patient;
    switch (rung) {
    case stop_rung::close_input:
        return std::min(patient, now + (std::max(close_deadline_, now) - now) / 2);
    case stop_rung::terminate:
        return std::min(patient, close_deadline_);
    case stop_rung::kill:
        break;
    }
    return std::min(
        after(now, kill_patience), after(std::max(close_deadline_, now), close_patience));
}

// Nothing is left of the process, or nothing can be done about it.
void pool_core::leave(slot& s) noexcept
{
    if (s.state != slot_state::leased)
        return vacate(s);
    // The lease keeps the slot, and what it refers to, until it ends.
    s.ended = true;
    s.deadline = time_point::max();
    unlink_wake(s);
    want(s, slot_action::none);
}

void pool_core::vacate(slot& s) noexcept
{
    enter(s, slot_state::empty);
    unlink_wake(s);
    ++permit_returns_;
    want(s, abandoned_ ? slot_action::none : slot_action::forget);
}

void pool_core::wake(slot& s, time_point now) noexcept
{
    unlink_wake(s);
    if (proof_due(s) <= now)
        note_success(s);
    if (s.state == slot_state::idle)
        return wake_idle(s, now);
    if (s.deadline > now)
        return wake_at(s, std::min(s.deadline, proof_due(s)));
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
        retire(s, end_reason::probe, now);
        break;
    case slot_state::stopping:
    case slot_state::leased:
        if (on_ladder(s))
            climb(s, now);
        break;
    case slot_state::empty:
    case slot_state::idle:
        break;
    }
}

time_point pool_core::probe_due(const slot& s) const noexcept
{
    return after(std::max(s.last_used, s.probed_at), s.probe_after);
}

time_point pool_core::idle_wake(const slot& s) const noexcept
{
    const time_point when = std::min(probe_due(s), proof_due(s));
    if (options_.idle_timeout == duration::zero())
        return when;
    return std::min(when, after(s.last_used, options_.idle_timeout));
}

time_point pool_core::proof_due(const slot& s) const noexcept
{
    const bool lives = s.state == slot_state::idle || s.state == slot_state::probing
        || s.state == slot_state::resetting || (s.state == slot_state::leased && !s.broken);
    if (failures_ == 0 || !lives || s.proven || s.failures_before != counters_.start_failures)
        return time_point::max();
    return after(s.ready_at, options_.min_uptime);
}

void pool_core::wake_idle(slot& s, time_point now) noexcept
{
    time_point next = proof_due(s);
    if (options_.idle_timeout != duration::zero()) {
        const time_point due = after(s.last_used, options_.idle_timeout);
        if (due > now)
            next = std::min(next, due);
        else if (alive() > std::max(min_size_, ready_floor_))
            return retire(s, end_reason::retired, now);
        else
            next = std::min(next, after(now, options_.idle_timeout));
    }
    const time_point probe = probe_due(s);
    if (probe > now)
        next = std::min(next, probe);
    else if (count(slot_state::probing) < options_.max_probing)
        return begin_probe(s, now);
    else
        probe_postponed_ = true;
    wake_at(s, next);
}

void pool_core::begin_probe(slot& s, time_point now) noexcept
{
    enter(s, slot_state::probing);
    ++counters_.probes;
    s.deadline = after(now, options_.probe_timeout);
    wake_at(s, s.deadline);
    want(s, slot_action::probe);
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
