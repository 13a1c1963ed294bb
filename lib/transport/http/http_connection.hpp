// One connection of a client, from the resolution of the name to the last answer.
#pragma once

#include "transport/http/answer_parser.hpp"
#include "transport/http/exchange_state.hpp"
#include "transport/http/http_client.hpp"
#include "transport/http/wire.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <string>
#include <vector>

namespace mcp_pool::transport::http {

// Who has the connections. Told on the strand; may begin the next exchange in each of them.
class connection_owner
{
public:
    // It has served one exchange and may serve another.
    virtual void on_idle(http_connection& connection) = 0;
    // It serves nobody any more. May be destroyed when the caller returns.
    virtual void on_closed(http_connection& connection) = 0;
    // The connection has closed under `exchange` before it was answered: it goes to another one.
    virtual void on_resend(exchange_ptr exchange) = 0;

protected:
    ~connection_owner() = default;
};

// At most one exchange at a time.
//
// Lifetime: shared by its owner and by itself while it handles an event; pending operations keep its
// wire alone.
// Thread safety: on the strand only.
class http_connection final : public wire_events,
                              public std::enable_shared_from_this<http_connection>
{
public:
    // `options` lives as long as the owner.
    http_connection(const connection_strand& strand, const http_client_options& options,
        connection_owner& owner);
    ~http_connection();

    // Makes the connection and serves `exchange` on it.
    void establish(exchange_ptr exchange);
    // Precondition: is_idle().
    void serve(exchange_ptr exchange);

    [[nodiscard]] bool is_idle() const noexcept { return phase_ == phase::idle; }
    // The server has not closed it, as far as can be known by now, and has sent nothing unasked.
    [[nodiscard]] bool is_fit() const noexcept { return is_idle() && !wire_->has_news(); }
    // The exchange is cancelled: the connection ends and says so to its owner.
    void cancel();
    // The owner wants nothing of it any more, and its exchange is not told.
    void abandon() noexcept;
    // The exchange is somebody else's again.
    void drop_exchange() noexcept { exchange_.reset(); }
    void loosen(std::uint64_t max_body_bytes, duration idle_timeout) noexcept;

private:
    using clock = std::chrono::steady_clock;
    using timer = asio::basic_waitable_timer<clock, asio::wait_traits<clock>, connection_strand>;
    using resolver = asio::ip::basic_resolver<asio::ip::tcp, connection_strand>;
    using endpoint = asio::ip::tcp::endpoint;

    enum class phase {
        // The name is looked up.
        resolving,
        // The addresses are tried.
        connecting,
        // The proxy is asked for a tunnel.
        tunnelling,
        // TLS is agreed upon.
        securing,
        // The request was written, at least in part; no byte of the final answer has come.
        waiting,
        // The final answer's head comes.
        head,
        // Its body comes.
        body,
        // No exchange.
        idle,
        // Nothing is told and nothing is done any more.
        closed,
    };

    // Events of the wire.
    void on_connected(const error_code& code) override;
    void on_secured(const error_code& code, const std::string& words) override;
    void on_read(const error_code& code, std::string_view bytes) override;
    void on_written(const error_code& code, std::size_t bytes) override;

    // Making the connection: http_connecting.cpp.
    void resolve();
    void on_resolved(const error_code& code, const resolver::results_type& results);
    void try_next();
    void connection_failed(const error_code& code);
    void make_tunnel();
    void on_tunnel_bytes(const error_code& code, std::string_view bytes);
    void make_secure();
    [[nodiscard]] std::string peer() const;

    // The exchange.
    void begin_exchange();
    void take_answer(std::string_view bytes);
    void on_head(exchange_state& current, answer_head head);
    void complete();
    void on_end_of_input(const error_code& code);
    [[nodiscard]] bool is_stale() const noexcept;
    void resend();
    void read_on();

    // The end.
    void fail(error_code code, const std::string& what);
    exchange_ptr give_up() noexcept;

    // Deadlines.
    void arm(phase next, duration length);
    void arm_at(phase next, time_point deadline);
    void wait();
    void on_timer();

    const http_client_options& options_;
    // nullptr: abandoned.
    connection_owner* owner_;
    phase phase_ = phase::resolving;
    exchange_ptr exchange_;
    std::shared_ptr<wire> wire_;
    answer_parser parser_;

    resolver resolver_;
    std::vector<endpoint> addresses_;
    std::size_t tried_ = 0;
    error_code last_failure_;

    timer timer_;
    time_point deadline_ = time_point::max();
    // When the timer goes off; later than the deadline never.
    time_point armed_ = time_point::max();
    // Of the connection as a whole, and of the first byte.
    time_point connect_deadline_ = time_point::max();
    time_point first_byte_deadline_ = time_point::max();

    bool reading_ = false;
    bool written_ = true;
    // It has served an exchange before.
    bool kept_ = false;
    // How long it may be kept without one, by our options and by what the server says.
    duration keep_alive_{};
};

} // namespace mcp_pool::transport::http
