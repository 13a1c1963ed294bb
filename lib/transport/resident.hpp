// How much memory a server takes.
#pragma once

#include <cstddef>

#include <sys/types.h>

namespace mcp_pool::transport {

// Resident bytes of `leader` and its living descendants; a page that several of them share counts for
// each. 0 if there is no such process. Reads /proc: some 30 µs a process.
//
// Errors: throws std::bad_alloc.
std::size_t resident_bytes_of(pid_t leader);

} // namespace mcp_pool::transport
