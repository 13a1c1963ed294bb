// The orderly end, the disorderly end, and the invariants that hold until then.
#include "pool/core.hpp"

#include <algorithm>

namespace mcp_pool::pooling {

void pool_core::close(time_point deadline, time_point now) noexcept
{
    if (closed_ || abandoned_ || (closing_ && deadline >= close_deadline_))
        return;
    const bool first = !closing_;
    closing_ = true;
    close_deadline_ = std::max(deadline, now);
    const duration left = close_deadline_ - now;
    // Leases get what the stop ladder does not need, and at least half of the time.
    const duration patience = std::max(
        left / 2, left - 2 * std::min(options_.stop_grace, left / 2));
    force_at_ = std::min(force_at_, now + patience);

    if (first) {
        close_begun_ = now;
        report_.waiters_failed = waiting_;
        fail_all_waiting(errc::pool_closed);
        while (!ready_waiters_.empty())
            claim(ready_waiters_.front(), errc::pool_closed);
        while (!idle_.empty())
            retire(idle_.front(), end_reason::closed, now);
    }
    for (auto it = busy_.begin(); it != busy_.end();) {
        slot& s = *it++;
        if (on_ladder(s)) {
            s.deadline = std::min(s.deadline, rung_deadline(s.step, now));
            wake_at(s, s.deadline);
        } else if (s.state != slot_state::leased) {
            retire(s, end_reason::closed, now);
        }
    }
    settle(now);
}

void pool_core::force_leases(time_point now) noexcept
{
    forced_ = true;
    for (slot& s : busy_) {
        if (s.state != slot_state::leased)
            continue;
        ++report_.forced;
        if (!s.broken)
            break_lease(s, end_reason::closed, now);
    }
}

void pool_core::finish_close(time_point now) noexcept
{
    if (closed_ || size() != leases() || waiting_ != 0)
        return;
    for (const slot& s : busy_) {
        if (!s.ended)
            return;
    }
    // A lease whose session has died by itself may still come back before it is cut off.
    if (leases() != 0 && !forced_)
        return;
    closed_ = true;
    report_.elapsed = now - close_begun_;
    while (!close_waiters_.empty())
        claim(close_waiters_.front(), {});
}

void pool_core::abandon() noexcept
{
    if (abandoned_)
        return;
    abandoned_ = closing_ = true;
    while (!queue_.empty())
        claim(queue_.front(), errc::pool_closed);
    while (!ready_waiters_.empty())
        claim(ready_waiters_.front(), errc::pool_closed);
    while (!close_waiters_.empty())
        claim(close_waiters_.front(), {});
    const auto leave = [this](slot_list& list) {
        for (auto it = list.begin(); it != list.end();) {
            slot& s = *it++;
            if (s.state == slot_state::leased) {
                s.broken = s.ended = true;
                unlink_wake(s);
                want(s, slot_action::none);
            } else {
                vacate(s);
            }
        }
    };
    leave(idle_);
    leave(busy_);
    while (!todo_.empty())
        want(todo_.front(), slot_action::none);
    permit_requests_ = 0;
    next_wake_ = time_point::max();
}

std::string pool_core::check(time_point now) const
{
    std::array<std::size_t, slot_states> found{};
    const auto count_list = [&](const slot_list& list) {
        for (const slot& s : list)
            ++found[static_cast<std::size_t>(s.state)];
    };
    count_list(empty_);
    count_list(idle_);
    count_list(busy_);
    if (found != counts_)
        return "the counts differ from the lists";
    if (found[static_cast<std::size_t>(slot_state::idle)]
        != static_cast<std::size_t>(std::distance(idle_.begin(), idle_.end())))
        return "a session in the idle list is not idle";

    const bool draining = !queue_.empty() && queue_.front().ticket <= drain_ticket_;
    if (!queue_.empty() && !idle_.empty() && !draining)
        return "somebody waits while a session is idle";
    std::size_t queued = 0;
    std::uint64_t last = 0;
    for (const waiter& w : queue_) {
        ++queued;
        if (w.where != waiter::stage::queued)
            return "a waiter in the queue is not marked as queued";
        if (w.ticket <= last)
            return "the queue is out of order";
        last = w.ticket;
        if (w.deadline < next_wake_)
            return "a waiter's deadline would be missed";
    }
    if (queued != waiting_)
        return "the number of waiters is wrong";
    if (size() > max_size_ && count(slot_state::starting) != 0)
        return "a session is being started above max_size";
    if (count(slot_state::starting) > std::max<std::size_t>(max_starting_, 1))
        return "more than max_starting starts";

    const auto timed = [&](const slot_list& list) {
        return std::all_of(list.begin(), list.end(), [&](const slot& s) {
            return s.deadline == time_point::max() || s.ended || abandoned_
                || (s.in_wakes.is_linked() && s.wake <= s.deadline && next_wake_ <= s.wake);
        });
    };
    if (!timed(busy_) || !timed(idle_))
        return "a session's deadline would be missed";
    if (!closing_ && !tripped_ && failures_ == 0 && !queue_.empty() && size() < max_size_
        && count(slot_state::starting) + permits_pending_ + permit_requests_ == 0
        && count(slot_state::resetting) + count(slot_state::probing) < waiting_)
        return "somebody waits, there is room, and nothing is being started";
    if (failures_ != 0 && !closing_ && starts_wanted() != 0 && !tripped_
        && count(slot_state::starting) + permits_pending_ + permit_requests_ == 0
        && size() < max_size_ && next_wake_ == time_point::max() && now < retry_at_)
        return "a start is wanted and nobody will try again";
    return {};
}

} // namespace mcp_pool::pooling
