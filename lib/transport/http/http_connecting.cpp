// How http_connection comes to a connection.
#include "rpc/text.hpp"
#include "transport/http/http_connection.hpp"
#include "transport/launch.hpp"

#include <algorithm>
#include <cerrno>

namespace mcp_pool::transport::http {

namespace {

// A name with more addresses than anybody has time to try.
constexpr std::size_t max_addresses = 16;
constexpr std::size_t max_reason = 80;

// What is this host's own trouble. A lack of local ports is told like an address that is not there.
bool is_shortage(const error_code& code) noexcept
{
    return code.category() == boost::system::system_category()
        && (code.value() == EMFILE || code.value() == ENFILE || code.value() == ENOMEM
            || code.value() == ENOSPC);
}

} // namespace

// Who is connected to: the proxy, or the server itself.
std::string http_connection::peer() const
{
    return options_.through ? "the proxy " + options_.through->title()
                            : options_.origin.host_and_port();
}

void http_connection::establish(exchange_ptr exchange)
{
    exchange_ = std::move(exchange);
    exchange_->connection = weak_from_this();
    arm(phase::resolving, exchange_->limits.connect_timeout);
    connect_deadline_ = deadline_;
    const std::string& host = options_.through ? options_.through->host : options_.origin.host;
    const std::uint16_t port = options_.through ? options_.through->port : options_.origin.port;
    const auto add = [&](const std::string& text) {
        error_code code;
        const auto address = asio::ip::make_address(text, code);
        if (!code)
            addresses_.emplace_back(address, port);
    };
    if (options_.addresses.empty())
        add(host);
    else
        std::ranges::for_each(options_.addresses, add);
    if (addresses_.empty())
        return resolve();
    phase_ = phase::connecting;
    try_next();
}

void http_connection::resolve()
{
    const std::string& host = options_.through ? options_.through->host : options_.origin.host;
    const std::uint16_t port = options_.through ? options_.through->port : options_.origin.port;
    resolver_.async_resolve(host, std::to_string(port), asio::ip::resolver_base::numeric_service,
        [weak = weak_from_this()](const error_code& code, const resolver::results_type& results) {
            if (const auto self = weak.lock(); self && self->phase_ == phase::resolving)
                self->on_resolved(code, results);
        });
}

void http_connection::on_resolved(const error_code& code, const resolver::results_type& results)
{
    const std::string& host = options_.through ? options_.through->host : options_.origin.host;
    if (code)
        return fail(http_errc::resolve_failed,
            "the name " + rpc::escape_foreign(host, 255)
                + " cannot be resolved: " + rpc::escape_foreign(code.message(), max_reason));
    for (const auto& entry : results) {
        if (addresses_.size() == max_addresses)
            break;
        // The resolver repeats an address for each kind of socket.
        if (std::ranges::find(addresses_, entry.endpoint()) == addresses_.end())
            addresses_.push_back(entry.endpoint());
    }
    phase_ = phase::connecting;
    try_next();
}

// The next address gets an equal share of the time that is left, so that one that swallows everything
// does not keep the others from being tried.
void http_connection::try_next()
{
    const std::size_t left = addresses_.size() - tried_;
    if (left == 0)
        return fail(http_errc::connect_failed,
            "connecting to " + peer() + " failed (" + std::to_string(addresses_.size())
                + (addresses_.size() == 1 ? " address" : " addresses")
                + " tried): " + rpc::escape_foreign(last_failure_.message(), max_reason));
    if (connect_deadline_ != time_point::max()) {
        const time_point now = clock::now();
        const duration share = std::max(connect_deadline_ - now, duration::zero())
            / static_cast<duration::rep>(left);
        arm_at(phase::connecting, left == 1 ? connect_deadline_ : now + share);
    }
    wire_->connect(addresses_[tried_++]);
}

void http_connection::connection_failed(const error_code& code)
{
    if (is_shortage(code)) {
        const start_failure why = explain_exhaustion(code.value(), "connecting to " + peer());
        return fail(why.code, why.message);
    }
    last_failure_ = code;
    try_next();
}

void http_connection::on_connected(const error_code& code)
{
    const auto self = shared_from_this();
    if (phase_ != phase::connecting)
        return;
    if (code)
        return connection_failed(code);
    if (options_.through && options_.origin.secure)
        return make_tunnel();
    if (options_.origin.secure)
        return make_secure();
    begin_exchange();
}

void http_connection::make_tunnel()
{
    arm_at(phase::tunnelling, connect_deadline_);
    exchange_limits limits = exchange_->limits;
    // What a proxy says beside no is of no interest.
    limits.max_body_bytes = 0;
    parser_.begin(limits, true);
    written_ = false;
    wire_->write(
        std::make_shared<const request_text>(write_connect(options_.origin, *options_.through)));
    read_on();
}

void http_connection::on_tunnel_bytes(const error_code& code, std::string_view bytes)
{
    const auto refuse = [this](const std::string& what) {
        fail(http_errc::proxy_refused,
            peer() + " made no tunnel to " + options_.origin.host_and_port() + ": " + what);
    };
    if (code)
        return refuse(
            "it ended the connection (" + rpc::escape_foreign(code.message(), max_reason) + ")");
    parser_.feed(bytes);
    switch (parser_.next()) {
    case answer_parser::part::need_more:
        return read_on();
    case answer_parser::part::head: {
        const answer_head head = parser_.take_head();
        if (head.status >= 300)
            return refuse("it answered " + std::to_string(head.status) + ' '
                + rpc::escape_foreign(head.reason, max_reason));
        // In TLS the client speaks first: bytes that come before are not the server's.
        if (!parser_.rest().empty())
            return refuse("it sent something behind its answer");
        // Two writes at a time would mix.
        if (!written_)
            return refuse("it answered before it was asked");
        return make_secure();
    }
    default:
        return refuse("its answer is no HTTP/1.1: " + parser_.words());
    }
}

void http_connection::make_secure()
{
    arm(phase::securing, exchange_->limits.tls_timeout);
    wire_->secure(*options_.tls, options_.origin.host);
}

void http_connection::on_secured(const error_code& code, const std::string& words)
{
    const auto self = shared_from_this();
    if (phase_ != phase::securing)
        return;
    if (code)
        return fail(code,
            "the TLS handshake with " + options_.origin.host_and_port() + " failed: " + words);
    begin_exchange();
}

} // namespace mcp_pool::transport::http
