// An asynchronous operation for any completion token, made of one of our coroutines.
#pragma once

#include <mcp_pool/call_options.hpp>
#include <mcp_pool/detail/namespaces.hpp>
#include <mcp_pool/error.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <functional>
#include <type_traits>
#include <utility>

namespace mcp_pool::detail {

template <class Result>
struct completion_signature_of
{
    using type = void(error_code, Result);
};
template <>
struct completion_signature_of<void>
{
    using type = void(error_code);
};
template <class Result>
using completion_signature = typename completion_signature_of<Result>::type;

// The code in an exception that one of our coroutines ended with; anything else is passed on.
inline error_code code_of(const std::exception_ptr& failure)
{
    if (!failure)
        return {};
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& e) {
        return e.code();
    }
}

// Turns the completion of co_spawn into that of the operation.
template <class Result, class Handler>
struct coroutine_handler
{
    Handler handler;

    explicit coroutine_handler(Handler h)
        : handler(std::move(h))
    {}

    void operator()(std::exception_ptr failure, Result result)
    {
        std::move(handler)(code_of(failure), std::move(result));
    }
};

template <class Handler>
struct coroutine_handler<void, Handler>
{
    Handler handler;

    explicit coroutine_handler(Handler h)
        : handler(std::move(h))
    {}

    void operator()(std::exception_ptr failure) { std::move(handler)(code_of(failure)); }
};

// The first coroutine of a thread of coroutines of our own: it may say which cancellations pass.
template <class Result>
asio::awaitable<Result> cancellable(std::function<asio::awaitable<Result>()> body)
{
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_return co_await body();
}

template <class Result>
struct initiate_coroutine
{
    asio::any_io_executor default_executor;

    explicit initiate_coroutine(asio::any_io_executor ex)
        : default_executor(std::move(ex))
    {}

    using executor_type = asio::any_io_executor;
    [[nodiscard]] executor_type get_executor() const noexcept { return default_executor; }

    template <class Handler>
    void operator()(Handler&& handler, std::function<asio::awaitable<Result>()> body) const
    {
        using plain = std::decay_t<Handler>;
        // The coroutine runs where the handler wants to be called.
        asio::any_io_executor executor(asio::get_associated_executor(handler, default_executor));
        auto slot = asio::get_associated_cancellation_slot(handler);
        coroutine_handler<Result, plain> adapted(std::forward<Handler>(handler));
        asio::co_spawn(executor, cancellable<Result>(std::move(body)),
            asio::bind_cancellation_slot(slot, asio::bind_executor(executor, std::move(adapted))));
    }
};

// Runs body() as an operation that completes with `void(error_code, Result)`. Cancellation: terminal,
// partial and total.
template <class Result, class Token>
auto from_coroutine(
    asio::any_io_executor executor, std::function<asio::awaitable<Result>()> body, Token&& token)
{
    return asio::async_initiate<Token, completion_signature<Result>>(
        initiate_coroutine<Result>(std::move(executor)), token, std::move(body));
}

} // namespace mcp_pool::detail
