// Which server a pool runs, and how it is reached.
#pragma once

#include <mcp_pool/credentials.hpp>
#include <mcp_pool/pool_options.hpp>
#include <mcp_pool/types.hpp>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mcp_pool {

struct client_handlers;

// Which of the host's environment variables a server process inherits.
enum class inherit {
    // Only what `env` and `env_passthrough` say.
    none,
    // HOME, LOGNAME, PATH, SHELL, TERM, USER, and what `env` and `env_passthrough` say.
    allow_list,
    // Everything.
    all,
};

// A server that is a child process and speaks MCP over its standard streams. No shell is involved.
struct stdio_server
{
    // A path, or a name that is looked up in the child's PATH. A relative path counts from `cwd`.
    std::string command;
    // The arguments after the command.
    std::vector<std::string> args;
    // Variables to set, over the inherited ones.
    std::map<std::string, std::string> env;
    // Further variables to inherit: names, or patterns with `*` and `?`.
    std::vector<std::string> env_passthrough;
    // Working directory of the process; empty: that of the host at the time of the start.
    std::filesystem::path cwd;
    inherit inherit_env = inherit::allow_list;

    stdio_server() = default;
};

// What an https server has to show, and what it is shown. TLS 1.2 at least; host names are always
// verified. PEM files; a change of their content counts for pools made afterwards.
struct tls_settings
{
    // The authorities that are trusted instead of the system's; empty: the system's.
    std::filesystem::path ca_file;
    // The client's certificate, with those above it, and its key without a pass phrase: both or none.
    std::filesystem::path certificate_file;
    std::filesystem::path key_file;

    tls_settings() = default;
};

// A server that is reached by MCP's Streamable HTTP. Redirects are followed within its origin only.
// Each session keeps connections of its own.
//
// Source: MCP 2026-07-28 and 2025-11-25, basic/transports/streamable-http.
struct http_server
{
    // http or https, the endpoint itself. A "user:password@" in it becomes an Authorization field.
    std::string url;
    // Fields for each request, such as Authorization. Those that the protocol sets are refused: Accept,
    // Content-Type, Host, Last-Event-ID, Mcp-… and what belongs to the connection.
    std::map<std::string, std::string> headers;
    tls_settings tls;
    // Asked for the Authorization field; null: `headers` and `url` say it.
    credential_source credentials;
    // What a proxy is chosen by, as environment variables are named: https_proxy or HTTPS_PROXY,
    // http_proxy, no_proxy or NO_PROXY. Empty: no proxy. Proxies are spoken to in plain HTTP.
    std::map<std::string, std::string> proxies;

    // To a connection, with the name's resolution and a proxy's tunnel; for TLS upon it. 0: no limit.
    std::chrono::steady_clock::duration connect_timeout = std::chrono::seconds(10);
    std::chrono::steady_clock::duration tls_timeout = std::chrono::seconds(10);
    // From the request to the first byte of the answer. 0: as long as the request may take.
    std::chrono::steady_clock::duration first_byte_timeout{};
    // Between two pieces of an answer, streams of events excepted. 0: no limit.
    std::chrono::steady_clock::duration idle_timeout = std::chrono::seconds(60);
    // Connections of a session at a time, besides one for what the server says unasked; further
    // requests wait. 1 to 1000.
    std::size_t max_connections = 64;

    http_server() = default;
    explicit http_server(std::string server_url)
        : url(std::move(server_url))
    {}
};

// The proxy variables of the process's environment, for http_server::proxies. Names in both cases.
std::map<std::string, std::string> proxies_from_environment();

// Everything that makes a pool.
struct server_config
{
    // Name in errors, statistics and metrics: 1 to 200 characters.
    std::string name;
    std::variant<stdio_server, http_server> transport;
    era_choice era = era_choice::auto_detect;
    pool_overrides pool;
    // Who answers when the server asks for something, see handlers.hpp; null: nobody, and no
    // capability is declared.
    std::shared_ptr<const client_handlers> handlers;

    server_config() = default;
    server_config(std::string server_name, stdio_server server)
        : name(std::move(server_name))
        , transport(std::move(server))
    {}
    server_config(std::string server_name, http_server server)
        : name(std::move(server_name))
        , transport(std::move(server))
    {}
};

} // namespace mcp_pool
