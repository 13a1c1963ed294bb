// What the orderly end of a pool came to.
#pragma once

#include <mcp_pool/detail/duration.hpp>

#include <cstddef>

namespace mcp_pool {

// What close() did.
struct close_report
{
    // Leases that came back by themselves, and leases that were cut off at the deadline.
    std::size_t finished = 0, forced = 0;
    // Processes that needed SIGKILL.
    std::size_t killed = 0;
    // Acquires that were waiting and failed with pool_closed.
    std::size_t waiters_failed = 0;
    // Processes that were alive after SIGKILL.
    std::size_t survivors = 0;
    duration elapsed = duration::zero();

    close_report() = default;
};

} // namespace mcp_pool
