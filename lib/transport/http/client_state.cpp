#include "transport/http/client_state.hpp"

#include <boost/asio/execution/context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>

#include <algorithm>

namespace mcp_pool::transport::http {

namespace {

void remove(std::vector<std::shared_ptr<http_connection>>& from, const http_connection& what)
{
    std::erase_if(from, [&](const auto& connection) { return connection.get() == &what; });
}

} // namespace

std::shared_ptr<client_state> client_state::make(
    const connection_strand& strand, http_client_options options)
{
    auto state = std::make_shared<client_state>(strand, std::move(options));
    state->watch(asio::query(strand, asio::execution::context), state);
    return state;
}

client_state::client_state(const connection_strand& strand, http_client_options options)
    : options_(std::move(options))
    , strand_(strand)
{}

exchange_ptr client_state::start(http_request request, exchange_events& events)
{
    auto exchange = std::make_shared<exchange_state>();
    exchange->events = &events;
    exchange->limits = request.limits;
    exchange->bodiless = request.method == "HEAD";
    exchange->client = weak_from_this();
    if (!strand_)
        return exchange;
    std::string problem;
    exchange->request = std::make_shared<const request_text>(write_request(std::move(request),
        options_.origin, options_.through ? &*options_.through : nullptr, problem));
    if (!problem.empty()) {
        fail_later(exchange, http_errc::bad_request,
            "the request to " + options_.origin.origin() + " cannot be written: " + problem);
        return exchange;
    }
    queue_.push_back(exchange);
    dispatch();
    return exchange;
}

// Never from within what began it.
void client_state::fail_later(exchange_ptr exchange, error_code code, std::string message)
{
    asio::post(
        *strand_, [exchange = std::move(exchange), code, message = std::move(message)]() mutable {
            exchange->fail(code, std::move(message));
        });
}

void client_state::dispatch()
{
    // Closing an unfit connection comes back here; the loop below goes on anyway.
    if (std::exchange(dispatching_, true))
        return;
    try {
        while (dispatch_one())
            continue;
    } catch (...) {
        dispatching_ = false;
        throw;
    }
    dispatching_ = false;
}

// False: nobody waits, or nothing is free.
bool client_state::dispatch_one()
{
    if (queue_.empty())
        return false;
    const exchange_ptr next = queue_.front();
    // What was written once in vain is not written on another connection that may have gone as well.
    const std::shared_ptr<http_connection> kept = next->resent ? nullptr : take_idle();
    if (!kept && connections_.size() >= options_.max_connections)
        return false;
    queue_.pop_front();
    if (kept) {
        ++counted_.reused;
        kept->serve(next);
    } else {
        open(next);
    }
    return true;
}

std::shared_ptr<http_connection> client_state::take_idle()
{
    while (!idle_.empty()) {
        const std::shared_ptr<http_connection> last = idle_.back();
        idle_.pop_back();
        if (last->is_fit())
            return last;
        last->cancel();
    }
    return nullptr;
}

void client_state::open(const exchange_ptr& exchange)
{
    const auto made = std::make_shared<http_connection>(*strand_, options_, *this);
    connections_.push_back(made);
    ++counted_.opened;
    try {
        made->establish(exchange);
    } catch (const std::bad_alloc&) {
        made->drop_exchange();
        made->abandon();
        remove(connections_, *made);
        fail_later(exchange, errc::resource_exhausted, "no memory for a connection");
    }
}

void client_state::on_idle(http_connection& connection)
{
    idle_.push_back(connection.shared_from_this());
    dispatch();
}

void client_state::on_closed(http_connection& connection)
{
    remove(idle_, connection);
    remove(connections_, connection);
    dispatch();
}

void client_state::on_resend(exchange_ptr exchange)
{
    exchange->connection.reset();
    ++counted_.resent;
    queue_.push_front(std::move(exchange));
}

void client_state::forget(const exchange_ptr& exchange) noexcept
{
    std::erase(queue_, exchange);
}

void client_state::close_idle()
{
    while (!idle_.empty()) {
        const std::shared_ptr<http_connection> last = idle_.back();
        last->cancel();
    }
}

http_client_stats client_state::stats() const noexcept
{
    http_client_stats now = counted_;
    now.connections = connections_.size();
    now.idle = idle_.size();
    now.queued = queue_.size();
    return now;
}

void client_state::abandon() noexcept
{
    const auto connections = std::exchange(connections_, {});
    idle_.clear();
    for (const auto& connection : connections)
        connection->abandon();
    for (const exchange_ptr& exchange : std::exchange(queue_, {}))
        exchange->events = nullptr;
    strand_.reset();
}

} // namespace mcp_pool::transport::http
