// The requests behind the members of `session`, for its twins.
#pragma once

#include <mcp_pool/detail/from_coroutine.hpp>
#include <mcp_pool/detail/request.hpp>
#include <mcp_pool/types.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include <functional>
#include <string>
#include <vector>

namespace mcp_pool::detail {

request call_tool_request(std::string name, json::object arguments, call_options options);
request ping_request(mcp_pool::era era, call_options options);
request read_resource_request(std::string uri, call_options options);
request subscribe_request(std::string uri, call_options options);
request unsubscribe_request(std::string uri, call_options options);
request get_prompt_request(std::string name, json::object arguments, call_options options);
request complete_request(
    completion_reference reference, completion_argument argument, call_options options);
request log_level_request(mcp_pool::era era, log_level level, call_options options);
request text_request(std::string method, json::object params, call_options options);
request notification(std::string method, json::object params);

// The coroutine behind a listing. Item: tool, resource, resource_template or prompt.
template <class Item>
asio::awaitable<std::vector<Item>> list_all(session_ref session, call_options options);

// The same for its twin.
template <class Item>
std::function<asio::awaitable<std::vector<Item>>()> listing_of(
    session_ref session, call_options options);

} // namespace mcp_pool::detail
