// The pool's core under any events, beside a naive record of what ought to be true.
//
// Every operation is one event. After it the core's own check() and the invariants of the design,
// written down here once more from the outside, must hold: who is served, once and in order; what a
// session must have gone through before it is lent; how many starts there are; what permits,
// deadlines and the end of the pool come to.
#pragma once

#include "pool/core.hpp"

#include <deque>
#include <ostream>
#include <string>
#include <vector>

namespace mcp_pool::test {

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

struct model_settings
{
    pool_options options;
    std::size_t slots = 1;
    bool era_known = true;
    // The driver does at once what the core wants; otherwise when told by take_job().
    bool eager = true;
    // The arbiter grants at once; otherwise when told by answer_permit().
    bool granting = true;
    // The timer fires when it should; otherwise whenever time passes.
    bool punctual = true;
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
    // `trace`, if any, gets a line for each event.
    explicit core_model(const model_settings& settings, std::ostream* trace = nullptr);

    // --- callers
    void acquire(duration timeout);
    void try_acquire();
    void await_ready(std::size_t count, duration timeout);
    void await_closed();
    void cancel(std::size_t waiter);
    // `lag`: how late the coarse clock is.
    void release(std::size_t slot, return_verdict verdict, duration lag = {});
    void resize(std::size_t min_size, std::size_t max_size, std::size_t max_starting);
    void evict_all();
    void start();
    void close(duration deadline);
    void abandon();

    // --- servers: the present session of a slot, whatever its state
    void ready(std::size_t slot);
    void fail(std::size_t slot, start_verdict why);
    void broken(std::size_t slot, bool served);
    void reset_done(std::size_t slot);
    void probe_done(std::size_t slot);
    void ended(std::size_t slot, bool killed);
    // Any of these about an earlier session of the slot.
    void late(std::size_t slot, std::uint64_t epoch, unsigned kind);
    void set_era_known(bool known);

    // --- driver
    void take_job();
    void answer_permit(bool granted);
    void pass(duration d);

    // Faults end, leases come back, servers answer: whoever waits must be served, in time.
    void heal();
    // Closes while nothing answers and no lease comes back, or while everything does.
    void finish(duration deadline, bool mute);
    // At the end of a run: nobody and nothing is left.
    void account();

    [[nodiscard]] std::size_t slots() const { return slots_.size(); }
    [[nodiscard]] std::size_t waiters() const { return tickets_.size(); }
    [[nodiscard]] slot_state state(std::size_t i) const { return slots_[i].state; }
    [[nodiscard]] std::uint64_t epoch(std::size_t i) const { return slots_[i].epoch; }
    // Its process has been started and has not ended.
    [[nodiscard]] bool running(std::size_t i) const;
    [[nodiscard]] bool leased(std::size_t i) const { return records_[i].holder; }
    [[nodiscard]] bool waits(std::size_t i) const { return tickets_[i].completed == 0; }
    [[nodiscard]] bool permits_open() const { return permits_wanted_ != 0; }
    [[nodiscard]] const pooling::pool_core& core() const { return core_; }
    [[nodiscard]] time_point now() const { return now_; }

private:
    struct ticket : detail::waiter
    {
        std::size_t number = 0;
        int completed = 0;
        bool cancelled = false;
    };
    // What happened to the slot's present session, as its process and its lessees saw it.
    struct record
    {
        std::uint64_t epoch = 0, generation = 0;
        bool begun = false, ready = false, broken = false, ended = false, failed = false,
             used_up = false;
        bool needs_reset = false, needs_probe = false, reset_asked = false, probe_asked = false;
        // Rungs of the stop ladder that the driver was told.
        int rungs = 0;
        // Since when it is in this state.
        slot_state state = slot_state::empty;
        time_point since{};
        bool holder = false;
    };
    struct sizes
    {
        std::size_t size, starting, idle, failures;
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

    [[nodiscard]] sizes measure() const;
    ticket& ticket_until(duration timeout);
    void begin();
    // Ends every event.
    void settle();
    void collect();
    void collect(ticket& t);
    void granted(slot& s);
    void refused(const ticket& t);
    bool take_one();
    void perform(slot& s, slot_action action);
    void take_permits();
    void observe();
    void observe(std::size_t i);
    void tick();
    [[nodiscard]] bool in_service(std::size_t i) const;
    [[nodiscard]] bool dies_early(std::size_t i, time_point when) const;
    void failed_start(record& r, bool exhausted);
    bool answer_everything();
    bool step(time_point until);

    const model_settings settings_;
    std::ostream* const trace_;
    std::deque<slot> slots_;
    std::deque<ticket> tickets_;
    pooling::pool_core core_;

    time_point now_{std::chrono::hours(1)};
    std::vector<record> records_;
    // Who waits for a lease, in order.
    std::deque<ticket*> queue_;
    std::size_t max_size_, max_starting_;
    bool era_known_;
    bool eager_, granting_;
    bool closing_ = false, abandoned_ = false, healing_ = false;
    time_point close_by_ = time_point::max();
    std::uint64_t evictions_ = 0;
    std::size_t permits_wanted_ = 0;
    std::ptrdiff_t permits_out_ = 0;
    sizes before_{};
    // For the counters.
    std::uint64_t granted_ = 0, hits_ = 0, timed_out_ = 0, cancelled_ = 0, rejected_ = 0,
                  failed_ = 0;
    // The last failed start was for want of something on this host.
    bool short_ = false;
    bool has_failed_ = false;
};

} // namespace mcp_pool::test
