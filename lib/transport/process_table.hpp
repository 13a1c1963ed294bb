// What /proc knows about processes.
#pragma once

#include <optional>
#include <vector>

#include <sys/types.h>

namespace mcp_pool::transport {

// One process at one moment. Pid and start time together name a process for ever.
struct process_entry
{
    pid_t pid = 0;
    pid_t parent = 0;
    pid_t group = 0;
    pid_t session = 0;
    // Of proc(5): 'Z' is a zombie, 'X' gone.
    char state = 'X';
    // Clock ticks after boot.
    unsigned long long started = 0;

    process_entry() = default;

    [[nodiscard]] bool alive() const noexcept { return state != 'Z' && state != 'X'; }
};

// Nothing: there is no such process.
std::optional<process_entry> read_process(pid_t pid) noexcept;

// Every process that can be seen. O(processes of the system).
//
// Errors: throws std::bad_alloc.
std::vector<process_entry> list_processes();

// The children of `pid`, those of all its threads.
//
// Errors: throws std::bad_alloc.
std::vector<pid_t> children_of(pid_t pid);

// Sends `signal` to the process that `entry` names, and to no later owner of its pid. False: it has
// ended, or is out of reach.
bool signal_process(const process_entry& entry, int signal) noexcept;

// Sends `signal` to the process group `group`, which is known to be no stranger's.
void signal_group(pid_t group, int signal) noexcept;

} // namespace mcp_pool::transport
