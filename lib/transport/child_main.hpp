// What the child does between clone() and execve(), on the memory of its parent.
#pragma once

#include "transport/launch.hpp"

#include <csignal>
#include <cstddef>

#include <sys/types.h>

namespace mcp_pool::transport {

// The kernel's sigset_t, which is smaller than the C library's.
struct kernel_signal_set
{
    unsigned long words[64 / (8 * sizeof(unsigned long))];
};

// Everything that the child needs, and what it reports: memory is shared until it executes. Plain
// arrays: a member function of std::array would be instrumented by sanitizers.
struct child_orders
{
    const char* path = nullptr;
    char* const* arguments = nullptr;
    char* const* variables = nullptr;
    // nullptr: stay.
    const char* directory = nullptr;
    // What becomes descriptors 0, 1 and 2; each is 3 or above.
    int streams[3] = {};
    // Who must be alive.
    pid_t parent = 0;
    // For oom_score_adj, as text.
    char badness[8] = {};
    std::size_t badness_size = 0;
    bool use_close_range = true;

    // Set by the child if it fails; error 0: the program runs.
    volatile int error = 0;
    volatile launch_stage stage = launch_stage::create;

    child_orders() = default;
};

// Entry of the child. Async-signal-safe system calls only, not through the C library's wrappers,
// which sanitizers replace by code that changes the state of the parent.
//
// Preconditions: `orders` points to child_orders; all signals are blocked.
int run_child(void* orders) noexcept;

} // namespace mcp_pool::transport
