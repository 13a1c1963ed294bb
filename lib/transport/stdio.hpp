// The stdio transport: a child process and its three pipes.
#pragma once

#include "transport/stderr_file.hpp"
#include "transport/transport.hpp"

#include <mcp_pool/server.hpp>

#include <memory>

namespace mcp_pool::transport {

// Limits of stdio transports, and where their stderr goes.
struct stdio_limits
{
    std::size_t max_message_bytes;
    std::size_t stderr_tail_bytes;
    stderr_policy stderr_to;
    // Null unless stderr_to == stderr_policy::file. All transports made with copies of this share it.
    std::shared_ptr<stderr_file> errors_file;

    // Errors: throws boost::system::system_error if the file cannot be opened.
    explicit stdio_limits(const pool_options& options)
        : max_message_bytes(options.max_message_bytes)
        , stderr_tail_bytes(options.stderr_tail_bytes)
        , stderr_to(options.stderr)
        , errors_file(options.stderr == stderr_policy::file
                  ? std::make_shared<stderr_file>(options.stderr_file)
                  : nullptr)
    {}
};

// A transport that starts `server` on the library's process thread.
//
// Source: MCP, basic/transports, stdio; basic/lifecycle, shutdown.
std::unique_ptr<transport> make_stdio_transport(connection_strand strand, transport_events& events,
    std::shared_ptr<const stdio_server> server, stdio_limits limits);

// Sets SIGPIPE to SIG_IGN if it is SIG_DFL, once per process: a peer that has closed its stdin must
// not end the host. Does nothing where the library was built without MCP_POOL_IGNORE_SIGPIPE.
void ignore_sigpipe_once();

} // namespace mcp_pool::transport
