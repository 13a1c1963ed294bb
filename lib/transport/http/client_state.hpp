// The connections of a client, and who waits for them.
#pragma once

#include "transport/http/context_watch.hpp"
#include "transport/http/http_connection.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace mcp_pool::transport::http {

// What an http_client holds, apart from it so that the client may be destroyed at any moment.
//
// Thread safety: on the strand only; abandon() also while the context is shut down.
class client_state final : public context_watched,
                           public connection_owner,
                           public std::enable_shared_from_this<client_state>
{
public:
    static std::shared_ptr<client_state> make(
        const connection_strand& strand, http_client_options options);
    // For make().
    client_state(const connection_strand& strand, http_client_options options);

    exchange_ptr start(http_request request, exchange_events& events);
    void close_idle();
    [[nodiscard]] http_client_stats stats() const noexcept;
    // `exchange` is cancelled and not on a connection.
    void forget(const exchange_ptr& exchange) noexcept;
    // Nothing is told any more, nothing is held any more.
    void abandon() noexcept;

private:
    void on_idle(http_connection& connection) override;
    void on_closed(http_connection& connection) override;
    void on_resend(exchange_ptr exchange) override;
    void on_context_gone() noexcept override { abandon(); }

    void dispatch();
    bool dispatch_one();
    [[nodiscard]] std::shared_ptr<http_connection> take_idle();
    void open(const exchange_ptr& exchange);
    void fail_later(exchange_ptr exchange, error_code code, std::string message);

    const http_client_options options_;
    // Unset when nothing is to happen any more.
    std::optional<connection_strand> strand_;
    std::vector<std::shared_ptr<http_connection>> connections_;
    // Those without an exchange; the one that was used last at the end.
    std::vector<std::shared_ptr<http_connection>> idle_;
    std::deque<exchange_ptr> queue_;
    bool dispatching_ = false;
    http_client_stats counted_;
};

} // namespace mcp_pool::transport::http
