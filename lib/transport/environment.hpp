// The environment of a server process.
#pragma once

#include <mcp_pool/server.hpp>

#include <map>
#include <string>
#include <string_view>

namespace mcp_pool::transport {

using environment = std::map<std::string, std::string, std::less<>>;

// The variables of this process.
//
// Thread safety: reading the environment races with setenv() in other threads of the host, as
// everywhere in POSIX.
environment host_environment();

// Whether `name` matches `pattern`, in which `*` stands for any text and `?` for one character.
bool matches_glob(std::string_view pattern, std::string_view name) noexcept;

// What the server's process gets of `host`, and what its configuration sets.
environment child_environment(const stdio_server& server, const environment& host);

// Names the variables of `host` that often decide whether a server can start (proxies, CA
// certificates, locale, TMPDIR) and that `child` lacks; empty if there are none. Values are never
// shown: proxy addresses hold passwords.
std::string missing_variables_hint(const environment& host, const environment& child);

} // namespace mcp_pool::transport
