// The bytes between a client and a server: a TCP connection, with TLS on it where that is wanted.
#pragma once

#include "transport/http/request_text.hpp"
#include "transport/http/tls.hpp"
#include "transport/transport.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace mcp_pool::transport::http {

// What a wire tells; on its strand, never from within a call of it.
class wire_events
{
public:
    virtual void on_connected(const error_code& code) = 0;
    // `words`: what is known about a failure.
    virtual void on_secured(const error_code& code, const std::string& words) = 0;
    // Bytes, valid until the next read(), or an error; end of file is one.
    virtual void on_read(const error_code& code, std::string_view bytes) = 0;
    // How many bytes the other side may have got.
    virtual void on_written(const error_code& code, std::size_t bytes) = 0;

protected:
    ~wire_events() = default;
};

// At most one read and one write at a time.
//
// Lifetime: pending operations keep it; whoever made it calls close() and lets go.
// Thread safety: on the strand only; close() also while the context is shut down.
class wire
{
public:
    virtual ~wire() = default;

    // Gives up a connection that is there or being made.
    virtual void connect(const asio::ip::tcp::endpoint& where) = 0;
    // Precondition: connected, no read is pending.
    virtual void secure(tls_context& tls, const std::string& host) = 0;
    virtual void read() = 0;
    virtual void write(std::shared_ptr<const request_text> text) = 0;
    // Something has come, or the other side has closed, that is not read yet.
    [[nodiscard]] virtual bool has_news() const noexcept = 0;
    // Nothing is told any more.
    virtual void close() noexcept = 0;
};

std::shared_ptr<wire> make_wire(const connection_strand& strand, wire_events& events);

} // namespace mcp_pool::transport::http
