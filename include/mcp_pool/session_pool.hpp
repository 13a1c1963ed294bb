// A pool of persistent sessions with one MCP server.
#pragma once

#include <mcp_pool/acquire_options.hpp>
#include <mcp_pool/close_report.hpp>
#include <mcp_pool/detail/acquire_op.hpp>
#include <mcp_pool/detail/from_coroutine.hpp>
#include <mcp_pool/lease.hpp>
#include <mcp_pool/pool_events.hpp>
#include <mcp_pool/pool_stats.hpp>
#include <mcp_pool/server.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace mcp_pool {

namespace detail {
struct transport_source;
}

// The limits that can be changed while the pool runs; unset members stay.
struct pool_limits
{
    std::optional<std::size_t> min_size, max_size, max_starting, max_waiters;

    pool_limits() = default;
};

// A bounded set of started, initialised sessions, each lent to one lease at a time, or to several
// with sharing = multiplexed.
//
// Lifetime: leases, pending operations and awaitables may outlive the pool object. Destruction does
// not wait: waiters fail with pool_closed, processes are killed and reaped in the background. For
// an orderly end, await close() first.
//
// Thread safety: every member may be called from any thread.
class session_pool
{
public:
    // Nothing is started until start() or the first acquire.
    //
    // Parameters: `executor` runs the pool's own work, and handlers that have no executor of their
    // own. It may be a strand or a context with several threads.
    //
    // Errors: throws error(errc::invalid_config) naming the member, the value and what is allowed.
    session_pool(asio::any_io_executor executor, server_config config);
    // The same with sessions from elsewhere, for tests; see testing/scripted_server.hpp.
    session_pool(asio::any_io_executor executor, server_config config,
        std::shared_ptr<detail::transport_source> source);
    session_pool(const session_pool&) = delete;
    session_pool& operator=(const session_pool&) = delete;
    ~session_pool();

    // Leases a session: a free one at once, else the first that becomes free, first come first
    // served.
    //
    // Completion: at once, without a hop, if a session is free.
    //
    // Cancellation: terminal, partial and total; nothing is left behind: a session that was started
    // for this acquire serves another. A signal emitted before the start counts.
    //
    // Errors: throws acquire_timeout, too_many_waiters, pool_closed, circuit_open,
    // resource_exhausted, invalid_config (sharing = multiplexed and a server of the legacy era), and
    // asio::error::operation_aborted.
    //
    // Complexity: constant for a session that is free, and free of heap allocations where the server has
    // no handlers, which have to know who acquires.
    [[nodiscard]] asio::awaitable<lease> acquire(acquire_options options = {});

    // As acquire(), for any completion token; completes with `void(error_code, lease)`, never
    // before it returns.
    template <class Token>
    auto async_acquire(acquire_options options, Token&& token)
    {
        return asio::async_initiate<Token, void(error_code, lease)>(
            detail::initiate_acquire(state_), token, std::move(options));
    }

    // A free session, or an empty lease: never waits, never starts one, never overtakes a waiter with
    // the same isolation key.
    [[nodiscard]] lease try_acquire(acquire_options options = {}) noexcept;

    // Starts `min_size` sessions in the background.
    void start();

    // Starts sessions until `count` are initialised and waits for them: to fail at boot.
    //
    // Errors: throws start_failed with the cause as soon as the breaker opens, resource_exhausted,
    // acquire_timeout, pool_closed; invalid_config if max_size is, or becomes, less than `count`.
    [[nodiscard]] asio::awaitable<void> wait_ready(std::size_t count, duration timeout);

    template <class Token>
    auto async_wait_ready(std::size_t count, duration timeout, Token&& token)
    {
        return detail::from_coroutine<void>(get_executor(),
            detail::wait_ready_factory(state_, count, timeout), std::forward<Token>(token));
    }

    // Ends the pool in order: idle and starting sessions stop at once, waiters fail, leases may
    // finish until max(deadline / 2, deadline − 2·stop_grace), then they are cut off; processes get
    // the stop ladder, compressed so that SIGKILL comes no later than the deadline. A second close
    // joins the first, the earlier deadline wins. A lease held by the caller counts as overdue.
    //
    // Cancellation: gives up the waiting, not the closing.
    [[nodiscard]] asio::awaitable<close_report> close(duration deadline);

    template <class Token>
    auto async_close(duration deadline, Token&& token)
    {
        return detail::from_coroutine<close_report>(
            get_executor(), detail::close_factory(state_, deadline), std::forward<Token>(token));
    }

    // Changes limits. Sessions above a lowered max_size end when they are given back.
    //
    // Errors: throws error(errc::invalid_config) and changes nothing.
    void resize(pool_limits limits);

    // The same for any option that can change while the pool runs: limits and times, but for those
    // of single requests (era_*, call_timeout, write_timeout, max_message_bytes, …) and what is
    // decided by kind (reset, sharing, queue, single_writer, stderr). What a session drew at its birth
    // stays.
    //
    // Errors: throws error(errc::invalid_config) and changes nothing.
    void change_options(const pool_overrides& changes);

    // Replaces every session: idle ones at once, leased ones when they are given back.
    void evict_all();

    // Tells `observer` of everything that happens from now on; null: nobody. It is kept as long as
    // the pool and its leases, even when another takes its place, because a call may be under way.
    void set_observer(std::shared_ptr<pool_observer> observer);

    [[nodiscard]] pool_stats stats() const;
    // As they are now.
    [[nodiscard]] pool_options options() const;
    [[nodiscard]] asio::any_io_executor get_executor() const;

private:
    std::shared_ptr<detail::pool_state> state_;
};

} // namespace mcp_pool
