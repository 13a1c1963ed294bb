#include "protocol/http_text.hpp"

#include "rpc/ascii.hpp"

#include <algorithm>
#include <array>

namespace mcp_pool::protocol {

namespace {

std::string_view phrase_of(unsigned status) noexcept
{
    struct entry
    {
        unsigned status;
        std::string_view phrase;
    };
    constexpr std::array<entry, 32> known = {{{200, "OK"}, {201, "Created"}, {202, "Accepted"},
        {204, "No Content"}, {206, "Partial Content"}, {300, "Multiple Choices"},
        {301, "Moved Permanently"}, {302, "Found"}, {303, "See Other"}, {304, "Not Modified"},
        {307, "Temporary Redirect"}, {308, "Permanent Redirect"}, {400, "Bad Request"},
        {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"},
        {406, "Not Acceptable"}, {407, "Proxy Authentication Required"}, {408, "Request Timeout"},
        {409, "Conflict"}, {410, "Gone"}, {413, "Content Too Large"},
        {415, "Unsupported Media Type"}, {421, "Misdirected Request"}, {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"},
        {501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"},
        {504, "Gateway Timeout"}}};
    const auto found = std::find_if(
        known.begin(), known.end(), [status](const entry& e) { return e.status == status; });
    return found == known.end() ? std::string_view() : found->phrase;
}

} // namespace

std::string status_text(unsigned status)
{
    std::string text = "HTTP " + std::to_string(status);
    if (const std::string_view phrase = phrase_of(status); !phrase.empty()) {
        text += " (";
        text += phrase;
        text += ')';
    }
    return text;
}

std::string media_type(std::string_view content_type)
{
    content_type = content_type.substr(0, content_type.find(';'));
    const std::size_t begin = content_type.find_first_not_of(" \t");
    if (begin == std::string_view::npos)
        return {};
    content_type = content_type.substr(begin, content_type.find_last_not_of(" \t") + 1 - begin);
    return rpc::in_lower_case(content_type);
}

} // namespace mcp_pool::protocol
