// Which header fields a message gets on its way to a server over HTTP.
#pragma once

#include "protocol/header_field.hpp"

#include <mcp_pool/detail/namespaces.hpp>
#include <mcp_pool/types.hpp>

#include <boost/json/object.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace mcp_pool::protocol {

class tool_headers;

// Servers and what stands before them commonly take 8 KiB of one field and no more.
inline constexpr std::size_t max_header_value = 8192;
// What session ids and event ids of a server are remembered; they come back in every request.
inline constexpr std::size_t max_foreign_id = 4096;

// `text` as the value of `Mcp-Name` or `Mcp-Param-…`: as it is where that is printable ASCII without
// a space at either end, else as "=?base64?…?=", also where it looks like that already.
//
// Source: MCP 2026-07-28, basic/transports/streamable-http, "Value Encoding".
std::string encode_header_value(std::string_view text);

// Whether `text` arrives unchanged as the value of a field that has no encoding: no control
// character, no white space at either end, at most max_header_value bytes.
bool is_header_value(std::string_view text) noexcept;

// Whether a session id of a server may be taken: visible ASCII, not empty, at most max_foreign_id
// bytes. Any other one is none, and the session goes on without.
//
// Source: MCP 2025-11-25, basic/transports, "Session Management".
bool is_session_id(std::string_view text) noexcept;

// What the header fields of a session depend on.
struct http_session
{
    mcp_pool::era era = era::legacy;
    // Modern: the one in the `_meta` of the message. Legacy: the one that was agreed upon, empty
    // until `initialize` is answered.
    std::string version;
    // What the server gave with the answer to `initialize`, if is_session_id(). Never sent in the
    // modern era, whose servers have no sessions, nor with `initialize`.
    std::string session_id;

    http_session() = default;
};

// The fields of one request, or why there are none.
struct header_result
{
    header_fields fields;
    // Not empty: the message cannot be sent over HTTP, and this says why, for people.
    std::string fault;

    header_result() = default;
};

// Fields of the POST of a message. `method` is empty for an answer, which only the legacy era sends.
// `params` are those of the message; `tool` is what is known of the tool that a `tools/call` names,
// or null.
//
// Errors: a fault where a method cannot be written into a field, or a value is longer than
// max_header_value; the specification demands both fields, so that the server would refuse the
// message without them.
// Source: MCP 2026-07-28, basic/transports/streamable-http, "Request Metadata"; MCP 2025-11-25,
// basic/transports, "Sending Messages to the Server", "Protocol Version Header".
header_result post_headers(const http_session& session, std::string_view method,
    const json::object& params, const tool_headers* tool = nullptr);

// Fields of the GET that opens the stream of a legacy session, or resumes one behind the event
// `last_event_id` if that is not empty.
//
// Preconditions: is_header_value(last_event_id).
// Source: MCP 2025-11-25, basic/transports, "Listening for Messages from the Server",
// "Resumability and Redelivery".
header_fields get_headers(const http_session& session, std::string_view last_event_id = {});

// Fields of the DELETE that ends a legacy session.
header_fields delete_headers(const http_session& session);

} // namespace mcp_pool::protocol
