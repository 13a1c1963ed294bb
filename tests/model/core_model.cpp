#include "core_model.hpp"

#include <algorithm>

namespace mcp_pool::test {

using detail::waiter;
using namespace std::chrono_literals;

namespace {

// More than one event puts out.
constexpr std::size_t most_events = 256;

} // namespace

const char* name(event_kind kind)
{
    static constexpr const char* names[] = {"acquire", "try_acquire", "await_ready", "await_closed",
        "cancel", "release", "detach", "ready", "start_failed", "broken", "reset_done",
        "probe_done", "measured", "ended", "late", "take_job", "permit_granted", "permit_denied",
        "tick", "stall", "change", "evict_all", "start", "era", "close", "abandon"};
    static_assert(std::size(names) == event_kinds);
    return names[static_cast<std::size_t>(kind)];
}

const char* name(slot_state state)
{
    static constexpr const char* names[] = {
        "empty", "starting", "idle", "leased", "resetting", "probing", "stopping"};
    static_assert(std::size(names) == pooling::slot_states);
    return names[static_cast<std::size_t>(state)];
}

core_model::core_model(const model_settings& settings, std::ostream* trace, coverage* met)
    : settings_(settings)
    , trace_(trace)
    , met_(met)
    , places_(settings.options.max_leases_per_session)
    , slots_(settings.slots)
    , more_places_(places_ == 1 ? 0 : settings.slots)
    , core_(settings.options, settings.seed)
    , records_(settings.slots)
    , era_known_(settings.era_known)
    , eager_(settings.eager)
    , granting_(settings.granting)
    , lives_(1)
{
    for (std::size_t i = 0; i != slots_.size(); ++i) {
        if (places_ != 1) {
            slots_[i].places = more_places_[i].data();
            slots_[i].place_count = static_cast<std::uint16_t>(places_);
        }
        core_.add_slot(slots_[i]);
    }
    std::vector<core_event> room(most_events);
    core_.events().bring(room);
    core_.events().resume();
    core_.set_era_known(era_known_, now_);
    before_ = measure();
}

void core_model::expect(bool holds, const char* what) const
{
    if (!holds)
        throw violation{what};
}

bool core_model::running(std::size_t i) const
{
    const record& r = records_[i];
    return r.begun && !r.ended && r.epoch == slots_[i].epoch;
}

// --- callers

core_model::ticket& core_model::ticket_until(duration timeout)
{
    ticket& t = tickets_.emplace_back();
    t.number = tickets_.size() - 1;
    t.deadline = detail::saturating_add(now_, timeout);
    return t;
}

key_record* core_model::record_of(std::size_t key)
{
    static const std::string names[most_keys] = {"", "a", "b", "c", "d"};
    if (key == 0)
        return nullptr;
    std::optional<key_record>& mine = key_records_[key];
    key_record* const known = core_.find_key(names[key]);
    expect(
        known == (mine ? &*mine : nullptr), "a key is known that is not, or the other way round");
    if (!known)
        core_.adopt_key(mine.emplace(names[key]));
    return &*mine;
}

void core_model::acquire(std::size_t key, duration timeout)
{
    begin(event_kind::acquire);
    ticket& t = ticket_until(timeout);
    note("acquire: waiter ", t.number, " key ", key, " for ", timeout.count());
    t.key_index = key;
    t.key = record_of(key);
    const choices before = survey(key);
    core_.acquire(t, now_);
    const bool hit = t.where == waiter::stage::claimed && !t.failure;
    hits_ += hit;
    judge_hit(hit ? t.place : nullptr, key, before);
    if (t.where == waiter::stage::queued) {
        const std::size_t most = options().max_waiters, share = options().max_waiters_per_key;
        expect(most == 0 || queue_.size() < most, "more acquires wait than max_waiters");
        expect(
            share == 0 || keys_[key].waiting < share, "more acquires of a key wait than its share");
        queue_.push_back(&t);
        ++keys_[key].waiting;
        update_turn(key);
    }
    settle();
}

void core_model::try_acquire(std::size_t key)
{
    begin(event_kind::try_acquire);
    note("try_acquire key ", key);
    key_record* const mine = record_of(key);
    const choices before = survey(key);
    const lease_place* const place = core_.try_acquire(mine, now_);
    judge_hit(place, key, before);
    if (place) {
        ++hits_;
        expect(keys_[key].waiting == 0, "try_acquire overtakes a waiter");
        granted(key, *place);
    }
    settle();
}

void core_model::await_ready(std::size_t count, duration timeout)
{
    begin(event_kind::await_ready);
    ticket& t = ticket_until(timeout);
    t.count = count;
    note("await_ready: waiter ", t.number, " for ", count);
    others_.push_back(&t);
    core_.await_ready(t, now_);
    settle();
}

void core_model::await_closed()
{
    begin(event_kind::await_closed);
    ticket& t = ticket_until(duration::max());
    note("await_closed: waiter ", t.number);
    others_.push_back(&t);
    core_.await_closed(t, now_);
    settle();
}

void core_model::cancel(std::size_t i)
{
    begin(event_kind::cancel);
    ticket& t = tickets_[i];
    note("cancel waiter ", i);
    t.cancelled = t.completed == 0;
    expect(core_.cancel(t, now_) == t.cancelled, "a cancellation was lost or came twice");
    settle();
    expect(t.completed == 1, "a cancelled waiter still waits");
}

void core_model::release(std::size_t i, std::size_t place, return_verdict verdict, duration lag)
{
    begin(event_kind::release, i);
    note("release slot ", i, " place ", place, verdict.dirty ? " dirty" : "",
        verdict.suspect ? " suspect" : "", verdict.discard ? " discard" : "",
        verdict.dead ? " dead" : "");
    told_ = now_ - lag;
    record& r = records_[i];
    place_record& p = r.places[place];
    const bool held = p.held;
    if (held) {
        if (verdict.dead && !verdict.served && dies_early(i, told_))
            failed_start(r, false);
        p.held = p.overdue = false;
        p.dirty = p.dirty || verdict.dirty;
        r.broken = r.broken || verdict.dead;
        r.needs_probe = r.needs_probe || verdict.suspect;
        r.used_up = r.used_up || verdict.discard;
        r.last_used = r.heard = told_;
    }
    core_.release(slots_[i].places[place], verdict, told_);
    if (held && !r.detached) {
        --keys_[p.key].leases;
        update_turn(p.key);
    }
    settle();
}

void core_model::detach(std::size_t i)
{
    begin(event_kind::detach, i);
    note("detach slot ", i);
    record& r = records_[i];
    const bool can = r.places[0].held && places_ == 1 && !slots_[i].broken && !r.detached
        && !abandoned_;
    expect(core_.detach(slots_[i], now_) == can, "a wrong detach");
    if (can) {
        r.detached = true;
        --keys_[r.places[0].key].leases;
        update_turn(r.places[0].key);
    }
    settle();
}

void core_model::change(const pool_options& next)
{
    begin(event_kind::change);
    note("change: min_size ", next.min_size, " max_size ", next.max_size, " max_starting ",
        next.max_starting, " leases per key ", next.max_leases_per_key, " lifetime ",
        next.max_lifetime.count(), " uses ", next.max_uses);
    if (next.max_lifetime != options().max_lifetime) {
        last_old_ = last_recycled_ = now_;
        old_gap_ = 0s;
    }
    for (record& r : records_)
        r.spent = r.spent || (next.max_uses != 0 && r.uses >= next.max_uses);
    any_turn_ = true;
    core_.change(next, now_);
    settle();
    any_turn_ = false;
    for (std::size_t k = 0; k != settings_.keys; ++k)
        update_turn(k);
    ++turns_;
    for (key_state& k : keys_)
        k.turn = turns_;
}

void core_model::evict_all()
{
    begin(event_kind::evict_all);
    note("evict_all");
    ++evictions_;
    core_.evict_all(now_);
    settle();
}

void core_model::start()
{
    begin(event_kind::start);
    note("start");
    core_.start(now_);
    settle();
}

void core_model::close(duration deadline)
{
    begin(event_kind::close);
    note("close ", deadline.count());
    closing_ = true;
    close_by_ = std::min(close_by_, now_ + deadline);
    core_.close(now_ + deadline, now_);
    settle();
}

void core_model::abandon()
{
    begin(event_kind::abandon);
    note("abandon");
    abandoned_ = closing_ = true;
    core_.abandon();
    settle();
    expect(queue_.empty() && core_.next_wake() == time_point::max(), "an abandoned pool goes on");
}

// --- driver

void core_model::take_job()
{
    begin(event_kind::take_job);
    note("take a job");
    take_one();
    settle();
}

void core_model::answer_permit(bool granted)
{
    if (permits_wanted_ == 0)
        return;
    begin(granted ? event_kind::permit_granted : event_kind::permit_denied);
    note("permit ", granted ? "granted" : "denied");
    --permits_wanted_;
    if (granted) {
        ++permits_out_;
        core_.permit_granted(now_);
    } else {
        core_.permit_denied(now_);
    }
    settle();
}

void core_model::tick()
{
    begin(event_kind::tick);
    note("tick");
    core_.tick(now_);
    settle();
}

void core_model::pass(duration d)
{
    const time_point until = now_ + d;
    if (!settings_.punctual)
        now_ = until;
    for (int ticks = 0; core_.next_wake() <= until; ++ticks) {
        expect(ticks < 10'000, "the timer comes to no end");
        now_ = std::max(now_, core_.next_wake());
        tick();
    }
    now_ = until;
    for (const std::vector<ticket*>* const waiting : {&queue_, &others_}) {
        for (const ticket* const t : *waiting)
            expect(t->deadline > now_, "a deadline was missed");
    }
}

void core_model::stall(duration d)
{
    now_ += d;
    begin(event_kind::stall);
    note("stall of ", d.count());
    core_.stalled(d, now_);
    for (record& r : records_) {
        if (r.state == slot_state::starting)
            r.since += d;
        else if (background(r.state))
            r.since = now_;
    }
    settle();
    pass(0s);
}

} // namespace mcp_pool::test
