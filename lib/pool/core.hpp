// The pool as a pure state machine: events and the time come in; leases, failures and work for the
// driver come out. Knows no executor, no clock, no process, no lock.
#pragma once

#include "pool/core_event.hpp"
#include "pool/key.hpp"
#include "pool/load_estimator.hpp"
#include "pool/slot.hpp"

#include <mcp_pool/close_report.hpp>
#include <mcp_pool/detail/waiter.hpp>
#include <mcp_pool/pool_options.hpp>

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace mcp_pool::pooling {

// What a lease says of its session when it ends.
struct return_verdict
{
    // Requests are unanswered, or something has to be undone.
    bool dirty = false;
    // To be probed before it is lent again.
    bool suspect = false;
    // To be replaced.
    bool discard = false;
    // Has answered at least one request.
    bool served = false;
    // Its process has ended, whether or not broken() has told so.
    bool dead = false;
};

// How a start failed.
struct start_verdict
{
    // Trying again cannot help before somebody mends the configuration.
    bool permanent = false;
    // The same, because an option asks for what this server must not be used for.
    bool misconfigured = false;
    // This host is short of something; the server is not to blame.
    bool exhausted = false;
};

// Counters; never reset.
struct core_counters
{
    std::uint64_t created = 0, start_failures = 0;
    std::uint64_t granted = 0, reused = 0, hits = 0;
    std::uint64_t timed_out = 0, cancelled = 0, rejected = 0, failed = 0;
    std::uint64_t probes = 0, resets = 0, overdue = 0;
    // Starts that began; those among them that demand had dropped before are not counted.
    std::uint64_t begun = 0;
    // By end_reason.
    std::array<std::uint64_t, end_reasons> ended{};
};

// Every member but the constructor is called under the pool's mutex, allocates nothing and calls
// nothing. Events about a session carry its epoch; late and duplicate ones change nothing.
//
// Output: after each event the driver empties next_ready() (outcomes to post), next_todo() (work on
// sessions), take_permit_requests() and next_unused_key(), and sees to it that tick() is called at
// next_wake().
class pool_core
{
public:
    // Waiters that one event claims at most, besides those it hands a session to.
    static constexpr std::size_t claims_per_hold = 64;
    // How often waiters with another key may be served before the head of the queue.
    static constexpr std::uint8_t overtakings = 8;
    // A tick that is later than this found the process standing still.
    static constexpr duration stall = std::chrono::milliseconds(250);

    pool_core(const pool_options& options, std::uint64_t seed);

    // Gives the core one more empty slot; outlives the core.
    void add_slot(slot& s) noexcept;

    // The record of an isolation key, or null if the core has none; the empty key always has one.
    [[nodiscard]] key_record* find_key(std::string_view name) noexcept;
    // Gives the core a record, to be used in this very hold of the mutex. Precondition: find_key()
    // finds none.
    void adopt_key(key_record& key) noexcept;
    // A record that nothing refers to any more, for the driver to destroy; null if there is none.
    key_record* next_unused_key() noexcept;

    // A place in a free session at once, or null: none is free for this key, somebody with the same
    // key waits, or the pool is closing. A null key is the empty one.
    lease_place* try_acquire(key_record* key, time_point now) noexcept
    {
        lease_place* const place = &key_of(key) == &no_key_ ? hit(now) : nullptr;
        return place ? place : take_if_free(key_of(key), now);
    }

    // Puts `w`, with its deadline and key set, into the queue, or claims it at once with its outcome.
    void acquire(waiter& w, time_point now) noexcept;
    // The same for a waiter for w.count initialised sessions, and for the end of the pool.
    void await_ready(waiter& w, time_point now) noexcept;
    void await_closed(waiter& w, time_point now) noexcept;
    // Claims a waiter that asks for something impossible.
    void refuse(waiter& w, error_code failure) noexcept { claim(w, failure); }
    // Claims a queued waiter with operation_aborted; false if it was not queued.
    bool cancel(waiter& w, time_point now) noexcept;

    // The lease on `place` has ended; nothing happens if it had before.
    void release(lease_place& place, const return_verdict& verdict, time_point now) noexcept
    {
        if (place.state == lease_place::stage::out && !take_back_clean(place, verdict, now))
            end_lease(place, verdict, now);
    }
    // The lease keeps the session for good, and the pool counts it no more. False if that cannot be:
    // the session is broken, multiplexed, or detached already. The slot comes back, empty, some time
    // after the release.
    bool detach(slot& s, time_point now) noexcept;

    // What becomes of sessions. `stateless`: keeps nothing between requests.
    void ready(slot& s, std::uint64_t epoch, bool stateless, time_point now) noexcept;
    void start_failed(slot& s, std::uint64_t epoch, start_verdict why, time_point now) noexcept;
    void broken(slot& s, std::uint64_t epoch, end_reason why, bool served, time_point now) noexcept;
    // `undone`: nothing of the lease is left; otherwise the session is replaced.
    void reset_done(
        slot& s, std::uint64_t epoch, std::size_t place, bool undone, time_point now) noexcept;
    void probe_done(slot& s, std::uint64_t epoch, time_point now) noexcept;
    // Resident memory of its process tree.
    void measured(slot& s, std::uint64_t epoch, std::size_t bytes, time_point now) noexcept;
    void ended(
        slot& s, std::uint64_t epoch, bool killed, std::size_t survivors, time_point now) noexcept;

    // Answers to take_permit_requests(): one start each. After a denial the core asks again, later.
    void permit_granted(time_point now) noexcept;
    void permit_denied(time_point now) noexcept;

    // Keep min_size sessions from now on.
    void start(time_point now) noexcept;
    // Whether the era of the server is known; while it is not, one start runs alone.
    void set_era_known(bool known, time_point now) noexcept;
    // New options from now on; what is decided by kind (reset, sharing, queue) stays as it was.
    // Precondition: slots for max_size exist.
    void change(const pool_options& options, time_point now) noexcept;
    void evict_all(time_point now) noexcept;
    // The process stood still for `late`: what came meanwhile has not been read.
    void stalled(duration late, time_point now) noexcept;
    // Ends by `deadline`; a later call can only move it forward.
    void close(time_point deadline, time_point now) noexcept;
    // The driver is gone: every waiter is claimed with pool_closed at once, however many there are;
    // nothing is started or stopped any more.
    void abandon() noexcept;
    // Does what is due at `now`. True if there is more to do at once: at most `batch` waiters
    // expire in one call, so that the lock is not held for long.
    bool tick(time_point now, std::size_t batch = claims_per_hold) noexcept;

    // The next outcome to post, unlinked; null if there is none.
    waiter* next_ready() noexcept;
    // Puts an outcome back that could not be posted.
    void put_back(waiter& w) noexcept;
    // The next slot with work, unlinked, and its work; null if there is none. The slot's todo is
    // none afterwards, unless several of its places are to be reset.
    slot* next_todo(slot_action& action) noexcept;
    // Permits to ask for, and permits that are not needed any more, since the last call.
    std::size_t take_permit_requests() noexcept;
    std::size_t take_permit_returns() noexcept;
    // When tick() must be called at the latest.
    [[nodiscard]] time_point next_wake() const noexcept { return next_wake_; }
    [[nodiscard]] bool has_ready() const noexcept { return !ready_.empty(); }
    [[nodiscard]] bool has_work() const noexcept
    {
        return !todo_.empty() || permit_requests_ != 0 || permit_returns_ != 0;
    }
    // Sessions that leases have taken along and that still hold a slot.
    [[nodiscard]] std::size_t detached() const noexcept { return outside_; }
    [[nodiscard]] bool has_unused_key() const noexcept { return !unused_keys_.empty(); }
    // For observers.
    [[nodiscard]] event_log& events() noexcept { return events_; }
    [[nodiscard]] const event_log& events() const noexcept { return events_; }

    [[nodiscard]] std::size_t count(slot_state state) const noexcept
    {
        return counts_[static_cast<std::size_t>(state)];
    }
    // Slots that are not empty, but for detached sessions.
    [[nodiscard]] std::size_t size() const noexcept;
    // Sessions that are initialised and not stopping; one that broke in a lease's hands is not.
    [[nodiscard]] std::size_t alive() const noexcept;
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }
    // Leases out, without those of detached sessions.
    [[nodiscard]] std::size_t leases() const noexcept { return leases_; }
    // Free places in sessions that can be lent.
    [[nodiscard]] std::size_t available() const noexcept;
    [[nodiscard]] const core_counters& counters() const noexcept { return counters_; }
    [[nodiscard]] const pool_options& options() const noexcept { return options_; }
    [[nodiscard]] std::size_t max_size() const noexcept { return options_.max_size; }
    [[nodiscard]] bool closing() const noexcept { return closing_; }
    [[nodiscard]] bool circuit_open() const noexcept { return circuit_open_; }
    // Sessions to keep warm at present.
    [[nodiscard]] std::size_t floor() const noexcept;
    [[nodiscard]] double load() const noexcept { return load_.load(); }
    // Starts in a row that failed, by the server's fault or for want of something on this host.
    [[nodiscard]] std::size_t consecutive_failures() const noexcept
    {
        return failures_ + shortages_;
    }
    [[nodiscard]] const close_report& report() const noexcept { return report_; }

    // The invariants of the design that hold after every event; empty if they do, else what is
    // wrong. For tests: takes time proportional to the number of slots and waiters.
    [[nodiscard]] std::string check(time_point now) const;

private:
    [[nodiscard]] std::string check(const slot& s, time_point now) const;
    [[nodiscard]] std::string check_queue() const;
    [[nodiscard]] std::string check_counts() const;
    [[nodiscard]] std::string check_demand(time_point now) const;

    struct earlier_deadline
    {
        bool operator()(const waiter& a, const waiter& b) const noexcept
        {
            return a.deadline < b.deadline;
        }
    };
    struct earlier_wake
    {
        bool operator()(const slot& a, const slot& b) const noexcept { return a.wake < b.wake; }
    };
    // Fewest leases first, then the most recently used.
    struct less_loaded
    {
        bool operator()(const slot& a, const slot& b) const noexcept
        {
            return a.leases != b.leases ? a.leases < b.leases : a.last_used > b.last_used;
        }
    };
    struct by_name
    {
        using type = std::string_view;
        type operator()(const key_record& k) const noexcept { return k.name; }
    };
    template <class T, auto Member, class... Options>
    using ordered_by = boost::intrusive::multiset<T, boost::intrusive::constant_time_size<false>,
        boost::intrusive::member_hook<T, boost::intrusive::set_member_hook<detail::plain_link>,
            Member>,
        Options...>;

    using waiter_list = list_of<waiter, &waiter::in_queue>;
    using slot_list = list_of<slot, &slot::in_state>;
    using group_list = list_of<slot, &slot::in_group>;
    using key_list = list_of<key_record, &key_record::in_turn>;

    // core.cpp: leases and waiters
    void enqueue(waiter& w, waiter_list& queue) noexcept;
    void unlink(waiter& w) noexcept;
    void claim(waiter& w, error_code failure) noexcept;
    // Fails everybody who waits for a lease now, a batch at a time.
    void fail_all_waiting(error_code failure) noexcept;
    // These claim who is due, at most `batch` waiters, of which they subtract; false while some are
    // left.
    bool drain(std::size_t& batch) noexcept;
    bool answer_ready_waiters(error_code refused, std::size_t& batch) noexcept;
    bool answer_close_waiters(std::size_t& batch) noexcept;
    [[nodiscard]] waiter_list& queue_of(const waiter& w) noexcept;

    // lending.cpp: which session for whom
    // try_acquire() and release(), whatever there is to look at.
    lease_place* take_if_free(key_record& key, time_point now) noexcept;
    void end_lease(lease_place& p, const return_verdict& verdict, time_point now) noexcept;
    // As try_acquire(), for a key that may be served. `changed`: some sessions turned out to be too
    // old, or silent for too long, and go another way: settle() has to follow.
    lease_place* take(key_record& key, time_point now, bool& changed) noexcept;
    slot* candidate(key_record& key, time_point now, bool& changed) noexcept;
    [[nodiscard]] slot* open_session(key_record& key, time_point now, bool& changed) noexcept;
    lease_place& grant(slot& s, key_record& key, time_point now) noexcept;
    void serve(waiter& w, slot& s, time_point now) noexcept;
    // Ends the lease on a place; the session is dealt with by the caller.
    void vacate_place(lease_place& p) noexcept;
    // The session of a place whose lease has ended. True if nothing but that has changed.
    bool take_back(slot& s, lease_place& p, bool dirty, time_point now) noexcept;
    // Has its memory measured, now and then.
    void look_at_memory(slot& s, time_point now) noexcept;
    // A lease of the key has ended, which leaves room for another in its share.
    void serve_from_idle(key_record& key, time_point now) noexcept;
    // Whose turn it is for a place of `s`. Null: nobody's. `respawn`: the session has to end for the
    // one whose turn it is.
    [[nodiscard]] waiter* choose(slot& s, time_point now, bool& respawn) noexcept;
    // Somebody is to be served by `s`, which does not fit `first`, whose turn it is: false if that has
    // happened too often.
    [[nodiscard]] bool may_overtake(waiter& first, time_point now) noexcept;
    // A session for whoever is first is on its way, or none can be: ending another would not help.
    [[nodiscard]] bool served_soon(time_point now) const noexcept;
    // The session ends for whoever is first.
    void give_way(slot& s, time_point now) noexcept;
    // Who is served next by a session that fits everybody; null if nobody may be.
    [[nodiscard]] waiter* head() noexcept;
    // May be lent as far as the pool is concerned: none, else why not.
    [[nodiscard]] end_reason unfit(const slot& s) const noexcept;
    // The same, and the session itself says nothing against it.
    [[nodiscard]] bool lendable(const slot& s) const noexcept;
    [[nodiscard]] static bool fits(const slot& s, const key_record& key) noexcept
    {
        return s.stateless || !s.key || s.key == &key;
    }
    [[nodiscard]] bool stale(const slot& s, time_point now) const noexcept;
    // For a session in order that nobody holds: to whoever waits, to idle, or out.
    void admit(slot& s, time_point now) noexcept;
    void make_available(slot& s, time_point now) noexcept;
    // For a session that some hold: free places to whoever waits.
    void lend_more(slot& s, time_point now) noexcept;
    // The same for all of them, because what lendable() goes by has changed.
    void offer_places(time_point now) noexcept;
    [[nodiscard]] group_list& group_of(const slot& s) noexcept
    {
        return s.stateless || !s.key ? unbound_ : s.key->idle;
    }
    // After anything has changed that open_ goes by.
    void update_open(slot& s) noexcept;

    // keys.cpp
    [[nodiscard]] key_record& key_of(key_record* key) noexcept { return key ? *key : no_key_; }
    void hold(key_record& key) noexcept { ++key.references; }
    void drop(key_record& key) noexcept;
    void bind(slot& s, key_record& key) noexcept;
    void unbind(slot& s) noexcept;
    [[nodiscard]] bool fair() const noexcept { return options_.queue == queue_policy::fair; }
    [[nodiscard]] bool at_limit(const key_record& key) const noexcept
    {
        return fair() && options_.max_leases_per_key != 0
            && key.leases >= options_.max_leases_per_key;
    }
    // After its waiters or leases have changed: its place in the round.
    void update_turn(key_record& key) noexcept;
    // The same for the waiters of a key that its own sessions will serve soon.
    void update_provided(key_record& key) noexcept;
    // It has had its turn.
    void end_turn(key_record& key) noexcept;

    // slots.cpp: states and events
    // An event about (s, epoch) comes too late to matter.
    [[nodiscard]] static bool late(const slot& s, std::uint64_t epoch) noexcept;
    void enter(slot& s, slot_state next) noexcept;
    void set_promising(slot& s, bool promising) noexcept;
    // When a promising session is not to be counted on any more.
    [[nodiscard]] time_point slow_at(const slot& s) const noexcept;
    void want(slot& s, slot_action action) noexcept;
    void wake_at(slot& s, time_point when) noexcept;
    void unlink_wake(slot& s) noexcept;
    void begin_start(slot& s, time_point now) noexcept;
    void begin_probe(slot& s, time_point now) noexcept;
    void begin_reset(lease_place& p, time_point now) noexcept;
    void wake(slot& s, time_point now) noexcept;
    void wake_idle(slot& s, time_point now) noexcept;
    void wake_leased(slot& s, time_point now) noexcept;
    void report_overdue(slot& s, time_point now) noexcept;
    // By when the first of its resets must be done.
    [[nodiscard]] static time_point reset_deadline(const slot& s) noexcept;
    void give_up_resets(slot& s) noexcept;
    void probe_failed(slot& s, time_point now) noexcept;
    // Starts the probes that had to wait for a place.
    void probe_postponed(time_point now) noexcept;
    void note(core_event::kind what, const slot* s, duration took = duration::zero()) noexcept;

    // ending.cpp: out of service, and down the stop ladder
    void retire(slot& s, end_reason why, time_point now) noexcept;
    void break_lease(slot& s, end_reason why, time_point now) noexcept;
    void begin_ladder(slot& s, end_reason why, time_point now) noexcept;
    void climb(slot& s, time_point now) noexcept;
    [[nodiscard]] time_point rung_deadline(const slot& s, time_point now) const noexcept;
    // Its session is on the stop ladder, leased or not.
    [[nodiscard]] static bool on_ladder(const slot& s) noexcept;
    void leave(slot& s) noexcept;
    void vacate(slot& s) noexcept;

    // recycling.cpp: who is due for what, and when
    [[nodiscard]] time_point probe_due(const slot& s) const noexcept;
    [[nodiscard]] time_point idle_due(const slot& s) const noexcept;
    [[nodiscard]] time_point lifetime_due(const slot& s) const noexcept;
    [[nodiscard]] time_point overdue_at(const slot& s) const noexcept;
    // When s has lived long enough to clear the failures before it; max if there is nothing to clear.
    [[nodiscard]] time_point proof_due(const slot& s) const noexcept;
    [[nodiscard]] time_point idle_wake(const slot& s) const noexcept;
    [[nodiscard]] time_point leased_wake(const slot& s) const noexcept;
    [[nodiscard]] std::size_t most_uses() const noexcept;
    // Recycles s if its time has come. False if it is not in service any more.
    bool recycle_if_due(slot& s, time_point now) noexcept;
    // From one retirement for age to the next.
    [[nodiscard]] duration retirement_gap() const noexcept;
    // Has it replaced, by a session that is started before where there is room.
    void recycle(slot& s, end_reason why) noexcept;
    // It is retired as soon as nobody holds it.
    void doom(slot& s, end_reason why) noexcept;
    // A session has become ready, or none will: those that waited for it go.
    void dismiss_due(std::size_t most, time_point now) noexcept;
    void no_longer_due(slot& s) noexcept;

    // demand.cpp: how many starts, and when
    void balance(time_point now) noexcept;
    // How many starts ought to be under way, and are, permits included.
    [[nodiscard]] std::size_t starts_wanted() const noexcept;
    [[nodiscard]] std::size_t starts_planned() const noexcept;
    [[nodiscard]] std::size_t starts_allowed(time_point now) const noexcept;
    // Waiters that no session which is about to be free will serve.
    [[nodiscard]] std::size_t unprovided() const noexcept;
    [[nodiscard]] std::size_t starts_for_waiters() const noexcept;
    // How many may be under way at the same time.
    [[nodiscard]] std::size_t starts_at_once() const noexcept;
    // Places of the pool that are taken, or promised to a start.
    [[nodiscard]] std::size_t taken() const noexcept
    {
        return size() + permits_pending_ + permit_requests_;
    }
    // How many more starts there is room for. Detached sessions keep their slots.
    [[nodiscard]] std::size_t room() const noexcept;
    // There is none, and none is about to come.
    [[nodiscard]] bool full() const noexcept
    {
        const std::size_t ending = count(slot_state::stopping);
        return room() == 0 && (ending == 0 || taken() >= options_.max_size + ending);
    }
    // Every session is lent and no start is possible or under way: settle() decides the same however
    // many wait, and need not be asked when one more does or one less.
    [[nodiscard]] bool only_waiting_helps() const noexcept;
    [[nodiscard]] std::size_t places_per_session() const noexcept
    {
        if (options_.sharing == sharing_policy::exclusive)
            return 1;
        const std::size_t uses = options_.max_uses == 0 ? options_.max_leases_per_session
                                                        : options_.max_uses;
        return std::min(options_.max_leases_per_session, uses);
    }
    // Sessions of other keys that have to end for those who wait.
    void make_room(time_point now) noexcept;
    void validate_for_waiters(time_point now) noexcept;
    void follow_load(time_point now) noexcept;
    void note_failure(start_verdict why, time_point now) noexcept;
    // s has shown that starts work. True if that has cleared the failures.
    bool note_success(slot& s) noexcept;
    [[nodiscard]] bool failing() const noexcept { return failures_ + shortages_ != 0; }
    // What those who wait are told while nothing is alive and no start is tried; success if they
    // may go on waiting.
    [[nodiscard]] error_code refusal(time_point now) const noexcept;
    [[nodiscard]] duration backoff(std::size_t failures) noexcept;
    std::uint64_t random() noexcept;

    // hit.cpp: the common case
    // take_if_free() for the empty key where there is nothing else to look at; null, and nothing has
    // changed, if there is.
    lease_place* hit(time_point now) noexcept;
    // The same for end_lease().
    bool take_back_clean(lease_place& p, const return_verdict& verdict, time_point now) noexcept;
    // After the options have changed.
    void recognise_common_case() noexcept;

    // closing.cpp
    void force_leases(time_point now) noexcept;
    void finish_close(time_point now) noexcept;

    // Ends every event: starts what is missing, fails what cannot be, computes next_wake(). At most
    // `batch` waiters are claimed, so that the lock is not held for long.
    void settle(time_point now, std::size_t batch = claims_per_hold) noexcept;

    // Lifetimes and probe intervals vary by this share, so that sessions born together do not come
    // due together.
    static constexpr int jitter_share = 10;

    pool_options options_;
    // What hit.cpp goes by.
    struct common_case
    {
        // None of the options asks for more than that a session is free.
        bool options = false;
        // An idle session need not be looked at before it has not been used for so long.
        duration rest{};
    };
    common_case common_;
    bool started_ = false;
    bool era_known_ = false;

    std::array<std::size_t, slot_states> counts_{};
    std::size_t leases_ = 0;
    // Leased, and broken or detached.
    std::size_t lost_leases_ = 0;
    // Detached, leased or stopping.
    std::size_t outside_ = 0;
    // Of partly lent sessions.
    std::size_t open_places_ = 0;
    // More sessions are alive than max_size, which was lowered.
    bool above_max_ = false;
    std::uint64_t last_session_ = 0;
    slot_list empty_;
    // Most recently used first.
    slot_list idle_;
    // All others.
    slot_list busy_;
    // Idle and free for every key.
    group_list unbound_;
    ordered_by<slot, &slot::in_open, boost::intrusive::compare<less_loaded>> open_;
    list_of<slot, &slot::in_todo> todo_;
    ordered_by<slot, &slot::in_wakes, boost::intrusive::compare<earlier_wake>> wakes_;

    key_record no_key_{std::string()};
    ordered_by<key_record, &key_record::in_table, boost::intrusive::key_of_value<by_name>> keys_;
    key_list unused_keys_;
    // queue = fair: keys with eligible waiters, in order of their turns.
    key_list round_;

    waiter_list queue_, ready_waiters_, close_waiters_;
    // Claimed, to be posted.
    waiter_list ready_;
    ordered_by<waiter, &waiter::in_deadlines, boost::intrusive::compare<earlier_deadline>>
        deadlines_;
    std::size_t waiting_ = 0;
    // Of those, how many may be served now.
    std::size_t eligible_ = 0;
    std::uint64_t last_ticket_ = 0;
    // Waiters up to this ticket fail with this code.
    std::uint64_t drain_ticket_ = 0;
    error_code drain_failure_;
    // Largest count that a ready waiter asks for.
    std::size_t ready_floor_ = 0;

    // Permits asked for and not answered; to be asked for; to be given back.
    std::size_t permits_pending_ = 0, permit_requests_ = 0, permit_returns_ = 0;
    // After a denial: when to ask again.
    time_point ask_again_at_ = time_point::min();

    // Starts that replace what is recycled; how many sessions wait for theirs.
    std::size_t owed_ = 0, due_ = 0;
    // No session is retired for its age before.
    time_point next_retirement_ = time_point::min();

    // Starts in a row that failed by the server's fault, and those for which this host was short of
    // something; the latter say nothing about the server.
    std::size_t failures_ = 0, shortages_ = 0;
    // Before it no start is tried.
    time_point retry_at_ = time_point::min();
    // Failures have been enough: once nothing is alive, whoever waits is refused.
    bool tripped_ = false;
    // The last failure was start_verdict::misconfigured.
    bool misconfigured_ = false;
    bool circuit_open_ = false;

    // Idle sessions are due for a probe and wait for a place among the probes.
    bool probe_postponed_ = false;
    // Sessions of no key that are about to be free; waiters that sessions of their key will serve.
    std::size_t unbound_promising_ = 0, provided_ = 0;
    // Probes of the present window that were answered and that were not.
    std::size_t probes_good_ = 0, probes_bad_ = 0;
    time_point probe_window_ends_ = time_point::min();
    // While more fail than are answered, no session is replaced for it before.
    time_point next_probe_loss_ = time_point::min();

    load_estimator load_;
    // What scaling = adaptive wants kept warm.
    std::size_t warm_ = 0;

    bool closing_ = false, closed_ = false, abandoned_ = false, forced_ = false;
    time_point close_begun_{}, force_at_ = time_point::max(), close_deadline_ = time_point::max();
    close_report report_;

    std::uint64_t evictions_ = 0;
    time_point next_wake_ = time_point::max();
    std::uint64_t random_state_;
    core_counters counters_;
    event_log events_;
};

} // namespace mcp_pool::pooling
