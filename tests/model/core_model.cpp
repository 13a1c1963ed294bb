#include "core_model.hpp"

#include <algorithm>

namespace mcp_pool::test {

using detail::waiter;
using namespace std::chrono_literals;

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
    pooling::lease_place* const place = core_.try_acquire(nullptr, now_);
    slot* const s = place ? place->of : nullptr;
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
        verdict.discard ? " discard" : "", verdict.dead ? " dead" : "");
    record& r = records_[i];
    if (r.holder) {
        r.holder = false;
        if (verdict.dead && !verdict.served && dies_early(i, now_ - lag))
            failed_start(r, false);
        r.broken = r.broken || verdict.dead;
        r.needs_reset = r.needs_reset || verdict.dirty;
        r.needs_probe = r.needs_probe || verdict.suspect;
        r.used_up = r.used_up || verdict.discard
            || settings_.options.reset == reset_policy::respawn;
    }
    core_.release(slots_[i].own, verdict, now_ - lag);
    settle();
}

void core_model::resize(std::size_t min_size, std::size_t max_size, std::size_t max_starting)
{
    begin();
    note("resize ", min_size, ' ', max_size, ' ', max_starting);
    max_size_ = max_size;
    max_starting_ = max_starting;
    pool_options changed = core_.options();
    changed.min_size = min_size;
    changed.max_size = max_size;
    changed.max_starting = max_starting;
    core_.change(changed, now_);
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
    core_.ready(slots_[i], records_[i].epoch, false, now_);
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
    if (!served && dies_early(i, now_))
        failed_start(r, false);
    r.broken = true;
    core_.broken(slots_[i], r.epoch, pooling::end_reason::died, served, now_);
    settle();
}

// Its end, if it came now, would be taken for a failed start.
bool core_model::dies_early(std::size_t i, time_point when) const
{
    const slot& s = slots_[i];
    return running(i) && records_[i].ready && !s.broken && s.state != slot_state::stopping
        && !s.proven
        && std::max(when - s.ready_at, duration::zero()) < settings_.options.min_uptime;
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
    core_.reset_done(slots_[i], r.epoch, 0, true, now_);
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
    if (dies_early(i, now_))
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
        core_.ready(s, epoch, false, now_);
        break;
    case 1:
        core_.start_failed(s, epoch, {}, now_);
        break;
    case 2:
        core_.broken(s, epoch, pooling::end_reason::died, false, now_);
        break;
    case 3:
        core_.reset_done(s, epoch, 0, true, now_);
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

} // namespace mcp_pool::test
