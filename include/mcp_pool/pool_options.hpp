// The options of a pool: defaults, overrides, and how they are resolved.
#pragma once

#include <mcp_pool/detail/duration.hpp>

#include <cstddef>
#include <optional>
#include <string>

namespace mcp_pool {

// What happens to a session between two leases. Nothing but `respawn` resets what a server keeps to
// itself (working directory, open documents, history).
enum class reset_policy {
    // Unanswered requests are cancelled, without making sure that the server heeds it. Nothing is
    // undone: log level and subscriptions stay as the lease left them.
    none,
    // What the protocol can undo is undone, within `reset_timeout`: unanswered requests are cancelled,
    // and the session is lent again when they are answered after all or the server has answered what
    // was sent behind them. In the legacy era, which keeps state in the session, resources that the
    // lease subscribed to are unsubscribed from and the log level goes back to "info", which is also
    // what the pool sets in a server that declares `logging` when the session begins. A session that
    // cannot be set back (the server refuses, more than 256 subscriptions) is replaced. A lease that
    // left nothing behind costs nothing.
    protocol,
    // The process ends with the lease.
    respawn,
};

// How many leases may hold one session at a time.
enum class sharing_policy {
    exclusive,
    // Up to `max_leases_per_session`.
    multiplexed,
};

// Who is served next.
enum class queue_policy {
    fifo,
    // Round robin over isolation keys, first in first out within one.
    fair,
};

// How many sessions are kept warm.
enum class scaling_policy {
    // Grows on demand, shrinks by `idle_timeout`.
    fixed,
    // Follows the measured load between `min_size` and `max_size`.
    adaptive,
};

// Where a server's stderr goes. Its tail is kept for error messages in every case but `inherit`.
enum class stderr_policy {
    // Nowhere else.
    ring,
    // Line by line, escaped, to whoever observes the pool; of more than 200 lines at once and 100 a
    // second the rest is counted instead.
    log,
    // The stderr of this process; nothing is kept.
    inherit,
    // Appended to `stderr_file`.
    file,
};

// All options, resolved. Durations are positive or 0; 0 means off or no limit.
struct pool_options
{
    // Most sessions of one server, 1 to 10,000.
    std::size_t max_size = 10;
    // Sessions kept started while nobody asks, 0 to max_size.
    std::size_t min_size = 0;
    // How long an acquire waits when it gives no timeout.
    duration max_wait = std::chrono::seconds(30);
    // Starts under way at the same time.
    std::size_t max_starting = 2;
    // Routine probes under way at the same time; sessions that somebody waits for are asked besides.
    std::size_t max_probing = 1;
    // Above it an acquire is refused at once. 0: no limit.
    std::size_t max_waiters = 0;

    // From the start of a process to an initialised session.
    duration start_timeout = std::chrono::seconds(60);
    // How long the server may think about `server/discover`, from its first byte of output.
    duration era_timeout = std::chrono::seconds(5);
    // How long a learnt legacy era is believed.
    duration era_ttl = std::chrono::hours(24);
    // One request, unless the call says otherwise. 0: no limit.
    duration call_timeout = std::chrono::seconds(60);
    // A peer that reads nothing for this long while we have bytes for it is given up.
    duration write_timeout = std::chrono::seconds(10);

    // Sessions idle for longer are probed. 0: never.
    duration probe_interval = std::chrono::seconds(30);
    duration probe_timeout = std::chrono::seconds(5);
    // An acquire makes sure first of a session that has been silent for longer. 0: never.
    duration validate_after = duration::zero();
    // Idle sessions above min_size end after it. 0: never. With scaling = adaptive, those above what
    // the load asks for end after 30 s at the latest.
    duration idle_timeout = std::chrono::minutes(10);
    // Recycle a session by age (each has up to 10 % less, drawn at its birth; one of them at a time,
    // max_lifetime/size apart), by number of leases, by resident bytes of its process tree, which are
    // looked at between leases, once a second at most. 0: never. The session that replaces it is
    // started first where there is room; the number of sessions stays.
    duration max_lifetime = duration::zero();
    std::size_t max_uses = 0;
    std::size_t max_rss = 0;

    // Failing starts: delay before the second try, its upper bound, consecutive failures after which
    // waiters are refused, and how long a session must live to clear the count.
    duration backoff_initial = std::chrono::milliseconds(100);
    duration backoff_max = std::chrono::seconds(30);
    std::size_t breaker_threshold = 5;
    duration min_uptime = std::chrono::seconds(10);

    // Each step of the stop ladder: close stdin, SIGTERM, SIGKILL.
    duration stop_grace = std::chrono::seconds(2);
    // How long the return of a lease may take before its session is replaced.
    duration reset_timeout = std::chrono::seconds(2);

    reset_policy reset = reset_policy::protocol;
    sharing_policy sharing = sharing_policy::exclusive;
    // With sharing = multiplexed, 1 to 1,000. A server that turns out to speak the legacy era is
    // refused, with invalid_config: such servers keep state between requests, and leases that share
    // one lose each other's updates.
    std::size_t max_leases_per_session = 1;
    // Multiplexes servers of the legacy era too.
    bool force = false;
    // Requests of one session that may be under way at the same time, those that were cancelled or
    // timed out not counted; 0: any number; unset: 1 in the legacy era, 64 in the modern one. Further
    // calls queue in order.
    std::optional<std::size_t> max_requests_in_flight;
    // One process over all pools with the same command and environment.
    bool single_writer = false;
    queue_policy queue = queue_policy::fifo;
    // Shares of one isolation key, with queue = fair; acquires without a key share one. Leases above
    // it wait; waiters above it are refused at once. 0: no limit.
    std::size_t max_leases_per_key = 0;
    std::size_t max_waiters_per_key = 0;
    scaling_policy scaling = scaling_policy::fixed;
    // Report a lease that is held for longer, once, to the observer. 0: never.
    duration overdue_after = duration::zero();

    // A larger message ends the session that sent it, or refuses the request that would be it.
    std::size_t max_message_bytes = std::size_t{64} << 20;
    // Bytes waiting to be written, over the whole pool; above it writers wait.
    std::size_t max_buffered_bytes = std::size_t{256} << 20;
    // Results that servers of the modern era allow to be kept, for as long as they allow it: lists, what
    // is read of resources, `server/discover`. About so many bytes of text over the whole pool; those not
    // used for longest go first. What is `private` is found by leases with the same isolation key, those
    // without one among themselves; what is `public`, by all. 0: every request goes to the server.
    // Source: MCP 2026-07-28, server/utilities/caching.
    std::size_t cache_bytes = std::size_t{4} << 20;
    // How much of each server's stderr is kept.
    std::size_t stderr_tail_bytes = std::size_t{64} << 10;
    stderr_policy stderr = stderr_policy::ring;
    // Where stderr = file. Whole lines of all sessions; at 16 MiB the file is renamed to NAME.1 and
    // begun anew. A relative path counts from the working directory at the making of the pool.
    std::string stderr_file;

    pool_options() = default;
};

// Any subset of the options. The members have the names and meanings of pool_options.
struct pool_overrides
{
    std::optional<std::size_t> max_size, min_size, max_starting, max_probing, max_waiters;
    std::optional<duration> max_wait;
    std::optional<duration> start_timeout, era_timeout, era_ttl, call_timeout, write_timeout;
    std::optional<duration> probe_interval, probe_timeout, validate_after, idle_timeout;
    std::optional<duration> max_lifetime;
    std::optional<std::size_t> max_uses, max_rss;
    std::optional<duration> backoff_initial, backoff_max, min_uptime;
    std::optional<std::size_t> breaker_threshold;
    std::optional<duration> stop_grace, reset_timeout;
    std::optional<reset_policy> reset;
    std::optional<sharing_policy> sharing;
    std::optional<std::size_t> max_leases_per_session, max_requests_in_flight;
    std::optional<bool> force, single_writer;
    std::optional<queue_policy> queue;
    std::optional<std::size_t> max_leases_per_key, max_waiters_per_key;
    std::optional<scaling_policy> scaling;
    std::optional<duration> overdue_after;
    std::optional<std::size_t> max_message_bytes, max_buffered_bytes, cache_bytes;
    std::optional<std::size_t> stderr_tail_bytes;
    std::optional<stderr_policy> stderr;
    std::optional<std::string> stderr_file;

    pool_overrides() = default;

    // Reads the MCP_POOL_* variables of this process. Durations are seconds, fractional.
    //
    // Errors: throws error(errc::invalid_config) for a value that cannot be; the message names the
    // variable, the value and the range.
    static pool_overrides from_environment();
};

// Resolves options: the first of `in_order` that sets a member wins, the built-in default holds
// where none does.
//
// Errors: throws error(errc::invalid_config) for a value outside its range and for values that
// contradict each other; the message names them.
pool_options resolve(std::initializer_list<const pool_overrides*> in_order);

template <class... Overrides>
pool_options resolve(const Overrides&... in_order)
{
    return resolve({static_cast<const pool_overrides*>(&in_order)...});
}

} // namespace mcp_pool
