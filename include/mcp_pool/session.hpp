// A session with an MCP server, as the holder of one lease sees it.
#pragma once

#include <mcp_pool/call_options.hpp>
#include <mcp_pool/detail/from_coroutine.hpp>
#include <mcp_pool/detail/request_op.hpp>
#include <mcp_pool/detail/session_requests.hpp>
#include <mcp_pool/error.hpp>
#include <mcp_pool/types.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_pool {

namespace detail {

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
// is never repeated by itself. protocol_error is also a result that lacks a member which the
// specification requires, or has it with the wrong type; the message names it, what it is and what was
// expected, and the session goes on. Anything else that is wrong inside a result is left to its
// accessors: a list keeps its bad entries beside the good ones.
//
// Lists, what is read of resources and server/discover may be answered without the server: in the modern
// era it says for how long a result may be kept (`ttlMs`) and for whom (`cacheScope`), and the pool does
// so; see pool_options::cache_bytes and call_options::fresh.
//
// What the server has declared in capabilities() is not asked before a request is sent: servers offer
// what they forget to declare, and early revisions had no names for some of it. A server that has no
// such method says so, with the JSON-RPC code -32601.
class session
{
public:
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    // All tools of the server, every page. Source: MCP, server/tools; server/utilities/pagination.
    //
    // Each page may be one that the pool keeps. If the server then knows its cursor no more, the list is
    // asked for once again from the beginning.
    //
    // Errors: also protocol_error after 1,000 pages or 256 MiB of entries, or when a page repeats the
    // former one's cursor. A timeout is for the whole list. The same holds for the other lists.
    [[nodiscard]] asio::awaitable<std::vector<tool>> list_tools(call_options options = {});

    // Calls a tool. A result with is_error() is a result. Source: MCP, server/tools.
    [[nodiscard]] asio::awaitable<tool_result> call_tool(
        std::string name, json::object arguments, call_options options = {});

    // All resources that the server lists; there may be more that can be read. Source: MCP,
    // server/resources.
    [[nodiscard]] asio::awaitable<std::vector<resource>> list_resources(call_options options = {});
    [[nodiscard]] asio::awaitable<std::vector<resource_template>> list_resource_templates(
        call_options options = {});

    // Reads what a URI stands for. An unknown one is an error of the peer's: -32602, in the legacy era
    // -32002. Source: MCP, server/resources.
    [[nodiscard]] asio::awaitable<resource_result> read_resource(
        std::string uri, call_options options = {});

    // Asks for `notifications/resources/updated` whenever the resource changes, and no longer; they go
    // to client_handlers::resource_updated. In the legacy era each is a request, and what a lease has
    // subscribed to ends with it where `reset` of the pool is `protocol`. In the modern era the lease
    // has one `subscriptions/listen` request for all its resources, which is replaced when they change
    // and ends with the lease; if the server ends it, it is made again, and the lease is told of each
    // of its resources once, because what has happened meanwhile is not known. Source: MCP 2025-11-25,
    // server/resources, "Subscriptions"; MCP 2026-07-28, basic/patterns/subscriptions.
    //
    // Completion: subscribe() when the server has acknowledged it; unsubscribe() in the modern era at
    // once. One that overtakes a subscribe() of the same resource aborts it.
    //
    // Errors: in the modern era also method_not_supported for what the server does not acknowledge,
    // resource_exhausted beyond 256 resources of one lease, message_too_large for URIs of more than
    // 4 KiB.
    [[nodiscard]] asio::awaitable<void> subscribe(std::string uri, call_options options = {});
    [[nodiscard]] asio::awaitable<void> unsubscribe(std::string uri, call_options options = {});

    // All prompts of the server. Source: MCP, server/prompts.
    [[nodiscard]] asio::awaitable<std::vector<prompt>> list_prompts(call_options options = {});

    // The messages that a prompt becomes with these arguments, by name; the specification wants them to
    // be strings. Source: MCP, server/prompts.
    [[nodiscard]] asio::awaitable<prompt_result> get_prompt(
        std::string name, json::object arguments, call_options options = {});

    // What an argument may go on with. Source: MCP, server/utilities/completion.
    [[nodiscard]] asio::awaitable<completion> complete(
        completion_reference reference, completion_argument argument, call_options options = {});

    // How much the server is to tell of what it does, as `notifications/message`, from now on until
    // the lease ends. In the legacy era a request, `logging/setLevel`, and undone for the next lease
    // where `reset` of the pool is `protocol`. In the modern era nothing is sent: the level goes with
    // each later request of the lease, unless that has one of its own in `_meta`. Source: MCP
    // 2025-11-25, server/utilities/logging; MCP 2026-07-28, basic/index, "_meta".
    [[nodiscard]] asio::awaitable<void> set_log_level(log_level level, call_options options = {});

    // Asks for a sign of life: `ping` in the legacy era, `server/discover` in the modern one, which
    // has no ping. Never answered from what is kept. Source: MCP 2025-11-25, basic/utilities/ping; MCP
    // 2026-07-28, server/discover.
    [[nodiscard]] asio::awaitable<void> ping(call_options options = {});

    // Sends any request and returns its result as it came. In the modern era `_meta` is completed.
    [[nodiscard]] asio::awaitable<json::value> request(
        std::string method, json::object params, call_options options = {});

    // Sends a notification; completes when it has been handed to the transport.
    [[nodiscard]] asio::awaitable<void> notify(std::string method, json::object params);

    template <class Token>
    auto async_list_tools(call_options options, Token&& token)
    {
        return list<tool>(std::move(options), std::forward<Token>(token));
    }

    template <class Token>
    auto async_call_tool(
        std::string name, json::object arguments, call_options options, Token&& token)
    {
        return start<tool_result>(
            detail::call_tool_request(std::move(name), std::move(arguments), std::move(options)),
            token);
    }

    template <class Token>
    auto async_list_resources(call_options options, Token&& token)
    {
        return list<resource>(std::move(options), std::forward<Token>(token));
    }

    template <class Token>
    auto async_list_resource_templates(call_options options, Token&& token)
    {
        return list<resource_template>(std::move(options), std::forward<Token>(token));
    }

    template <class Token>
    auto async_read_resource(std::string uri, call_options options, Token&& token)
    {
        return start<resource_result>(
            detail::read_resource_request(std::move(uri), std::move(options)), token);
    }

    template <class Token>
    auto async_subscribe(std::string uri, call_options options, Token&& token)
    {
        return start<void>(detail::subscribe_request(std::move(uri), std::move(options)), token);
    }

    template <class Token>
    auto async_unsubscribe(std::string uri, call_options options, Token&& token)
    {
        return start<void>(detail::unsubscribe_request(std::move(uri), std::move(options)), token);
    }

    template <class Token>
    auto async_list_prompts(call_options options, Token&& token)
    {
        return list<prompt>(std::move(options), std::forward<Token>(token));
    }

    template <class Token>
    auto async_get_prompt(
        std::string name, json::object arguments, call_options options, Token&& token)
    {
        return start<prompt_result>(
            detail::get_prompt_request(std::move(name), std::move(arguments), std::move(options)),
            token);
    }

    template <class Token>
    auto async_complete(completion_reference reference, completion_argument argument,
        call_options options, Token&& token)
    {
        return start<completion>(
            detail::complete_request(std::move(reference), std::move(argument), std::move(options)),
            token);
    }

    template <class Token>
    auto async_set_log_level(log_level level, call_options options, Token&& token)
    {
        return start<void>(detail::log_level_request(era(), level, std::move(options)), token);
    }

    template <class Token>
    auto async_ping(call_options options, Token&& token)
    {
        return start<void>(detail::ping_request(era(), std::move(options)), token);
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
        return start<void>(detail::notification(std::move(method), std::move(params)), token);
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

    template <class Item, class Token>
    auto list(call_options options, Token&& token) const
    {
        return detail::from_coroutine<std::vector<Item>>(detail::default_executor(ref()),
            detail::listing_of<Item>(ref(), std::move(options)), std::forward<Token>(token));
    }

    template <class Result, class Token>
    auto start(detail::request what, Token& token) const
    {
        return asio::async_initiate<Token, detail::completion_signature<Result>>(
            detail::initiate_request<Result>(ref()), token, std::move(what));
    }

    detail::grant_record* grant_;
};

} // namespace mcp_pool
