#include "integration/http/scripted_peer.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <deque>
#include <optional>
#include <stdexcept>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mcp_pool::transport::http::testing {

namespace {

using asio::ip::tcp;
using boost::system::error_code;

class socket_peer final : public peer, public std::enable_shared_from_this<socket_peer>
{
public:
    explicit socket_peer(tcp::socket socket)
        : socket_(std::move(socket))
    {}

    void send(std::string bytes) override
    {
        outgoing_.push_back(std::move(bytes));
        if (outgoing_.size() == 1 && !shaking_)
            write_on();
    }

    void close() override
    {
        closing_ = true;
        if (outgoing_.empty())
            finish();
    }

    void reset() override
    {
        error_code ignored;
        socket_.set_option(asio::socket_base::linger(true, 0), ignored);
        socket_.close(ignored);
    }

    void break_off() override
    {
        error_code ignored;
        socket_.shutdown(tcp::socket::shutdown_send, ignored);
    }

    void secure_when_sent(const server_tls& how) override
    {
        // No read is begun from here on that would take what belongs to the handshake.
        securing_ = how;
        if (outgoing_.empty())
            secure(how);
    }

    void secure(const server_tls& how) override
    {
        context_.emplace(asio::ssl::context::tls_server);
        SSL_CTX* const context = context_->native_handle();
        SSL_CTX_use_certificate(context, how.shown.certificate.get());
        SSL_CTX_use_PrivateKey(context, how.shown.key.get());
        if (how.clients_by) {
            X509_STORE_add_cert(SSL_CTX_get_cert_store(context), how.clients_by.get());
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        }
        stream_.emplace(socket_, *context_);
        shaking_ = true;
        stream_->async_handshake(asio::ssl::stream_base::server,
            [self = shared_from_this()](const error_code& code) { self->shaken(code); });
    }

    void read_on()
    {
        const auto handler = [self = shared_from_this()](const error_code& code, std::size_t size) {
            self->have_read(code, size);
        };
        if (stream_)
            stream_->async_read_some(asio::buffer(buffer_), handler);
        else
            socket_.async_read_some(asio::buffer(buffer_), handler);
    }

    void begin()
    {
        if (!stream_ && socket_.is_open())
            read_on();
    }

private:
    void shaken(const error_code& code)
    {
        shaking_ = false;
        if (code) {
            handshake_error = code.message();
            error_code ignored;
            socket_.close(ignored);
            ended = true;
            return;
        }
        secured = true;
        securing_.reset();
        const char* const name = SSL_get_servername(
            stream_->native_handle(), TLSEXT_NAMETYPE_host_name);
        asked_for = name != nullptr ? name : "";
        client_certificate = SSL_get0_peer_certificate(stream_->native_handle()) != nullptr;
        if (!outgoing_.empty())
            write_on();
        read_on();
    }

    void have_read(const error_code& code, std::size_t size)
    {
        received.append(buffer_.data(), size);
        if (code) {
            ended = true;
            return;
        }
        if (on_bytes)
            on_bytes(*this);
        if (socket_.is_open() && !securing_ && !deaf)
            read_on();
    }

    void write_on()
    {
        const auto handler = [self = shared_from_this()](const error_code& code, std::size_t) {
            self->outgoing_.pop_front();
            if (!code && !self->outgoing_.empty())
                self->write_on();
            else if (!code && self->securing_ && !self->stream_)
                self->secure(*self->securing_);
            else if (self->closing_)
                self->finish();
        };
        if (stream_)
            asio::async_write(*stream_, asio::buffer(outgoing_.front()), handler);
        else
            asio::async_write(socket_, asio::buffer(outgoing_.front()), handler);
    }

    void finish()
    {
        if (!stream_) {
            error_code ignored;
            socket_.shutdown(tcp::socket::shutdown_send, ignored);
            return;
        }
        stream_->async_shutdown([self = shared_from_this()](const error_code&) {
            error_code ignored;
            self->socket_.close(ignored);
        });
        // The other side need not answer.
        error_code ignored;
        socket_.shutdown(tcp::socket::shutdown_send, ignored);
    }

    tcp::socket socket_;
    std::optional<asio::ssl::context> context_;
    std::optional<asio::ssl::stream<tcp::socket&>> stream_;
    bool shaking_ = false;
    std::optional<server_tls> securing_;
    std::array<char, 16384> buffer_{};
    std::deque<std::string> outgoing_;
    bool closing_ = false;
};

int loopback_socket(const char* address, std::uint16_t& port)
{
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    ::inet_pton(AF_INET, address, &where.sin_addr);
    socklen_t size = sizeof where;
    if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&where), size) != 0
        || ::getsockname(fd, reinterpret_cast<sockaddr*>(&where), &size) != 0)
        throw std::runtime_error("a socket on the loopback");
    port = ntohs(where.sin_port);
    return fd;
}

} // namespace

std::size_t peer::requests() const
{
    std::size_t count = 0;
    for (std::size_t at = received.find("\r\n\r\n"); at != std::string::npos;
         at = received.find("\r\n\r\n", at + 4))
        ++count;
    return count;
}

struct scripted_server::impl : std::enable_shared_from_this<impl>
{
    impl(asio::io_context& context, scripted_server& front, const tcp::endpoint& where)
        : owner(&front)
        , acceptor(context, where)
    {}

    void accept()
    {
        acceptor.async_accept([self = shared_from_this()](const error_code& code, tcp::socket s) {
            if (code || self->owner == nullptr)
                return;
            s.set_option(tcp::no_delay(true));
            const auto made = std::make_shared<socket_peer>(std::move(s));
            self->owner->peers.push_back(made);
            if (self->owner->on_accept) {
                const auto call = self->owner->on_accept;
                call(*made);
            }
            made->begin();
            self->accept();
        });
    }

    scripted_server* owner;
    tcp::acceptor acceptor;
};

scripted_server::scripted_server(asio::io_context& context, const char* address, std::uint16_t port)
    : impl_(std::make_shared<impl>(
        context, *this, tcp::endpoint(asio::ip::make_address(address), port)))
{
    impl_->accept();
}

scripted_server::~scripted_server()
{
    impl_->owner = nullptr;
    error_code ignored;
    impl_->acceptor.close(ignored);
    for (const auto& connection : peers) {
        connection->on_bytes = nullptr;
        connection->reset();
    }
}

std::uint16_t scripted_server::port() const
{
    return impl_->acceptor.local_endpoint().port();
}

void scripted_server::answer_with(std::vector<std::string> answers)
{
    on_accept = [answers](peer& connection) {
        connection.on_bytes = [answers, done = std::size_t{0}](peer& self) mutable {
            for (; done < self.requests(); ++done)
                self.send(answers[std::min(done, answers.size() - 1)]);
        };
    };
}

void scripted_server::answer_with(std::vector<std::string> answers, server_tls how)
{
    answer_with(std::move(answers));
    on_accept = [plain = on_accept, how](peer& connection) {
        plain(connection);
        connection.secure(how);
    };
}

swallowing_port::swallowing_port(const char* address, std::uint16_t port)
    : port_(port)
{
    listener_ = loopback_socket(address, port_);
    ::listen(listener_, 0);
    // Connections that nobody takes, until one more is not even answered.
    for (int i = 0; i < 64; ++i) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        fill_.push_back(fd);
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_port = htons(port_);
        ::inet_pton(AF_INET, address, &where.sin_addr);
        ::connect(fd, reinterpret_cast<sockaddr*>(&where), sizeof where);
        pollfd connected{fd, POLLOUT, 0};
        if (::poll(&connected, 1, 100) == 0)
            return;
    }
    throw std::runtime_error("a port that takes no connection");
}

swallowing_port::~swallowing_port()
{
    for (const int fd : fill_)
        ::close(fd);
    ::close(listener_);
}

std::uint16_t refusing_port()
{
    std::uint16_t port = 0;
    ::close(loopback_socket("127.0.0.1", port));
    return port;
}

} // namespace mcp_pool::transport::http::testing
