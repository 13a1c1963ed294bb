// Who may be served by what, and who first: the naive reference of lending.
#include "core_model.hpp"

#include <algorithm>

namespace mcp_pool::test {

using namespace std::chrono_literals;

namespace {

// What the coarse clock of a release may make of an order.
constexpr duration blur = 5ms;

} // namespace

bool core_model::fits(std::size_t i, std::size_t key) const
{
    const record& r = records_[i];
    return r.stateless || r.key == no_key || r.key == key;
}

// In order, and with a place that nobody holds and nobody has left anything on.
bool core_model::has_free_place(std::size_t i) const
{
    const record& r = records_[i];
    const slot_state s = slots_[i].state;
    if ((s != slot_state::idle && s != slot_state::leased) || !in_service(i) || r.used_up
        || r.needs_probe || r.detached || r.generation != evictions_
        || slots_[i].doomed != end_reason::none)
        return false;
    return std::any_of(r.places.begin(), r.places.begin() + static_cast<std::ptrdiff_t>(places_),
        [](const place_record& p) { return !p.held && !p.dirty; });
}

core_model::choice core_model::suits(std::size_t i, std::size_t key) const
{
    choice c;
    if (!has_free_place(i) || !fits(i, key))
        return c;
    const record& r = records_[i];
    const pool_options& o = options();
    const bool idle = slots_[i].state == slot_state::idle;
    c.possible = true;
    c.last_used = r.last_used;
    c.rank = !idle ? 2 : !r.stateless && r.key == key ? 0 : 1;
    const bool young = o.max_lifetime == 0s || now_ - r.ready_at < o.max_lifetime / 10 * 9 - blur
        || slots_[i].due != end_reason::none;
    const bool heard = !idle || o.validate_after == 0s || now_ - r.heard <= o.validate_after;
    const bool unspent = o.max_uses == 0 || r.uses < o.max_uses;
    c.certain = young && heard && unspent && core_.alive() <= o.max_size;
    return c;
}

bool core_model::at_limit(std::size_t key) const
{
    const pool_options& o = options();
    return o.queue == queue_policy::fair && o.max_leases_per_key != 0
        && keys_[key].leases >= o.max_leases_per_key;
}

// A key that may be served again goes behind those that are waiting for their turn.
void core_model::update_turn(std::size_t key)
{
    key_state& k = keys_[key];
    const bool eligible = k.waiting != 0 && !at_limit(key);
    if (eligible && !k.eligible)
        k.turn = ++turns_;
    k.eligible = eligible;
}

core_model::choices core_model::survey(std::size_t key) const
{
    choices found{};
    for (std::size_t i = 0; i != slots_.size(); ++i)
        found[i] = suits(i, key);
    return found;
}

// The same key first, then a clean one, then one that others hold already; among those that are idle
// the one used last.
void core_model::judge_hit(const lease_place* place, std::size_t key, const choices& before) const
{
    if (!place) {
        const bool may = !closing_ && keys_[key].waiting == 0 && !at_limit(key);
        const bool certain = std::any_of(
            before.begin(), before.end(), [](const choice& c) { return c.certain; });
        expect(!may || !certain || measure().given_way != before_.given_way,
            "a session is free, and no hit");
        return;
    }
    const choice& taken = before[index(*place->of)];
    expect(taken.possible, "a hit on a session that is not free");
    for (const choice& c : before) {
        if (!c.certain)
            continue;
        expect(taken.rank <= c.rank, "a session was taken though another suits better");
        expect(taken.rank != c.rank || taken.rank == 2 || taken.last_used + blur >= c.last_used,
            "a session was taken that is not the one used last");
    }
}

void core_model::leave_queue(ticket& t)
{
    queue_.erase(std::find(queue_.begin(), queue_.end(), &t));
    --keys_[t.key_index].waiting;
    update_turn(t.key_index);
}

// `t` is served by slot i, whose record does not know it yet; in the queue, unless it is a hit.
void core_model::judge_order(const ticket& t, bool hit, std::size_t i)
{
    const bool fair = options().queue == queue_policy::fair;
    ticket* first = nullptr;
    for (ticket* const u : queue_) {
        if (u == &t)
            break;
        expect(u->key_index != t.key_index, "a waiter is served before one with the same key");
        expect(fair || !fits(i, u->key_index), "a waiter is served before one who came earlier");
        first = first || fair ? first : u;
    }
    if (fair && !any_turn_) {
        std::size_t next = no_key;
        for (std::size_t k = 0; k != settings_.keys; ++k) {
            const bool sooner = hit || keys_[k].turn < keys_[t.key_index].turn;
            if (k == t.key_index || !keys_[k].eligible || !sooner)
                continue;
            expect(!fits(i, k), "a key is served though it is the turn of another");
            if (next == no_key || keys_[k].turn < keys_[next].turn)
                next = k;
        }
        if (next != no_key)
            first = *std::find_if(queue_.begin(), queue_.end(),
                [next](const ticket* u) { return u->key_index == next; });
    }
    if (first && before_.stuck && measure().stuck)
        expect(++first->passed_over <= pooling::pool_core::overtakings,
            "a waiter was overtaken too often");
}

void core_model::granted(std::size_t key, const lease_place& place)
{
    const slot& s = *place.of;
    const std::size_t i = index(s);
    record& r = records_[i];
    place_record& p = r.places[place.index];
    const pool_options& o = options();
    note("    slot ", i, " place ", place.index, " is lent to key ", key);
    ++granted_;
    expect(s.state == slot_state::leased, "a lent slot is not leased");
    expect(!p.held, "a place is lent twice");
    expect(!p.dirty, "a dirty place is lent");
    expect(r.epoch == s.epoch && r.begun && r.ready, "a session is lent before it is ready");
    expect(!r.broken && !r.ended, "a session is lent after its end has been noticed");
    expect(!r.used_up, "a session is lent again that was to be replaced");
    expect(!r.detached, "a detached session is lent");
    expect(!r.needs_probe, "a suspect session is lent");
    expect(r.generation == evictions_, "an evicted session is lent");
    expect(!closing_ && !abandoned_, "a closed pool lends");
    expect(fits(i, key), "a session that has served one key is lent to another");
    expect(!at_limit(key), "a key has more leases than its share");
    expect(o.max_uses == 0 || r.uses < o.max_uses, "a session is lent more often than max_uses");
    const bool overripe = o.max_lifetime != 0s && now_ - r.ready_at > o.max_lifetime + blur
        && now_ - last_recycled_ > o.max_lifetime;
    // Its last lease may have begun in the same event.
    const bool replaced = r.due || s.due != end_reason::none || s.doomed != end_reason::none;
    // One at a time.
    const bool another = std::any_of(slots_.begin(), slots_.end(),
        [this](const slot& x) { return recycled(x) && !records_[index(x)].recycled; });
    expect(!overripe || replaced || another, "a session is lent that is too old");
    const bool busy = std::any_of(
        r.places.begin(), r.places.end(), [](const place_record& other) { return other.held; });
    expect(o.validate_after == 0s || busy || now_ - r.heard <= o.validate_after + blur,
        "a session is lent that has been silent for too long");

    p = {};
    p.held = true;
    p.key = key;
    p.since = told_;
    ++r.uses;
    if (!r.stateless)
        r.key = key;
    r.used_up = (o.max_uses != 0 && r.uses >= o.max_uses) || o.reset == reset_policy::respawn;
    ++keys_[key].leases;
    update_turn(key);
}

// Somebody waits and there is room: a session is coming. What has not answered its probe in time may
// never come.
void core_model::something_is_coming() const
{
    const sizes now = measure();
    if (closing_ || has_failed_ || !settings_.granting || !now.room)
        return;
    const bool wanted = std::any_of(
        keys_.begin(), keys_.end(), [](const key_state& k) { return k.eligible; });
    const bool promised = now.starting != 0 || permits_wanted_ != 0
        || core_.count(slot_state::resetting) != 0
        || std::any_of(slots_.begin(), slots_.end(),
            [](const slot& s) { return s.state == slot_state::probing && !s.doubted; });
    expect(!wanted || promised, "somebody waits, there is room, and nothing is on its way");
}

void core_model::nobody_waits_needlessly() const
{
    if (queue_.empty() || core_.alive() > options().max_size)
        return;
    for (std::size_t i = 0; i != slots_.size(); ++i) {
        if (!has_free_place(i))
            continue;
        const record& r = records_[i];
        const bool silent = options().validate_after != 0s && slots_[i].state == slot_state::idle
            && now_ - r.heard > options().validate_after;
        for (std::size_t k = 0; k != settings_.keys; ++k)
            expect(!keys_[k].eligible || !fits(i, k) || silent,
                "somebody waits while a session is free");
    }
}

} // namespace mcp_pool::test
