// How talkative a server is to be.
#pragma once

#include <string_view>

namespace mcp_pool {

// How much a server is to tell of what it does: this and everything below. Source: MCP,
// server/utilities/logging, "Log levels"; RFC 5424.
enum class log_level {
    // Details for debugging.
    debug,
    // The progress of operations.
    info,
    // Normal, but significant.
    notice,
    // Something may be wrong.
    warning,
    // An operation failed.
    error,
    // A component failed.
    critical,
    // Something must be done at once.
    alert,
    // The server is unusable.
    emergency,
};

// The name in the protocol: "debug", …, "emergency".
std::string_view to_string(log_level value) noexcept;

} // namespace mcp_pool
