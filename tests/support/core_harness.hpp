// The pool's core in virtual time: the harness owns slots and waiters, posts outcomes, grants
// permits, notes what the driver would have to do, and holds the invariants after every event.
#pragma once

#include "pool/core.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <source_location>
#include <string>
#include <vector>

namespace mcp_pool::test {

using namespace std::chrono_literals;
using detail::waiter;
using pooling::core_event;
using pooling::end_reason;
using pooling::lease_place;
using pooling::return_verdict;
using pooling::slot;
using pooling::slot_action;
using pooling::slot_state;
using pooling::start_verdict;
using pooling::stop_rung;

// A waiter that knows how often it was completed.
struct ticket : waiter
{
    int completed = 0;

    [[nodiscard]] bool waiting() const { return completed == 0 && where == stage::queued; }
    [[nodiscard]] bool granted() const { return completed == 1 && !failure; }
    [[nodiscard]] bool failed(error_code code) const { return completed == 1 && failure == code; }
};

// What the core wanted done, in the order in which the driver took it.
struct job
{
    slot* where;
    slot_action action;
    stop_rung step;
    std::uint64_t epoch;
};

inline error_code cancelled()
{
    return {ECANCELED, boost::system::system_category()};
}

// What a lease says of its session.
inline return_verdict clean(bool served = false)
{
    return_verdict v;
    v.served = served;
    return v;
}
inline return_verdict dirty()
{
    return_verdict v;
    v.dirty = v.served = true;
    return v;
}
inline return_verdict suspect()
{
    return_verdict v;
    v.suspect = v.served = true;
    return v;
}
inline return_verdict discard()
{
    return_verdict v;
    v.discard = true;
    return v;
}

class core_harness
{
public:
    using place = std::source_location;

    // A pool of three whose server's era is known; `change` sets what the scenario is about.
    // `slots` is for scenarios that resize.
    explicit core_harness(
        const std::function<void(pool_options&)>& change = {}, std::size_t slots = 0)
        : options(adjusted(change))
        , core(options, 42)
    {
        slots_.resize(std::max(slots, options.max_size));
        for (slot& s : slots_) {
            if (options.max_leases_per_session != 1) {
                places_.push_back(std::make_unique<lease_place[]>(options.max_leases_per_session));
                s.places = places_.back().get();
                s.place_count = static_cast<std::uint16_t>(options.max_leases_per_session);
            }
            core.add_slot(s);
        }
        core.set_era_known(true, now);
    }

    // --- the driver

    // Takes what the core puts out after an event. With `grant_permits` a wanted start gets its
    // permit and begins.
    void pump(place from = place::current())
    {
        do {
            while (waiter* w = core.next_ready())
                ++static_cast<ticket*>(w)->completed;
            permits_wanted += core.take_permit_requests();
            while (grant_permits && permits_wanted != 0) {
                --permits_wanted;
                ++permits_out;
                core.permit_granted(now);
            }
            permits_out -= static_cast<std::ptrdiff_t>(core.take_permit_returns());
            job next{};
            while (take_jobs && (next.where = core.next_todo(next.action))) {
                next.step = next.where->step;
                next.epoch = next.where->epoch;
                jobs.push_back(next);
            }
            while (pooling::key_record* const unused = core.next_unused_key())
                keys_.erase(std::find_if(keys_.begin(), keys_.end(),
                    [unused](const auto& key) { return key.get() == unused; }));
        } while (core.has_ready() || (take_jobs && core.has_work()));
        hold(from);
    }

    void hold(place from = place::current())
    {
        const std::string wrong = core.check(now);
        BOOST_TEST(wrong.empty(), from.file_name() << ":" << from.line() << ": " << wrong);
        BOOST_TEST(permits_out >= 0);
    }

    // Lets the time pass, tick by tick.
    void advance(duration d, place from = place::current())
    {
        const time_point until = now + d;
        for (int steps = 0; core.next_wake() <= until; ++steps) {
            BOOST_TEST_REQUIRE(steps < 100'000, "the pool does not come to rest");
            now = std::max(now, core.next_wake());
            core.tick(now);
            pump(from);
        }
        now = until;
    }

    // --- callers

    ticket& acquire(duration timeout = 30s, place from = place::current())
    {
        ticket& w = waiter_until(timeout);
        core.acquire(w, now);
        pump(from);
        return w;
    }
    // The same with an isolation key.
    ticket& acquire_for(
        const std::string& key, duration timeout = 30s, place from = place::current())
    {
        ticket& w = waiter_until(timeout);
        w.key = record_of(key);
        core.acquire(w, now);
        pump(from);
        return w;
    }
    // A lease at once, or null.
    lease_place* try_acquire(const std::string& key = {}, place from = place::current())
    {
        lease_place* const lease = core.try_acquire(record_of(key), now);
        pump(from);
        return lease;
    }
    ticket& await_ready(std::size_t count, duration timeout = 30s, place from = place::current())
    {
        ticket& w = waiter_until(timeout);
        w.count = count;
        core.await_ready(w, now);
        pump(from);
        return w;
    }
    ticket& close(duration deadline, place from = place::current())
    {
        core.close(now + deadline, now);
        ticket& w = waiter_until(duration::max());
        core.await_closed(w, now);
        pump(from);
        return w;
    }
    void cancel(ticket& w, place from = place::current())
    {
        core.cancel(w, now);
        pump(from);
    }
    void give_back(slot& s, return_verdict how = clean(true), place from = place::current())
    {
        core.release(s.own, how, now);
        pump(from);
    }
    // The lease that a waiter was granted ends.
    void give_back(ticket& w, return_verdict how = clean(true), place from = place::current())
    {
        core.release(*w.place, how, now);
        pump(from);
    }
    bool detach(slot& s, place from = place::current())
    {
        const bool done = core.detach(s, now);
        pump(from);
        return done;
    }
    void evict_all(place from = place::current())
    {
        core.evict_all(now);
        pump(from);
    }
    void change(const std::function<void(pool_options&)>& how, place from = place::current())
    {
        pool_options changed = core.options();
        how(changed);
        core.change(changed, now);
        pump(from);
    }

    // --- servers; each says it of the slot's present session

    void ready(slot& s, place from = place::current())
    {
        core.ready(s, s.epoch, stateless, now);
        pump(from);
    }
    // The start fails, and its process ends.
    void fail(slot& s, start_verdict why = {}, place from = place::current())
    {
        const std::uint64_t epoch = s.epoch;
        core.start_failed(s, epoch, why, now);
        core.ended(s, epoch, false, 0, now);
        pump(from);
    }
    // The process exits by itself.
    void die(slot& s, bool served = true, place from = place::current())
    {
        const std::uint64_t epoch = s.epoch;
        core.broken(s, epoch, end_reason::died, served, now);
        core.ended(s, epoch, false, 0, now);
        pump(from);
    }
    void broken(slot& s, bool served = true, place from = place::current())
    {
        core.broken(s, s.epoch, end_reason::protocol, served, now);
        pump(from);
    }
    void ended(slot& s, bool killed = false, place from = place::current())
    {
        core.ended(s, s.epoch, killed, 0, now);
        pump(from);
    }
    void reset_done(slot& s, std::size_t place_index = 0, place from = place::current())
    {
        core.reset_done(s, s.epoch, place_index, true, now);
        pump(from);
    }
    void measured(slot& s, std::size_t bytes, place from = place::current())
    {
        core.measured(s, s.epoch, bytes, now);
        pump(from);
    }
    // Its process ends on the stop ladder.
    void stop_all(place from = place::current())
    {
        for (slot* const s : in(slot_state::stopping))
            ended(*s, false, from);
    }
    void resize(std::size_t min_size, std::size_t max_size, std::size_t max_starting,
        place from = place::current())
    {
        pool_options changed = core.options();
        changed.min_size = min_size;
        changed.max_size = max_size;
        changed.max_starting = max_starting;
        core.change(changed, now);
        pump(from);
    }
    void probe_done(slot& s, place from = place::current())
    {
        core.probe_done(s, s.epoch, now);
        pump(from);
    }

    // --- what happened

    [[nodiscard]] std::vector<slot*> in(slot_state state)
    {
        std::vector<slot*> found;
        for (slot& s : slots_) {
            if (s.state == state)
                found.push_back(&s);
        }
        return found;
    }
    // The only one in that state.
    slot& the(slot_state state, place from = place::current())
    {
        const auto found = in(state);
        BOOST_TEST_REQUIRE(found.size() == 1u,
            from.file_name() << ":" << from.line() << ": " << found.size() << " slots");
        return *found.front();
    }
    // The jobs of one kind since the last call, taken off the list.
    std::vector<job> take(slot_action action)
    {
        std::vector<job> taken;
        const auto is = [&](const job& j) { return j.action == action; };
        std::copy_if(jobs.begin(), jobs.end(), std::back_inserter(taken), is);
        jobs.erase(std::remove_if(jobs.begin(), jobs.end(), is), jobs.end());
        return taken;
    }
    [[nodiscard]] std::size_t count(slot_state state) const { return core.count(state); }

    // How many sessions have ended for this reason.
    [[nodiscard]] std::uint64_t ended_for(end_reason why) const
    {
        return core.counters().ended[static_cast<std::size_t>(why)];
    }
    // The events of one kind since the last call; the others are dropped.
    std::vector<core_event> events(core_event::kind what)
    {
        std::vector<core_event> found;
        for (core_event e; core.events().take(e);) {
            if (e.what == what)
                found.push_back(e);
        }
        return found;
    }
    // From now on events are written down.
    void observe()
    {
        std::vector<core_event> room(1000);
        core.events().bring(room);
        core.events().resume();
    }
    [[nodiscard]] std::size_t keys() const { return keys_.size(); }

    // --- givens

    // n sessions that have been started, and are idle, the last of them on top.
    std::vector<slot*> warm(std::size_t n, place from = place::current())
    {
        ticket& enough = await_ready(n, duration::max(), from);
        std::vector<slot*> sessions;
        while (!in(slot_state::starting).empty()) {
            sessions.push_back(in(slot_state::starting).front());
            ready(*sessions.back(), from);
        }
        BOOST_TEST_REQUIRE(enough.granted());
        jobs.clear();
        return sessions;
    }
    // A session that is lent.
    slot& lend(place from = place::current())
    {
        ticket& w = acquire(duration::max(), from);
        while (!w.completed && !in(slot_state::starting).empty())
            ready(*in(slot_state::starting).front(), from);
        BOOST_TEST_REQUIRE(w.granted());
        jobs.clear();
        return *w.slot;
    }

    const pool_options options;
    time_point now{1h};
    // Of the sessions that become ready.
    bool stateless = false;
    bool grant_permits = true;
    // False: the driver is slow, its work stays with the core.
    bool take_jobs = true;
    std::size_t permits_wanted = 0;
    std::ptrdiff_t permits_out = 0;
    std::vector<job> jobs;

private:
    // Before the core, which links them.
    std::deque<slot> slots_;
    std::deque<std::unique_ptr<lease_place[]>> places_;
    std::deque<ticket> waiters_;
    std::vector<std::unique_ptr<pooling::key_record>> keys_;

public:
    pooling::pool_core core;

private:
    static pool_options adjusted(const std::function<void(pool_options&)>& change)
    {
        pool_options o;
        o.max_size = 3;
        if (change)
            change(o);
        return o;
    }

    pooling::key_record* record_of(const std::string& name)
    {
        if (pooling::key_record* const known = core.find_key(name))
            return known;
        keys_.push_back(std::make_unique<pooling::key_record>(name));
        core.adopt_key(*keys_.back());
        return keys_.back().get();
    }
    ticket& waiter_until(duration timeout)
    {
        ticket& w = waiters_.emplace_back();
        w.deadline = detail::saturating_add(now, timeout);
        return w;
    }
};

} // namespace mcp_pool::test
