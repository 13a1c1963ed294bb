// Binary data in JSON: how images, sounds and the contents of files travel in MCP.
#pragma once

#include <mcp_pool/error.hpp>

#include <cstddef>
#include <string_view>
#include <vector>

namespace mcp_pool {

// The bytes that `text` encodes. Strict: no white space, no foreign characters, padded to a multiple
// of four, and no bits that would be lost.
//
// Errors: errc::protocol_error; the form without `code` throws mcp_pool::error, whose message says
// what is wrong and where. Source: RFC 4648, sections 3.2, 3.3, 3.5 and 4.
[[nodiscard]] std::vector<std::byte> decode_base64(std::string_view text);
[[nodiscard]] std::vector<std::byte> decode_base64(std::string_view text, error_code& code);

} // namespace mcp_pool
