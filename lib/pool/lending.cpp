// Leases: which session goes to whom, and what happens to it afterwards.
#include "pool/core.hpp"

#include <algorithm>
#include <utility>

namespace mcp_pool::pooling {

namespace {

// How often the memory of a session that is in use is looked at.
constexpr duration measure_interval = std::chrono::seconds(1);

} // namespace

lease_place* pool_core::take_if_free(key_record& key, time_point now) noexcept
{
    hold(key);
    bool changed = false;
    lease_place* const place = closing_ ? nullptr : take(key, now, changed);
    if (place && options_.scaling == scaling_policy::adaptive) {
        load_.arrived(now);
        next_wake_ = std::min(next_wake_, load_.next_step());
    }
    if (changed)
        settle(now);
    drop(key);
    return place;
}

lease_place* pool_core::take(key_record& key, time_point now, bool& changed) noexcept
{
    // Those with the same key who wait come first. Where nobody does, a session that fits is idle
    // only while nobody waits whom it would fit (invariant 1): a hit overtakes no one.
    if (!key.waiters.empty() || at_limit(key))
        return nullptr;
    const std::size_t owed = owed_;
    slot* const s = candidate(key, now, changed);
    if (!s)
        return nullptr;
    if (waiter* const first = head();
        first && !fits(*s, *first->key) && !may_overtake(*first, now)) {
        changed = true;
        give_way(*s, now);
        return nullptr;
    }
    ++counters_.hits;
    lease_place& place = grant(*s, key, now);
    changed = changed || s->doomed != end_reason::none || owed_ != owed;
    next_wake_ = std::min(next_wake_, s->wake);
    return &place;
}

slot* pool_core::candidate(key_record& key, time_point now, bool& changed) noexcept
{
    slot* silent = nullptr;
    for (group_list* const group : {&key.idle, &unbound_}) {
        for (auto it = group->begin(); it != group->end();) {
            slot& s = *it++;
            if (!recycle_if_due(s, now)) {
                retire(s, s.doomed, now);
                changed = true;
            } else if (!stale(s, now)) {
                return &s;
            } else {
                // One that is less recently used may have been probed since.
                silent = silent ? silent : &s;
            }
        }
    }
    slot* const open = open_session(key, now, changed);
    if (!open && silent) {
        begin_probe(*silent, now);
        changed = true;
    }
    return open;
}

slot* pool_core::open_session(key_record& key, time_point now, bool& changed) noexcept
{
    for (auto it = open_.begin(); it != open_.end();) {
        slot& s = *it++;
        if (!fits(s, key))
            continue;
        if (recycle_if_due(s, now))
            return &s;
        changed = true;
    }
    return nullptr;
}

bool pool_core::stale(const slot& s, time_point now) const noexcept
{
    return options_.validate_after != duration::zero()
        && now - std::max(s.last_used, s.probed_at) > options_.validate_after;
}

end_reason pool_core::unfit(const slot& s) const noexcept
{
    if (closing_)
        return end_reason::closed;
    if (s.birth != evictions_)
        return end_reason::evicted;
    if (s.doomed != end_reason::none)
        return s.doomed;
    return alive() > options_.max_size ? end_reason::surplus : end_reason::none;
}

bool pool_core::lendable(const slot& s) const noexcept
{
    return !s.broken && !s.detached && !s.suspect && unfit(s) == end_reason::none;
}

lease_place& pool_core::grant(slot& s, key_record& key, time_point now) noexcept
{
    if (s.state != slot_state::leased)
        enter(s, slot_state::leased);
    lease_place* p = s.places;
    while (p->state != lease_place::stage::free)
        ++p;
    p->state = lease_place::stage::out;
    p->overdue = false;
    p->leased_at = now;
    p->key = &key;
    p->number = ++s.uses;
    ++s.leases;
    ++leases_;
    bind(s, key);
    hold(key);
    ++key.leases;
    if (fair())
        update_turn(key);
    ++counters_.granted;
    if (p->number != 1)
        ++counters_.reused;
    if (options_.overdue_after != duration::zero())
        wake_at(s, detail::saturating_add(now, options_.overdue_after));
    if (const std::size_t most = most_uses(); most != 0 && s.uses >= most)
        recycle(s, options_.reset == reset_policy::respawn ? end_reason::reset : end_reason::uses);
    update_open(s);
    return *p;
}

void pool_core::serve(waiter& w, slot& s, time_point now) noexcept
{
    key_record& key = *w.key;
    w.slot = &s;
    w.place = &grant(s, key, now);
    hold(key);
    claim(w, {});
    end_turn(key);
    drop(key);
}

waiter* pool_core::head() noexcept
{
    if (!fair())
        return queue_.empty() ? nullptr : &queue_.front();
    return round_.empty() ? nullptr : &round_.front().waiters.front();
}

waiter* pool_core::choose(slot& s, time_point now, bool& respawn) noexcept
{
    waiter* const first = head();
    if (!first || fits(s, *first->key))
        return first;
    key_record& own = *s.key;
    if (own.waiters.empty() || at_limit(own))
        return nullptr;
    respawn = !may_overtake(*first, now);
    return respawn ? nullptr : &own.waiters.front();
}

// Somebody whose turn it is may be overtaken for as long as a session is on its way, and a few times
// more.
bool pool_core::may_overtake(waiter& first, time_point now) noexcept
{
    if (served_soon(now))
        return true;
    if (first.overtaken == overtakings)
        return false;
    ++first.overtaken;
    return true;
}

bool pool_core::served_soon(time_point now) const noexcept
{
    return starts_planned() + count(slot_state::stopping) != 0 || room() != 0
        || (failing() && now < retry_at_);
}

void pool_core::give_way(slot& s, time_point now) noexcept
{
    if (s.leases == 0)
        return retire(s, end_reason::rekeyed, now);
    doom(s, end_reason::rekeyed);
    // The leases may last: not every session has to end for the same waiter meanwhile.
    head()->overtaken = 0;
}

void pool_core::vacate_place(lease_place& p) noexcept
{
    slot& s = *p.of;
    key_record& key = *p.key;
    p.state = lease_place::stage::free;
    p.key = nullptr;
    --s.leases;
    if (!s.detached) {
        --leases_;
        --key.leases;
        if (fair())
            update_turn(key);
    }
    drop(key);
}

void pool_core::end_lease(lease_place& p, const return_verdict& verdict, time_point now) noexcept
{
    slot& s = *p.of;
    if (verdict.dead)
        broken(s, s.epoch, end_reason::died, verdict.served, now);
    if (options_.scaling == scaling_policy::adaptive)
        load_.returned(now - p.leased_at);
    if (closing_ && !forced_ && !s.detached)
        ++report_.finished;
    key_record& key = *p.key;
    hold(key);
    vacate_place(p);
    s.last_used = now;
    s.suspect = s.suspect || verdict.suspect;
    const bool recovered = verdict.served && note_success(s);
    if (verdict.discard && s.doomed == end_reason::none)
        doom(s, end_reason::discarded);
    const bool common = take_back(s, p, verdict.dirty, now) && !recovered;
    if (!common)
        serve_from_idle(key, now);
    drop(key);
    if (common)
        // It changes nothing that settle() looks at.
        next_wake_ = std::min(next_wake_, s.wake);
    else
        settle(now);
}

bool pool_core::take_back(slot& s, lease_place& p, bool dirty, time_point now) noexcept
{
    if (abandoned_ || s.broken) {
        if (s.leases != 0)
            return false;
        if (abandoned_ || s.ended) {
            vacate(s);
            return false;
        }
        // Its process is on the stop ladder already.
        const time_point deadline = s.deadline;
        enter(s, slot_state::stopping);
        s.deadline = deadline;
        return false;
    }
    if (s.detached) {
        retire(s, end_reason::detached, now);
        return false;
    }
    const end_reason why = unfit(s);
    // One that others hold goes on, and one above max_size may be lent again: what this lease began is
    // cancelled there all the same.
    if (dirty && (why == end_reason::none || s.leases != 0))
        begin_reset(p, now);
    if (s.leases != 0) {
        look_at_memory(s, now);
        lend_more(s, now);
        return false;
    }
    if (why != end_reason::none) {
        retire(s, why, now);
        return false;
    }
    if (s.resets != 0) {
        const time_point deadline = s.deadline;
        enter(s, slot_state::resetting);
        s.deadline = deadline;
        wake_at(s, slow_at(s));
        return false;
    }
    const bool common = queue_.empty() && !s.suspect && options_.max_lifetime == duration::zero();
    admit(s, now);
    if (s.todo != slot_action::none)
        return false;
    return s.state == slot_state::leased ? only_waiting_helps()
                                         : common && s.state == slot_state::idle;
}

void pool_core::look_at_memory(slot& s, time_point now) noexcept
{
    if (options_.max_rss == 0 || s.todo != slot_action::none
        || now - s.measured_at < measure_interval)
        return;
    s.measured_at = now;
    want(s, slot_action::measure);
}

void pool_core::serve_from_idle(key_record& key, time_point now) noexcept
{
    bool changed = false;
    while (key.eligible != 0 && !closing_) {
        slot* const s = candidate(key, now, changed);
        if (!s)
            return;
        serve(key.waiters.front(), *s, now);
    }
}

bool pool_core::detach(slot& s, time_point now) noexcept
{
    if (s.state != slot_state::leased || s.place_count != 1 || s.broken || s.detached || abandoned_)
        return false;
    no_longer_due(s);
    s.doomed = end_reason::none;
    s.detached = true;
    ++lost_leases_;
    ++outside_;
    --leases_;
    key_record& key = *s.own.key;
    --key.leases;
    update_turn(key);
    s.reason = end_reason::detached;
    ++counters_.ended[static_cast<std::size_t>(end_reason::detached)];
    note(core_event::kind::retired, &s, now - s.ready_at);
    // Its share has room for another one.
    serve_from_idle(key, now);
    settle(now);
    return true;
}

void pool_core::admit(slot& s, time_point now) noexcept
{
    if (const end_reason why = unfit(s); why != end_reason::none)
        retire(s, why, now);
    else if (!recycle_if_due(s, now))
        retire(s, s.doomed, now);
    else if (s.suspect)
        begin_probe(s, now);
    else {
        look_at_memory(s, now);
        make_available(s, now);
    }
}

void pool_core::make_available(slot& s, time_point now) noexcept
{
    bool respawn = false;
    while (s.leases + s.resets != s.place_count && s.doomed == end_reason::none) {
        waiter* const next = choose(s, now, respawn);
        if (!next)
            break;
        serve(*next, s, now);
    }
    if (respawn)
        return give_way(s, now);
    if (s.leases != 0)
        return;
    // A probe is no use: the session goes back to its place in the order of use.
    const bool probed = s.state == slot_state::probing;
    enter(s, slot_state::idle);
    group_list& group = group_of(s);
    auto place = group.begin();
    if (probed) {
        auto among_all = idle_.end();
        while (std::prev(among_all)->last_used < s.last_used)
            --among_all;
        idle_.splice(among_all, idle_, slot_list::s_iterator_to(s));
        while (place != group.end() && place->last_used > s.last_used)
            ++place;
    }
    group.insert(place, s);
    wake_at(s, idle_wake(s));
}

void pool_core::lend_more(slot& s, time_point now) noexcept
{
    bool respawn = false;
    // A session that is never quite free grows old all the same.
    if (lendable(s))
        recycle_if_due(s, now);
    while (lendable(s) && s.leases + s.resets != s.place_count) {
        waiter* const next = choose(s, now, respawn);
        if (!next)
            break;
        serve(*next, s, now);
    }
    if (respawn)
        give_way(s, now);
    update_open(s);
}

void pool_core::offer_places(time_point now) noexcept
{
    for (slot& s : busy_) {
        if (s.state == slot_state::leased && s.place_count != 1)
            lend_more(s, now);
    }
}

void pool_core::update_open(slot& s) noexcept
{
    if (s.place_count == 1)
        return;
    if (s.in_open.is_linked())
        open_.erase(open_.iterator_to(s));
    open_places_ -= s.offered;
    const bool open = s.state == slot_state::leased && lendable(s);
    s.offered = open ? static_cast<std::uint16_t>(s.place_count - s.leases - s.resets)
                     : std::uint16_t{0};
    open_places_ += s.offered;
    if (s.offered != 0)
        open_.insert(s);
}

} // namespace mcp_pool::pooling
