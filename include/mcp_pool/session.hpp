// A session with an MCP server, as the holder of one lease sees it.
#pragma once

#include <mcp_pool/call_options.hpp>
#include <mcp_pool/detail/from_coroutine.hpp>
#include <mcp_pool/detail/request_op.hpp>
#include <mcp_pool/error.hpp>
#include <mcp_pool/types.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_pool {

namespace detail {

// The coroutine behind the twin of session::list_tools().
std::function<asio::awaitable<std::vector<tool>>()> list_tools_factory(
    session_ref session, call_options options);

struct grant_record;
struct session_access;

} // namespace detail

// One lease's view of an initialised MCP session. Reached through `lease`; never shared by two.
//
// Every asynchronous member `f` is an awaitable that throws mcp_pool::error, with a twin
// `async_f(…, token)` that completes with `void(error_code, T)`.
//
// Lifetime: a reference to it is valid while the lease is held, and its members are called while the
// lease is held. What they return may be started later, after the lease or the pool is gone: it fails
// with errc::lease_released.
//
// Completion: on the handler's associated executor, else on the pool's (on the system executor once
// the pool or its context is gone), never before the initiating function returns.
//
// Cancellation: terminal, partial and total, each with the same effect: the operation completes with
// asio::error::operation_aborted, a request that was written is cancelled at the server with
// `notifications/cancelled`, and a late answer is dropped. An awaitable honours what the caller's
// filter lets through. The executor of an operation and the emit of its signal must be on one strand
// or a single-threaded context.
//
// Thread safety: operations may be started from any thread, several at a time; beyond
// `max_requests_in_flight` they queue in order.
//
// Errors: call_timeout, session_closed, not_sent, lease_released, protocol_error,
// message_too_large, method_not_supported, and the peer's own errors in rpc_category(). A tool call
// is never repeated by itself.
class session
{
public:
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    // All tools of the server, every page. Source: MCP, server/tools; server/utilities/pagination.
    //
    // Errors: also protocol_error after 1,000 pages or when a page repeats the former one's cursor.
    [[nodiscard]] asio::awaitable<std::vector<tool>> list_tools(call_options options = {});

    // Calls a tool. A result with is_error() is a result. Source: MCP, server/tools.
    [[nodiscard]] asio::awaitable<tool_result> call_tool(
        std::string name, json::object arguments, call_options options = {});

    // Asks for a sign of life: `ping` in the legacy era, `server/discover` in the modern one, which
    // has no ping. Source: MCP 2025-11-25, basic/utilities/ping; MCP 2026-07-28, server/discover.
    [[nodiscard]] asio::awaitable<void> ping(call_options options = {});

    // Sends any request and returns its result as it came. In the modern era `_meta` is completed.
    [[nodiscard]] asio::awaitable<json::value> request(
        std::string method, json::object params, call_options options = {});

    // Sends a notification; completes when it has been handed to the transport.
    [[nodiscard]] asio::awaitable<void> notify(std::string method, json::object params);

    template <class Token>
    auto async_list_tools(call_options options, Token&& token)
    {
        return detail::from_coroutine<std::vector<tool>>(detail::default_executor(ref()),
            detail::list_tools_factory(ref(), std::move(options)), std::forward<Token>(token));
    }

    template <class Token>
    auto async_call_tool(
        std::string name, json::object arguments, call_options options, Token&& token)
    {
        return start<tool_result>(
            tool_call(std::move(name), std::move(arguments), std::move(options)), token);
    }

    template <class Token>
    auto async_ping(call_options options, Token&& token)
    {
        return start<void>(ping_request(std::move(options)), token);
    }

    template <class Token>
    auto async_request(std::string method, json::object params, call_options options, Token&& token)
    {
        return start<json::value>(
            detail::request(std::move(method), std::move(params), std::move(options)), token);
    }

    template <class Token>
    auto async_notify(std::string method, json::object params, Token&& token)
    {
        return start<void>(notification(std::move(method), std::move(params)), token);
    }

    // What the server says of itself, as JSON objects; empty where it said nothing. Valid as long as
    // the lease.
    [[nodiscard]] const json::object& server_info() const noexcept;
    [[nodiscard]] const json::object& capabilities() const noexcept;
    [[nodiscard]] std::string_view instructions() const noexcept;

    // The negotiated revision, such as "2025-11-25".
    [[nodiscard]] std::string_view protocol_version() const noexcept;
    [[nodiscard]] mcp_pool::era era() const noexcept;

    // Number of the session, unique in its pool.
    [[nodiscard]] std::uint64_t id() const noexcept;
    // Process id of the server; 0 if it is not a child process.
    [[nodiscard]] int pid() const noexcept;
    // When the process was started.
    [[nodiscard]] std::chrono::system_clock::time_point started_at() const noexcept;
    // Leases that the session has served, this one included.
    [[nodiscard]] std::uint64_t uses() const noexcept;

private:
    friend struct detail::grant_record;
    friend struct detail::session_access;

    explicit session(detail::grant_record& grant) noexcept
        : grant_(&grant)
    {}
    ~session() = default;

    [[nodiscard]] detail::session_ref ref() const;

    static detail::request tool_call(
        std::string name, json::object arguments, call_options options);
    [[nodiscard]] detail::request ping_request(call_options options) const;
    static detail::request notification(std::string method, json::object params);

    template <class Result, class Token>
    auto start(detail::request what, Token& token) const
    {
        return asio::async_initiate<Token, detail::completion_signature<Result>>(
            detail::initiate_request<Result>(ref()), token, std::move(what));
    }

    detail::grant_record* grant_;
};

} // namespace mcp_pool
