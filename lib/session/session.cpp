#include "session/lessee.hpp"
#include "session/session_state.hpp"

#include <mcp_pool/session.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <type_traits>
#include <utility>

namespace mcp_pool {

namespace detail {

namespace {

// How many pages one listing may have. Source: MCP, server/utilities/pagination.
constexpr int max_pages = 1000;

// Sends a request and waits for what came of it; throws mcp_pool::error. One coroutine for all
// kinds of results: each frame more would be an allocation more for each call.
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

error pagination_error(call_options& options, std::string what)
{
    diagnostics details;
    details.message = "tools/list: " + std::move(what);
    if (options.diagnostics)
        *options.diagnostics = details;
    return error(make_error_code(errc::protocol_error), std::move(details));
}

// Takes the tools out of one page. Returns the cursor of the next one, null if this was the last.
json::value take_page(json::value&& page, std::vector<tool>& tools)
{
    json::object* const result = page.if_object();
    if (!result)
        return nullptr;
    if (json::value* list = result->if_contains("tools"); list && list->is_array())
        for (json::value& entry : list->get_array())
            tools.emplace_back(std::move(entry));
    // The empty string is a cursor as good as any other.
    json::value* const next = result->if_contains("nextCursor");
    return next && next->is_string() ? std::move(*next) : json::value(nullptr);
}

asio::awaitable<std::vector<tool>> list_all_tools(session_ref session, call_options options)
{
    using clock = std::chrono::steady_clock;
    // The caller's timeout is for the whole list.
    const bool limited = options.timeout && *options.timeout > duration::zero();
    const time_point deadline = limited ? saturating_add(clock::now(), *options.timeout)
                                        : time_point::max();
    std::vector<tool> tools;
    json::value cursor;
    for (int page = 0; page < max_pages; ++page) {
        json::object params;
        if (!cursor.is_null())
            params["cursor"] = cursor;
        detail::request what("tools/list", std::move(params), options);
        if (limited && page > 0)
            what.options.timeout = std::max<duration>(deadline - clock::now(), duration(1));
        asio::awaitable<json::value> sent = exchange<json::value>(session, std::move(what));
        json::value result = co_await std::move(sent);
        json::value next = take_page(std::move(result), tools);
        if (next.is_null())
            co_return tools;
        if (next == cursor)
            throw pagination_error(options, "the server repeats its cursor");
        cursor = std::move(next);
    }
    throw pagination_error(
        options, "the list does not end after " + std::to_string(max_pages) + " pages");
}

} // namespace

std::function<asio::awaitable<std::vector<tool>>()> list_tools_factory(
    session_ref session, call_options options)
{
    return [session = std::move(session), options = std::move(options)] {
        return list_all_tools(session, options);
    };
}

} // namespace detail

detail::session_ref session::ref() const
{
    grant_->touched.store(true, std::memory_order_relaxed);
    return {std::shared_ptr<detail::grant_record>(grant_->state.shared_from_this(), grant_),
        grant_->generation.load(), detail::lessee_of(*grant_)};
}

detail::request session::tool_call(std::string name, json::object arguments, call_options options)
{
    json::object params;
    params["name"] = name;
    params["arguments"] = std::move(arguments);
    return {"tools/call", std::move(params), std::move(options)};
}

detail::request session::ping_request(call_options options) const
{
    return {era() == mcp_pool::era::legacy ? "ping" : "server/discover", json::object(),
        std::move(options)};
}

detail::request session::notification(std::string method, json::object params)
{
    detail::request what(std::move(method), std::move(params), call_options());
    what.notification = true;
    return what;
}

asio::awaitable<std::vector<tool>> session::list_tools(call_options options)
{
    return detail::list_all_tools(ref(), std::move(options));
}

asio::awaitable<tool_result> session::call_tool(
    std::string name, json::object arguments, call_options options)
{
    return detail::exchange<tool_result>(
        ref(), tool_call(std::move(name), std::move(arguments), std::move(options)));
}

asio::awaitable<void> session::ping(call_options options)
{
    return detail::exchange<void>(ref(), ping_request(std::move(options)));
}

asio::awaitable<json::value> session::request(
    std::string method, json::object params, call_options options)
{
    return detail::exchange<json::value>(
        ref(), detail::request(std::move(method), std::move(params), std::move(options)));
}

asio::awaitable<void> session::notify(std::string method, json::object params)
{
    return detail::exchange<void>(ref(), notification(std::move(method), std::move(params)));
}

const json::object& session::server_info() const noexcept
{
    return grant_->state.info->server_info;
}

const json::object& session::capabilities() const noexcept
{
    return grant_->state.info->capabilities;
}

std::string_view session::instructions() const noexcept
{
    return grant_->state.info->instructions;
}

std::string_view session::protocol_version() const noexcept
{
    return grant_->state.info->protocol_version;
}

mcp_pool::era session::era() const noexcept
{
    return grant_->state.info->era;
}

std::uint64_t session::id() const noexcept
{
    return grant_->state.info->id;
}

int session::pid() const noexcept
{
    return grant_->state.info->pid;
}

std::chrono::system_clock::time_point session::started_at() const noexcept
{
    return grant_->state.info->started_at;
}

std::uint64_t session::uses() const noexcept
{
    return grant_->uses;
}

} // namespace mcp_pool
