// What servers do, and how a run ends.
#include "core_model.hpp"

#include <algorithm>

namespace mcp_pool::test {

using namespace std::chrono_literals;

void core_model::ready(std::size_t i, bool stateless)
{
    begin(event_kind::ready, i);
    note("ready slot ", i, stateless ? " stateless" : "");
    record& r = records_[i];
    if (slots_[i].state == slot_state::starting && running(i)) {
        r.ready = true;
        r.stateless = stateless;
        r.ready_at = r.last_used = r.heard = now_;
    }
    core_.ready(slots_[i], r.epoch, stateless, now_);
    settle();
}

void core_model::fail(std::size_t i, start_verdict why)
{
    begin(event_kind::start_failed, i);
    note("start_failed slot ", i, why.permanent ? " permanent" : "",
        why.exhausted ? " exhausted" : "");
    if (slots_[i].state == slot_state::starting && running(i))
        failed_start(records_[i], why.exhausted);
    core_.start_failed(slots_[i], records_[i].epoch, why, now_);
    settle();
}

void core_model::broken(std::size_t i, bool served)
{
    begin(event_kind::broken, i);
    note("broken slot ", i, served ? " served" : "");
    record& r = records_[i];
    if (!served && dies_early(i, now_))
        failed_start(r, false);
    r.broken = true;
    core_.broken(slots_[i], r.epoch, end_reason::died, served, now_);
    settle();
}

// Its end, if it came now, would be taken for a failed start.
bool core_model::dies_early(std::size_t i, time_point when) const
{
    const slot& s = slots_[i];
    return running(i) && records_[i].ready && !s.broken && s.state != slot_state::stopping
        && s.state != slot_state::empty && !s.proven
        && std::max(when - s.ready_at, duration::zero()) < settings_.options.min_uptime;
}

void core_model::failed_start(record& r, bool exhausted)
{
    r.failed = has_failed_ = true;
    short_ = exhausted;
}

void core_model::reset_done(std::size_t i, std::size_t place, bool undone)
{
    begin(event_kind::reset_done, i);
    note("reset_done slot ", i, " place ", place, undone ? "" : " in vain");
    record& r = records_[i];
    place_record& p = r.places[place];
    if (p.reset_asked) {
        p.dirty = p.reset_asked = false;
        r.used_up = r.used_up || !undone;
        r.last_used = r.heard = now_;
    }
    core_.reset_done(slots_[i], r.epoch, place, undone, now_);
    settle();
}

void core_model::probe_done(std::size_t i)
{
    begin(event_kind::probe_done, i);
    note("probe_done slot ", i);
    record& r = records_[i];
    if (r.probe_asked) {
        r.needs_probe = r.probe_asked = false;
        r.heard = now_;
    }
    core_.probe_done(slots_[i], r.epoch, now_);
    settle();
}

void core_model::measured(std::size_t i, bool too_much)
{
    begin(event_kind::measured, i);
    note("measured slot ", i, too_much ? " too much" : "");
    const std::size_t most = options().max_rss;
    records_[i].fat = records_[i].fat || (too_much && most != 0);
    core_.measured(slots_[i], records_[i].epoch, too_much ? most + 1 : most, now_);
    settle();
}

void core_model::ended(std::size_t i, bool killed)
{
    begin(event_kind::ended, i);
    note("ended slot ", i);
    record& r = records_[i];
    // A process that ends without a word was broken, too.
    if (dies_early(i, now_))
        failed_start(r, false);
    r.ended = true;
    core_.ended(slots_[i], r.epoch, killed, 0, now_);
    settle();
}

void core_model::late(std::size_t i, std::uint64_t epoch, unsigned kind)
{
    begin(event_kind::late, i);
    note("late event ", kind, " of slot ", i, " epoch ", epoch);
    slot& s = slots_[i];
    const slot_state state = s.state;
    const sizes unchanged = measure();
    switch (kind % 7) {
    case 0:
        core_.ready(s, epoch, false, now_);
        break;
    case 1:
        core_.start_failed(s, epoch, {}, now_);
        break;
    case 2:
        core_.broken(s, epoch, end_reason::died, false, now_);
        break;
    case 3:
        core_.reset_done(s, epoch, 0, true, now_);
        break;
    case 4:
        core_.probe_done(s, epoch, now_);
        break;
    case 5:
        core_.measured(s, epoch, options().max_rss + 1, now_);
        break;
    case 6:
        core_.ended(s, epoch, true, 1, now_);
        break;
    }
    expect(s.state == state && core_.size() == unchanged.size
            && core_.consecutive_failures() == unchanged.failures && !core_.has_ready(),
        "a late event has changed something");
    settle();
}

void core_model::set_era_known(bool known)
{
    begin(event_kind::era);
    note("era ", known ? "known" : "unknown");
    era_known_ = known;
    core_.set_era_known(known, now_);
    settle();
}

// --- the end of a run

bool core_model::answer_everything()
{
    bool any = false;
    for (std::size_t i = 0; i != slots_.size(); ++i) {
        bool was = running(i) && background(state(i));
        for (std::size_t p = 0; p != places_; ++p) {
            if (!leased(i, p))
                continue;
            was = true;
            return_verdict clean;
            clean.served = true;
            release(i, p, clean);
        }
        if (running(i) && state(i) == slot_state::starting)
            ready(i, settings_.stateless);
        for (std::size_t p = 0; p != places_; ++p) {
            if (running(i) && resetting(i, p))
                reset_done(i, p, true);
        }
        if (running(i) && state(i) == slot_state::probing)
            probe_done(i);
        if (running(i) && state(i) == slot_state::stopping)
            ended(i, false);
        any = any || was;
    }
    return any;
}

// One tick, if one is due by then.
bool core_model::step(time_point until)
{
    if (core_.next_wake() > until)
        return false;
    now_ = std::max(now_, core_.next_wake());
    tick();
    return true;
}

void core_model::heal()
{
    note("heal");
    healing_ = eager_ = granting_ = true;
    set_era_known(true);
    if (closing_)
        return;
    // Patience for the longest back-off and for the processes that nobody answers for.
    const time_point until = now_ + 1h;
    for (int rounds = 0; !queue_.empty(); ++rounds) {
        expect(rounds < 10'000, "the pool does not come to rest");
        if (!answer_everything())
            expect(step(until), "somebody waits, and nothing is going to happen");
    }
}

void core_model::finish(duration deadline, bool mute)
{
    healing_ = false;
    eager_ = granting_ = true;
    close(deadline);
    await_closed();
    const ticket& closed = tickets_.back();
    if (mute) {
        const time_point latest = std::max(close_by_, now_) + 100ms;
        while (!abandoned_ && step(latest)) {
        }
        expect(closed.completed == 1, "close() takes longer than it said");
    } else {
        while (answer_everything()) {
        }
        pass(0s);
        expect(closed.completed == 1, "close() does not complete");
    }
    // What outlived the pool may still be heard of, and leases may still come back.
    for (std::size_t i = 0; i != slots_.size(); ++i) {
        if (!records_[i].detached)
            ended(i, true);
        for (std::size_t p = 0; p != places_; ++p) {
            if (leased(i, p))
                release(i, p, {});
        }
        if (running(i))
            ended(i, true);
    }
}

void core_model::account()
{
    note("account");
    for (const ticket& t : tickets_)
        expect(t.completed == 1, "a waiter was never completed");
    expect(
        core_.size() == 0 && core_.count(slot_state::empty) == slots_.size(), "a session is left");
    expect(permits_out_ == 0, "a permit is left");
    for (const std::optional<key_record>& key : key_records_)
        expect(!key, "a key is left");
    const pooling::core_counters& c = core_.counters();
    expect(c.granted == granted_ && c.hits == hits_, "grants are counted wrongly");
    expect(c.timed_out == timed_out_ && c.cancelled == cancelled_ && c.rejected == rejected_
            && c.failed == failed_,
        "failures are counted wrongly");
    expect(c.begun == begun_, "starts are counted wrongly");
    expect(c.overdue == overdue_, "overdue leases are counted wrongly");
    for (const std::uint16_t life : lives_) {
        const auto had = [life](core_event::kind k) {
            return (life >> static_cast<unsigned>(k) & 1) != 0;
        };
        expect(had(core_event::kind::starting) == had(core_event::kind::ended),
            "a session has begun and not ended, for observers");
    }
    expect(abandoned_ || core_.next_wake() == time_point::max(), "a closed pool has a timer");
}

} // namespace mcp_pool::test
