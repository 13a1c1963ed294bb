// The driver of the model: takes what the core puts out, and looks at each piece.
#include "core_model.hpp"

#include <algorithm>

namespace mcp_pool::test {

using detail::waiter;

namespace {

const char* name(slot_action action)
{
    static constexpr const char* names[] = {
        "none", "start", "expire_start", "probe", "reset", "measure", "stop", "forget"};
    return names[static_cast<std::size_t>(action)];
}

} // namespace

void core_model::collect()
{
    while (waiter* w = core_.next_ready())
        collect(static_cast<ticket&>(*w));
}

void core_model::collect(ticket& t)
{
    note("    waiter ", t.number, ": ", t.failure ? t.failure.message() : "success");
    expect(++t.completed == 1, "a waiter is completed twice");
    if (t.wants != waiter::purpose::lease) {
        others_.erase(std::find(others_.begin(), others_.end(), &t));
        if (t.failure)
            refused(t, true);
        else if (t.wants == waiter::purpose::ready)
            expect(core_.alive() >= t.count || now_ > t.enqueued_at, "readiness without sessions");
        else
            expect(closing_ || abandoned_, "the end without an end");
        return;
    }
    const bool queued = std::find(queue_.begin(), queue_.end(), &t) != queue_.end();
    if (t.failure) {
        refused(t, queued);
        if (queued)
            leave_queue(t);
        return;
    }
    expect(t.place != nullptr && t.slot == t.place->of, "a lease without a session");
    judge_order(t, !queued, index(*t.slot));
    if (queued)
        leave_queue(t);
    granted(t.key_index, *t.place);
    if (queued && keys_[t.key_index].eligible)
        keys_[t.key_index].turn = ++turns_;
}

void core_model::refused(const ticket& t, bool queued)
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
        const std::size_t most = options().max_waiters, share = options().max_waiters_per_key;
        expect(!queued
                && ((most != 0 && queue_.size() >= most)
                    || (share != 0 && keys_[t.key_index].waiting >= share)),
            "a waiter is rejected without a queue");
        rejected_ += lease;
    } else {
        failed_ += lease;
        if (why == errc::pool_closed) {
            expect(closing_ || abandoned_, "an open pool says that it is closed");
            return;
        }
        if (why == errc::invalid_config) {
            expect(!lease && t.count > options().max_size,
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
            expect(!in_service(i) || records_[i].detached, "refused while a session is alive");
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
    const auto used = slots_.size() - core_.count(slot_state::empty);
    expect(permits_out_ == static_cast<std::ptrdiff_t>(used), "permits do not balance");
}

void core_model::take_keys()
{
    while (key_record* const unused = core_.next_unused_key()) {
        std::size_t k = 1;
        while (k != most_keys && !(key_records_[k] && &*key_records_[k] == unused))
            ++k;
        expect(k != most_keys, "a key is given up that was not there");
        expect(keys_[k].waiting == 0 && keys_[k].leases == 0, "a key is given up that is in use");
        for (std::size_t i = 0; i != slots_.size(); ++i)
            expect(slots_[i].state == slot_state::empty || slots_[i].key != unused,
                "a key is given up under its session");
        key_records_[k].reset();
    }
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
    const std::size_t i = index(s);
    record& r = records_[i];
    note("    slot ", i, ": ", name(action), ' ', static_cast<int>(s.step));
    const bool held = std::any_of(
        r.places.begin(), r.places.end(), [](const place_record& p) { return p.held; });
    expect(!abandoned_, "an abandoned pool wants work done");
    switch (action) {
    case slot_action::none:
        throw violation{"work that is none"};
    case slot_action::start:
        expect(!held, "a start under a lease");
        expect(s.state == slot_state::starting && s.epoch > r.epoch, "a start of an old session");
        expect(!settings_.eager || !r.begun || r.ended || r.rungs == 3,
            "a slot is used again while its process runs");
        r = record{};
        r.epoch = s.epoch;
        r.generation = evictions_;
        r.begun = true;
        r.state = slot_state::starting;
        r.since = now_;
        ++begun_;
        return;
    case slot_action::forget:
        expect(!held, "a session is forgotten under its lease");
        expect(s.state == slot_state::empty, "a session in use is forgotten");
        return;
    case slot_action::reset: {
        expect(s.state == slot_state::resetting || s.state == slot_state::leased,
            "a reset out of season");
        expect(s.reset_place < places_, "a reset of no place");
        place_record& p = r.places[s.reset_place];
        expect(p.dirty && !p.held && !p.reset_asked, "a reset of a place that needs none");
        p.reset_asked = true;
        return;
    }
    case slot_action::probe:
        expect(s.state == slot_state::probing, "a probe out of season");
        r.probe_asked = true;
        return;
    case slot_action::measure:
        // A session may be lent before the driver comes to it.
        expect(r.ready, "memory is measured of what is none");
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

} // namespace mcp_pool::test
