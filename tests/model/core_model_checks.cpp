// What must hold after each event, and at the end of a run.
#include "core_model.hpp"

#include <algorithm>

namespace mcp_pool::test {

using detail::waiter;
using namespace std::chrono_literals;

namespace {

const char* name(slot_action action)
{
    static constexpr const char* names[] = {
        "none", "start", "expire_start", "probe", "reset", "measure", "stop", "forget"};
    return names[static_cast<std::size_t>(action)];
}

std::size_t index(const std::deque<slot>& slots, const slot& s)
{
    return static_cast<std::size_t>(std::find_if(slots.begin(), slots.end(), [&](const slot& x) {
        return &x == &s;
    }) - slots.begin());
}

} // namespace

void core_model::begin()
{
    before_ = measure();
}

void core_model::settle()
{
    for (std::size_t i = 0; i != slots_.size(); ++i) {
        // Starts that the pool has given up by itself, too.
        record& r = records_[i];
        const bool failed = slots_[i].reason == pooling::end_reason::start_failed && r.begun
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

    const std::string wrong = core_.check(now_);
    if (!wrong.empty())
        throw violation{wrong};
    observe();
}

void core_model::collect()
{
    while (waiter* w = core_.next_ready())
        collect(static_cast<ticket&>(*w));
}

void core_model::collect(ticket& t)
{
    note("    waiter ", t.number, ": ", t.failure ? t.failure.message() : "success");
    expect(++t.completed == 1, "a waiter is completed twice");
    const bool queued = t.wants == waiter::purpose::lease;
    if (!t.failure && queued) {
        expect(t.slot != nullptr, "a lease without a session");
        expect(!queue_.empty() && queue_.front() == &t,
            "a waiter is served before one who came earlier");
        queue_.pop_front();
        granted(*t.slot);
        return;
    }
    if (queued)
        queue_.erase(std::find(queue_.begin(), queue_.end(), &t));
    if (t.failure)
        refused(t);
    else if (t.wants == waiter::purpose::ready)
        expect(core_.alive() >= t.count || now_ > t.enqueued_at, "readiness without sessions");
    else
        expect(closing_ || abandoned_, "the end without an end");
}

void core_model::granted(slot& s)
{
    record& r = records_[index(slots_, s)];
    note("    slot ", index(slots_, s), " is lent");
    ++granted_;
    expect(s.state == slot_state::leased, "a lent slot is not leased");
    expect(!r.holder, "a session is lent twice");
    r.holder = true;
    expect(r.epoch == s.epoch && r.begun && r.ready, "a session is lent before it is ready");
    expect(!r.broken && !r.ended, "a session is lent after its end has been noticed");
    expect(!r.used_up, "a session is lent again that was to be replaced");
    expect(!r.needs_reset, "a dirty session is lent");
    expect(!r.needs_probe, "a suspect session is lent");
    expect(r.generation == evictions_, "an evicted session is lent");
    expect(!closing_ && !abandoned_, "a closed pool lends");
}

void core_model::refused(const ticket& t)
{
    const error_code why = t.failure;
    const bool lease = t.wants == waiter::purpose::lease;
    if (why == errc::acquire_timeout) {
        expect(t.deadline <= now_, "a waiter times out too early");
        timed_out_ += lease;
    } else if (why == error_code(ECANCELED, boost::system::system_category())) {
        expect(t.cancelled, "a waiter is cancelled by nobody");
        cancelled_ += lease;
    } else if (why == errc::too_many_waiters) {
        const std::size_t most = settings_.options.max_waiters;
        expect(most != 0 && queue_.size() >= most, "a waiter is rejected without a queue");
        rejected_ += lease;
    } else {
        failed_ += lease;
        if (why == errc::pool_closed) {
            expect(closing_ || abandoned_, "an open pool says that it is closed");
            return;
        }
        if (why == errc::invalid_config) {
            expect(t.wants == waiter::purpose::ready && t.count > max_size_,
                "a waiter is said to ask for what cannot be");
            return;
        }
        expect(!healing_ || before_.failures != 0, "a waiter is refused though all is well");
        expect(why == errc::circuit_open || why == errc::resource_exhausted
                || why == errc::start_failed,
            "an unknown failure");
        expect(has_failed_, "refused without a failed start");
        expect((why == errc::resource_exhausted) == short_, "refused for another reason");
        for (std::size_t i = 0; i != slots_.size(); ++i)
            expect(!in_service(i), "refused while a session is alive");
    }
}

// Initialised, not stopping, and no word of its end.
bool core_model::in_service(std::size_t i) const
{
    const record& r = records_[i];
    const slot_state s = slots_[i].state;
    return running(i) && r.ready && !r.broken && r.rungs == 0
        && (s == slot_state::idle || s == slot_state::leased || s == slot_state::resetting
            || s == slot_state::probing);
}

void core_model::take_permits()
{
    permits_wanted_ += core_.take_permit_requests();
    while (granting_ && permits_wanted_ != 0) {
        --permits_wanted_;
        ++permits_out_;
        core_.permit_granted(now_);
        permits_wanted_ += core_.take_permit_requests();
    }
    permits_out_ -= static_cast<std::ptrdiff_t>(core_.take_permit_returns());
    expect(permits_out_ == static_cast<std::ptrdiff_t>(core_.size()), "permits do not balance");
}

bool core_model::take_one()
{
    slot_action action{};
    slot* const s = core_.next_todo(action);
    if (s)
        perform(*s, action);
    return s != nullptr;
}

void core_model::perform(slot& s, slot_action action)
{
    const std::size_t i = index(slots_, s);
    record& r = records_[i];
    note("    slot ", i, ": ", name(action), ' ', static_cast<int>(s.step));
    expect(!abandoned_, "an abandoned pool wants work done");
    switch (action) {
    case slot_action::none:
        throw violation{"work that is none"};
    case slot_action::start:
        expect(!r.holder, "a start under a lease");
        expect(s.state == slot_state::starting && s.epoch > r.epoch, "a start of an old session");
        expect(!settings_.eager || !r.begun || r.ended || r.rungs == 3,
            "a slot is used again while its process runs");
        r = record{};
        r.epoch = s.epoch;
        r.generation = evictions_;
        r.begun = true;
        r.state = slot_state::starting;
        r.since = now_;
        return;
    case slot_action::forget:
        expect(!r.holder, "a session is forgotten under its lease");
        expect(s.state == slot_state::empty, "a session in use is forgotten");
        return;
    case slot_action::reset:
        expect(s.state == slot_state::resetting && r.needs_reset, "a reset out of season");
        r.reset_asked = true;
        return;
    case slot_action::probe:
        expect(s.state == slot_state::probing, "a probe out of season");
        r.probe_asked = true;
        return;
    case slot_action::measure:
        expect(settings_.options.max_rss != 0, "memory is measured for nobody");
        return;
    case slot_action::expire_start:
        expect(s.state == slot_state::starting && r.begun && !r.ready, "an expiry out of season");
        return;
    case slot_action::stop: {
        const int rung = static_cast<int>(s.step) + 1;
        expect(rung > r.rungs, "a rung of the ladder is repeated");
        expect(
            rung == r.rungs + 1 || !settings_.eager || closing_, "a rung of the ladder is skipped");
        r.rungs = rung;
        return;
    }
    }
}

void core_model::observe()
{
    const sizes after = measure();
    expect(after.size <= max_size_ || after.size <= before_.size, "more than max_size sessions");
    if (after.starting > before_.starting) {
        expect(after.starting <= max_starting_, "more than max_starting starts");
        expect(after.starting <= 1 || era_known_, "two starts while the era is unknown");
        expect(after.starting <= 1 || after.failures == 0 || before_.failures == 0,
            "two starts while starts fail");
    }
    expect(queue_.empty() || after.idle == 0, "somebody waits while a session is idle");
    expect(queue_.size() == core_.waiting(), "a waiter is lost");
    std::size_t held = 0;
    for (const record& r : records_)
        held += r.holder;
    expect(held == core_.leases(), "a lease is lost");
    for (std::size_t i = 0; i != slots_.size(); ++i)
        observe(i);
}

void core_model::observe(std::size_t i)
{
    record& r = records_[i];
    const slot& s = slots_[i];
    if (r.state != s.state) {
        r.state = s.state;
        r.since = now_;
    }
    const bool broken = r.broken || r.ended;
    expect(!(broken && r.epoch == s.epoch && s.state != slot_state::leased
               && s.state != slot_state::stopping && s.state != slot_state::empty),
        "a broken session stays in service");
    if (!settings_.punctual || !settings_.eager || !background(s.state))
        return;
    const pool_options& o = settings_.options;
    const duration longest = s.state == slot_state::resetting ? o.reset_timeout
        // One that is doubted has its time only after all the others.
        : s.state == slot_state::probing  ? o.probe_timeout * static_cast<int>(1 + slots_.size())
        : s.state == slot_state::stopping ? 2 * std::max<duration>(o.stop_grace, 1ms) + 1s
        : o.start_timeout == 0s           ? duration::max()
                                          : o.start_timeout + 1s;
    expect(now_ - r.since <= longest, "a background step lasts too long");
    expect(!closing_ || now_ < close_by_ || s.state != slot_state::stopping || r.rungs == 3
            || core_.next_wake() <= now_,
        "no SIGKILL by the deadline of close()");
}

// --- the end of a run

bool core_model::answer_everything()
{
    bool any = false;
    for (std::size_t i = 0; i != slots_.size(); ++i) {
        const bool was = leased(i) || (running(i) && background(state(i)));
        if (leased(i)) {
            return_verdict clean;
            clean.served = true;
            release(i, clean);
        }
        if (running(i) && state(i) == slot_state::starting)
            ready(i);
        if (running(i) && state(i) == slot_state::resetting)
            reset_done(i);
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
    begin();
    healing_ = eager_ = granting_ = true;
    settle();
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
    begin();
    eager_ = granting_ = true;
    settle();
    close(deadline);
    await_closed();
    const ticket& closed = tickets_.back();
    if (mute) {
        const time_point latest = std::max(close_by_, now_) + 100ms;
        while (!abandoned_ && step(latest)) {
        }
        expect(closed.completed == 1, "close() takes longer than it said");
        // What outlived the pool may still be heard of, and leases may still come back.
        for (std::size_t i = 0; i != slots_.size(); ++i) {
            ended(i, true);
            if (leased(i))
                release(i, {});
        }
    } else {
        while (answer_everything()) {
        }
        pass(0s);
    }
    expect(closed.completed == 1, "close() does not complete");
}

void core_model::account()
{
    note("account");
    for (const ticket& t : tickets_)
        expect(t.completed == 1, "a waiter was never completed");
    expect(core_.size() == 0, "a session is left");
    expect(permits_out_ == 0, "a permit is left");
    const pooling::core_counters& c = core_.counters();
    expect(c.granted == granted_ && c.hits == hits_, "grants are counted wrongly");
    expect(c.timed_out == timed_out_ && c.cancelled == cancelled_ && c.rejected == rejected_
            && c.failed == failed_,
        "failures are counted wrongly");
    expect(abandoned_ || core_.next_wake() == time_point::max(), "a closed pool has a timer");
}

} // namespace mcp_pool::test
