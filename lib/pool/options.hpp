// Checks of option values.
#pragma once

#include <mcp_pool/session_pool.hpp>

namespace mcp_pool::detail {

// Throws error(errc::invalid_config) if the limits are impossible; every member is set.
void check_limits(const pool_limits& limits);

// Throws error(errc::invalid_config) for a server that cannot be, and for options that this version
// does not offer yet.
void check_server(const server_config& config, const pool_options& options);

} // namespace mcp_pool::detail
