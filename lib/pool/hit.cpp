// The hit: a free session for somebody without a key, and its return untouched or clean, while nobody
// waits and no option asks for more. lending.cpp does the same with everything else in view; which of
// the two is taken changes nothing but the time.
#include "pool/core.hpp"

#include <algorithm>

namespace mcp_pool::pooling {

void pool_core::recognise_common_case() noexcept
{
    const pool_options& o = options_;
    common_.options = o.sharing == sharing_policy::exclusive && o.scaling == scaling_policy::fixed
        && !fair() && most_uses() == 0 && o.max_rss == 0 && o.max_lifetime == duration::zero()
        && o.validate_after == duration::zero() && o.overdue_after == duration::zero();
    // From the last use of a session to the first time that it is looked at, whatever its jitter.
    common_.rest = duration::max();
    for (const duration d : {o.probe_interval - o.probe_interval / jitter_share, o.idle_timeout}) {
        if (d != duration::zero())
            common_.rest = std::min(common_.rest, d);
    }
}

lease_place* pool_core::hit(time_point now) noexcept
{
    key_record& key = no_key_;
    group_list& group = key.idle.empty() ? unbound_ : key.idle;
    if (!common_.options || closing_ || group.empty() || !queue_.empty())
        return nullptr;
    slot& s = group.front();
    if (s.key != &key && !s.stateless)
        return nullptr;

    group.pop_front();
    busy_.splice(busy_.begin(), idle_, slot_list::s_iterator_to(s));
    --counts_[static_cast<std::size_t>(slot_state::idle)];
    ++counts_[static_cast<std::size_t>(slot_state::leased)];
    s.state = slot_state::leased;

    lease_place& p = s.own;
    p.state = lease_place::stage::out;
    p.overdue = false;
    p.leased_at = now;
    p.key = &key;
    p.number = ++s.uses;
    s.leases = 1;
    ++leases_;
    ++key.leases;
    hold(key);
    ++counters_.hits;
    ++counters_.granted;
    counters_.reused += p.number != 1 ? 1 : 0;
    return &p;
}

bool pool_core::take_back_clean(
    lease_place& p, const return_verdict& verdict, time_point now) noexcept
{
    slot& s = *p.of;
    key_record& key = no_key_;
    if (!common_.options || !queue_.empty() || closing_ || abandoned_ || above_max_)
        return false;
    if (verdict.dirty || verdict.suspect || verdict.discard || verdict.dead
        || (verdict.served && !s.proven))
        return false;
    if (p.key != &key || s.broken || s.detached || s.suspect || s.doomed != end_reason::none
        || s.birth != evictions_)
        return false;

    p.state = lease_place::stage::free;
    p.key = nullptr;
    s.leases = 0;
    --leases_;
    --key.leases;
    // Never given up, so that drop() would find nothing more to do.
    --key.references;
    s.last_used = now;

    idle_.splice(idle_.begin(), busy_, slot_list::s_iterator_to(s));
    --counts_[static_cast<std::size_t>(slot_state::leased)];
    ++counts_[static_cast<std::size_t>(slot_state::idle)];
    s.state = slot_state::idle;
    s.deadline = time_point::max();
    group_of(s).push_front(s);

    // Mostly it will be looked at early enough already. proof_due() has been seen to since it became
    // ready.
    if (s.wake - now > common_.rest)
        wake_at(s, detail::saturating_add(now, common_.rest));
    next_wake_ = std::min(next_wake_, s.wake);
    return true;
}

} // namespace mcp_pool::pooling
