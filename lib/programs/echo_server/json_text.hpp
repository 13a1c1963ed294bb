// Writing JSON straight into a string: an answer costs no document tree.
#pragma once

#include <string>
#include <string_view>

namespace mcp_pool::echo_server {

// Appends `text` as a JSON string. Precondition: valid UTF-8.
void append_quoted(std::string& to, std::string_view text);

[[nodiscard]] std::string quoted(std::string_view text);

// Shortest text that reads back as the same number. Precondition: finite.
[[nodiscard]] std::string number_text(double value);

} // namespace mcp_pool::echo_server
