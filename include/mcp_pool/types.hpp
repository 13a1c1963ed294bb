// Results of MCP requests. Each holds one JSON value and reads it through accessors: nothing is
// copied, nothing that a newer server sends is lost. Accessors of missing or mistyped members
// return empty values.
#pragma once

#include <mcp_pool/base64.hpp>
#include <mcp_pool/completion.hpp>
#include <mcp_pool/content.hpp>
#include <mcp_pool/detail/namespaces.hpp>
#include <mcp_pool/log_level.hpp>
#include <mcp_pool/prompt.hpp>
#include <mcp_pool/resource.hpp>
#include <mcp_pool/tool.hpp>

#include <string_view>

namespace mcp_pool {

// The two generations of the protocol. Source: MCP 2026-07-28, basic/versioning.
enum class era {
    // 2024-11-05 to 2025-11-25: `initialize` handshake, state in the session.
    legacy,
    // 2026-07-28 and later: no handshake, everything a request needs travels with it.
    modern,
};

// Whether the era of a server is found out or given.
enum class era_choice {
    // Ask with `server/discover`, fall back to `initialize`.
    auto_detect,
    // `initialize` at once.
    legacy,
    // `server/discover`; a server that does not know it fails to start.
    modern,
};

// "legacy" or "modern".
std::string_view to_string(era value) noexcept;

} // namespace mcp_pool
