#include "core_model.hpp"

#include <algorithm>
#include <ostream>

namespace mcp_pool::test {

using detail::waiter;
using namespace std::chrono_literals;

namespace {

const char* name(slot_action action)
{
    static constexpr const char* names[] = {
        "none", "start", "expire_start", "probe", "reset", "stop", "forget"};
    return names[static_cast<std::size_t>(action)];
}

std::size_t index(const std::deque<slot>& slots, const slot& s)
{
    return static_cast<std::size_t>(std::find_if(slots.begin(), slots.end(), [&](const slot& x) {
        return &x == &s;
    }) - slots.begin());
}

bool background(slot_state s)
{
    return s == slot_state::starting || s == slot_state::resetting || s == slot_state::probing
        || s == slot_state::stopping;
}

} // namespace

core_model::core_model(const model_settings& settings, std::ostream* trace)
    : settings_(settings)
    , trace_(trace)
    , slots_(settings.slots)
    , core_(settings.options, settings.seed)
    , records_(settings.slots)
    , max_size_(settings.options.max_size)
    , max_starting_(settings.options.max_starting)
    , era_known_(settings.era_known)
    , eager_(settings.eager)
    , granting_(settings.granting)
{
    for (slot& s : slots_)
        core_.add_slot(s);
    core_.set_era_known(era_known_, now_);
    before_ = measure();
}

void core_model::expect(bool holds, const char* what) const
{
    if (!holds)
        throw violation{what};
}

template <class... Parts>
void core_model::note(const Parts&... parts)
{
    if (trace_)
        (*trace_ << (now_ - time_point(1h)).count() << ' ' << ... << parts) << '\n';
}

bool core_model::running(std::size_t i) const
{
    const record& r = records_[i];
    return r.begun && !r.ended && r.epoch == slots_[i].epoch;
}

core_model::sizes core_model::measure() const
{
    return {core_.size(), core_.count(slot_state::starting), core_.count(slot_state::idle),
        core_.consecutive_failures()};
}

// --- after each event

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
        : s.state == slot_state::probing                      ? o.probe_timeout
        : s.state == slot_state::stopping ? 2 * std::max<duration>(o.stop_grace, 1ms) + 1s
        : o.start_timeout == 0s           ? duration::max()
                                          : o.start_timeout + 1s;
    expect(now_ - r.since <= longest, "a background step lasts too long");
    expect(!closing_ || now_ < close_by_ || s.state != slot_state::stopping || r.rungs == 3
            || core_.next_wake() <= now_,
        "no SIGKILL by the deadline of close()");
}

// --- callers

core_model::ticket& core_model::ticket_until(duration timeout)
{
    ticket& t = tickets_.emplace_back();
    t.number = tickets_.size() - 1;
    t.deadline = detail::saturating_add(now_, timeout);
    return t;
}

void core_model::acquire(duration timeout)
{
    begin();
    ticket& t = ticket_until(timeout);
    note("acquire: waiter ", t.number, " for ", timeout.count());
    const bool hit = before_.idle != 0 && !closing_ && !abandoned_;
    queue_.push_back(&t);
    // As if it were not in the queue yet, a rejection is judged by those before it.
    core_.acquire(t, now_);
    if (t.failure == errc::too_many_waiters)
        queue_.pop_back(), queue_.push_front(&t);
    const bool served = t.where == waiter::stage::claimed && !t.failure;
    hits_ += hit;
    settle();
    expect(served == hit, "an idle session, and no hit; or the other way round");
}

void core_model::try_acquire()
{
    begin();
    note("try_acquire");
    slot* const s = core_.try_acquire(now_);
    expect(
        (s != nullptr) == (before_.idle != 0 && !closing_ && !abandoned_), "a wrong try_acquire");
    if (s) {
        expect(queue_.empty(), "try_acquire overtakes a waiter");
        ++hits_;
        granted(*s);
    }
    settle();
}

void core_model::await_ready(std::size_t count, duration timeout)
{
    begin();
    ticket& t = ticket_until(timeout);
    t.count = count;
    note("await_ready: waiter ", t.number, " for ", count);
    core_.await_ready(t, now_);
    settle();
}

void core_model::await_closed()
{
    begin();
    ticket& t = ticket_until(duration::max());
    note("await_closed: waiter ", t.number);
    core_.await_closed(t, now_);
    settle();
}

void core_model::cancel(std::size_t i)
{
    begin();
    ticket& t = tickets_[i];
    note("cancel waiter ", i);
    t.cancelled = t.completed == 0;
    expect(core_.cancel(t, now_) == t.cancelled, "a cancellation was lost or came twice");
    settle();
    expect(t.completed == 1, "a cancelled waiter still waits");
}

void core_model::release(std::size_t i, return_verdict verdict, duration lag)
{
    begin();
    note("release slot ", i, verdict.dirty ? " dirty" : "", verdict.suspect ? " suspect" : "",
        verdict.discard ? " discard" : "");
    record& r = records_[i];
    if (r.holder) {
        r.holder = false;
        r.needs_reset = r.needs_reset || verdict.dirty;
        r.needs_probe = r.needs_probe || verdict.suspect;
        r.used_up = r.used_up || verdict.discard
            || settings_.options.reset == reset_policy::respawn;
    }
    core_.release(slots_[i], verdict, now_ - lag);
    settle();
}

void core_model::resize(std::size_t min_size, std::size_t max_size, std::size_t max_starting)
{
    begin();
    note("resize ", min_size, ' ', max_size, ' ', max_starting);
    max_size_ = max_size;
    max_starting_ = max_starting;
    core_.resize(min_size, max_size, max_starting, settings_.options.max_waiters, now_);
    settle();
}

void core_model::evict_all()
{
    begin();
    note("evict_all");
    ++evictions_;
    core_.evict_all(now_);
    settle();
}

void core_model::start()
{
    begin();
    note("start");
    core_.start(now_);
    settle();
}

void core_model::close(duration deadline)
{
    begin();
    note("close ", deadline.count());
    closing_ = true;
    close_by_ = std::min(close_by_, now_ + deadline);
    core_.close(now_ + deadline, now_);
    settle();
}

void core_model::abandon()
{
    begin();
    note("abandon");
    abandoned_ = closing_ = true;
    core_.abandon();
    settle();
    expect(queue_.empty() && core_.next_wake() == time_point::max(), "an abandoned pool goes on");
}

// --- servers

void core_model::ready(std::size_t i)
{
    begin();
    note("ready slot ", i);
    if (slots_[i].state == slot_state::starting && running(i))
        records_[i].ready = true;
    core_.ready(slots_[i], records_[i].epoch, now_);
    settle();
}

void core_model::fail(std::size_t i, start_verdict why)
{
    begin();
    note("start_failed slot ", i, why.permanent ? " permanent" : "",
        why.exhausted ? " exhausted" : "");
    if (slots_[i].state == slot_state::starting && running(i))
        failed_start(records_[i], why.exhausted);
    core_.start_failed(slots_[i], records_[i].epoch, why, now_);
    settle();
}

void core_model::broken(std::size_t i, bool served)
{
    begin();
    note("broken slot ", i, served ? " served" : "");
    record& r = records_[i];
    if (!served && dies_early(i))
        failed_start(r, false);
    r.broken = true;
    core_.broken(slots_[i], r.epoch, pooling::end_reason::died, served, now_);
    settle();
}

// Its end, if it came now, would be taken for a failed start.
bool core_model::dies_early(std::size_t i) const
{
    const slot& s = slots_[i];
    return running(i) && records_[i].ready && !s.broken && s.state != slot_state::stopping
        && !s.proven && now_ - s.ready_at < settings_.options.min_uptime;
}

void core_model::failed_start(record& r, bool exhausted)
{
    r.failed = has_failed_ = true;
    short_ = exhausted;
}

void core_model::reset_done(std::size_t i)
{
    begin();
    note("reset_done slot ", i);
    record& r = records_[i];
    if (r.reset_asked)
        r.needs_reset = r.reset_asked = false;
    core_.reset_done(slots_[i], r.epoch, now_);
    settle();
}

void core_model::probe_done(std::size_t i)
{
    begin();
    note("probe_done slot ", i);
    record& r = records_[i];
    if (r.probe_asked)
        r.needs_probe = r.probe_asked = false;
    core_.probe_done(slots_[i], r.epoch, now_);
    settle();
}

void core_model::ended(std::size_t i, bool killed)
{
    begin();
    note("ended slot ", i);
    record& r = records_[i];
    // A process that ends without a word was broken, too.
    if (dies_early(i))
        failed_start(r, false);
    r.ended = true;
    core_.ended(slots_[i], r.epoch, killed, 0, now_);
    settle();
}

void core_model::late(std::size_t i, std::uint64_t epoch, unsigned kind)
{
    begin();
    note("late event ", kind, " of slot ", i, " epoch ", epoch);
    slot& s = slots_[i];
    const slot_state state = s.state;
    const sizes unchanged = measure();
    switch (kind % 6) {
    case 0:
        core_.ready(s, epoch, now_);
        break;
    case 1:
        core_.start_failed(s, epoch, {}, now_);
        break;
    case 2:
        core_.broken(s, epoch, pooling::end_reason::died, false, now_);
        break;
    case 3:
        core_.reset_done(s, epoch, now_);
        break;
    case 4:
        core_.probe_done(s, epoch, now_);
        break;
    case 5:
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
    begin();
    note("era ", known ? "known" : "unknown");
    era_known_ = known;
    core_.set_era_known(known, now_);
    settle();
}

// --- driver

void core_model::take_job()
{
    begin();
    note("take a job");
    take_one();
    settle();
}

void core_model::answer_permit(bool granted)
{
    if (permits_wanted_ == 0)
        return;
    begin();
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
    begin();
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
    for (const ticket& t : tickets_)
        expect(t.completed == 1 || t.deadline > now_, "a deadline was missed");
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
