// The stdio transport: a child process and its three pipes.
#pragma once

#include "transport/transport.hpp"

#include <mcp_pool/server.hpp>

#include <memory>

namespace mcp_pool::transport {

// Limits of one stdio transport.
struct stdio_limits
{
    std::size_t max_message_bytes;
    std::size_t stderr_tail_bytes;
    stderr_policy stderr_to;

    explicit stdio_limits(const pool_options& options)
        : max_message_bytes(options.max_message_bytes)
        , stderr_tail_bytes(options.stderr_tail_bytes)
        , stderr_to(options.stderr)
    {}
};

// A transport that starts `server` on the library's process thread.
//
// Source: MCP, basic/transports, stdio; basic/lifecycle, shutdown.
std::unique_ptr<transport> make_stdio_transport(connection_strand strand, transport_events& events,
    std::shared_ptr<const stdio_server> server, stdio_limits limits);

} // namespace mcp_pool::transport
