// Which server a pool runs, and how it is reached.
#pragma once

#include <mcp_pool/pool_options.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
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

// Whether the era of a server is found out or given.
enum class era_choice {
    // Ask with `server/discover`, fall back to `initialize`.
    auto_detect,
    // `initialize` at once.
    legacy,
    // `server/discover`; a server that does not know it fails to start.
    modern,
};

// Everything that makes a pool.
struct server_config
{
    // Name in errors, statistics and metrics: 1 to 200 characters.
    std::string name;
    std::variant<stdio_server> transport;
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
};

} // namespace mcp_pool
