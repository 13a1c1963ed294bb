#include "session/exchange.hpp"
#include "session/lessee.hpp"
#include "session/session_state.hpp"

#include <mcp_pool/session.hpp>

#include <utility>

namespace mcp_pool {

detail::session_ref session::ref() const
{
    grant_->touched.store(true, std::memory_order_relaxed);
    detail::session_ref of(
        std::shared_ptr<detail::grant_record>(grant_->state.shared_from_this(), grant_),
        grant_->generation.load(), detail::lessee_of(*grant_));
    of.isolation_key = grant_->isolation_key;
    return of;
}

asio::awaitable<std::vector<tool>> session::list_tools(call_options options)
{
    return detail::list_all<tool>(ref(), std::move(options));
}

asio::awaitable<tool_result> session::call_tool(
    std::string name, json::object arguments, call_options options)
{
    return detail::exchange<tool_result>(ref(),
        detail::call_tool_request(std::move(name), std::move(arguments), std::move(options)));
}

asio::awaitable<std::vector<resource>> session::list_resources(call_options options)
{
    return detail::list_all<resource>(ref(), std::move(options));
}

asio::awaitable<std::vector<resource_template>> session::list_resource_templates(
    call_options options)
{
    return detail::list_all<resource_template>(ref(), std::move(options));
}

asio::awaitable<resource_result> session::read_resource(std::string uri, call_options options)
{
    return detail::exchange<resource_result>(
        ref(), detail::read_resource_request(std::move(uri), std::move(options)));
}

asio::awaitable<void> session::subscribe(std::string uri, call_options options)
{
    return detail::exchange<void>(
        ref(), detail::subscribe_request(std::move(uri), std::move(options)));
}

asio::awaitable<void> session::unsubscribe(std::string uri, call_options options)
{
    return detail::exchange<void>(
        ref(), detail::unsubscribe_request(std::move(uri), std::move(options)));
}

asio::awaitable<std::vector<prompt>> session::list_prompts(call_options options)
{
    return detail::list_all<prompt>(ref(), std::move(options));
}

asio::awaitable<prompt_result> session::get_prompt(
    std::string name, json::object arguments, call_options options)
{
    return detail::exchange<prompt_result>(ref(),
        detail::get_prompt_request(std::move(name), std::move(arguments), std::move(options)));
}

asio::awaitable<completion> session::complete(
    completion_reference reference, completion_argument argument, call_options options)
{
    return detail::exchange<completion>(ref(),
        detail::complete_request(std::move(reference), std::move(argument), std::move(options)));
}

asio::awaitable<void> session::set_log_level(log_level level, call_options options)
{
    return detail::exchange<void>(
        ref(), detail::log_level_request(era(), level, std::move(options)));
}

asio::awaitable<void> session::ping(call_options options)
{
    return detail::exchange<void>(ref(), detail::ping_request(era(), std::move(options)));
}

asio::awaitable<json::value> session::request(
    std::string method, json::object params, call_options options)
{
    return detail::exchange<json::value>(
        ref(), detail::request(std::move(method), std::move(params), std::move(options)));
}

asio::awaitable<void> session::notify(std::string method, json::object params)
{
    return detail::exchange<void>(
        ref(), detail::notification(std::move(method), std::move(params)));
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
