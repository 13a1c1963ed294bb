#include "transport/http/http_connection.hpp"

#include "rpc/text.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <new>

namespace mcp_pool::transport::http {

namespace {

constexpr std::size_t max_reason = 120;

std::string seconds(duration length)
{
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(length).count();
    return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

} // namespace

http_connection::http_connection(
    const connection_strand& strand, const http_client_options& options, connection_owner& owner)
    : options_(options)
    , owner_(&owner)
    , wire_(make_wire(strand, *this))
    , resolver_(strand)
    , timer_(strand)
{}

http_connection::~http_connection()
{
    wire_->close();
}

void http_connection::serve(exchange_ptr exchange)
{
    exchange_ = std::move(exchange);
    exchange_->connection = weak_from_this();
    begin_exchange();
}

void http_connection::begin_exchange()
{
    parser_.begin(exchange_->limits, exchange_->bodiless);
    arm(phase::waiting, exchange_->limits.first_byte_timeout);
    first_byte_deadline_ = deadline_;
    written_ = false;
    exchange_->sent = true;
    wire_->write(exchange_->request);
    read_on();
}

// From the first exchange on there is always a read pending, so that the end of an idle connection is
// noticed.
void http_connection::read_on()
{
    if (phase_ != phase::closed && !std::exchange(reading_, true))
        wire_->read();
}

void http_connection::on_written(const error_code& code, std::size_t bytes)
{
    const auto self = shared_from_this();
    if (phase_ == phase::closed)
        return;
    if (!code) {
        written_ = true;
        return;
    }
    if (bytes == 0 && !parser_.begun() && phase_ == phase::waiting) {
        exchange_->sent = false;
        if (kept_ && !exchange_->resent)
            return resend();
    }
    // An answer, or the reason, may be on its way still: the reader finds out.
}

void http_connection::on_read(const error_code& code, std::string_view bytes)
{
    const auto self = shared_from_this();
    reading_ = false;
    switch (phase_) {
    case phase::tunnelling:
        return on_tunnel_bytes(code, bytes);
    case phase::waiting:
    case phase::head:
    case phase::body:
        break;
    case phase::idle:
        // Closed by the server, or bytes that nobody asked for: who knows whose answer they are.
        cancel();
        return;
    default:
        return;
    }
    try {
        if (bytes.empty())
            return on_end_of_input(code);
        take_answer(bytes);
    } catch (const std::bad_alloc&) {
        return fail(errc::resource_exhausted, "no memory for the answer");
    }
    read_on();
}

void http_connection::take_answer(std::string_view bytes)
{
    const exchange_ptr current = exchange_;
    parser_.feed(bytes);
    for (;;) {
        switch (parser_.next()) {
        case answer_parser::part::need_more:
            if (phase_ == phase::body)
                return arm(phase::body, current->limits.idle_timeout);
            if (parser_.awaits_first_byte())
                return arm_at(phase::waiting, first_byte_deadline_);
            // Once for the whole head: a server cannot keep it open by sending a byte now and then.
            if (phase_ == phase::waiting)
                arm(phase::head, current->limits.idle_timeout);
            return;
        case answer_parser::part::head:
            phase_ = phase::body;
            on_head(*current, parser_.take_head());
            break;
        case answer_parser::part::body:
            if (!current->is_over())
                current->events->on_body(parser_.piece());
            break;
        case answer_parser::part::end:
            return complete();
        case answer_parser::part::bad:
            return fail(parser_.code(),
                "the answer of " + options_.origin.origin() + " is refused: " + parser_.words());
        }
        // Cancelled meanwhile, or worse.
        if (phase_ == phase::closed)
            return;
    }
}

void http_connection::on_head(exchange_state& current, answer_head head)
{
    keep_alive_ = std::min(options_.keep_alive, keep_alive_of(head.fields));
    if (!current.is_over())
        current.events->on_head(std::move(head));
}

// The connection is free before the last event, in which the next exchange may begin.
void http_connection::complete()
{
    const bool keep = parser_.keeps_alive() && parser_.rest().empty() && written_
        && keep_alive_ != duration::zero();
    exchange_ptr done;
    if (keep) {
        done = std::move(exchange_);
        kept_ = true;
        arm(phase::idle, keep_alive_);
        owner_->on_idle(*this);
    } else {
        connection_owner* const owner = owner_;
        done = give_up();
        owner->on_closed(*this);
    }
    done->end();
}

void http_connection::on_end_of_input(const error_code& code)
{
    if (is_stale())
        return resend();
    // With TLS this says that the server has ended it, and not somebody in between.
    if (code == asio::error::eof && parser_.finish() == answer_parser::part::end) {
        connection_owner* const owner = owner_;
        const exchange_ptr done = give_up();
        owner->on_closed(*this);
        return done->end();
    }
    const bool begun = parser_.begun();
    fail(begun ? http_errc::truncated : http_errc::no_answer,
        "the connection to " + options_.origin.origin()
            + (begun ? " ended within the answer" : " ended before an answer came") + ": "
            + rpc::escape_foreign(code.message(), max_reason));
}

// The server has closed a kept connection while the request was on its way to it.
bool http_connection::is_stale() const noexcept
{
    return kept_ && !parser_.begun() && !exchange_->resent
        && (!exchange_->sent || exchange_->limits.may_resend);
}

void http_connection::resend()
{
    connection_owner* const owner = owner_;
    exchange_ptr exchange = give_up();
    exchange->resent = true;
    exchange->sent = exchange->sent && exchange->limits.may_resend;
    // Before the place becomes free for others.
    owner->on_resend(std::move(exchange));
    owner->on_closed(*this);
}

void http_connection::cancel()
{
    connection_owner* const owner = owner_;
    give_up();
    if (owner != nullptr)
        owner->on_closed(*this);
}

void http_connection::abandon() noexcept
{
    if (const exchange_ptr forgotten = give_up())
        forgotten->events = nullptr;
    owner_ = nullptr;
}

void http_connection::loosen(std::uint64_t max_body_bytes, duration idle_timeout) noexcept
{
    parser_.limit_body(max_body_bytes);
    if (exchange_) {
        exchange_->limits.max_body_bytes = max_body_bytes;
        exchange_->limits.idle_timeout = idle_timeout;
    }
}

// Everything is closed; the exchange is the caller's.
exchange_ptr http_connection::give_up() noexcept
{
    phase_ = phase::closed;
    wire_->close();
    resolver_.cancel();
    try {
        timer_.cancel();
    } catch (...) {
        // It goes off in vain.
    }
    return std::move(exchange_);
}

void http_connection::fail(error_code code, const std::string& what)
{
    connection_owner* const owner = owner_;
    const exchange_ptr failed = give_up();
    if (owner != nullptr)
        owner->on_closed(*this);
    if (failed)
        failed->fail(code, what);
}

void http_connection::arm(phase next, duration length)
{
    arm_at(next,
        length == duration::zero() ? time_point::max()
                                   : detail::saturating_add(clock::now(), length));
}

void http_connection::arm_at(phase next, time_point deadline)
{
    phase_ = next;
    deadline_ = deadline;
    // A timer that goes off too early looks at the deadline again: most exchanges arm none.
    if (deadline_ < armed_)
        wait();
}

void http_connection::wait()
{
    armed_ = deadline_;
    timer_.expires_at(deadline_);
    timer_.async_wait([weak = weak_from_this(), when = armed_](const error_code& code) {
        if (const auto self = weak.lock(); !code && self && self->armed_ == when)
            self->on_timer();
    });
}

void http_connection::on_timer()
{
    armed_ = time_point::max();
    if (phase_ == phase::closed || deadline_ == time_point::max())
        return;
    if (clock::now() < deadline_)
        return wait();
    const exchange_limits limits = exchange_ ? exchange_->limits : exchange_limits();
    switch (phase_) {
    case phase::resolving:
        return fail(http_errc::connect_timeout,
            "the name of " + peer() + " was not resolved within "
                + seconds(limits.connect_timeout));
    case phase::connecting:
        if (tried_ != addresses_.size()) {
            last_failure_ = asio::error::timed_out;
            return try_next();
        }
        return fail(http_errc::connect_timeout,
            "no connection to " + peer() + " within " + seconds(limits.connect_timeout));
    case phase::tunnelling:
        return fail(http_errc::connect_timeout,
            peer() + " made no tunnel to " + options_.origin.host_and_port() + " within "
                + seconds(limits.connect_timeout));
    case phase::securing:
        return fail(http_errc::tls_timeout,
            "no TLS handshake with " + options_.origin.host_and_port() + " within "
                + seconds(limits.tls_timeout));
    case phase::waiting:
        return fail(http_errc::first_byte_timeout,
            options_.origin.origin() + " did not answer within "
                + seconds(limits.first_byte_timeout));
    case phase::head:
    case phase::body:
        return fail(http_errc::idle_timeout,
            "the answer of " + options_.origin.origin() + " stood still for "
                + seconds(limits.idle_timeout));
    case phase::idle:
        return cancel();
    case phase::closed:
        return;
    }
}

} // namespace mcp_pool::transport::http
