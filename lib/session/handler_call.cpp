#include "session/handler_call.hpp"

#include "protocol/versions.hpp"
#include "session/connection.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <utility>

namespace mcp_pool {

namespace {

diagnostics with_rpc(int code, std::string message, json::value data)
{
    diagnostics details;
    details.message = message;
    details.rpc.emplace();
    details.rpc->code = code;
    details.rpc->message = std::move(message);
    details.rpc->data = std::move(data);
    return details;
}

} // namespace

refusal::refusal(int code, std::string message, json::value data)
    : error(error_code(code, rpc_category()), with_rpc(code, std::move(message), std::move(data)))
{}

refusal user_rejected()
{
    return {-1, "The user has rejected the request"};
}

namespace detail {

namespace {

// What the peer may be told of an exception. Only a refusal was written for it: the text of any other,
// the error of a call to another server among them, may say what is none of its business.
rpc_error told_of(const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const refusal& e) {
        return *e.diagnostics().rpc;
    } catch (...) {
        rpc_error internal;
        internal.code = protocol::internal_error;
        internal.message = "Internal error";
        return internal;
    }
}

} // namespace

protocol::client_abilities abilities_of(const client_handlers* handlers) noexcept
{
    protocol::client_abilities able;
    if (!handlers)
        return able;
    able.sampling = static_cast<bool>(handlers->sampling);
    able.sampling_tools = able.sampling && handlers->sampling_tools;
    able.elicit_form = static_cast<bool>(handlers->elicit_form);
    able.elicit_url = static_cast<bool>(handlers->elicit_url);
    able.roots = static_cast<bool>(handlers->roots);
    return able;
}

const request_handler& handler_for(const client_handlers& handlers, protocol::question_kind kind)
{
    switch (kind) {
    case protocol::question_kind::sampling:
        return handlers.sampling;
    case protocol::question_kind::elicit_form:
        return handlers.elicit_form;
    case protocol::question_kind::elicit_url:
        return handlers.elicit_url;
    case protocol::question_kind::roots:
        break;
    }
    return handlers.roots;
}

handler_call::handler_call(std::uint64_t number, std::shared_ptr<grant_record> grant,
    std::uint64_t generation, std::shared_ptr<const client_handlers> handlers,
    const request_handler& function, const asio::any_io_executor& executor, request_context context,
    json::object params)
    : number_(number)
    , grant_(std::move(grant))
    , generation_(generation)
    , handlers_(std::move(handlers))
    , function_(function)
    , strand_(asio::make_strand(executor))
    , context_(std::move(context))
    , params_(std::move(params))
{}

handler_call::~handler_call()
{
    if (!reported_)
        report(handler_outcome());
}

void handler_call::start() noexcept
{
    try {
        asio::post(strand_, [self = shared_from_this()] { self->run(); });
    } catch (const std::exception&) {
        // No memory: the last owner reports it.
    }
}

void handler_call::cancel() noexcept
{
    if (cancelled_.exchange(true))
        return;
    try {
        asio::post(strand_,
            [self = shared_from_this()] { self->signal_.emit(asio::cancellation_type::terminal); });
    } catch (const std::exception&) {
        // No memory: it runs to its end, and its outcome is dropped.
    }
}

asio::awaitable<json::value> handler_call::invoke(std::shared_ptr<handler_call> call)
{
    asio::awaitable<json::value> work = call->function_(
        std::move(call->context_), std::move(call->params_));
    co_return co_await std::move(work);
}

void handler_call::run()
{
    // The lease may have ended on its way here.
    if (cancelled_ || !grant_->leased(generation_))
        return;
    try {
        auto done = [self = shared_from_this()](std::exception_ptr failure, json::value result) {
            self->finished(failure, std::move(result));
        };
        asio::co_spawn(strand_, invoke(shared_from_this()),
            asio::bind_cancellation_slot(signal_.slot(), std::move(done)));
    } catch (const std::bad_alloc&) {
        // Reported by the last owner.
    }
}

void handler_call::finished(const std::exception_ptr& failure, json::value&& result) noexcept
{
    try {
        handler_outcome outcome;
        if (failure) {
            outcome.how = handler_outcome::kind::failed;
            outcome.failure = told_of(failure);
        } else {
            outcome.how = handler_outcome::kind::answered;
            outcome.result = std::move(result);
        }
        report(std::move(outcome));
    } catch (const std::exception&) {
        // No memory for the outcome: the last owner reports that there is none.
    }
}

void handler_call::report(handler_outcome&& outcome) noexcept
{
    reported_ = true;
    try {
        grant_->state.with_io(
            [&](connection& io) { io.handler_done(number_, std::move(outcome)); });
    } catch (const std::exception&) {
        // No memory for the message to the strand: the request ends with its call.
    }
}

} // namespace detail
} // namespace mcp_pool
