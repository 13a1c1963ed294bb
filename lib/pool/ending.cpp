// Sessions that leave: out of service, down the stop ladder, out of the slot.
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

time_point after(time_point a, duration b) noexcept
{
    return detail::saturating_add(a, b);
}

} // namespace

void pool_core::ended(
    slot& s, std::uint64_t epoch, bool killed, std::size_t survivors, time_point now) noexcept
{
    if (late(s, epoch) || s.ended)
        return;
    if (!on_ladder(s))
        broken(s, epoch, end_reason::died, false, now);
    if (closing_ && !s.detached) {
        report_.killed += killed ? 1 : 0;
        report_.survivors += survivors;
    }
    leave(s);
    settle(now);
}

bool pool_core::on_ladder(const slot& s) noexcept
{
    return s.state == slot_state::stopping || (s.state == slot_state::leased && s.broken);
}

// Takes a session that nobody holds out of service.
void pool_core::retire(slot& s, end_reason why, time_point now) noexcept
{
    no_longer_due(s);
    if (s.state == slot_state::starting && s.todo == slot_action::start)
        return vacate(s); // Nothing has begun.
    enter(s, slot_state::stopping);
    begin_ladder(s, why, now);
}

// The same for a session whose leases are still out; the slot stays with them.
void pool_core::break_lease(slot& s, end_reason why, time_point now) noexcept
{
    no_longer_due(s);
    if (!s.detached)
        ++lost_leases_;
    s.broken = true;
    update_open(s);
    begin_ladder(s, why, now);
}

void pool_core::begin_ladder(slot& s, end_reason why, time_point now) noexcept
{
    give_up_resets(s);
    if (!s.detached) {
        s.reason = why;
        ++counters_.ended[static_cast<std::size_t>(why)];
        if (why == end_reason::start_failed)
            note(core_event::kind::start_failed, &s, now - s.started_at);
        else if (s.ready_at != time_point{})
            note(core_event::kind::retired, &s, now - s.ready_at);
    }
    s.step = stop_rung::close_input;
    want(s, slot_action::stop);
    s.deadline = rung_deadline(s, now);
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
        if (closing_ && !s.detached)
            ++report_.survivors;
        return leave(s);
    }
    want(s, slot_action::stop);
    s.deadline = rung_deadline(s, now);
    wake_at(s, leased_wake(s));
}

time_point pool_core::rung_deadline(const slot& s, time_point now) const noexcept
{
    const stop_rung rung = s.step;
    const time_point patient = after(now, std::max(options_.stop_grace, least_grace));
    // What a lease has taken along is none of close()'s business.
    if (!closing_ || s.detached)
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
    // The leases keep the slot, and what it refers to, until they end.
    s.ended = true;
    s.deadline = time_point::max();
    unlink_wake(s);
    if (!closing_)
        wake_at(s, overdue_at(s));
    want(s, slot_action::none);
}

void pool_core::vacate(slot& s) noexcept
{
    no_longer_due(s);
    enter(s, slot_state::empty);
    unlink_wake(s);
    unbind(s);
    update_open(s);
    s.doomed = end_reason::none;
    if (s.number != 0 && s.todo != slot_action::start)
        note(core_event::kind::ended, &s);
    if (s.detached)
        --outside_;
    s.detached = false;
    ++permit_returns_;
    want(s, abandoned_ ? slot_action::none : slot_action::forget);
}

} // namespace mcp_pool::pooling
