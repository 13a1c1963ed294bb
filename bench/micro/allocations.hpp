// Counts the heap allocations of a thread, in programs that are linked with allocations.cpp.
#pragma once

#include <cstdint>

namespace mcp_pool::bench {

struct allocation_counts
{
    // malloc, calloc, realloc.
    std::uint64_t malloc = 0;
    // aligned_alloc, memalign, posix_memalign: what Asio uses.
    std::uint64_t aligned_alloc = 0;
    // operator new in all its forms, not counted as malloc.
    std::uint64_t operator_new = 0;

    allocation_counts() = default;

    [[nodiscard]] std::uint64_t all() const noexcept
    {
        return malloc + aligned_alloc + operator_new;
    }
};

// Of the calling thread since it began.
allocation_counts allocations_of_this_thread() noexcept;

// Throws if the allocation functions of this program are not counted: a counter that counts nothing
// would make every program pass.
void check_the_allocation_counter();

} // namespace mcp_pool::bench
