// Leases and waiters: who gets which session, and when.
#include "pool/core.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace mcp_pool::pooling {

using stage = waiter::stage;
using purpose = waiter::purpose;

namespace {

// asio::error::operation_aborted, without Asio.
error_code aborted() noexcept
{
    return {ECANCELED, boost::system::system_category()};
}

} // namespace

pool_core::pool_core(const pool_options& options, std::uint64_t seed)
    : options_(options)
    , min_size_(options.min_size)
    , max_size_(options.max_size)
    , max_starting_(options.max_starting)
    , max_waiters_(options.max_waiters)
    , random_state_(seed | 1)
{}

void pool_core::add_slot(slot& s) noexcept
{
    empty_.push_back(s);
    ++counts_[static_cast<std::size_t>(slot_state::empty)];
}

std::size_t pool_core::size() const noexcept
{
    return alive() + broken_leases_ + count(slot_state::starting) + count(slot_state::stopping);
}

std::size_t pool_core::alive() const noexcept
{
    return count(slot_state::idle) + count(slot_state::leased) - broken_leases_
        + count(slot_state::resetting) + count(slot_state::probing);
}

slot* pool_core::try_acquire(time_point now) noexcept
{
    // Idle sessions exist only while nobody waits (invariant 1), so a hit never overtakes a waiter.
    if (idle_.empty() || closing_)
        return nullptr;
    slot& s = idle_.front();
    ++counters_.hits;
    grant(s, now);
    return &s;
}

void pool_core::acquire(waiter& w, time_point now) noexcept
{
    w.wants = purpose::lease;
    w.enqueued_at = now;
    if (closing_)
        return claim(w, errc::pool_closed);
    if (slot* s = try_acquire(now)) {
        w.slot = s;
        return claim(w, {});
    }
    if (!started_)
        start(now);
    if (const error_code refused = refusal(now))
        return claim(w, refused);
    if (w.deadline <= now)
        return claim(w, errc::acquire_timeout);
    if (max_waiters_ != 0 && waiting_ >= max_waiters_)
        return claim(w, errc::too_many_waiters);
    enqueue(w, queue_);
    ++waiting_;
    settle(now);
}

void pool_core::await_ready(waiter& w, time_point now) noexcept
{
    w.wants = purpose::ready;
    w.enqueued_at = now;
    if (closing_)
        return claim(w, errc::pool_closed);
    if (!started_)
        start(now);
    if (alive() >= w.count)
        return claim(w, {});
    if (w.deadline <= now)
        return claim(w, errc::acquire_timeout);
    enqueue(w, ready_waiters_);
    ready_floor_ = std::max(ready_floor_, w.count);
    settle(now);
}

void pool_core::await_closed(waiter& w, time_point now) noexcept
{
    w.wants = purpose::closed;
    w.enqueued_at = now;
    if (closed_ || abandoned_)
        return claim(w, {});
    enqueue(w, close_waiters_);
    settle(now);
}

bool pool_core::cancel(waiter& w, time_point now) noexcept
{
    if (w.where != stage::queued)
        return false;
    claim(w, aborted());
    settle(now);
    return true;
}

end_reason pool_core::unfit(const slot& s) const noexcept
{
    if (closing_)
        return end_reason::closed;
    if (s.birth != evictions_)
        return end_reason::evicted;
    return alive() > max_size_ ? end_reason::retired : end_reason::none;
}

void pool_core::release(slot& s, return_verdict verdict, time_point now) noexcept
{
    if (s.state != slot_state::leased)
        return;
    if (verdict.dead)
        broken(s, s.epoch, end_reason::died, verdict.served, now);
    s.last_used = now;
    s.suspect = s.suspect || verdict.suspect;
    if (closing_ && !forced_)
        ++report_.finished;
    const bool recovered = verdict.served && note_success(s);

    if (abandoned_ || s.ended) {
        vacate(s);
    } else if (s.broken) {
        // Its process is on the stop ladder already.
        const time_point deadline = s.deadline;
        enter(s, slot_state::stopping);
        s.deadline = deadline;
    } else if (const end_reason why = unfit(s); why != end_reason::none) {
        retire(s, why, now);
    } else if (verdict.discard) {
        retire(s, end_reason::discarded, now);
    } else if (options_.reset == reset_policy::respawn) {
        retire(s, end_reason::reset, now);
    } else if (verdict.dirty) {
        enter(s, slot_state::resetting);
        s.deadline = detail::saturating_add(now, options_.reset_timeout);
        wake_at(s, s.deadline);
        want(s, slot_action::reset);
    } else {
        const bool contended = !queue_.empty() || s.suspect || recovered;
        admit(s, now);
        if (!contended) {
            // The common case changes nothing that settle() looks at.
            next_wake_ = std::min(next_wake_, s.wake);
            return;
        }
    }
    settle(now);
}

void pool_core::admit(slot& s, time_point now) noexcept
{
    if (const end_reason why = unfit(s); why != end_reason::none)
        retire(s, why, now);
    else if (s.suspect)
        begin_probe(s, now);
    else
        make_available(s, now);
}

void pool_core::make_available(slot& s, time_point now) noexcept
{
    if (!queue_.empty()) {
        waiter& head = queue_.front();
        head.slot = &s;
        grant(s, now);
        claim(head, {});
        return;
    }
    // A probe is no use: the session goes back to its place in the order of use.
    const bool probed = s.state == slot_state::probing;
    enter(s, slot_state::idle);
    if (probed) {
        auto place = idle_.end();
        while (std::prev(place)->last_used < s.last_used)
            --place;
        idle_.splice(place, idle_, slot_list::s_iterator_to(s));
    }
    wake_at(s, idle_wake(s));
}

void pool_core::grant(slot& s, time_point now) noexcept
{
    if (s.state != slot_state::leased)
        enter(s, slot_state::leased);
    ++counters_.granted;
    if (s.uses != 0)
        ++counters_.reused;
    ++s.uses;
    s.leased_at = now;
}

void pool_core::enqueue(waiter& w, waiter_list& queue) noexcept
{
    w.where = stage::queued;
    w.ticket = ++last_ticket_;
    queue.push_back(w);
    w.has_deadline = w.deadline != time_point::max();
    if (w.has_deadline)
        deadlines_.insert(w);
}

pool_core::waiter_list& pool_core::queue_of(const waiter& w) noexcept
{
    switch (w.wants) {
    case purpose::ready:
        return ready_waiters_;
    case purpose::closed:
        return close_waiters_;
    case purpose::lease:
        break;
    }
    return queue_;
}

void pool_core::unlink(waiter& w) noexcept
{
    waiter_list& queue = queue_of(w);
    queue.erase(waiter_list::s_iterator_to(w));
    if (w.has_deadline)
        deadlines_.erase(deadlines_.iterator_to(w));
    w.has_deadline = false;
    if (w.wants == purpose::lease)
        --waiting_;
    if (w.wants == purpose::ready) {
        ready_floor_ = 0;
        for (const waiter& other : ready_waiters_)
            ready_floor_ = std::max(ready_floor_, other.count);
    }
}

// The single claim point: whoever comes here first decides the outcome.
void pool_core::claim(waiter& w, error_code failure) noexcept
{
    if (w.where == stage::queued)
        unlink(w);
    w.where = stage::claimed;
    w.failure = failure;
    if (w.wants == purpose::lease && failure) {
        if (failure == errc::acquire_timeout)
            ++counters_.timed_out;
        else if (failure == aborted())
            ++counters_.cancelled;
        else if (failure == errc::too_many_waiters)
            ++counters_.rejected;
        else
            ++counters_.failed;
    }
    ready_.push_back(w);
}

void pool_core::fail_all_waiting(error_code failure) noexcept
{
    drain_ticket_ = last_ticket_;
    drain_failure_ = failure;
}

bool pool_core::drain(std::size_t& batch) noexcept
{
    for (; !queue_.empty() && queue_.front().ticket <= drain_ticket_; --batch) {
        if (batch == 0)
            return false;
        report_.waiters_failed += closing_ ? 1 : 0;
        claim(queue_.front(), drain_failure_);
    }
    return true;
}

bool pool_core::answer_ready_waiters(error_code refused, std::size_t& batch) noexcept
{
    for (auto it = ready_waiters_.begin(); it != ready_waiters_.end();) {
        waiter& w = *it++;
        const bool enough = alive() >= w.count;
        if (!closing_ && !enough && !refused)
            continue;
        if (batch == 0)
            return false;
        --batch;
        if (closing_)
            claim(w, errc::pool_closed);
        else if (enough)
            claim(w, {});
        else
            claim(w, refused == errc::circuit_open ? make_error_code(errc::start_failed) : refused);
    }
    return true;
}

bool pool_core::answer_close_waiters(std::size_t& batch) noexcept
{
    for (; closed_ && !close_waiters_.empty(); --batch) {
        if (batch == 0)
            return false;
        claim(close_waiters_.front(), {});
    }
    return true;
}

waiter* pool_core::next_ready() noexcept
{
    if (ready_.empty())
        return nullptr;
    waiter& w = ready_.front();
    ready_.pop_front();
    return &w;
}

void pool_core::put_back(waiter& w) noexcept
{
    ready_.push_front(w);
}

slot* pool_core::next_todo(slot_action& action) noexcept
{
    if (todo_.empty())
        return nullptr;
    slot& s = todo_.front();
    todo_.pop_front();
    action = std::exchange(s.todo, slot_action::none);
    if (action == slot_action::start)
        s.birth = evictions_;
    return &s;
}

std::size_t pool_core::take_permit_requests() noexcept
{
    permits_pending_ += permit_requests_;
    return std::exchange(permit_requests_, 0);
}

std::size_t pool_core::take_permit_returns() noexcept
{
    return std::exchange(permit_returns_, 0);
}

bool pool_core::tick(time_point now, std::size_t batch) noexcept
{
    while (batch != 0 && !deadlines_.empty() && deadlines_.begin()->deadline <= now) {
        claim(*deadlines_.begin(), errc::acquire_timeout);
        --batch;
    }
    if (closing_ && !forced_ && force_at_ <= now)
        force_leases(now);
    while (batch != 0 && !wakes_.empty() && wakes_.begin()->wake <= now) {
        wake(*wakes_.begin(), now);
        --batch;
    }
    settle(now, batch);
    return next_wake_ <= now;
}

} // namespace mcp_pool::pooling
