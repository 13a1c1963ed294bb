// Counts what is allocated, in programs that are linked with live_blocks.cpp.
#pragma once

#include <cstdint>

namespace mcp_pool::test {

// Blocks that this process has allocated and not freed, by any allocation function of the C library
// and thus by operator new. Always 0 with a sanitizer, which looks for leaks itself.
std::int64_t live_blocks() noexcept;

} // namespace mcp_pool::test
