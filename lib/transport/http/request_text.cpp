#include "transport/http/request_text.hpp"

#include "rpc/ascii.hpp"
#include "rpc/text.hpp"

#include <algorithm>

namespace mcp_pool::transport::http {

namespace {

bool is_token(std::string_view text) noexcept
{
    return !text.empty() && std::ranges::all_of(text, rpc::is_token_char);
}

bool is_field_value(std::string_view text) noexcept
{
    return std::ranges::all_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return c == '\t' || (byte >= 0x20 && byte != 0x7f);
    });
}

bool is_target(std::string_view text) noexcept
{
    return text.starts_with('/')
        && std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

constexpr std::string_view ours[] = {
    "Host", "Content-Length", "Transfer-Encoding", "Connection", "Proxy-Authorization"};

std::string wrong_with(const http_request& request)
{
    if (!is_token(request.method))
        return "the method \"" + rpc::escape_foreign(request.method, 40) + "\" is no HTTP token";
    if (request.method == "CONNECT")
        return "a CONNECT is no request to a server";
    if (!is_target(request.target))
        return "the target has to begin with '/' and to consist of printable ASCII without spaces";
    for (const header_field& field : request.fields) {
        if (!is_token(field.name))
            return "the field name \"" + rpc::escape_foreign(field.name, 80)
                + "\" is no HTTP token";
        if (!is_field_value(field.value))
            return "the value of the field " + field.name + " has a control character";
    }
    for (const std::string_view name : ours)
        if (find_field(request.fields, name) != nullptr)
            return "the field " + std::string(name) + " is written by the client itself";
    return {};
}

void add_field(std::string& head, std::string_view name, std::string_view value)
{
    head.append(name).append(": ").append(value).append("\r\n");
}

} // namespace

request_text write_request(
    http_request&& request, const url& server, const proxy* through, std::string& problem)
{
    request_text text;
    problem = wrong_with(request);
    if (!problem.empty())
        return text;
    const bool whole_url = through != nullptr && !server.secure;
    text.head.append(request.method).append(" ");
    if (whole_url)
        text.head += server.origin();
    text.head.append(request.target).append(" HTTP/1.1\r\n");
    add_field(text.head, "Host", server.authority());
    if (whole_url && !through->authorization.empty())
        add_field(text.head, "Proxy-Authorization", through->authorization);
    if (!server.authorization.empty() && find_field(request.fields, "Authorization") == nullptr)
        add_field(text.head, "Authorization", server.authorization);
    for (const header_field& field : request.fields)
        add_field(text.head, field.name, field.value);
    // A server must know where a body ends; where none is expected, none is announced.
    const bool expects_body = request.method != "GET" && request.method != "HEAD"
        && request.method != "DELETE" && request.method != "OPTIONS";
    if (expects_body || !request.body.empty())
        add_field(text.head, "Content-Length", std::to_string(request.body.size()));
    text.head += "\r\n";
    text.body = std::move(request.body);
    return text;
}

request_text write_connect(const url& server, const proxy& through)
{
    request_text text;
    text.head = "CONNECT " + server.host_and_port() + " HTTP/1.1\r\n";
    add_field(text.head, "Host", server.host_and_port());
    if (!through.authorization.empty())
        add_field(text.head, "Proxy-Authorization", through.authorization);
    text.head += "\r\n";
    return text;
}

} // namespace mcp_pool::transport::http
