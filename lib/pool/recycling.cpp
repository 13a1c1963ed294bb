// Sessions that have served long enough: when each of them is due, and how it is replaced.
//
// Recycling keeps the number of sessions; only idle_timeout lowers it.
#include "pool/core.hpp"

#include <algorithm>

namespace mcp_pool::pooling {

namespace {

time_point after(time_point a, duration b) noexcept
{
    return detail::saturating_add(a, b);
}

} // namespace

// Within ±10 % of probe_interval. "Never while somebody waits": an idle session has nobody waiting
// whom it could serve.
time_point pool_core::probe_due(const slot& s) const noexcept
{
    if (options_.probe_interval == duration::zero())
        return time_point::max();
    const duration interval = std::min(options_.probe_interval, duration::max() / 2);
    return after(std::max(s.last_used, s.probed_at),
        interval - interval / jitter_share
            + 2 * interval / jitter_share / 1024 * static_cast<int>(s.probe_jitter));
}

// Up to 10 % less than max_lifetime.
time_point pool_core::lifetime_due(const slot& s) const noexcept
{
    if (options_.max_lifetime == duration::zero() || s.due != end_reason::none)
        return time_point::max();
    const duration lifetime = options_.max_lifetime;
    return std::max(next_retirement_,
        after(s.ready_at,
            lifetime - lifetime / jitter_share / 1024 * static_cast<int>(s.lifetime_jitter)));
}

time_point pool_core::idle_due(const slot& s) const noexcept
{
    duration limit = options_.idle_timeout;
    // What the load does not ask for any more goes soon: warm_ has waited long enough already.
    if (options_.scaling == scaling_policy::adaptive)
        limit = limit == duration::zero() ? load_estimator::settling
                                          : std::min(limit, load_estimator::settling);
    return limit == duration::zero() ? time_point::max() : after(s.last_used, limit);
}

time_point pool_core::proof_due(const slot& s) const noexcept
{
    const bool lives = s.state == slot_state::idle || s.state == slot_state::probing
        || s.state == slot_state::resetting || (s.state == slot_state::leased && !s.broken);
    if (failures_ == 0 || !lives || s.proven || s.failures_before != counters_.start_failures)
        return time_point::max();
    return after(s.ready_at, options_.min_uptime);
}

time_point pool_core::overdue_at(const slot& s) const noexcept
{
    time_point earliest = time_point::max();
    if (options_.overdue_after == duration::zero())
        return earliest;
    for (std::uint16_t i = 0; i != s.place_count; ++i) {
        const lease_place& p = s.places[i];
        if (p.state == lease_place::stage::out && !p.overdue)
            earliest = std::min(earliest, after(p.leased_at, options_.overdue_after));
    }
    return earliest;
}

time_point pool_core::idle_wake(const slot& s) const noexcept
{
    return std::min({probe_due(s), proof_due(s), idle_due(s), lifetime_due(s)});
}

time_point pool_core::leased_wake(const slot& s) const noexcept
{
    return std::min({s.deadline, proof_due(s), overdue_at(s), slow_at(s)});
}

std::size_t pool_core::most_uses() const noexcept
{
    return options_.reset == reset_policy::respawn ? 1 : options_.max_uses;
}

bool pool_core::recycle_if_due(slot& s, time_point now) noexcept
{
    if (s.doomed != end_reason::none)
        return false;
    if (const std::size_t most = most_uses(); most != 0 && s.uses >= most) {
        // max_uses has been lowered meanwhile.
        recycle(s, end_reason::uses);
        return false;
    }
    if (options_.max_lifetime == duration::zero() || lifetime_due(s) > now)
        return true;
    next_retirement_ = now + retirement_gap();
    recycle(s, end_reason::lifetime);
    return s.doomed == end_reason::none;
}

duration pool_core::retirement_gap() const noexcept
{
    return options_.max_lifetime / static_cast<int>(std::max<std::size_t>(size(), 1));
}

void pool_core::recycle(slot& s, end_reason why) noexcept
{
    // A session that must not serve again cannot wait for the one that replaces it.
    const bool at_once = why == end_reason::uses || why == end_reason::reset;
    if (s.doomed != end_reason::none || (s.due != end_reason::none && !at_once))
        return;
    if (s.due == end_reason::none)
        owed_ = std::min(owed_ + 1, options_.max_size);
    if (at_once || full()) {
        doom(s, why);
    } else {
        s.due = why;
        ++due_;
    }
}

void pool_core::doom(slot& s, end_reason why) noexcept
{
    no_longer_due(s);
    s.doomed = why;
    update_open(s);
}

void pool_core::no_longer_due(slot& s) noexcept
{
    if (s.due != end_reason::none)
        --due_;
    s.due = end_reason::none;
}

void pool_core::dismiss_due(std::size_t most, time_point now) noexcept
{
    // The one that has been idle longest first, then those that are lent.
    for (auto it = idle_.end(); due_ != 0 && most != 0 && it != idle_.begin();) {
        slot& s = *std::prev(it);
        if (s.due == end_reason::none) {
            --it;
            continue;
        }
        --most;
        doom(s, s.due);
        retire(s, s.doomed, now);
    }
    for (auto it = busy_.begin(); due_ != 0 && most != 0 && it != busy_.end(); ++it) {
        if (it->due == end_reason::none)
            continue;
        --most;
        doom(*it, it->due);
    }
}

void pool_core::measured(slot& s, std::uint64_t epoch, std::size_t bytes, time_point now) noexcept
{
    if (late(s, epoch) || options_.max_rss == 0 || bytes <= options_.max_rss || on_ladder(s)
        || s.detached || s.state == slot_state::starting)
        return;
    recycle(s, end_reason::memory);
    if (s.state == slot_state::idle && s.doomed != end_reason::none)
        retire(s, s.doomed, now);
    settle(now);
}

} // namespace mcp_pool::pooling
