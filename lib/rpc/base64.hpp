// Bytes as text, for header fields.
#pragma once

#include <string>
#include <string_view>

namespace mcp_pool::rpc {

// `bytes` in base64 with padding. Source: RFC 4648 section 4.
std::string base64(std::string_view bytes);

} // namespace mcp_pool::rpc
