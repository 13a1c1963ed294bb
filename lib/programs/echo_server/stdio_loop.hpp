// The I/O side of mcp-pool-echo-server: one thread, one poll.
#pragma once

#include "programs/echo_server/server.hpp"

namespace mcp_pool::echo_server {

// Serves standard input and output until the input ends; what is unwritten then is given up when the
// client takes nothing of it for two seconds. A client that does not read is not read from either
// once 16 MiB wait for it: nothing is lost, nothing grows without bound.
//
// Returns the exit status: 0 at the end of input, 1 on an error, which is told on stderr.
int serve_stdio(server& peer);

} // namespace mcp_pool::echo_server
