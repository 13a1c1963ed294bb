#include "transport/http/http_client.hpp"

#include "transport/http/client_state.hpp"

namespace mcp_pool::transport::http {

void http_exchange::cancel() noexcept
{
    const exchange_ptr state = std::move(state_);
    if (!state || state->is_over())
        return;
    state->events = nullptr;
    try {
        if (const auto connection = state->connection.lock())
            connection->cancel();
        else if (const auto client = state->client.lock())
            client->forget(state);
    } catch (...) {
        // No memory to begin the next exchange in line: it begins with the next event.
    }
}

void http_exchange::loosen(std::uint64_t max_body_bytes, duration idle_timeout) noexcept
{
    if (!state_ || state_->is_over())
        return;
    if (const auto connection = state_->connection.lock())
        connection->loosen(max_body_bytes, idle_timeout);
}

http_client::http_client(const connection_strand& strand, http_client_options options)
    : state_(client_state::make(strand, std::move(options)))
{}

http_client::~http_client()
{
    state_->abandon();
}

http_exchange http_client::start(http_request request, exchange_events& events)
{
    return http_exchange(state_->start(std::move(request), events));
}

void http_client::close_idle()
{
    state_->close_idle();
}

http_client_stats http_client::stats() const noexcept
{
    return state_->stats();
}

} // namespace mcp_pool::transport::http
