// The transport of MCP's Streamable HTTP.
#pragma once

#include "transport/http/endpoint.hpp"
#include "transport/transport.hpp"

#include <memory>

namespace mcp_pool::transport::http {

// A transport of one session with `server`. close_input ends the session at the server with a DELETE,
// where it has given an id; the other rungs of the ladder end everything at once.
//
// Source: MCP 2026-07-28 and 2025-11-25, basic/transports/streamable-http.
std::unique_ptr<transport> make_http_transport(
    connection_strand strand, transport_events& events, std::shared_ptr<const endpoint> server);

} // namespace mcp_pool::transport::http
