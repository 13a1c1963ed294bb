#include "programs/echo_server/json_text.hpp"

#include <charconv>

namespace mcp_pool::echo_server {

void append_quoted(std::string& to, std::string_view text)
{
    constexpr char hex[] = "0123456789abcdef";
    to += '"';
    std::size_t plain = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        to.append(text, plain, i - plain);
        plain = i + 1;
        switch (c) {
        case '"':
            to += "\\\"";
            break;
        case '\\':
            to += "\\\\";
            break;
        case '\n':
            to += "\\n";
            break;
        case '\r':
            to += "\\r";
            break;
        case '\t':
            to += "\\t";
            break;
        default:
            to += "\\u00";
            to += hex[c >> 4];
            to += hex[c & 15];
        }
    }
    to.append(text, plain);
    to += '"';
}

std::string quoted(std::string_view text)
{
    std::string result;
    append_quoted(result, text);
    return result;
}

std::string number_text(double value)
{
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    return std::string(text, end);
}

} // namespace mcp_pool::echo_server
