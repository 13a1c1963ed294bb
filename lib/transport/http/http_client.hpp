// An HTTP/1.1 client of one origin.
#pragma once

#include "transport/http/http_message.hpp"
#include "transport/http/proxy.hpp"
#include "transport/http/tls.hpp"
#include "transport/http/url.hpp"
#include "transport/transport.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mcp_pool::transport::http {

struct exchange_state;
class client_state;

// An exchange that was begun. Its destruction cancels it: the connection that serves it is closed, one
// that waits for a connection is forgotten; no event comes any more. Without effect after the last
// event, and after the client or its context is gone.
//
// Thread safety: on the client's strand only.
class http_exchange
{
public:
    http_exchange() = default;
    explicit http_exchange(std::shared_ptr<exchange_state> state) noexcept
        : state_(std::move(state))
    {}
    http_exchange(http_exchange&&) noexcept = default;
    http_exchange& operator=(http_exchange&& other) noexcept
    {
        cancel();
        state_ = std::move(other.state_);
        return *this;
    }
    ~http_exchange() { cancel(); }

    void cancel() noexcept;
    // From now on the body may have so many bytes altogether, and pause for so long; 0: no limit. For
    // on_head(), where the answer turns out to be a stream of events.
    void loosen(std::uint64_t max_body_bytes, duration idle_timeout) noexcept;

private:
    std::shared_ptr<exchange_state> state_;
};

struct http_client_options
{
    // Only scheme, host, port and authorization count; the latter is sent with each request that has no
    // Authorization of its own.
    url origin;
    // Empty: directly.
    std::optional<proxy> through;
    // Precondition: not null where the origin is https.
    std::shared_ptr<tls_context> tls;
    // IP addresses of the origin, or of the proxy where there is one; empty: what the resolver says.
    std::vector<std::string> addresses;
    // Connections at a time. Exchanges above it wait in order, for as long as it takes: their deadlines
    // begin when they get a connection.
    std::size_t max_connections = 8;
    // How long a connection is kept without an exchange. 0: not at all.
    duration keep_alive = std::chrono::seconds(60);

    http_client_options() = default;
};

struct http_client_stats
{
    // At present: connections that are there or being made, those of them without an exchange, and
    // exchanges that wait for one.
    std::size_t connections = 0;
    std::size_t idle = 0;
    std::size_t queued = 0;
    // Ever: connections that were begun, exchanges that got one which had served before, and requests
    // that were written once more.
    std::uint64_t opened = 0;
    std::uint64_t reused = 0;
    std::uint64_t resent = 0;

    http_client_stats() = default;
};

// Keeps connections to one origin and exchanges requests for answers. Redirects are not followed,
// answers are not decoded, and nothing is repeated but what exchange_limits::may_resend says, or what
// was not written at all.
//
// Lifetime: destruction closes all connections without waiting and cancels all exchanges; nothing comes
// any more. It may outlive its execution context, whose end does the same. What is pending keeps the
// context running: idle connections too.
// Thread safety: on the strand only; the destructor also after the context has stopped.
class http_client
{
public:
    http_client(const connection_strand& strand, http_client_options options);
    http_client(const http_client&) = delete;
    http_client& operator=(const http_client&) = delete;
    ~http_client();

    // Begins an exchange. `events` outlives it: the handle that is returned, or the last event.
    //
    // Errors: through on_failure() alone; without any event after the context is gone.
    [[nodiscard]] http_exchange start(http_request request, exchange_events& events);

    // Closes the connections that serve nobody.
    void close_idle();

    [[nodiscard]] http_client_stats stats() const noexcept;

private:
    const std::shared_ptr<client_state> state_;
};

} // namespace mcp_pool::transport::http
