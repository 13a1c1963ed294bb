// The pool's core under any events, beside a naive record of what ought to be true.
//
// Every operation is one event. After it the core's own check() and the invariants of the design,
// written down here once more from the outside, must hold: who is served, by what, once and in
// order; what a session must have gone through before it is lent; how many starts there are; what
// permits, deadlines, keys, reports and the end of the pool come to.
#pragma once

#include "pool/core.hpp"

#include <array>
#include <deque>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace mcp_pool::test {

using pooling::core_event;
using pooling::end_reason;
using pooling::key_record;
using pooling::lease_place;
using pooling::return_verdict;
using pooling::slot;
using pooling::slot_action;
using pooling::slot_state;
using pooling::start_verdict;

// An invariant does not hold.
struct violation
{
    std::string what;
};

// What can happen to a pool.
enum class event_kind : std::uint8_t {
    acquire,
    try_acquire,
    await_ready,
    await_closed,
    cancel,
    release,
    detach,
    ready,
    start_failed,
    broken,
    reset_done,
    probe_done,
    measured,
    ended,
    // Any of those about an earlier session of the slot.
    late,
    take_job,
    permit_granted,
    permit_denied,
    tick,
    stall,
    change,
    evict_all,
    start,
    era,
    close,
    abandon,
};
inline constexpr std::size_t event_kinds = 26;
const char* name(event_kind kind);
const char* name(slot_state state);

// How often each kind of event met each state: the slot that it was about, or any slot where it was
// about the whole pool.
using coverage = std::array<std::array<std::uint64_t, pooling::slot_states>, event_kinds>;

struct model_settings
{
    pool_options options;
    std::size_t slots = 1;
    // Isolation keys; the first is no key.
    std::size_t keys = 1;
    bool era_known = true;
    // The driver does at once what the core wants; otherwise when told by take_job().
    bool eager = true;
    // The arbiter grants at once; otherwise when told by answer_permit().
    bool granting = true;
    // The timer fires when it should; otherwise whenever time passes.
    bool punctual = true;
    // Of sessions that become ready while the model heals.
    bool stateless = false;
    std::uint64_t seed = 1;
};

// The session is on its way to another state, without anybody's doing.
inline bool background(slot_state s)
{
    return s == slot_state::starting || s == slot_state::resetting || s == slot_state::probing
        || s == slot_state::stopping;
}

class core_model
{
public:
    static constexpr std::size_t most_keys = 5, most_places = 4;

    // `trace`, if any, gets a line for each event; `met`, if any, is counted up.
    explicit core_model(
        const model_settings& settings, std::ostream* trace = nullptr, coverage* met = nullptr);

    // --- callers; `key` counts from 0, which is none
    void acquire(std::size_t key, duration timeout);
    void try_acquire(std::size_t key);
    void await_ready(std::size_t count, duration timeout);
    void await_closed();
    void cancel(std::size_t waiter);
    // `lag`: how late the coarse clock is.
    void release(std::size_t slot, std::size_t place, return_verdict verdict, duration lag = {});
    void detach(std::size_t slot);
    void change(const pool_options& options);
    void evict_all();
    void start();
    void close(duration deadline);
    void abandon();

    // --- servers: the present session of a slot, whatever its state
    void ready(std::size_t slot, bool stateless);
    void fail(std::size_t slot, start_verdict why);
    void broken(std::size_t slot, bool served);
    void reset_done(std::size_t slot, std::size_t place, bool undone);
    void probe_done(std::size_t slot);
    void measured(std::size_t slot, bool too_much);
    void ended(std::size_t slot, bool killed);
    void late(std::size_t slot, std::uint64_t epoch, unsigned kind);
    void set_era_known(bool known);

    // --- driver
    void take_job();
    void answer_permit(bool granted);
    void pass(duration d);
    // Nothing ran for so long.
    void stall(duration d);

    // Faults end, leases come back, servers answer: whoever waits must be served, in time.
    void heal();
    // Closes while nothing answers and no lease comes back, or while everything does.
    void finish(duration deadline, bool mute);
    // At the end of a run: nobody and nothing is left.
    void account();

    [[nodiscard]] std::size_t slots() const { return slots_.size(); }
    [[nodiscard]] std::size_t places() const { return places_; }
    [[nodiscard]] std::size_t waiters() const { return tickets_.size(); }
    [[nodiscard]] slot_state state(std::size_t i) const { return slots_[i].state; }
    [[nodiscard]] std::uint64_t epoch(std::size_t i) const { return slots_[i].epoch; }
    // Its process has been started and has not ended.
    [[nodiscard]] bool running(std::size_t i) const;
    [[nodiscard]] bool leased(std::size_t i, std::size_t place) const
    {
        return records_[i].places[place].held;
    }
    [[nodiscard]] bool resetting(std::size_t i, std::size_t place) const
    {
        return records_[i].places[place].reset_asked;
    }
    [[nodiscard]] bool waits(std::size_t i) const { return tickets_[i].completed == 0; }
    [[nodiscard]] bool closing() const { return closing_; }
    [[nodiscard]] const pooling::pool_core& core() const { return core_; }
    [[nodiscard]] time_point now() const { return now_; }
    // Calls into the core so far, ticks of the timer not counted.
    [[nodiscard]] std::uint64_t events() const { return events_; }

private:
    static constexpr std::size_t whole_pool = static_cast<std::size_t>(-1);
    static constexpr std::size_t no_key = static_cast<std::size_t>(-1);

    struct ticket : detail::waiter
    {
        std::size_t number = 0, key_index = 0;
        int completed = 0;
        bool cancelled = false;
        // At its turn, while nothing was on its way.
        int passed_over = 0;
    };
    // A lease, or what is left of one.
    struct place_record
    {
        bool held = false, dirty = false, reset_asked = false, overdue = false;
        std::size_t key = 0;
        time_point since{};
    };
    // What happened to the slot's present session, as its process and its lessees saw it.
    struct record
    {
        std::uint64_t epoch = 0, generation = 0;
        bool begun = false, ready = false, broken = false, ended = false, failed = false,
             used_up = false, spent = false, stateless = false, detached = false, fat = false,
             old = false;
        // It was to be replaced, at once or when its replacement is there, when last seen.
        bool recycled = false, due = false;
        // It was to be replaced at once for its age or memory.
        bool worn = false;
        bool needs_probe = false, probe_asked = false;
        // Whose leases it has served.
        std::size_t key = no_key;
        std::uint64_t uses = 0;
        // Rungs of the stop ladder that the driver was told.
        int rungs = 0;
        // Since when it is in this state.
        slot_state state = slot_state::empty;
        time_point since{}, ready_at{}, last_used{}, heard{};
        std::array<place_record, most_places> places{};
    };
    struct key_state
    {
        std::size_t waiting = 0, leases = 0;
        bool eligible = false;
        // Order of turns.
        std::uint64_t turn = 0;
    };
    struct sizes
    {
        std::size_t size = 0, alive = 0, starting = 0, stopping = 0, idle = 0, failures = 0;
        std::uint64_t given_way = 0, created = 0;
        // One more start would fit.
        bool room = false;
        // Nothing is on its way for who waits, and something could be.
        bool stuck = false;
    };
    // A session that may be lent at once, and how well it suits.
    struct choice
    {
        bool certain = false, possible = false;
        int rank = 3;
        time_point last_used{};
    };

    void expect(bool holds, const char* what) const;
    // One line of the trace.
    template <class... Parts>
    void note(const Parts&... parts)
    {
        if (trace_)
            (*trace_ << (now_ - time_point(std::chrono::hours(1))).count() << ' ' << ... << parts)
                << '\n';
    }

    [[nodiscard]] const pool_options& options() const { return core_.options(); }
    [[nodiscard]] std::size_t index(const slot& s) const
    {
        return static_cast<std::size_t>(&s - slots_.data());
    }
    [[nodiscard]] sizes measure() const;
    ticket& ticket_until(duration timeout);
    key_record* record_of(std::size_t key);
    void begin(event_kind kind, std::size_t slot = whole_pool);
    // Ends every event.
    void settle();
    void collect();
    void collect(ticket& t);
    void refused(const ticket& t, bool queued);
    bool take_one();
    void perform(slot& s, slot_action action);
    void take_permits();
    void take_keys();

    // core_model_service.cpp: who is served by what
    [[nodiscard]] bool fits(std::size_t slot, std::size_t key) const;
    [[nodiscard]] bool has_free_place(std::size_t slot) const;
    [[nodiscard]] choice suits(std::size_t slot, std::size_t key) const;
    [[nodiscard]] bool at_limit(std::size_t key) const;
    void update_turn(std::size_t key);
    void leave_queue(ticket& t);
    void judge_order(const ticket& t, bool hit, std::size_t slot);
    void granted(std::size_t key, const lease_place& place);
    // A hit, as the design orders them; `before` is what suits() said of each slot.
    using choices = std::array<choice, 8>;
    choices survey(std::size_t key) const;
    void judge_hit(const lease_place* place, std::size_t key, const choices& before) const;
    void something_is_coming() const;
    void nobody_waits_needlessly() const;

    // core_model_checks.cpp: what must hold after each event
    void observe();
    void observe(std::size_t i);
    void observe_end(std::size_t i, const record& r, const slot& s);
    void observe_age(std::size_t i);
    void observe_replacement(std::size_t i);
    [[nodiscard]] static bool recycled(const slot& s)
    {
        return s.due != end_reason::none || s.doomed != end_reason::none;
    }
    void observe_overdue(const record& r, const slot& s) const;
    void read_events();
    void read_event(const core_event& e);

    void tick();
    [[nodiscard]] bool in_service(std::size_t i) const;
    [[nodiscard]] bool dies_early(std::size_t i, time_point when) const;
    void failed_start(record& r, bool exhausted);
    bool answer_everything();
    bool step(time_point until);

    const model_settings settings_;
    std::ostream* const trace_;
    coverage* const met_;
    const std::size_t places_;
    std::vector<slot> slots_;
    std::vector<std::array<lease_place, most_places>> more_places_;
    std::deque<ticket> tickets_;
    std::array<std::optional<key_record>, most_keys> key_records_;
    pooling::pool_core core_;

    time_point now_{std::chrono::hours(1)};
    // What the core was told; a release has a coarser clock.
    time_point told_{std::chrono::hours(1)};
    std::vector<record> records_;
    std::array<key_state, most_keys> keys_;
    std::uint64_t turns_ = 0;
    // Turns are not followed while options change.
    bool any_turn_ = false;
    // Who waits for a lease, in order; for something else.
    std::vector<ticket*> queue_, others_;
    bool era_known_;
    bool eager_, granting_;
    bool closing_ = false, abandoned_ = false, healing_ = false;
    time_point close_by_ = time_point::max();
    std::uint64_t evictions_ = 0;
    std::size_t permits_wanted_ = 0;
    std::ptrdiff_t permits_out_ = 0;
    sizes before_{};
    std::uint64_t events_ = 0;
    // The last time a session was found to be too old, and how long there is none after it.
    time_point last_old_ = time_point::min();
    duration old_gap_{};
    // The last time any was to be replaced: age may have been the first of several reasons.
    time_point last_recycled_{};
    // For the counters.
    std::uint64_t granted_ = 0, hits_ = 0, timed_out_ = 0, cancelled_ = 0, rejected_ = 0,
                  failed_ = 0, overdue_ = 0, begun_ = 0;
    // The last failed start was for want of something on this host.
    bool short_ = false;
    bool has_failed_ = false;
    // Events of observers: the last one, and by session what there was of each kind.
    std::uint64_t sequence_ = 0;
    std::vector<std::uint16_t> lives_;
};

} // namespace mcp_pool::test
