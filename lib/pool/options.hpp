// Checks of option values.
#pragma once

#include <mcp_pool/server.hpp>

#include <string>

namespace mcp_pool::detail {

// `present` with the changes, for a pool that runs. Throws error(errc::invalid_config) for a value that
// cannot be, and for an option that is decided when the pool is made.
pool_options changed(const pool_options& present, const pool_overrides& changes);

// What two servers must have in common to write to the same place. A secret.
std::string identity_of(const server_config& config);

// Throws error(errc::invalid_config) for a server that cannot be, and for options that this version
// does not offer yet.
void check_server(const server_config& config, const pool_options& options);

} // namespace mcp_pool::detail
