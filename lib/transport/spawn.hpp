// Making the child process: the only code of the library that runs in it.
#pragma once

#include "transport/descriptor.hpp"
#include "transport/launch.hpp"

#include <cstddef>

#include <sys/types.h>

namespace mcp_pool::transport {

// What the child runs on until it executes the program: it shares our memory, not our stack.
class child_stack
{
public:
    // Errors: throws boost::system::system_error.
    child_stack();
    child_stack(const child_stack&) = delete;
    child_stack& operator=(const child_stack&) = delete;
    ~child_stack();

    [[nodiscard]] void* top() const noexcept;

private:
    std::byte* memory_;
};

// A process that runs the program, and our ends of its pipes, which do not block.
struct spawned_process
{
    pid_t pid = 0;
    // Absent where the system has none.
    descriptor pidfd;
    descriptor input;
    descriptor output;
    // Absent if the process has the host's stderr.
    descriptor errors;

    spawned_process() = default;
};

// Which step failed, and why (an errno value).
struct spawn_failure
{
    launch_stage stage = launch_stage::create;
    int error = 0;

    spawn_failure() = default;
    spawn_failure(launch_stage where, int why) noexcept
        : stage(where)
        , error(why)
    {}
};

// Starts `plan` in a session and process group of its own, with default signal dispositions, no
// blocked signals and descriptors 0, 1 and 2 only. Returns when the program runs or has failed to;
// what failed has been reaped. The cost does not depend on the memory of this process.
//
// Preconditions: called on the process thread, since the child gets SIGKILL when the calling thread
// ends, and under a low_descriptors_plug. A slow file system holds the call up inside execve().
std::variant<spawned_process, spawn_failure> spawn(
    const launch_plan& plan, bool inherit_stderr, const child_stack& stack);

} // namespace mcp_pool::transport
