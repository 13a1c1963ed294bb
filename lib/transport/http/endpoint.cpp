#include "transport/http/endpoint.hpp"

#include "protocol/http_headers.hpp"
#include "rpc/ascii.hpp"
#include "rpc/text.hpp"
#include "transport/environment.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace mcp_pool::transport::http {

namespace {

constexpr std::size_t max_name = 100;
constexpr std::size_t most_connections = 1000;

std::string shown(std::string_view text)
{
    return rpc::quote_foreign(text, max_name);
}

// Fields that the protocol or the engine sets.
bool is_reserved(std::string_view name)
{
    constexpr std::array<std::string_view, 14> reserved = {"accept", "accept-encoding",
        "connection", "content-length", "content-type", "expect", "host", "keep-alive",
        "last-event-id", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"};
    const std::string lower = rpc::in_lower_case(name);
    for (const std::string_view taken : reserved)
        if (lower == taken)
            return true;
    return lower.starts_with("mcp-");
}

// What is wrong with the configured fields; empty: nothing. Values are secrets.
std::string fault_of(const std::map<std::string, std::string>& headers, bool asks)
{
    for (const auto& [name, value] : headers) {
        if (name.empty() || !std::all_of(name.begin(), name.end(), rpc::is_token_char))
            return "header " + shown(name)
                + ": expected a name of letters, digits and !#$%&'*+-.^_`|~";
        if (is_reserved(name))
            return "header " + shown(name) + ": is set by the protocol; expected another one";
        if (asks && rpc::in_lower_case(name) == "authorization")
            return "header " + shown(name) + ": expected none beside `credentials`";
        if (!protocol::is_header_value(value))
            return "the value of header " + shown(name) + ": expected at most "
                + std::to_string(protocol::max_header_value)
                + " bytes without control characters and without white space at either end";
    }
    return {};
}

} // namespace

std::shared_ptr<const endpoint> make_endpoint(
    const server_config& config, const pool_options& options, std::string& problem)
{
    const auto& server = std::get<http_server>(config.transport);
    const auto made = std::make_shared<endpoint>();
    const auto at = parse_url(server.url, problem);
    if (!at)
        return nullptr;
    problem = fault_of(server.headers, server.credentials != nullptr);
    if (!problem.empty())
        return nullptr;
    for (const duration limit : {server.connect_timeout, server.tls_timeout,
             server.first_byte_timeout, server.idle_timeout})
        if (limit < duration::zero())
            problem = "a negative timeout: expected 0 or more";
    if (server.max_connections < 1 || server.max_connections > most_connections)
        problem = "max_connections=" + std::to_string(server.max_connections)
            + ": expected an integer from 1 to " + std::to_string(most_connections);
    if (server.credentials && !at->authorization.empty())
        problem = "a user name in the URL: expected none beside `credentials`";
    const proxy_choice chosen = choose_proxy(
        *at, proxy_variables(server.proxies.begin(), server.proxies.end()));
    if (problem.empty())
        problem = chosen.problem;
    if (!problem.empty())
        return nullptr;

    made->server = config.name;
    made->at = *at;
    made->origin.secure = at->secure;
    made->origin.host = at->host;
    made->origin.port = at->port;
    made->client.origin = *at;
    made->client.through = chosen.through;
    // One for what the server says unasked.
    made->client.max_connections = server.max_connections + 1;
    if (at->secure) {
        tls_options tls;
        tls.ca_file = server.tls.ca_file.string();
        tls.certificate_file = server.tls.certificate_file.string();
        tls.key_file = server.tls.key_file.string();
        made->client.tls = make_tls_context(tls, problem);
        if (!made->client.tls)
            return nullptr;
    }
    made->limits.connect_timeout = server.connect_timeout;
    made->limits.tls_timeout = server.tls_timeout;
    made->limits.first_byte_timeout = server.first_byte_timeout;
    made->limits.idle_timeout = server.idle_timeout;
    made->limits.max_body_bytes = options.max_message_bytes;
    if (options.invalid_utf8 == invalid_utf8_policy::reject)
        made->utf8 = rpc::bad_utf8::refuse;
    for (const auto& [name, value] : server.headers)
        made->headers.emplace_back(name, value);
    made->ask = server.credentials;
    made->listens = config.handlers != nullptr;
    return made;
}

} // namespace mcp_pool::transport::http

namespace mcp_pool {

std::map<std::string, std::string> proxies_from_environment()
{
    std::map<std::string, std::string> found;
    for (const auto& [name, value] : transport::host_environment())
        for (const std::string_view wanted : {"https_proxy", "http_proxy", "no_proxy"})
            if (rpc::in_lower_case(name) == wanted)
                found.emplace(name, value);
    return found;
}

} // namespace mcp_pool
