// What must hold after each event.
#include "core_model.hpp"
#include "pool/load_estimator.hpp"

#include <algorithm>

namespace mcp_pool::test {

using namespace std::chrono_literals;

namespace {

// What the coarse clock of a release may make of a duration.
constexpr duration blur = 5ms;

} // namespace

core_model::sizes core_model::measure() const
{
    sizes m;
    m.size = core_.size();
    m.alive = core_.alive();
    m.starting = core_.count(slot_state::starting);
    m.stopping = core_.count(slot_state::stopping);
    m.idle = core_.count(slot_state::idle);
    m.failures = core_.consecutive_failures();
    m.created = core_.counters().created;
    m.room = m.size + permits_wanted_ < options().max_size
        && permits_wanted_ < core_.count(slot_state::empty);
    m.given_way = core_.counters().ended[static_cast<std::size_t>(end_reason::rekeyed)];
    for (const slot& s : slots_)
        m.given_way += s.doomed == end_reason::rekeyed;
    m.stuck = m.starting == 0 && m.stopping == 0 && permits_wanted_ == 0 && m.failures == 0
        && m.size >= options().max_size;
    return m;
}

void core_model::begin(event_kind kind, std::size_t i)
{
    // The timer's ticks come with time as it passes.
    events_ += kind != event_kind::tick;
    told_ = now_;
    before_ = measure();
    if (!met_)
        return;
    auto& row = (*met_)[static_cast<std::size_t>(kind)];
    if (i != whole_pool) {
        ++row[static_cast<std::size_t>(slots_[i].state)];
        return;
    }
    for (std::size_t state = 0; state != row.size(); ++state)
        row[state] += core_.count(static_cast<slot_state>(state)) != 0;
}

void core_model::settle()
{
    for (std::size_t i = 0; i != slots_.size(); ++i) {
        // Starts that the pool has given up by itself, too.
        record& r = records_[i];
        const bool failed = slots_[i].reason == end_reason::start_failed && r.begun
            && r.epoch == slots_[i].epoch;
        if (failed && !r.failed)
            failed_start(r, false);
    }
    do {
        collect();
        take_permits();
        while (eager_ && take_one()) {
        }
    } while (core_.has_ready() || (eager_ && core_.has_work()));
    read_events();
    take_keys();

    const std::string wrong = core_.check(now_);
    if (!wrong.empty())
        throw violation{wrong};
    observe();
}

void core_model::observe()
{
    const sizes after = measure();
    const pool_options& o = options();
    expect(after.size <= o.max_size || after.size <= before_.size, "more than max_size sessions");
    if (after.starting > before_.starting) {
        expect(after.starting <= o.max_starting, "more than max_starting starts");
        expect(after.starting <= 1 || era_known_, "two starts while the era is unknown");
        expect(after.starting <= 1 || after.failures == 0 || before_.failures == 0,
            "two starts while starts fail");
    }
    expect(queue_.size() == core_.waiting(), "a waiter is lost");
    std::size_t held = 0;
    for (const record& r : records_) {
        for (const place_record& p : r.places)
            held += p.held && !r.detached;
    }
    expect(held == core_.leases(), "a lease is lost");
    expect(core_.floor() <= o.max_size, "more than max_size are to be kept warm");
    if (after.given_way != before_.given_way) {
        for (ticket* const t : queue_)
            t->passed_over = 0;
    }
    something_is_coming();
    nobody_waits_needlessly();
    for (std::size_t i = 0; i != slots_.size(); ++i)
        observe(i);
}

void core_model::observe(std::size_t i)
{
    record& r = records_[i];
    const slot& s = slots_[i];
    const pool_options& o = options();
    if (r.state != s.state) {
        if (s.state == slot_state::stopping)
            observe_end(i, r, s);
        r.state = s.state;
        r.since = now_;
    }
    const bool broken = r.broken || r.ended;
    expect(!(broken && r.epoch == s.epoch && s.state != slot_state::leased
               && s.state != slot_state::stopping && s.state != slot_state::empty),
        "a broken session stays in service");
    observe_age(i);
    observe_replacement(i);
    r.due = s.due != end_reason::none;
    if (recycled(s) && !r.recycled)
        last_recycled_ = now_;
    r.recycled = recycled(s);
    if (!settings_.punctual)
        return;
    observe_overdue(r, s);
    if (!settings_.eager || !background(s.state))
        return;
    // One that is doubted has its time only after all the others.
    const duration longest = s.state == slot_state::resetting ? o.reset_timeout
        : s.state == slot_state::probing  ? o.probe_timeout * static_cast<int>(1 + slots_.size())
        : s.state == slot_state::stopping ? 2 * std::max<duration>(o.stop_grace, 1ms) + 1s
        : o.start_timeout == 0s           ? duration::max()
                                          : o.start_timeout + 1s;
    expect(
        now_ - r.since <= longest || core_.next_wake() <= now_, "a background step lasts too long");
    expect(!closing_ || now_ < close_by_ || s.state != slot_state::stopping || r.rungs == 3
            || core_.next_wake() <= now_ || r.detached,
        "no SIGKILL by the deadline of close()");
}

// A session has gone on the stop ladder: was that right?
void core_model::observe_end(std::size_t i, const record& r, const slot& s)
{
    const pool_options& o = options();
    switch (s.reason) {
    case end_reason::probe:
        expect(r.state == slot_state::probing && now_ - r.since + blur >= o.probe_timeout,
            "a session had less than probe_timeout to answer");
        break;
    case end_reason::memory:
        expect(r.fat, "a session ends for its memory, which nobody has measured");
        break;
    case end_reason::uses:
        expect(o.max_uses == 0 || r.used_up || r.spent || r.uses >= o.max_uses,
            "a session is not used up yet");
        break;
    case end_reason::idle: {
        duration limit = o.idle_timeout == 0s ? duration::max() : o.idle_timeout;
        if (o.scaling == scaling_policy::adaptive)
            limit = std::min(limit, pooling::load_estimator::settling);
        expect(now_ - r.last_used + blur >= limit, "a session ends before it is idle for long");
        expect(before_.alive > core_.floor(), "a session ends that is to be kept warm");
        break;
    }
    case end_reason::rekeyed:
        if (r.state != slot_state::idle)
            break;
        for (std::size_t other = 0; other != slots_.size(); ++other)
            expect(other == i || slots_[other].state != slot_state::idle
                    || records_[other].state != slot_state::idle
                    || records_[other].last_used + blur >= r.last_used,
                "a session ends for another key, and it is not the one idle longest");
        break;
    default:
        break;
    }
}

// Retirements for age: not too early, and not close together.
void core_model::observe_age(std::size_t i)
{
    record& r = records_[i];
    const slot& s = slots_[i];
    const bool old = s.due == end_reason::lifetime || s.doomed == end_reason::lifetime
        || (s.reason == end_reason::lifetime && s.state == slot_state::stopping);
    if (!old || r.old || r.epoch != s.epoch)
        return;
    r.old = true;
    note("    slot ", i, " is too old");
    const duration lifetime = options().max_lifetime;
    // Options may have changed since.
    if (lifetime == 0s || any_turn_)
        return;
    expect(now_ - r.ready_at >= lifetime / 10 * 9 - blur, "a session is too young to be retired");
    expect(last_old_ == time_point::min() || now_ - last_old_ + blur >= old_gap_,
        "two sessions are retired close together");
    last_old_ = now_;
    old_gap_ = lifetime / static_cast<int>(std::max<std::size_t>({before_.size, core_.size(), 1}));
}

// Where there is room, the session that replaces one that has grown old or fat is ready first.
void core_model::observe_replacement(std::size_t i)
{
    record& r = records_[i];
    const slot& s = slots_[i];
    const auto wears = [](end_reason why) {
        return why == end_reason::lifetime || why == end_reason::memory;
    };
    const bool worn = wears(s.doomed) || (s.state == slot_state::stopping && wears(s.reason));
    if (!worn || r.worn || r.epoch != s.epoch)
        return;
    r.worn = true;
    const sizes after = measure();
    expect(any_turn_ || !before_.room || !after.room || after.created != before_.created,
        "a session ends before the one that replaces it is ready");
}

void core_model::observe_overdue(const record& r, const slot& s) const
{
    const duration patience = options().overdue_after;
    if (patience == 0s || (closing_ && s.ended) || abandoned_)
        return;
    for (const place_record& p : r.places)
        expect(!p.held || p.overdue || now_ - p.since <= patience || core_.next_wake() <= now_,
            "an overdue lease is not reported in time");
}

void core_model::read_events()
{
    expect(core_.events().lost() == 0, "more events than one event puts out");
    for (core_event e; core_.events().take(e);)
        read_event(e);
}

void core_model::read_event(const core_event& e)
{
    using kind = core_event::kind;
    expect(e.sequence == ++sequence_, "the sequence of events has a gap");
    expect(e.took >= duration::zero(), "something took less than no time");
    if (e.session == 0)
        return;
    if (e.session >= lives_.size())
        lives_.resize(e.session + 1);
    std::uint16_t& life = lives_[e.session];
    const auto had = [&life](kind k) { return (life >> static_cast<unsigned>(k) & 1) != 0; };
    expect((e.what == kind::starting) != had(kind::starting), "a session begins twice, or never");
    expect(!had(kind::ended), "something happens to a session that has ended");
    switch (e.what) {
    case kind::started:
        expect(!had(kind::started) && !had(kind::start_failed), "a session becomes ready twice");
        break;
    case kind::start_failed:
        expect(!had(kind::started) && !had(kind::start_failed), "a start fails that did not");
        break;
    case kind::probed:
    case kind::suspected:
        expect(had(kind::started) && !had(kind::retired), "a probe of what is none");
        break;
    case kind::retired:
        expect(had(kind::started) && !had(kind::retired), "a session is retired twice, or early");
        break;
    case kind::overdue: {
        record& r = records_[index(*e.where)];
        place_record& p = r.places[e.place];
        expect(r.epoch == e.epoch && p.held && !p.overdue, "a lease is reported that is none");
        expect(now_ - p.since >= options().overdue_after && e.took == now_ - p.since,
            "a lease is reported too early");
        p.overdue = true;
        ++overdue_;
        break;
    }
    case kind::starting:
    case kind::ended:
    case kind::stalled:
    case kind::circuit_opened:
    case kind::circuit_closed:
    case kind::scaled:
        break;
    }
    life = static_cast<std::uint16_t>(life | 1u << static_cast<unsigned>(e.what));
}

} // namespace mcp_pool::test
