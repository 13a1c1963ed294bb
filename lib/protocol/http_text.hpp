// The words of HTTP.
#pragma once

#include <string>
#include <string_view>

namespace mcp_pool::protocol {

// "HTTP 404 (Not Found)".
std::string status_text(unsigned status);

// The type and subtype of a Content-Type in lower case, without parameters.
std::string media_type(std::string_view content_type);

} // namespace mcp_pool::protocol
