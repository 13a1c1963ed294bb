// Who a server over HTTP takes us for, where that changes while a pool runs.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <string>

namespace mcp_pool {

// Why credentials are asked for.
struct credential_request
{
    // Name of the server, as in server_config, and its origin, such as "https://example.org".
    std::string server;
    std::string origin;
    // What the server has refused with 401: the value that was sent, empty if none was, and the
    // WWW-Authenticate field of its answer, which is foreign text. False: nothing was sent yet.
    bool refused = false;
    std::string previous;
    std::string challenge;

    credential_request() = default;
};

// Gives the value of the Authorization field, such as "Bearer …"; empty: none is sent. It is asked
// before the first request of a server and again after a 401; the request that was refused is then
// sent once more. What it gives is used by all sessions of the pool, so that a new token is asked for
// once, as a rule.
//
// Completion: runs on the executor of the pool, for several sessions at the same time.
//
// Cancellation: terminal, when the session ends or start_timeout has passed.
//
// Errors: an exception ends the requests that wait for it with errc::unauthorized; the text of a
// std::exception enters their diagnostics, and must hold no secrets.
using credential_source = std::function<asio::awaitable<std::string>(credential_request)>;

} // namespace mcp_pool
