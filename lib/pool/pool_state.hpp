// The driver around the core: one mutex for the bookkeeping, one strand for everything that starts,
// probes and stops sessions, one timer.
#pragma once

#include "metrics/histogram.hpp"
#include "pool/core.hpp"
#include "pool/light_mutex.hpp"
#include "pool/start_permits.hpp"
#include "session/connection.hpp"
#include "session/server_state.hpp"
#include "session/session_state.hpp"

#include <mcp_pool/detail/acquire_op.hpp>
#include <mcp_pool/pool_events.hpp>
#include <mcp_pool/session_pool.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <array>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace mcp_pool::detail {

class pooled_session;

// A slot of the core and the session in it.
struct pooled_slot : pooling::slot
{
    // `most_leases`: how many may hold its session at the same time.
    explicit pooled_slot(std::size_t most_leases);

    std::shared_ptr<pooled_session> session;
    // Why the session ended, or was not to be had, and which one it was.
    std::shared_ptr<const mcp_pool::diagnostics> failure;
    std::uint64_t failed = 0;

private:
    // The places of a multiplexed session.
    std::unique_ptr<pooling::lease_place[]> several_;
};

// A session that knows its slot.
class pooled_session : public session_state
{
public:
    pooled_session(session_owner& lender, pooled_slot& place_in_pool, std::uint64_t number,
        std::uint64_t slot_epoch)
        : session_state(lender, number, slot_epoch, place_in_pool.place_count)
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
    // The same with an isolation key and a context, which it takes. Throws std::bad_alloc.
    static lease try_acquire(std::shared_ptr<pool_state>& self, acquire_options& options);
    // Takes over an operation that waits for what op->wants says.
    void submit(acquire_op* op);
    void cancel(acquire_op* op) noexcept;

    void start();
    // New values for options that can be changed while the pool runs. Throws invalid_config for
    // others, and for values that cannot be; nothing has changed then.
    void change(const pool_overrides& changes);
    void evict_all();
    void set_observer(std::shared_ptr<pool_observer> observer);
    // Begins to close; await it with waiter::purpose::closed.
    void close(duration deadline);
    [[nodiscard]] pool_options options() const;
    [[nodiscard]] close_report report() const;
    [[nodiscard]] pool_stats stats() const;
    // The pool object or the execution context is being destroyed: waiters fail, everything is killed,
    // nothing is waited for. Detached sessions go on as long as the context lives.
    void abandon(bool context_lives) noexcept;

    // The executor of the pool, or system_executor once its context is gone.
    [[nodiscard]] asio::any_io_executor executor() const;
    [[nodiscard]] const server_state& server() const noexcept { return *server_; }

    // The lease on `grant` keeps its session. Throws error(errc::invalid_config) where that cannot be.
    void detach(grant_record& grant);

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
    void on_measured(session_state& state, std::size_t bytes) override;
    void on_stderr_line(session_state& state, std::string line) override;
    void on_warning(session_state& state, std::string text) override;
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
        std::uint64_t epoch = 0, number = 0;
        // For a reset.
        std::size_t place = 0;
        std::shared_ptr<pooled_session> session;
    };

    // What a failed acquire is told of the pool; copied under the mutex, put into words without it.
    struct census
    {
        std::array<std::size_t, pooling::slot_states> slots{};
        std::size_t size = 0, max_size = 0, waiting = 0, failures = 0;
        std::size_t max_waiters = 0, max_waiters_per_key = 0;
    };

    explicit pool_state(std::shared_ptr<server_state> server);

    lease grant(const locked&, pooling::lease_place& lent, duration waited,
        const std::source_location& place, std::shared_ptr<void>&& context,
        std::shared_ptr<pool_state> self) noexcept;
    // The record of a key, made if there is none. Throws std::bad_alloc.
    [[nodiscard]] pooling::key_record* key_named(locked& lock, const std::string& name);
    [[nodiscard]] lease finish_hit(locked& lock, pooling::lease_place* lent,
        const std::source_location& place, std::shared_ptr<void>&& context,
        std::shared_ptr<pool_state>& self) noexcept;
    // After every event: carries out what it has left to do, which mostly is nothing. Unlocks. By
    // reference: a lock that is moved costs a hit a quarter of its time.
    void settle(locked&& lock) noexcept
    {
        if (core_.has_ready() || core_.has_unused_key() || wants_strand(lock)) [[unlikely]]
            carry_out(std::move(lock));
        else
            lock.unlock();
    }
    // Posts what the core has decided, pokes the strand where there is work for it. Unlocks.
    void carry_out(locked lock) noexcept;
    void poke() noexcept;
    // Keys that nothing refers to any more; they are destroyed without the mutex.
    using key_list = pooling::list_of<pooling::key_record, &pooling::key_record::in_turn>;
    void take_unused_keys(const locked&, key_list& into) noexcept;
    static void destroy(key_list& keys) noexcept;
    // Whether the strand has to be told of something.
    [[nodiscard]] bool wants_strand(const locked&) const noexcept
    {
        return (core_.has_work() || core_.next_wake() < armed_ || !core_.events().empty())
            && !poked_ && has_io_;
    }
    bool deliver(acquire_op& op) noexcept;
    static void end_now(pooled_session& session) noexcept;
    [[nodiscard]] census count(const locked&) const noexcept;
    [[nodiscard]] static std::string describe(const census& c);
    [[nodiscard]] std::shared_ptr<const mcp_pool::diagnostics> explain(const acquire_op& op) const;
    void could_not_start(const job& failed, const char* why) noexcept;
    [[nodiscard]] std::list<pooled_slot> make_slots(std::size_t count) const;
    void add_slots(const locked&, std::list<pooled_slot>&& more) noexcept;
    // Asks for the permits that the core wants and gives back those it does not, without the mutex.
    // False, unlocked: the pool has been abandoned meanwhile.
    bool ask_for_permits(locked& lock, time_point now);
    bool take_job(const locked&, job& next);
    void perform(pool_io& io, job& next) noexcept;
    void start_session(pool_io& io, job& next);
    // Keeps why a session failed, for observers. `details` becomes the former cause, to be destroyed
    // without the mutex.
    static void remember(const locked&, const pooled_session& session,
        std::shared_ptr<const mcp_pool::diagnostics>& details) noexcept;
    [[nodiscard]] bool may_share(const session_state& session) const noexcept;

    // Observers: pool_observing.cpp.
    void make_event_room() noexcept;
    void tell_lifecycle() noexcept;
    void tell_outcome(acquire_op& op) noexcept;
    void warn(std::string text, std::uint64_t session = 0);
    // On the strand: an event that the core does not know of, behind those that it has written down.
    void tell_in_turn(
        pool_event& e, void (pool_observer::*function)(const pool_event&) noexcept) noexcept;
    // Posts f(*this) to the strand; lost where there is none any more. Throws std::bad_alloc.
    template <class F>
    void on_strand(F f);
    [[nodiscard]] pool_event event_of(std::uint64_t sequence) const noexcept
    {
        pool_event e;
        e.sequence = sequence;
        e.server = server_->config.name;
        return e;
    }
    // What is told of every lease.
    [[nodiscard]] pool_event lease_event(std::uint64_t sequence, std::uint64_t session,
        const std::source_location& place) const noexcept
    {
        pool_event e = event_of(sequence);
        e.session = session;
        e.place = place;
        return e;
    }

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
    // The timer was late, and what has come meanwhile is given time to be read.
    bool catching_up_ = false;
    // Who is told of events; null: nobody.
    pool_observer* observer_ = nullptr;
    // It, and those before it, which a call may still be using.
    std::list<std::shared_ptr<pool_observer>> observers_;
    pooling::start_permits permits_;
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
    template <class F>
    void post(F f)
    {
        asio::post(strand_, [weak = pool_, f = std::move(f)] {
            if (const auto pool = weak.lock())
                f(*pool);
        });
    }
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

template <class F>
void pool_state::on_strand(F f)
{
    const std::lock_guard lock(io_mutex_);
    if (io_)
        io_->post(std::move(f));
}

} // namespace mcp_pool::detail
