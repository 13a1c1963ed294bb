#include "protocol/http_headers.hpp"

#include "protocol/tool_headers.hpp"
#include "rpc/base64.hpp"
#include "rpc/text.hpp"

#include <algorithm>

namespace mcp_pool::protocol {

namespace {

constexpr std::string_view encoded_begin = "=?base64?";
constexpr std::string_view encoded_end = "?=";

// The revision that introduced MCP-Protocol-Version: older servers know nothing of it.
constexpr std::string_view first_with_version_field = "2025-06-18";

constexpr std::size_t max_name_in_message = 100;

bool is_visible(char c) noexcept
{
    return c >= 0x21 && c <= 0x7e;
}

// The member that `Mcp-Name` repeats, or an empty text.
std::string_view named_by(std::string_view method) noexcept
{
    if (method == "tools/call" || method == "prompts/get")
        return "name";
    if (method == "resources/read")
        return "uri";
    return {};
}

// The text that `Mcp-Name` repeats, or null: a request without it is the server's to refuse.
const json::string* name_of(std::string_view method, const json::object& params) noexcept
{
    const std::string_view member = named_by(method);
    if (member.empty())
        return nullptr;
    const json::value* found = params.if_contains(json::string_view(member.data(), member.size()));
    return found ? found->if_string() : nullptr;
}

void add_session(const http_session& session, bool initialize, header_fields& to)
{
    if (session.era == era::modern) {
        to.emplace_back("MCP-Protocol-Version", session.version);
        return;
    }
    if (initialize)
        return;
    // Revisions are dates, which compare as text.
    if (session.version >= first_with_version_field)
        to.emplace_back("MCP-Protocol-Version", session.version);
    if (!session.session_id.empty())
        to.emplace_back("Mcp-Session-Id", session.session_id);
}

std::string fault_of(const header_field& field)
{
    if (field.value.size() <= max_header_value)
        return {};
    return "the value of the header field " + rpc::escape_foreign(field.name, max_name_in_message)
        + " would have " + std::to_string(field.value.size()) + " bytes, at most "
        + std::to_string(max_header_value) + " are sent";
}

} // namespace

std::string encode_header_value(std::string_view text)
{
    const bool plain = std::all_of(text.begin(), text.end(),
                           [](char c) { return c == ' ' || is_visible(c); })
        && !text.starts_with(' ') && !text.ends_with(' ')
        && !(text.starts_with(encoded_begin) && text.ends_with(encoded_end));
    if (plain)
        return std::string(text);
    std::string encoded(encoded_begin);
    encoded += rpc::base64(text);
    encoded += encoded_end;
    return encoded;
}

bool is_header_value(std::string_view text) noexcept
{
    const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    if (text.empty())
        return true;
    if (text.size() > max_header_value || is_space(text.front()) || is_space(text.back()))
        return false;
    // Bytes over 0x7f are UTF-8, which HTTP lets through unread.
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return is_space(c) || is_visible(c) || static_cast<unsigned char>(c) >= 0x80;
    });
}

bool is_session_id(std::string_view text) noexcept
{
    return !text.empty() && text.size() <= max_foreign_id
        && std::all_of(text.begin(), text.end(), is_visible);
}

header_result post_headers(const http_session& session, std::string_view method,
    const json::object& params, const tool_headers* tool)
{
    header_result result;
    header_fields& fields = result.fields;
    fields.reserve(8);
    fields.emplace_back("Content-Type", "application/json");
    fields.emplace_back("Accept", "application/json, text/event-stream");
    add_session(session, method == "initialize", fields);
    if (session.era == era::legacy || method.empty())
        return result;

    // This field has no encoding.
    if (!std::all_of(method.begin(), method.end(), is_visible) || method.size() > max_header_value)
        result.fault = "the method \"" + rpc::escape_foreign(method, max_name_in_message)
            + "\" cannot be written into the header field Mcp-Method";
    fields.emplace_back("Mcp-Method", std::string(method));
    if (const json::string* name = name_of(method, params))
        fields.emplace_back("Mcp-Name", encode_header_value({name->data(), name->size()}));
    if (tool && method == "tools/call")
        if (const json::value* arguments = params.if_contains("arguments"))
            tool->add_to(fields, *arguments);
    for (const header_field& field : fields)
        if (result.fault.empty())
            result.fault = fault_of(field);
    if (!result.fault.empty())
        fields.clear();
    return result;
}

header_fields get_headers(const http_session& session, std::string_view last_event_id)
{
    header_fields fields;
    fields.emplace_back("Accept", "text/event-stream");
    add_session(session, false, fields);
    if (!last_event_id.empty())
        fields.emplace_back("Last-Event-ID", std::string(last_event_id));
    return fields;
}

header_fields delete_headers(const http_session& session)
{
    header_fields fields;
    add_session(session, false, fields);
    return fields;
}

} // namespace mcp_pool::protocol
