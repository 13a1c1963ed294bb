// The orderly end and the disorderly one.
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
        fail_all_waiting(errc::pool_closed);
        while (!idle_.empty())
            retire(idle_.front(), end_reason::closed, now);
    }
    for (auto it = busy_.begin(); it != busy_.end();) {
        slot& s = *it++;
        update_open(s);
        if (s.ended)
            unlink_wake(s);
        if (s.ended || s.detached)
            continue;
        if (on_ladder(s)) {
            s.deadline = std::min(s.deadline, rung_deadline(s, now));
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
        if (s.state != slot_state::leased || s.detached)
            continue;
        report_.forced += s.leases;
        if (!s.broken)
            break_lease(s, end_reason::closed, now);
    }
}

void pool_core::finish_close(time_point now) noexcept
{
    if (closed_ || waiting_ != 0)
        return;
    for (const slot& s : busy_) {
        if (!s.ended && !s.detached)
            return;
    }
    // A lease whose session has died by itself may still come back before it is cut off.
    if (leases() != 0 && !forced_)
        return;
    closed_ = true;
    report_.elapsed = std::max(now - close_begun_, duration::zero());
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
                no_longer_due(s);
                lost_leases_ += s.broken || s.detached ? 0 : 1;
                s.broken = s.ended = true;
                unlink_wake(s);
                update_open(s);
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

} // namespace mcp_pool::pooling
