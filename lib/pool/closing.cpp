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
        fail_all_waiting(errc::pool_closed);
        while (!idle_.empty())
            retire(idle_.front(), end_reason::closed, now);
    }
    for (auto it = busy_.begin(); it != busy_.end();) {
        slot& s = *it++;
        if (s.ended)
            continue;
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
                broken_leases_ += s.broken ? 0 : 1;
                s.broken = s.ended = true;
                unlink_wake(s);
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

    if (!queue_.empty() && !idle_.empty())
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
    }
    if (queued != waiting_)
        return "the number of waiters is wrong";
    if (count(slot_state::starting) != 0 && alive() + count(slot_state::starting) > max_size_)
        return "a session is being started above max_size";
    if (!deadlines_.empty() && deadlines_.begin()->deadline < next_wake_)
        return "a waiter's deadline would be missed";

    for (const slot_list* list : {&empty_, &idle_, &busy_}) {
        for (const slot& s : *list) {
            if (std::string wrong = check(s, now); !wrong.empty())
                return wrong;
        }
    }
    const auto broken = [](const slot& s) { return s.state == slot_state::leased && s.broken; };
    if (static_cast<std::size_t>(std::count_if(busy_.begin(), busy_.end(), broken))
        != broken_leases_)
        return "the number of broken leases is wrong";

    if (closing_ || starts_wanted() <= starts_planned() || next_wake_ <= now)
        return {};
    const std::size_t at_once = era_known_ && !failing() ? max_starting_ : 1;
    const bool later = (failing() && now < retry_at_ && next_wake_ <= retry_at_)
        || (now < ask_again_at_ && next_wake_ <= ask_again_at_);
    const std::size_t taken = size() + permits_pending_ + permit_requests_;
    if (!later && starts_planned() < at_once && taken < max_size_)
        return "a start is wanted, there is room, and nothing is being done about it";
    return {};
}

std::string pool_core::check(const slot& s, time_point now) const
{
    const bool timed = s.state == slot_state::starting || s.state == slot_state::resetting
        || s.state == slot_state::probing || (on_ladder(s) && !s.ended);
    const bool unlimited = s.state == slot_state::starting
        && options_.start_timeout == duration::zero();
    if (abandoned_)
        return s.in_wakes.is_linked() ? "a slot of an abandoned pool has a timer" : "";
    if (timed && s.deadline == time_point::max() && !unlimited)
        return "a background step has no deadline";
    if (timed && s.deadline != time_point::max()
        && !(s.in_wakes.is_linked() && s.wake <= s.deadline && next_wake_ <= s.wake))
        return "a session's deadline would be missed";
    if (s.state == slot_state::idle && idle_wake(s) > now
        && (idle_wake(s) < s.wake || s.wake < next_wake_))
        return "an idle session would be forgotten";
    if (s.ended && s.todo != slot_action::none && s.state != slot_state::empty)
        return "there is work for a session that has ended";
    if (s.state == slot_state::leased && s.todo == slot_action::forget)
        return "a leased session is to be forgotten";
    return {};
}

} // namespace mcp_pool::pooling
