// What tests take away from this host to see the older or narrower ones.
#pragma once

#include <atomic>

namespace mcp_pool::transport {

struct test_seams
{
    // No pidfd: Linux before 5.3, or a seccomp filter.
    std::atomic<bool> no_pidfd{false};
    // No close_range(): Linux before 5.9, or a seccomp filter.
    std::atomic<bool> no_close_range{false};
    // No /proc/PID/task/TID/children: kernels without CONFIG_PROC_CHILDREN.
    std::atomic<bool> no_children_files{false};
    // Signals are not permitted: the processes have other user ids now.
    std::atomic<bool> out_of_reach{false};
    // Children look for another parent than ours, and so find it dead.
    std::atomic<bool> parent_has_died{false};
    // Another file with the kernel's count of processes killed for want of memory.
    std::atomic<const char*> oom_file{nullptr};
};

// Thread safety: everything.
test_seams& seams() noexcept;

} // namespace mcp_pool::transport
