// The invariants that hold after every event, for tests.
#include "pool/core.hpp"

#include <algorithm>

namespace mcp_pool::pooling {

std::string pool_core::check(time_point now) const
{
    for (std::string wrong : {check_counts(), check_queue(), check_demand(now)}) {
        if (!wrong.empty())
            return wrong;
    }
    for (const slot_list* list : {&empty_, &idle_, &busy_}) {
        for (const slot& s : *list) {
            if (std::string wrong = check(s, now); !wrong.empty())
                return wrong;
        }
    }
    if (!deadlines_.empty() && deadlines_.begin()->deadline < next_wake_)
        return "a waiter's deadline would be missed";
    return {};
}

std::string pool_core::check_counts() const
{
    std::array<std::size_t, slot_states> found{};
    std::size_t leases = 0, lost = 0, outside = 0, due = 0, offered = 0, unbound = 0;
    for (const slot_list* list : {&empty_, &idle_, &busy_}) {
        for (const slot& s : *list) {
            ++found[static_cast<std::size_t>(s.state)];
            leases += s.detached ? 0u : s.leases;
            lost += s.state == slot_state::leased && (s.broken || s.detached);
            outside += s.detached;
            due += s.due != end_reason::none;
            unbound += s.promising && (s.stateless || !s.key);
            offered += s.offered;
        }
    }
    if (found != counts_)
        return "the counts differ from the lists";
    if (count(slot_state::idle)
        != static_cast<std::size_t>(std::distance(idle_.begin(), idle_.end())))
        return "a session in the idle list is not idle";
    if (leases != leases_)
        return "the number of leases is wrong";
    if (lost != lost_leases_ || outside != outside_)
        return "the number of broken or detached leases is wrong";
    if (due != due_ || unbound != unbound_promising_ || offered != open_places_)
        return "the number of sessions that are due, about to be free or partly lent is wrong";
    if (!abandoned_ && above_max_ != (alive() > options_.max_size))
        return "it was not noticed that there are more sessions than max_size, or no more";
    if (!abandoned_ && above_max_ && !idle_.empty())
        return "a session is idle above max_size";
    // max_size may be lowered under sessions that are in use.
    if (count(slot_state::starting) != 0
        && alive() + count(slot_state::starting) > options_.max_size)
        return "a session is being started above max_size";
    return {};
}

std::string pool_core::check_queue() const
{
    std::size_t queued = 0;
    std::uint64_t last = 0;
    for (const waiter& w : queue_) {
        ++queued;
        if (w.where != waiter::stage::queued)
            return "a waiter in the queue is not marked as queued";
        if (w.ticket <= last)
            return "the queue is out of order";
        if (w.overtaken > overtakings)
            return "a waiter was overtaken too often";
        last = w.ticket;
    }
    if (queued != waiting_)
        return "the number of waiters is wrong";

    std::size_t eligible = 0, waiting = 0, provided = 0;
    const auto check_key = [&](const key_record& key) -> const char* {
        eligible += key.eligible;
        provided += key.provided;
        const auto is_promising = [&key](const slot& s) {
            return s.promising && !s.stateless && s.key == &key;
        };
        if (key.promising
                != static_cast<std::size_t>(std::count_if(busy_.begin(), busy_.end(), is_promising))
            || key.provided != std::min(key.eligible, key.promising * places_per_session()))
            return "the sessions of a key that are about to be free are miscounted";
        waiting += key.waiting;
        if (key.waiting
            != static_cast<std::size_t>(std::distance(key.waiters.begin(), key.waiters.end())))
            return "the number of waiters of a key is wrong";
        if (fair() && (key.eligible != 0) != key.in_turn.is_linked())
            return "a key has lost its turn, or has one without need";
        if (key.eligible == 0)
            return nullptr;
        const bool silent_only = options_.validate_after != duration::zero();
        if ((!key.idle.empty() || !unbound_.empty()) && !silent_only)
            return "somebody waits while a session is idle";
        for (const slot& s : open_) {
            if (fits(s, key))
                return "somebody waits while a session has a free place";
        }
        return nullptr;
    };
    if (const char* const wrong = check_key(no_key_))
        return wrong;
    for (const key_record& key : keys_) {
        if (const char* const wrong = check_key(key))
            return wrong;
        if (key.references == 0)
            return "a key that nothing refers to is kept";
    }
    if (eligible != eligible_ || waiting != waiting_ || provided != provided_)
        return "the number of those who may be served is wrong";
    return {};
}

std::string pool_core::check_demand(time_point now) const
{
    if (closing_ || starts_wanted() <= starts_planned() || next_wake_ <= now)
        return {};
    const bool later = (failing() && now < retry_at_ && next_wake_ <= retry_at_)
        || (now < ask_again_at_ && next_wake_ <= ask_again_at_);
    if (!later && starts_planned() < starts_at_once() && room() != 0)
        return "a start is wanted, there is room, and nothing is being done about it";
    if (!later && starts_for_waiters() != 0 && starts_planned() == 0 && !idle_.empty()
        && count(slot_state::stopping) == 0)
        return "somebody waits, and no session of another key makes room";
    return {};
}

std::string pool_core::check(const slot& s, time_point now) const
{
    if (abandoned_)
        return s.in_wakes.is_linked() ? "a slot of an abandoned pool has a timer" : "";
    std::size_t out = 0, resetting = 0;
    for (std::uint16_t i = 0; i != s.place_count; ++i) {
        out += s.places[i].state == lease_place::stage::out;
        resetting += s.places[i].state == lease_place::stage::resetting;
    }
    if (out != s.leases || resetting != s.resets)
        return "the places of a session are miscounted";
    if ((out != 0) != (s.state == slot_state::leased))
        return "a session is lent in name only";
    const bool open = s.state == slot_state::leased && s.place_count != 1 && lendable(s);
    if (s.offered != (open ? s.place_count - s.leases - s.resets : 0)
        || s.in_open.is_linked() != (s.offered != 0))
        return "free places are offered that are none, or the other way round";
    if (s.state == slot_state::idle && s.doomed != end_reason::none)
        return "a session that is to be retired is idle";
    if (s.promising && slow_at(s) > now && s.wake > slow_at(s))
        return "a session that does not answer would be counted on";

    const bool timed = s.state == slot_state::starting || s.state == slot_state::resetting
        || s.state == slot_state::probing || s.resets != 0 || (on_ladder(s) && !s.ended);
    const bool unlimited = s.state == slot_state::starting
        && options_.start_timeout == duration::zero();
    if (timed && s.deadline == time_point::max() && !unlimited)
        return "a background step has no deadline";
    if (timed && s.deadline != time_point::max()
        && !(s.in_wakes.is_linked() && s.wake <= s.deadline && next_wake_ <= s.wake))
        return "a session's deadline would be missed";
    if (s.state == slot_state::idle && idle_wake(s) > now
        && (idle_wake(s) < s.wake || s.wake < next_wake_))
        return "an idle session would be forgotten";
    if (s.state == slot_state::leased && overdue_at(s) > now && overdue_at(s) != time_point::max()
        && !(s.ended && closing_) && (overdue_at(s) < s.wake || s.wake < next_wake_))
        return "an overdue lease would not be reported";
    if (s.ended && s.todo != slot_action::none && s.state != slot_state::empty)
        return "there is work for a session that has ended";
    if (s.state == slot_state::leased && s.todo == slot_action::forget)
        return "a leased session is to be forgotten";
    return {};
}

} // namespace mcp_pool::pooling
