// One exchange on its way through a client.
#pragma once

#include "transport/http/http_message.hpp"
#include "transport/http/request_text.hpp"

#include <memory>
#include <utility>

namespace mcp_pool::transport::http {

class http_connection;
class client_state;

// Shared by the handle of who began it and by whoever works on it.
struct exchange_state
{
    // nullptr: cancelled, or the last event was told.
    exchange_events* events = nullptr;
    std::shared_ptr<const request_text> request;
    exchange_limits limits;
    // It is a HEAD.
    bool bodiless = false;
    // A byte of it may have reached the server.
    bool sent = false;
    // It was written on a kept connection before, in vain.
    bool resent = false;
    // Who has it at present.
    std::weak_ptr<client_state> client;
    std::weak_ptr<http_connection> connection;

    exchange_state() = default;

    [[nodiscard]] bool is_over() const noexcept { return events == nullptr; }

    void end()
    {
        if (exchange_events* const listener = std::exchange(events, nullptr))
            listener->on_end();
    }

    void fail(error_code code, std::string message)
    {
        exchange_events* const listener = std::exchange(events, nullptr);
        if (listener == nullptr)
            return;
        http_failure why;
        why.code = code;
        why.message = std::move(message);
        why.sent = sent;
        listener->on_failure(std::move(why));
    }
};

using exchange_ptr = std::shared_ptr<exchange_state>;

} // namespace mcp_pool::transport::http
