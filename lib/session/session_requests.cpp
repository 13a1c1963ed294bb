#include <mcp_pool/detail/session_requests.hpp>

#include <utility>

namespace mcp_pool::detail {

namespace {

// A request whose result is read through accessors.
request typed(std::string method, json::object params, call_options options)
{
    request what(std::move(method), std::move(params), std::move(options));
    what.typed = true;
    return what;
}

json::object with_uri(const std::string& uri)
{
    json::object params;
    params["uri"] = uri;
    return params;
}

} // namespace

request call_tool_request(std::string name, json::object arguments, call_options options)
{
    json::object params;
    params.reserve(2);
    params["name"] = name;
    params["arguments"] = std::move(arguments);
    return typed("tools/call", std::move(params), std::move(options));
}

request ping_request(mcp_pool::era era, call_options options)
{
    options.fresh = true;
    return {era == mcp_pool::era::legacy ? "ping" : "server/discover", json::object(),
        std::move(options)};
}

request read_resource_request(std::string uri, call_options options)
{
    return typed("resources/read", with_uri(uri), std::move(options));
}

request subscribe_request(std::string uri, call_options options)
{
    return {"resources/subscribe", with_uri(uri), std::move(options)};
}

request unsubscribe_request(std::string uri, call_options options)
{
    return {"resources/unsubscribe", with_uri(uri), std::move(options)};
}

request get_prompt_request(std::string name, json::object arguments, call_options options)
{
    json::object params;
    params["name"] = name;
    params["arguments"] = std::move(arguments);
    return typed("prompts/get", std::move(params), std::move(options));
}

request complete_request(
    completion_reference reference, completion_argument argument, call_options options)
{
    json::object typed_so_far;
    typed_so_far["name"] = argument.name;
    typed_so_far["value"] = argument.value;
    json::object params;
    params["ref"] = reference.to_json();
    params["argument"] = std::move(typed_so_far);
    if (!argument.known.empty()) {
        json::object context;
        context["arguments"] = std::move(argument.known);
        params["context"] = std::move(context);
    }
    return typed("completion/complete", std::move(params), std::move(options));
}

request log_level_request(mcp_pool::era era, log_level level, call_options options)
{
    const std::string_view name = to_string(level);
    json::object params;
    params["level"] = json::string_view(name.data(), name.size());
    request what("logging/setLevel", std::move(params), std::move(options));
    if (era == mcp_pool::era::modern)
        what.lease_level = level;
    return what;
}

request text_request(std::string method, json::object params, call_options options)
{
    request what(std::move(method), std::move(params), std::move(options));
    what.as_text = true;
    return what;
}

request notification(std::string method, json::object params)
{
    request what(std::move(method), std::move(params), call_options());
    what.notification = true;
    return what;
}

} // namespace mcp_pool::detail
