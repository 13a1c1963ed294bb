// What all sessions of a server over HTTP share.
#pragma once

#include "protocol/redirect.hpp"
#include "rpc/message.hpp"
#include "transport/http/http_client.hpp"

#include <mcp_pool/credentials.hpp>
#include <mcp_pool/pool_options.hpp>
#include <mcp_pool/server.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace mcp_pool::transport::http {

// The value of the Authorization field, as it was given last.
//
// Thread safety: everything.
class shared_credentials
{
public:
    struct given
    {
        std::string value;
        // How often one was given; 0: never.
        std::uint64_t generation = 0;

        given() = default;
    };

    [[nodiscard]] given present() const
    {
        const std::lock_guard lock(mutex_);
        return present_;
    }

    void give(std::string value)
    {
        const std::lock_guard lock(mutex_);
        present_.value = std::move(value);
        ++present_.generation;
    }

private:
    mutable std::mutex mutex_;
    given present_;
};

// Immutable but for the credentials.
struct endpoint
{
    std::string server;
    url at;
    protocol::http_origin origin;
    // How clients are made.
    http_client_options client;
    // Of each request; max_body_bytes is that of a message.
    exchange_limits limits;
    // As configured.
    header_fields headers;
    // Null: the headers say it.
    credential_source ask;
    // What to do with messages that are no UTF-8.
    rpc::bad_utf8 utf8 = rpc::bad_utf8::replace;
    // Somebody wants to hear what servers say unasked.
    bool listens = false;

    mutable shared_credentials credentials;

    endpoint() = default;
};

// Checks the configuration and reads the files that it names.
//
// Errors: nullptr, and in `problem` what was found and what is allowed, without secrets.
std::shared_ptr<const endpoint> make_endpoint(
    const server_config& config, const pool_options& options, std::string& problem);

} // namespace mcp_pool::transport::http
