// The pool as a pure state machine: events and the time come in; leases, failures and work for the
// driver come out. Knows no executor, no clock, no process, no lock.
#pragma once

#include "pool/slot.hpp"

#include <mcp_pool/close_report.hpp>
#include <mcp_pool/detail/waiter.hpp>
#include <mcp_pool/pool_options.hpp>

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>

#include <array>
#include <cstdint>
#include <string>

namespace mcp_pool::pooling {

using detail::waiter;

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
    // This host is short of something; the server is not to blame.
    bool exhausted = false;
};

// Counters; never reset.
struct core_counters
{
    std::uint64_t created = 0, start_failures = 0;
    std::uint64_t granted = 0, reused = 0, hits = 0;
    std::uint64_t timed_out = 0, cancelled = 0, rejected = 0, failed = 0;
    std::uint64_t probes = 0;
    // By end_reason.
    std::array<std::uint64_t, 10> ended{};
};

// Every member but the constructor is called under the pool's mutex, allocates nothing and calls
// nothing. Events about a session carry its epoch; late and duplicate ones change nothing.
//
// Output: after each event the driver empties next_ready() (outcomes to post), next_todo() (work on
// sessions) and take_permit_requests(), and sees to it that tick() is called at next_wake().
class pool_core
{
public:
    // Waiters that one event claims at most, besides those it hands a session to.
    static constexpr std::size_t claims_per_hold = 64;

    pool_core(const pool_options& options, std::uint64_t seed);

    // Gives the core one more empty slot; outlives the core.
    void add_slot(slot& s) noexcept;

    // A free session at once, or null: none is free, somebody waits, or the pool is closing.
    slot* try_acquire(time_point now) noexcept;

    // Puts `w`, with its deadline set, into the queue, or claims it at once with its outcome.
    void acquire(waiter& w, time_point now) noexcept;
    // The same for a waiter for w.count initialised sessions, and for the end of the pool.
    void await_ready(waiter& w, time_point now) noexcept;
    void await_closed(waiter& w, time_point now) noexcept;
    // Claims a waiter that asks for something impossible.
    void refuse(waiter& w, error_code failure) noexcept { claim(w, failure); }
    // Claims a queued waiter with operation_aborted; false if it was not queued.
    bool cancel(waiter& w, time_point now) noexcept;

    // The lease on `s` has ended.
    void release(slot& s, return_verdict verdict, time_point now) noexcept;

    // What becomes of sessions.
    void ready(slot& s, std::uint64_t epoch, time_point now) noexcept;
    void start_failed(slot& s, std::uint64_t epoch, start_verdict why, time_point now) noexcept;
    void broken(slot& s, std::uint64_t epoch, end_reason why, bool served, time_point now) noexcept;
    void reset_done(slot& s, std::uint64_t epoch, time_point now) noexcept;
    void probe_done(slot& s, std::uint64_t epoch, time_point now) noexcept;
    void ended(
        slot& s, std::uint64_t epoch, bool killed, std::size_t survivors, time_point now) noexcept;

    // Answers to take_permit_requests(): one start each. After a denial the core asks again, later.
    void permit_granted(time_point now) noexcept;
    void permit_denied(time_point now) noexcept;

    // Keep min_size sessions from now on.
    void start(time_point now) noexcept;
    // Whether the era of the server is known; while it is not, one start runs alone.
    void set_era_known(bool known, time_point now) noexcept;
    // Precondition: slots for max_size exist.
    void resize(std::size_t min_size, std::size_t max_size, std::size_t max_starting,
        std::size_t max_waiters, time_point now) noexcept;
    void evict_all(time_point now) noexcept;
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
    // none afterwards.
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

    [[nodiscard]] std::size_t count(slot_state state) const noexcept
    {
        return counts_[static_cast<std::size_t>(state)];
    }
    // Slots that are not empty.
    [[nodiscard]] std::size_t size() const noexcept;
    // Sessions that are initialised and not stopping; one that broke in a lease's hands is not.
    [[nodiscard]] std::size_t alive() const noexcept;
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }
    [[nodiscard]] std::size_t leases() const noexcept { return count(slot_state::leased); }
    [[nodiscard]] const core_counters& counters() const noexcept { return counters_; }
    [[nodiscard]] std::size_t max_size() const noexcept { return max_size_; }
    [[nodiscard]] bool closing() const noexcept { return closing_; }
    [[nodiscard]] bool circuit_open() const noexcept { return circuit_open_; }
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
    template <class T, auto Member>
    using list_of = boost::intrusive::list<T, boost::intrusive::constant_time_size<false>,
        boost::intrusive::member_hook<T, boost::intrusive::list_member_hook<detail::plain_link>,
            Member>>;
    template <class T, auto Member, class Order>
    using ordered_by = boost::intrusive::multiset<T, boost::intrusive::constant_time_size<false>,
        boost::intrusive::compare<Order>,
        boost::intrusive::member_hook<T, boost::intrusive::set_member_hook<detail::plain_link>,
            Member>>;

    using waiter_list = list_of<waiter, &waiter::in_queue>;
    using slot_list = list_of<slot, &slot::in_state>;

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
    void grant(slot& s, time_point now) noexcept;
    // Why a session in order is not to be lent again; none if it is.
    [[nodiscard]] end_reason unfit(const slot& s) const noexcept;
    // For a session in order that nobody holds: to the head waiter, to idle, or out.
    void admit(slot& s, time_point now) noexcept;
    void make_available(slot& s, time_point now) noexcept;
    [[nodiscard]] waiter_list& queue_of(const waiter& w) noexcept;

    // slots.cpp: states and events
    // An event about (s, epoch) comes too late to matter.
    [[nodiscard]] static bool late(const slot& s, std::uint64_t epoch) noexcept;
    void enter(slot& s, slot_state next) noexcept;
    void want(slot& s, slot_action action) noexcept;
    void wake_at(slot& s, time_point when) noexcept;
    void unlink_wake(slot& s) noexcept;
    [[nodiscard]] time_point idle_wake(const slot& s) const noexcept;
    [[nodiscard]] time_point probe_due(const slot& s) const noexcept;
    // When s has lived long enough to clear the failures before it; max if there is nothing to clear.
    [[nodiscard]] time_point proof_due(const slot& s) const noexcept;
    void begin_start(slot& s, time_point now) noexcept;
    void begin_probe(slot& s, time_point now) noexcept;
    void retire(slot& s, end_reason why, time_point now) noexcept;
    void break_lease(slot& s, end_reason why, time_point now) noexcept;
    void begin_ladder(slot& s, end_reason why, time_point now) noexcept;
    void climb(slot& s, time_point now) noexcept;
    [[nodiscard]] time_point rung_deadline(stop_rung rung, time_point now) const noexcept;
    // Its session is on the stop ladder, leased or not.
    [[nodiscard]] static bool on_ladder(const slot& s) noexcept;
    void leave(slot& s) noexcept;
    void vacate(slot& s) noexcept;
    void wake(slot& s, time_point now) noexcept;
    void wake_idle(slot& s, time_point now) noexcept;
    // Starts the probes that had to wait for a place.
    void probe_postponed(time_point now) noexcept;

    // demand.cpp: how many starts, and when
    void balance(time_point now) noexcept;
    // How many starts ought to be under way, and are, permits included.
    [[nodiscard]] std::size_t starts_wanted() const noexcept;
    [[nodiscard]] std::size_t starts_planned() const noexcept;
    [[nodiscard]] std::size_t starts_allowed(time_point now) const noexcept;
    void note_failure(start_verdict why, time_point now) noexcept;
    // s has shown that starts work. True if that has cleared the failures.
    bool note_success(slot& s) noexcept;
    [[nodiscard]] bool failing() const noexcept { return failures_ + shortages_ != 0; }
    // What those who wait are told while nothing is alive and no start is tried; success if they
    // may go on waiting.
    [[nodiscard]] error_code refusal(time_point now) const noexcept;
    [[nodiscard]] duration backoff(std::size_t failures) noexcept;
    std::uint64_t random() noexcept;

    // closing.cpp
    void force_leases(time_point now) noexcept;
    void finish_close(time_point now) noexcept;

    // Ends every event: starts what is missing, fails what cannot be, computes next_wake(). At most
    // `batch` waiters are claimed, so that the lock is not held for long.
    void settle(time_point now, std::size_t batch = claims_per_hold) noexcept;

    const pool_options options_;
    std::size_t min_size_, max_size_, max_starting_, max_waiters_;
    bool started_ = false;
    bool era_known_ = false;

    std::array<std::size_t, slot_states> counts_{};
    // Leased and on the stop ladder.
    std::size_t broken_leases_ = 0;
    slot_list empty_;
    // Most recently used first.
    slot_list idle_;
    // All others.
    slot_list busy_;
    list_of<slot, &slot::in_todo> todo_;
    ordered_by<slot, &slot::in_wakes, earlier_wake> wakes_;

    waiter_list queue_, ready_waiters_, close_waiters_;
    // Claimed, to be posted.
    waiter_list ready_;
    ordered_by<waiter, &waiter::in_deadlines, earlier_deadline> deadlines_;
    std::size_t waiting_ = 0;
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

    // Starts in a row that failed by the server's fault, and those for which this host was short of
    // something; the latter say nothing about the server.
    std::size_t failures_ = 0, shortages_ = 0;
    // Before it no start is tried.
    time_point retry_at_ = time_point::min();
    // Failures have been enough: once nothing is alive, whoever waits is refused.
    bool tripped_ = false;
    bool circuit_open_ = false;

    // Idle sessions are due for a probe and wait for a place among the probes.
    bool probe_postponed_ = false;

    bool closing_ = false, closed_ = false, abandoned_ = false, forced_ = false;
    time_point close_begun_{}, force_at_ = time_point::max(), close_deadline_ = time_point::max();
    close_report report_;

    std::uint64_t evictions_ = 0;
    time_point next_wake_ = time_point::max();
    std::uint64_t random_state_;
    core_counters counters_;
};

} // namespace mcp_pool::pooling
