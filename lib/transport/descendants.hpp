// The processes that a server started.
#pragma once

#include "transport/process_table.hpp"

#include <vector>

#include <sys/types.h>

namespace mcp_pool::transport {

// More of them are not looked for: a fork bomb must not take the process thread along.
inline constexpr std::size_t max_descendants = 4096;

// The living descendants of `leader`, found by parent pid, in its process group or not: whoever is in
// the group when it is looked at may be about to leave it. A process whose parent has exited belongs to
// init and is not found.
//
// Errors: throws std::bad_alloc.
std::vector<process_entry> find_descendants(pid_t leader);

// Stops all of `roots` and their descendants, and adds the latter to `roots`. What is stopped can
// start no further process, so that nothing slips away before it is killed.
//
// Errors: throws std::bad_alloc.
void freeze_with_descendants(std::vector<process_entry>& roots);

// The living members of the group that `leader` made. Members keep its number from being used anew.
//
// Errors: throws std::bad_alloc.
std::vector<process_entry> find_group_members(pid_t leader);

// Whether no process, zombies included, is in the group. Costs one system call.
bool is_group_empty(pid_t leader) noexcept;

} // namespace mcp_pool::transport
