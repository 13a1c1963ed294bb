// What one run came to.
#pragma once

#include "load/workload.hpp"
#include "support/recorder.hpp"

#include <mcp_pool/close_report.hpp>
#include <mcp_pool/pool_stats.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace mcp_pool::bench {

// How an acquire ended.
enum class acquire_kind {
    // A session was free.
    hit,
    // One that others had used became free.
    waited,
    // One was started meanwhile.
    started,
    // None within the user's patience.
    failed,
};

inline constexpr std::size_t acquire_kinds = 4;
std::string_view to_string(acquire_kind value) noexcept;

// A short try of mode::spawn.
struct spawn_attempt
{
    std::size_t concurrency = 0;
    double calls_per_second = 0;

    spawn_attempt() = default;
};

struct outcome
{
    mode how = mode::pool;
    std::size_t users = 0;
    std::size_t size = 0;
    // From the first acquire to the moment when users were told to stop. `calls` are those answered
    // rightly within; latencies and errors include the calls that were under way then.
    double seconds = 0;
    std::uint64_t calls = 0;
    std::uint64_t errors = 0;
    // What went wrong how often; at most 50 different texts.
    std::map<std::string, std::uint64_t> error_texts;

    // Acquires that gave a session, and all acquires by the way they went.
    recorder acquire;
    std::array<recorder, acquire_kinds> acquire_by_kind;
    recorder call;
    // From the wish to the answer: what a user feels.
    recorder total;
    // From the start of a process to an initialised session.
    percentiles start;

    // Of the pool, at the end of the time.
    pool_stats stats;
    std::uint64_t sessions_started = 0;
    // Turns on a session that had served one before.
    double reuse_rate = 0;
    // Process ids that the answers came from; counted up to 100,000.
    std::set<int> pids;

    double cpu_self = 0, cpu_children = 0;
    // Largest of the samples.
    double rss_self = 0, rss_children = 0;
    // Of mode::spawn: how the concurrency was chosen.
    std::vector<spawn_attempt> attempts;
    close_report closed;

    [[nodiscard]] double calls_per_second() const noexcept
    {
        return seconds > 0 ? static_cast<double>(calls) / seconds : 0;
    }

    void add_error(const std::string& text)
    {
        ++errors;
        if (error_texts.size() < 50 || error_texts.contains(text))
            ++error_texts[text];
    }
};

} // namespace mcp_pool::bench
