// The driver around the core: one mutex for the bookkeeping, one strand for everything that starts,
// probes and stops sessions, one timer.
#pragma once

#include "metrics/histogram.hpp"
#include "pool/core.hpp"
#include "pool/light_mutex.hpp"
#include "session/connection.hpp"
#include "session/server_state.hpp"
#include "session/session_state.hpp"

#include <mcp_pool/detail/acquire_op.hpp>
#include <mcp_pool/session_pool.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <array>
#include <list>
#include <memory>
#include <mutex>

namespace mcp_pool::detail {

class pooled_session;

// A slot of the core and the session in it.
struct pooled_slot : pooling::slot
{
    // `most_leases`: how many may hold its session at the same time.
    explicit pooled_slot(std::size_t most_leases);

    std::shared_ptr<pooled_session> session;

private:
    // The places of a multiplexed session.
    std::unique_ptr<pooling::lease_place[]> several_;
};

// A session that knows its slot.
class pooled_session : public session_state
{
public:
    pooled_session(session_owner& lender, pooled_slot& place_in_pool, std::uint64_t slot_epoch)
        : session_state(lender, 0, slot_epoch, place_in_pool.place_count)
        , where(place_in_pool)
    {}

    pooled_slot& where;
    // The pool has taken notice of the end of its process; under the pool's mutex.
    bool end_noticed = false;
};

// Called at each grant, for tests: the session, and whether its end had been noticed before.
using grant_hook = void (*)(const session_state& granted, bool end_noticed);

class pool_io;

// What a pool and its leases share. Lives as long as any of them; without I/O once the pool object
// or the execution context is gone.
//
// Thread safety: every public member from any thread. Lock order: the mutex, then nothing.
class pool_state final : public session_owner,
                         public connection_events,
                         public std::enable_shared_from_this<pool_state>
{
public:
    static std::shared_ptr<pool_state> make(
        asio::any_io_executor executor, std::shared_ptr<server_state> server);
    ~pool_state();

    // A free session, whose lease takes `self` over, or an empty lease. `self` owns *this; `place`
    // is where it was acquired.
    static lease try_acquire(
        std::shared_ptr<pool_state>& self, const std::source_location& place) noexcept;
    // Takes over an operation that waits for what op->wants says.
    void submit(acquire_op* op);
    void cancel(acquire_op* op) noexcept;

    void start();
    // New values for options that can be changed while the pool runs. Throws invalid_config for
    // others, and for values that cannot be; nothing has changed then.
    void change(const pool_overrides& changes);
    void evict_all();
    // Begins to close; await it with waiter::purpose::closed.
    void close(duration deadline);
    [[nodiscard]] close_report report() const;
    [[nodiscard]] pool_stats stats() const;
    // The pool object or the execution context is being destroyed: waiters fail, everything is killed,
    // nothing is waited for.
    void abandon() noexcept;

    // The executor of the pool, or system_executor once its context is gone.
    [[nodiscard]] asio::any_io_executor executor() const;
    [[nodiscard]] const server_state& server() const noexcept { return *server_; }

    // session_owner
    void give_back(grant_record& grant) noexcept override;

    // connection_events
    void on_ready(session_state& state) override;
    void on_failed(session_state& state, failed_start why) override;
    void on_broken(session_state& state, broken_cause cause,
        std::shared_ptr<const mcp_pool::diagnostics> details) override;
    void on_reset_done(session_state& state, std::size_t grant) override;
    void on_reset_failed(session_state& state, std::size_t grant,
        std::shared_ptr<const mcp_pool::diagnostics> details) override;
    void on_probe_done(session_state& state) override;
    void on_measured(session_state&, std::size_t) override {}
    void on_stderr_line(session_state&, std::string) override {}
    void on_ended(session_state& state, const transport::end_report& report) override;

    // The pool strand's turn: what is due and what the core wants done.
    void run(pool_io& io, bool timer_fired);

    std::atomic<grant_hook> on_grant{nullptr};

private:
    friend class pool_io;
    // Only the lock makes one; functions that need the mutex ask for it.
    using locked = std::unique_lock<light_mutex>;

    // Work on one session, taken from the core under the mutex and done without it.
    struct job
    {
        pooling::slot_action action = pooling::slot_action::none;
        transport::stop_step step = transport::stop_step::close_input;
        pooling::end_reason reason = pooling::end_reason::none;
        pooled_slot* slot = nullptr;
        std::uint64_t epoch = 0;
        // For a reset.
        std::size_t place = 0;
        std::shared_ptr<pooled_session> session;
    };

    // What a failed acquire is told of the pool; copied under the mutex, put into words without it.
    struct census
    {
        std::array<std::size_t, pooling::slot_states> slots{};
        std::size_t size = 0, max_size = 0, waiting = 0, failures = 0, max_waiters = 0;
    };

    explicit pool_state(std::shared_ptr<server_state> server);

    lease grant(const locked&, pooling::lease_place& lent, duration waited,
        const std::source_location& place, std::shared_ptr<pool_state> self) noexcept;
    // Posts what the core has decided, pokes the strand where there is work for it. Unlocks.
    void settle(locked lock) noexcept;
    void poke() noexcept;
    // Whether the strand has to be told of something.
    [[nodiscard]] bool wants_strand(const locked&) const noexcept;
    bool deliver(acquire_op& op) noexcept;
    [[nodiscard]] census count(const locked&) const noexcept;
    [[nodiscard]] static std::string describe(const census& c);
    [[nodiscard]] std::shared_ptr<const mcp_pool::diagnostics> explain(const acquire_op& op) const;
    void could_not_start(const job& failed, const char* why) noexcept;
    [[nodiscard]] std::list<pooled_slot> make_slots(std::size_t count) const;
    void add_slots(const locked&, std::list<pooled_slot>&& more) noexcept;
    bool take_job(const locked&, job& next);
    void perform(pool_io& io, job& next) noexcept;
    void start_session(pool_io& io, job& next);

    const std::shared_ptr<server_state> server_;

    mutable light_mutex mutex_;
    // Before the core, which links them.
    std::list<pooled_slot> slots_;
    pooling::pool_core core_;
    // False once the pool or its context has ended.
    bool has_io_ = true;
    // run() has been posted and has not begun.
    bool poked_ = false;
    // When the timer fires.
    time_point armed_ = time_point::max();
    // The most recent failed start.
    std::shared_ptr<const mcp_pool::diagnostics> last_failure_;

    metrics::histogram wait_times_, hold_times_, start_times_;

    // Held for a post to the strand, never together with mutex_: abandon() waits for a post under way,
    // so that none reaches a context that has ended.
    mutable std::mutex io_mutex_;
    // Null once the pool or its context has ended.
    std::shared_ptr<pool_io> io_;
};

// The part of a pool that does I/O and must not outlive the execution context.
class pool_io : public std::enable_shared_from_this<pool_io>
{
public:
    pool_io(asio::any_io_executor ex, std::weak_ptr<pool_state> pool);

    // Posts run() to the strand.
    void poke();
    // On the strand: has run() called at `when`.
    void arm(time_point when);

    const asio::any_io_executor executor;

private:
    void run(bool timer_fired);

    asio::strand<asio::any_io_executor> strand_;
    asio::steady_timer timer_;
    std::weak_ptr<pool_state> pool_;
    // Distinguishes the present wait from cancelled ones whose handler is on its way.
    std::uint64_t wait_ = 0;
};

} // namespace mcp_pool::detail
