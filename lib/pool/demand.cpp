// How many sessions are started, when, and what happens while starts fail.
#include "pool/core.hpp"

#include <algorithm>

namespace mcp_pool::pooling {

std::size_t pool_core::starts_wanted() const noexcept
{
    if (closing_ || abandoned_)
        return 0;
    // Sessions that are being reset or probed are about to serve a waiter each.
    const std::size_t soon = count(slot_state::resetting) + count(slot_state::probing);
    const std::size_t for_waiters = waiting_ > soon ? waiting_ - soon : 0;
    const std::size_t floor = std::min(std::max(started_ ? min_size_ : 0, ready_floor_), max_size_);
    const std::size_t for_floor = floor > alive() ? floor - alive() : 0;
    return std::max(for_waiters, for_floor);
}

std::size_t pool_core::starts_allowed(time_point now) const noexcept
{
    if (failures_ != 0 && now < retry_at_)
        return 0;
    // The first start finds out the era (and fills the server's own caches); while starts fail, one
    // try at a time is enough to notice that they work again.
    const std::size_t at_once = !era_known_ || failures_ != 0 ? 1 : max_starting_;
    const std::size_t under_way = count(slot_state::starting) + permits_pending_ + permit_requests_;
    const std::size_t taken = size() + permits_pending_ + permit_requests_;
    if (under_way >= at_once || taken >= max_size_ || empty_.empty())
        return 0;
    return std::min(at_once - under_way, max_size_ - taken);
}

void pool_core::balance(time_point now) noexcept
{
    const std::size_t wanted = starts_wanted();

    // Starts that demand no longer needs are dropped as long as they have not begun.
    std::size_t starting = count(slot_state::starting);
    for (auto it = todo_.end(); starting > wanted && it != todo_.begin();) {
        slot& s = *--it;
        if (s.todo != slot_action::start)
            continue;
        // vacate() leaves the slot in the list, with other work.
        vacate(s);
        --starting;
    }

    const std::size_t under_way = starting + permits_pending_ + permit_requests_;
    if (wanted > under_way)
        permit_requests_ += std::min(wanted - under_way, starts_allowed(now));
}

void pool_core::permit_granted(time_point now) noexcept
{
    if (permits_pending_ != 0)
        --permits_pending_;
    if (starts_wanted() > count(slot_state::starting) && starts_allowed(now) != 0)
        begin_start(empty_.front(), now);
    else
        ++permit_returns_;
    settle(now);
}

void pool_core::permit_denied(time_point now) noexcept
{
    if (permits_pending_ != 0)
        --permits_pending_;
    settle(now);
}

void pool_core::start(time_point now) noexcept
{
    started_ = true;
    settle(now);
}

void pool_core::set_era_known(bool known, time_point now) noexcept
{
    if (era_known_ == known)
        return;
    era_known_ = known;
    settle(now);
}

void pool_core::resize(std::size_t min_size, std::size_t max_size, std::size_t max_starting,
    std::size_t max_waiters, time_point now) noexcept
{
    min_size_ = min_size;
    max_size_ = max_size;
    max_starting_ = max_starting;
    max_waiters_ = max_waiters;
    while (alive() > max_size_ && !idle_.empty())
        retire(idle_.back(), end_reason::retired, now);
    // A lowered min_size may make idle ones superfluous.
    for (slot& s : idle_)
        wake_at(s, now);
    settle(now);
}

void pool_core::evict_all(time_point now) noexcept
{
    ++evictions_;
    while (!idle_.empty())
        retire(idle_.front(), end_reason::evicted, now);
    settle(now);
}

void pool_core::note_failure(start_verdict why, time_point now) noexcept
{
    ++counters_.start_failures;
    ++failures_;
    exhausted_ = why.exhausted;
    retry_at_ = detail::saturating_add(now, backoff());
    if (why.permanent || why.exhausted
        || (options_.breaker_threshold != 0 && failures_ >= options_.breaker_threshold))
        tripped_ = true;
}

void pool_core::note_success(slot& s) noexcept
{
    s.proven = true;
    failures_ = 0;
    tripped_ = circuit_open_ = exhausted_ = false;
}

// Full jitter: anything from 0 to the exponential bound, so that pools that failed together do not
// try again together.
duration pool_core::backoff() noexcept
{
    duration bound = options_.backoff_initial;
    for (std::size_t i = 1; i < failures_ && bound < options_.backoff_max; ++i)
        bound *= 2;
    bound = std::min(bound, options_.backoff_max);
    return duration(bound.count() / 1024 * static_cast<duration::rep>(random() % 1025));
}

// xorshift64*: jitter needs no better.
std::uint64_t pool_core::random() noexcept
{
    random_state_ ^= random_state_ >> 12;
    random_state_ ^= random_state_ << 25;
    random_state_ ^= random_state_ >> 27;
    return (random_state_ * 0x2545F4914F6CDD1DULL) >> 32;
}

void pool_core::settle(time_point now) noexcept
{
    if (abandoned_)
        return;
    balance(now);

    const bool start_under_way = count(slot_state::starting) + permits_pending_ + permit_requests_
        != 0;
    if (tripped_ && alive() == 0 && !start_under_way && now < retry_at_) {
        circuit_open_ = true;
        if (waiting_ != 0 && drain_ticket_ < queue_.back().ticket)
            fail_all_waiting(exhausted_ ? errc::resource_exhausted : errc::circuit_open);
        while (!ready_waiters_.empty())
            claim(
                ready_waiters_.front(), exhausted_ ? errc::resource_exhausted : errc::start_failed);
    }
    for (auto it = ready_waiters_.begin(); it != ready_waiters_.end();) {
        waiter& w = *it++;
        if (alive() >= w.count)
            claim(w, {});
    }
    const bool drained = drain(64);
    if (closing_)
        finish_close(now);

    next_wake_ = drained ? time_point::max() : now;
    if (!deadlines_.empty())
        next_wake_ = std::min(next_wake_, deadlines_.begin()->deadline);
    if (!wakes_.empty())
        next_wake_ = std::min(next_wake_, wakes_.begin()->wake);
    if (closing_ && !forced_)
        next_wake_ = std::min(next_wake_, force_at_);
    if (failures_ != 0 && now < retry_at_ && starts_wanted() > count(slot_state::starting))
        next_wake_ = std::min(next_wake_, retry_at_);
}

} // namespace mcp_pool::pooling
