#include "transport/http/credential_call.hpp"

#include "protocol/http_headers.hpp"
#include "rpc/text.hpp"
#include "transport/http/http_link.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include <optional>
#include <utility>

namespace mcp_pool::transport::http {

namespace {

constexpr std::size_t max_reason = 300;

std::string reason_of(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& known) {
        std::string reason("the function that gives credentials failed: ");
        reason += rpc::escape_foreign(known.what(), max_reason);
        return reason;
    } catch (...) {
        return "the function that gives credentials failed";
    }
}

} // namespace

credential_call::credential_call(const std::shared_ptr<http_link>& owner,
    std::shared_ptr<const endpoint> server, credential_request request)
    : owner_(owner)
    , server_(std::move(server))
    , request_(std::move(request))
    , back_(owner->strand())
    , strand_(asio::make_strand(back_.get_inner_executor()))
{}

asio::awaitable<std::string> credential_call::invoke(std::shared_ptr<credential_call> self)
{
    asio::awaitable<std::string> asked = self->server_->ask(std::move(self->request_));
    std::string value = co_await std::move(asked);
    co_return value;
}

void credential_call::start()
{
    auto done = [self = shared_from_this()](const std::exception_ptr& failure, std::string value) {
        self->finished(failure, std::move(value));
    };
    asio::co_spawn(strand_, invoke(shared_from_this()),
        asio::bind_cancellation_slot(signal_.slot(), std::move(done)));
}

void credential_call::finished(const std::exception_ptr& failure, std::string value)
{
    std::optional<std::string> given;
    std::string problem;
    if (failure)
        problem = reason_of(failure);
    else if (!protocol::is_header_value(value))
        problem = "the function that gives credentials gave what cannot be the value of a header "
                  "field: it is too long, or has control characters or white space at either end";
    else
        given = std::move(value);
    asio::post(back_, [owner = owner_, given = std::move(given), problem = std::move(problem)] {
        if (const auto link = owner.lock())
            link->on_credentials(given, problem);
    });
}

void credential_call::cancel() noexcept
{
    try {
        asio::dispatch(strand_,
            [self = shared_from_this()] { self->signal_.emit(asio::cancellation_type::terminal); });
    } catch (const std::exception&) {
        // No memory: the call goes on, and nobody listens to it.
    }
}

} // namespace mcp_pool::transport::http
