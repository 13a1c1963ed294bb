// What the control groups of this process allow, and what the kernel has done in them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_pool::transport {

// Where the files of one of our control groups are.
struct cgroup_place
{
    // Our group, and the topmost one that can be seen from here, an ancestor of it or the same.
    std::string directory;
    std::string top;
    // The unified hierarchy, cgroup v2.
    bool unified = false;

    cgroup_place() = default;
};

// Finds the group that `controller` acts on, in the texts of /proc/self/cgroup and
// /proc/self/mountinfo. Source: cgroups(7), proc(5).
std::optional<cgroup_place> find_cgroup(
    std::string_view controller, std::string_view cgroups, std::string_view mounts);

// The same for this process, as it is now.
std::optional<cgroup_place> own_cgroup(std::string_view controller);

// How many processes the kernel has killed for want of memory, by the text of memory.events (v2) or
// memory.oom_control (v1).
std::optional<std::uint64_t> oom_kills_in(std::string_view text) noexcept;

// The file in which the kernel counts them for our group, looked for once; empty if there is none.
std::string oom_file();
// What it says now. A few microseconds.
std::optional<std::uint64_t> count_oom_kills();

// The most tasks that a group may have, as it and its ancestors allow; none: no limit, or unknown.
std::optional<std::uint64_t> most_tasks(const cgroup_place& place);

// The beginning of a file, up to `at_most` bytes; empty if it cannot be read.
std::string read_text(const std::string& path, std::size_t at_most);

} // namespace mcp_pool::transport
