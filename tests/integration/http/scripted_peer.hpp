// A server on the loopback that does what a test tells it, byte by byte.
#pragma once

#include "integration/http/certificates.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_pool::transport::http::testing {

namespace asio = boost::asio;

// What a TLS server shows.
struct server_tls
{
    identity shown;
    // Clients have to show a certificate that this one signed; none: they need not.
    std::shared_ptr<X509> clients_by;
};

// One connection as the server sees it.
class peer
{
public:
    virtual ~peer() = default;

    // Everything that came, decrypted.
    std::string received;
    // The client has closed.
    bool ended = false;
    // TLS was agreed upon; what came of it otherwise; the name the client asked for.
    bool secured = false;
    std::string handshake_error;
    std::string asked_for;
    bool client_certificate = false;
    // Called whenever something has come; not to be replaced from within.
    std::function<void(peer&)> on_bytes;
    // Nothing is read any more.
    bool deaf = false;

    // After what was sent before.
    virtual void send(std::string bytes) = 0;
    // Closes in good order when everything is sent.
    virtual void close() = 0;
    // With a RST, at once.
    virtual void reset() = 0;
    // Ends the connection without ending TLS.
    virtual void break_off() = 0;
    // Expects a TLS handshake from here on; for on_accept.
    virtual void secure(const server_tls& how) = 0;
    // The same for on_bytes, when everything is sent.
    virtual void secure_when_sent(const server_tls& how) = 0;

    // How many heads of requests have come.
    [[nodiscard]] std::size_t requests() const;
};

// Listens on an address of the loopback, on a port of its own unless one is given.
class scripted_server
{
public:
    explicit scripted_server(
        asio::io_context& context, const char* address = "127.0.0.1", std::uint16_t port = 0);
    scripted_server(const scripted_server&) = delete;
    scripted_server& operator=(const scripted_server&) = delete;
    ~scripted_server();

    // Called with each new connection, before anything is read from it.
    std::function<void(peer&)> on_accept;
    std::vector<std::shared_ptr<peer>> peers;

    [[nodiscard]] std::uint16_t port() const;
    // Answers the n-th request of each connection with the n-th of `answers`, and the last of them to
    // all further ones.
    void answer_with(std::vector<std::string> answers);
    // The same in TLS.
    void answer_with(std::vector<std::string> answers, server_tls how);

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

// A port on which connections are neither taken nor refused.
class swallowing_port
{
public:
    explicit swallowing_port(const char* address = "127.0.0.1", std::uint16_t port = 0);
    swallowing_port(const swallowing_port&) = delete;
    swallowing_port& operator=(const swallowing_port&) = delete;
    ~swallowing_port();

    [[nodiscard]] std::uint16_t port() const { return port_; }

private:
    int listener_ = -1;
    std::vector<int> fill_;
    std::uint16_t port_ = 0;
};

// A port where nobody listens, at least at the moment.
std::uint16_t refusing_port();

} // namespace mcp_pool::transport::http::testing
