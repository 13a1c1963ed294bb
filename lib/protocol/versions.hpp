// The revisions of MCP that this library speaks.
#pragma once

#include <mcp_pool/types.hpp>

#include <array>
#include <string_view>

namespace mcp_pool::protocol {

// Source: MCP 2026-07-28, basic/versioning.
inline constexpr std::array<std::string_view, 4> legacy_versions = {
    "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"};
inline constexpr std::array<std::string_view, 1> modern_versions = {"2026-07-28"};

// What `initialize` and `server/discover` ask for.
inline constexpr std::string_view offered_legacy = legacy_versions.front();
inline constexpr std::string_view offered_modern = modern_versions.front();

// Whether `version` names a revision of the modern era, known to us or not. Revisions are dates;
// anything else (a draft's name, say) belongs to no era.
bool is_modern(std::string_view version) noexcept;

bool is_supported(std::string_view version, era of) noexcept;

// Error codes that the specification assigns. Source: JSON-RPC 2.0, section 5.1; MCP 2026-07-28,
// basic/index, "Error codes".
inline constexpr int method_not_found = -32601;
inline constexpr int invalid_params = -32602;
inline constexpr int internal_error = -32603;
inline constexpr int header_mismatch = -32020;
inline constexpr int unsupported_protocol_version = -32022;

} // namespace mcp_pool::protocol
