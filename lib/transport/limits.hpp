// Whether this host allows as many sessions as a pool may want.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mcp_pool::transport {

// What one session takes of them: its pipes and its pidfd; the processes and threads of a server that
// is started through a wrapper.
inline constexpr std::uint64_t descriptors_of_a_session = 4;
inline constexpr std::uint64_t tasks_of_a_session = 12;

// Limits of this process; none: there is no limit, or it does not apply.
struct host_limits
{
    // RLIMIT_NOFILE, and how many are open.
    std::optional<std::uint64_t> descriptors;
    std::uint64_t open_descriptors = 0;
    // RLIMIT_NPROC.
    std::optional<std::uint64_t> user_tasks;
    // pids.max of the control group.
    std::optional<std::uint64_t> group_tasks;

    host_limits() = default;
};

// As they are now. Root is not held to RLIMIT_NPROC.
host_limits limits_of_this_process();

// One text for each limit that `max_size` sessions may exceed: the limit, its value, what is needed and
// how to mend it.
std::vector<std::string> limit_warnings(std::size_t max_size, const host_limits& limits);
std::vector<std::string> limit_warnings(std::size_t max_size);

} // namespace mcp_pool::transport
