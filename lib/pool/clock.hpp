// The cheap clock of the hit path.
#pragma once

#include <mcp_pool/detail/duration.hpp>

#include <ctime>

namespace mcp_pool::detail {

// steady_clock as of the last timer tick of the kernel: up to some milliseconds late, four times
// cheaper. For ages and idle times, never for deadlines of waiters.
inline time_point coarse_now() noexcept
{
#ifdef CLOCK_MONOTONIC_COARSE
    timespec t{};
    if (::clock_gettime(CLOCK_MONOTONIC_COARSE, &t) == 0)
        return time_point(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
#endif
    return std::chrono::steady_clock::now();
}

} // namespace mcp_pool::detail
