// Waiters: how they come in, who fails, and what the driver takes out.
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
    , random_state_(seed | 1)
{
    recognise_common_case();
}

void pool_core::add_slot(slot& s) noexcept
{
    for (std::uint16_t i = 0; i != s.place_count; ++i) {
        s.places[i].of = &s;
        s.places[i].index = i;
    }
    empty_.push_back(s);
    ++counts_[static_cast<std::size_t>(slot_state::empty)];
}

std::size_t pool_core::size() const noexcept
{
    return alive() + lost_leases_ + count(slot_state::starting) + count(slot_state::stopping)
        - outside_;
}

std::size_t pool_core::alive() const noexcept
{
    return count(slot_state::idle) + count(slot_state::leased) - lost_leases_
        + count(slot_state::resetting) + count(slot_state::probing);
}

std::size_t pool_core::available() const noexcept
{
    return count(slot_state::idle) * places_per_session() + open_places_;
}

void pool_core::acquire(waiter& w, time_point now) noexcept
{
    w.wants = purpose::lease;
    w.enqueued_at = now;
    key_record& key = key_of(w.key);
    w.key = &key;
    hold(key);
    if (closing_) {
        claim(w, errc::pool_closed);
        return drop(key);
    }
    if (options_.scaling == scaling_policy::adaptive)
        load_.arrived(now);
    bool changed = false;
    if (lease_place* const place = take(key, now, changed)) {
        w.slot = place->of;
        w.place = place;
        claim(w, {});
        settle(now);
        return drop(key);
    }
    if (!started_)
        start(now);
    error_code refused = refusal(now);
    if (!refused && w.deadline <= now)
        refused = errc::acquire_timeout;
    else if (!refused
        && ((options_.max_waiters != 0 && waiting_ >= options_.max_waiters)
            || (options_.max_waiters_per_key != 0 && key.waiting >= options_.max_waiters_per_key)))
        refused = errc::too_many_waiters;
    if (refused) {
        claim(w, refused);
    } else {
        enqueue(w, queue_);
        ++waiting_;
        key.waiters.push_back(w);
        ++key.waiting;
        hold(key);
        update_turn(key);
    }
    if (w.where == stage::queued && !changed && only_waiting_helps())
        next_wake_ = std::min(next_wake_, w.deadline);
    else
        settle(now);
    drop(key);
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

void pool_core::enqueue(waiter& w, waiter_list& queue) noexcept
{
    w.where = stage::queued;
    w.ticket = ++last_ticket_;
    queue.push_back(w);
    w.has_deadline = w.deadline != time_point::max();
    // Mostly the latest so far: found without a search.
    if (w.has_deadline)
        deadlines_.insert(deadlines_.end(), w);
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
    if (w.wants == purpose::lease) {
        --waiting_;
        key_record& key = *w.key;
        key.waiters.erase(key.waiters.iterator_to(w));
        --key.waiting;
        update_turn(key);
        drop(key);
    }
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
    if (action == slot_action::start) {
        s.birth = evictions_;
        ++counters_.begun;
        note(core_event::kind::starting, &s);
    }
    if (action == slot_action::reset) {
        bool found = false;
        for (std::uint16_t i = 0; i != s.place_count; ++i) {
            lease_place& p = s.places[i];
            if (p.state != lease_place::stage::resetting || p.reset_asked)
                continue;
            if (found) {
                want(s, slot_action::reset);
                break;
            }
            found = p.reset_asked = true;
            s.reset_place = i;
        }
    }
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
    // Before anything ends for being idle.
    follow_load(now);
    while (batch != 0 && !wakes_.empty() && wakes_.begin()->wake <= now) {
        wake(*wakes_.begin(), now);
        --batch;
    }
    settle(now, batch);
    return next_wake_ <= now;
}

void pool_core::settle(time_point now, std::size_t batch) noexcept
{
    if (abandoned_)
        return;
    follow_load(now);
    if (const bool above = alive() > options_.max_size; above != std::exchange(above_max_, above))
        offer_places(now);
    balance(now);
    probe_postponed(now);

    const error_code refused = refusal(now);
    if (refused) {
        if (!std::exchange(circuit_open_, true))
            note(core_event::kind::circuit_opened, nullptr);
        if (waiting_ != 0 && drain_ticket_ < queue_.back().ticket)
            fail_all_waiting(refused);
    }
    bool all = answer_ready_waiters(refused, batch);
    all = drain(batch) && all;
    if (closing_)
        finish_close(now);
    all = answer_close_waiters(batch) && all;

    next_wake_ = all ? time_point::max() : now;
    if (!deadlines_.empty())
        next_wake_ = std::min(next_wake_, deadlines_.begin()->deadline);
    if (!wakes_.empty())
        next_wake_ = std::min(next_wake_, wakes_.begin()->wake);
    if (closing_ && !forced_ && !closed_)
        next_wake_ = std::min(next_wake_, force_at_);
    if (options_.scaling == scaling_policy::adaptive && !closing_)
        next_wake_ = std::min(next_wake_, load_.next_step());
    if (starts_wanted() > starts_planned()) {
        if (failing() && now < retry_at_)
            next_wake_ = std::min(next_wake_, retry_at_);
        if (now < ask_again_at_)
            next_wake_ = std::min(next_wake_, ask_again_at_);
    }
}

void pool_core::note(core_event::kind what, const slot* s, duration took) noexcept
{
    if (!events_.on())
        return;
    core_event e;
    e.what = what;
    e.took = std::max(took, duration::zero());
    if (s) {
        e.session = s->number;
        e.where = const_cast<slot*>(s);
        e.epoch = s->epoch;
        e.why = s->reason;
    }
    events_.add(e);
}

} // namespace mcp_pool::pooling
