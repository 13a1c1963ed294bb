// A snapshot of a pool's numbers.
#pragma once

#include <mcp_pool/detail/duration.hpp>

#include <cstdint>
#include <string>

namespace mcp_pool {

// Percentiles of a duration, in milliseconds. Relative error of a value: at most 1/32.
struct percentiles
{
    std::uint64_t count = 0;
    double p50 = 0, p90 = 0, p99 = 0, p999 = 0, max = 0;

    percentiles() = default;
};

// Why sessions were replaced or ended.
struct replaced_counts
{
    // The process exited or closed its output.
    std::uint64_t died = 0;
    // A probe failed or got no answer.
    std::uint64_t probe = 0;
    // The reset after a lease failed or took too long, or the lease asked for a new process.
    std::uint64_t reset = 0;
    // discard() or mark_dirty(dirt::respawn).
    std::uint64_t discarded = 0;
    // The peer broke the protocol or stopped reading.
    std::uint64_t protocol = 0;
    // In order, and not needed any more: the sum of the five below.
    std::uint64_t retired = 0;
    // idle_timeout; max_lifetime, max_uses, max_rss; a lowered max_size.
    std::uint64_t idle = 0, lifetime = 0, uses = 0, memory = 0, surplus = 0;
    // Its place was needed for another isolation key.
    std::uint64_t rekeyed = 0;
    // lease::detach().
    std::uint64_t detached = 0;
    // evict_all().
    std::uint64_t evicted = 0;

    replaced_counts() = default;
};

// Gauges and counters are consistent with each other; percentiles are read a moment later.
struct pool_stats
{
    std::string server_name;

    // Sessions initialised and not stopping; places in them that are free; leases out.
    std::uint64_t pool_size = 0, available = 0, in_use = 0;
    // Sessions that are being started, probed, reset and stopped; waiters; the limit.
    std::uint64_t starting = 0, probing = 0, resetting = 0, stopping = 0;
    std::uint64_t waiting = 0, max_size = 0;

    // Sessions that ever reached initialised; starts that failed.
    std::uint64_t created = 0, start_failures = 0;
    // Leases granted; of those, on a session that had served before; without waiting.
    std::uint64_t total_requests = 0, reused = 0, hits = 0;
    // Acquires that ended otherwise.
    std::uint64_t timed_out = 0, cancelled = 0, rejected = 0, failed = 0;
    // Probes made; leases that left something to undo; leases held for longer than overdue_after.
    std::uint64_t probes = 0, resets = 0, overdue = 0;
    // Requests answered with a result that was kept; see pool_options::cache_bytes.
    std::uint64_t cache_hits = 0;
    // Sessions to keep warm at present, and the load that asks for them, in sessions (0 with
    // scaling = fixed).
    std::uint64_t warm = 0;
    double load = 0;
    replaced_counts replaced;

    percentiles wait, hold, start, call;

    // reused / total_requests; 0 when there was none.
    [[nodiscard]] double reuse_rate() const noexcept
    {
        return total_requests == 0
            ? 0.0
            : static_cast<double>(reused) / static_cast<double>(total_requests);
    }

    pool_stats() = default;
};

} // namespace mcp_pool
