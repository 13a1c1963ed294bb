// How many sessions are started, when, and what happens while starts fail.
#include "pool/core.hpp"

#include <algorithm>
#include <utility>

namespace mcp_pool::pooling {

namespace {

// Before an arbiter that said no is asked again.
constexpr duration denial_pause = std::chrono::milliseconds(50);
// Between a failed start and the next, whatever the options and the dice say.
constexpr duration least_backoff = std::chrono::milliseconds(1);

} // namespace

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

std::size_t pool_core::starts_planned() const noexcept
{
    return count(slot_state::starting) + permits_pending_ + permit_requests_;
}

std::size_t pool_core::starts_allowed(time_point now) const noexcept
{
    if (failing() && now < retry_at_)
        return 0;
    // The first start finds out the era (and fills the server's own caches); while starts fail, one
    // try at a time is enough to notice that they work again.
    const std::size_t at_once = !era_known_ || failing() ? 1 : max_starting_;
    const std::size_t taken = size() + permits_pending_ + permit_requests_;
    if (starts_planned() >= at_once || taken >= max_size_ || empty_.empty())
        return 0;
    return std::min(at_once - starts_planned(), max_size_ - taken);
}

void pool_core::balance(time_point now) noexcept
{
    const std::size_t wanted = starts_wanted();

    // Starts that demand no longer needs are dropped as long as they have not begun. Permits that
    // have been asked for are given back when they come.
    while (permit_requests_ != 0 && starts_planned() > wanted)
        --permit_requests_;
    std::size_t starting = count(slot_state::starting);
    for (auto it = todo_.end(); starting > wanted && it != todo_.begin();) {
        slot& s = *--it;
        if (s.todo != slot_action::start)
            continue;
        // vacate() leaves the slot in the list, with other work.
        vacate(s);
        --starting;
    }

    if (wanted > starts_planned() && now >= ask_again_at_)
        permit_requests_ += std::min(wanted - starts_planned(), starts_allowed(now));
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
    ask_again_at_ = now + denial_pause;
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
    // What is not of use yet goes first. Leases end by themselves.
    for (auto it = busy_.begin(); it != busy_.end();) {
        slot& s = *it++;
        if (s.state == slot_state::starting && alive() + count(slot_state::starting) > max_size_)
            retire(s, end_reason::retired, now);
    }
    while (alive() > max_size_ && !idle_.empty())
        retire(idle_.back(), end_reason::retired, now);
    for (auto it = ready_waiters_.begin(); it != ready_waiters_.end();) {
        waiter& w = *it++;
        if (w.count > max_size_)
            claim(w, errc::invalid_config);
    }
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
    for (auto it = busy_.begin(); it != busy_.end();) {
        slot& s = *it++;
        if (s.state != slot_state::leased && !on_ladder(s) && s.todo != slot_action::start)
            retire(s, end_reason::evicted, now);
    }
    settle(now);
}

void pool_core::note_failure(start_verdict why, time_point now) noexcept
{
    ++counters_.start_failures;
    if (why.exhausted) {
        ++shortages_;
    } else {
        ++failures_;
        shortages_ = 0;
    }
    retry_at_ = detail::saturating_add(now, backoff(why.exhausted ? shortages_ : failures_));
    tripped_ = why.permanent || why.exhausted
        || (options_.breaker_threshold != 0 && failures_ >= options_.breaker_threshold);
}

// Only the first sign of a session says something about starts, and only about those before its
// own: a pool whose old sessions serve well while new ones fail must not try without pause.
bool pool_core::note_success(slot& s) noexcept
{
    if (std::exchange(s.proven, true) || s.failures_before != counters_.start_failures)
        return false;
    return std::exchange(failures_, 0) != 0;
}

// Full jitter: anything from 0 to the exponential bound, so that pools that failed together do not
// try again together.
duration pool_core::backoff(std::size_t failures) noexcept
{
    duration bound = std::min(options_.backoff_initial, options_.backoff_max);
    for (std::size_t i = 1; i < failures && bound < options_.backoff_max; ++i)
        bound = bound > options_.backoff_max / 2 ? options_.backoff_max : bound * 2;
    const auto share = static_cast<duration::rep>(random() % 1025);
    return std::max(least_backoff, duration(bound.count() / 1024 * share));
}

// xorshift64*: jitter needs no better.
std::uint64_t pool_core::random() noexcept
{
    random_state_ ^= random_state_ >> 12;
    random_state_ ^= random_state_ << 25;
    random_state_ ^= random_state_ >> 27;
    return (random_state_ * 0x2545F4914F6CDD1DULL) >> 32;
}

error_code pool_core::refusal(time_point now) const noexcept
{
    if (!tripped_ || alive() != 0 || starts_planned() != 0 || now >= retry_at_)
        return {};
    return shortages_ != 0 ? errc::resource_exhausted : errc::circuit_open;
}

void pool_core::settle(time_point now, std::size_t batch) noexcept
{
    if (abandoned_)
        return;
    balance(now);
    probe_postponed(now);

    const error_code refused = refusal(now);
    if (refused) {
        circuit_open_ = true;
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
    if (starts_wanted() > starts_planned()) {
        if (failing() && now < retry_at_)
            next_wake_ = std::min(next_wake_, retry_at_);
        if (now < ask_again_at_)
            next_wake_ = std::min(next_wake_, ask_again_at_);
    }
}

} // namespace mcp_pool::pooling
