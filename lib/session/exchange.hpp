// The awaitable forms of requests: one coroutine for all kinds of results.
#pragma once

#include <mcp_pool/detail/request_op.hpp>
#include <mcp_pool/error.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <type_traits>
#include <utility>

namespace mcp_pool::detail {

// Sends a request and waits for what came of it; throws mcp_pool::error. Each frame more would be an
// allocation more for each call.
template <class Result>
asio::awaitable<Result> exchange(session_ref session, detail::request what)
{
    diagnostics details;
    diagnostics* const wanted = std::exchange(what.options.diagnostics, &details);
    // Named, all of them: g++ 12 destroys temporaries of a co_await expression twice.
    initiate_request<json::value> initiation(std::move(session));
    constexpr auto token = asio::as_tuple(asio::use_awaitable);
    auto [code, result] =
        co_await asio::async_initiate<decltype(token), void(error_code, json::value)>(
            std::move(initiation), token, std::move(what));
    if (code) {
        if (wanted)
            *wanted = details;
        throw error(code, std::move(details));
    }
    if constexpr (!std::is_void_v<Result>)
        co_return result_of<Result>::from(std::move(result));
}

} // namespace mcp_pool::detail
