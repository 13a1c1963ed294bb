// The only source that instantiates TLS streams.
#include "transport/http/wire.hpp"

#include "transport/descriptor.hpp"
#include "transport/http/tls_session.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include <poll.h>
#include <sys/socket.h>

namespace mcp_pool::transport::http {

namespace {

// An idle connection that never had a large answer keeps to the first.
constexpr std::size_t first_buffer = std::size_t{8} << 10;
constexpr std::size_t largest_buffer = std::size_t{64} << 10;

class socket_wire final : public wire, public std::enable_shared_from_this<socket_wire>
{
public:
    socket_wire(const connection_strand& strand, wire_events& events)
        : events_(&events)
        , socket_(strand)
    {}

    void connect(const asio::ip::tcp::endpoint& where) override
    {
        const unsigned attempt = ++attempt_;
        error_code code;
        socket_.close(code);
        if (open(where.protocol(), code)) {
            socket_.async_connect(
                where, [self = shared_from_this(), attempt](const error_code& result) {
                    self->connected(attempt, result);
                });
            return;
        }
        asio::post(socket_.get_executor(),
            [self = shared_from_this(), attempt, code] { self->connected(attempt, code); });
    }

    void secure(tls_context& tls, const std::string& host) override
    {
        secured_.emplace(socket_, tls.context);
        if (!expect_host(secured_->native_handle(), host)) {
            asio::post(socket_.get_executor(), [self = shared_from_this()] {
                if (self->events_ != nullptr)
                    self->events_->on_secured(
                        http_errc::tls_failed, "the host name cannot be told to OpenSSL");
            });
            return;
        }
        secured_->async_handshake(asio::ssl::stream_base::client,
            [self = shared_from_this()](const error_code& code) { self->secured(code); });
    }

    void read() override
    {
        if (full_ && buffer_.size() < largest_buffer)
            buffer_.resize(largest_buffer);
        const auto handler = [self = shared_from_this()](const error_code& code, std::size_t size) {
            self->have_read(code, size);
        };
        if (secured_)
            secured_->async_read_some(asio::buffer(buffer_), handler);
        else
            socket_.async_read_some(asio::buffer(buffer_), handler);
    }

    void write(std::shared_ptr<const request_text> text) override
    {
        const std::array<asio::const_buffer, 2> pieces{
            asio::buffer(text->head), asio::buffer(text->body)};
        const auto handler = [self = shared_from_this(), text](
                                 const error_code& code, std::size_t size) {
            // What TLS counts is what it took; a record may be on its way beyond that.
            if (self->events_ != nullptr)
                self->events_->on_written(
                    code, self->secured_ ? std::max<std::size_t>(size, 1) : size);
        };
        if (secured_)
            asio::async_write(*secured_, pieces, handler);
        else
            asio::async_write(socket_, pieces, handler);
    }

    bool has_news() const noexcept override
    {
        pollfd news{const_cast<socket_type&>(socket_).native_handle(), POLLIN, 0};
        return ::poll(&news, 1, 0) != 0;
    }

    void close() noexcept override
    {
        events_ = nullptr;
        error_code ignored;
        socket_.close(ignored);
    }

private:
    using socket_type = asio::basic_stream_socket<asio::ip::tcp, connection_strand>;

    // As Asio does it, but not inherited by what the host starts, and not below descriptor 3.
    bool open(const asio::ip::tcp& protocol, error_code& code)
    {
        const low_descriptors_plug plug;
        descriptor fd(lifted(
            ::socket(protocol.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP)));
        if (!fd) {
            code.assign(errno, boost::system::system_category());
            return false;
        }
        socket_.assign(protocol, fd.get(), code);
        if (code)
            return false;
        [[maybe_unused]] const int owned = fd.release();
        // It does not block already: Asio need not find out by a further system call.
        socket_.native_non_blocking(true, code);
        return !code;
    }

    void connected(unsigned attempt, const error_code& code)
    {
        // A former attempt that was given up ends late.
        if (events_ == nullptr || attempt != attempt_)
            return;
        if (!code) {
            error_code ignored;
            socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
            // Finds out in hours, not never, that the other side of a silent stream is gone.
            socket_.set_option(asio::socket_base::keep_alive(true), ignored);
            buffer_.resize(first_buffer);
        }
        events_->on_connected(code);
    }

    void secured(const error_code& code)
    {
        if (events_ == nullptr)
            return;
        std::string words;
        const error_code result = code ? explain_handshake(secured_->native_handle(), code, words)
                                       : error_code();
        events_->on_secured(result, words);
    }

    void have_read(const error_code& code, std::size_t size)
    {
        if (events_ == nullptr)
            return;
        full_ = size == buffer_.size();
        events_->on_read(code, std::string_view(buffer_.data(), size));
    }

    // nullptr: nobody wants to hear anything any more.
    wire_events* events_;
    socket_type socket_;
    std::optional<asio::ssl::stream<socket_type&>> secured_;
    unsigned attempt_ = 0;
    std::vector<char> buffer_;
    // The last read filled the buffer.
    bool full_ = false;
};

} // namespace

std::shared_ptr<wire> make_wire(const connection_strand& strand, wire_events& events)
{
    return std::make_shared<socket_wire>(strand, events);
}

} // namespace mcp_pool::transport::http
