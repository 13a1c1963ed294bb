// What a scripted server answers, and what it has heard, in the words of the tests.
#pragma once

#include "support/rig.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_pool::test {

inline bool contains(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

// Answers each request with this method in this way.
inline testing::script answering(std::string method, testing::reply with)
{
    return [method = std::move(method), with](
               const testing::call& c) -> std::optional<testing::reply> {
        return c.method == method ? std::optional(with) : std::nullopt;
    };
}

// Parameters of a call of the tool `echo`.
inline json::object with_message(std::string_view text)
{
    json::object params;
    params["name"] = "echo";
    params["arguments"] = json::object();
    params["arguments"].as_object()["message"] = json::string_view(text.data(), text.size());
    return params;
}

inline std::string text_in(const json::value& result)
{
    return tool_result(result).text();
}

inline std::string answer_line(std::int64_t id, const std::string& body)
{
    return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"result":)" + body + "}";
}

inline std::int64_t id_of(const testing::call& c)
{
    return c.id.as_int64();
}

// A server of the legacy era that declares logging and subscriptions, and grants both.
inline std::optional<testing::reply> logging_server(const testing::call& c)
{
    if (c.method == "initialize") {
        json::object subscribe;
        subscribe["subscribe"] = true;
        json::object capabilities;
        capabilities["logging"] = json::object();
        capabilities["resources"] = std::move(subscribe);
        json::object result;
        result["protocolVersion"] = "2025-11-25";
        result["capabilities"] = std::move(capabilities);
        result["serverInfo"] = json::object();
        return testing::reply::result(std::move(result));
    }
    if (c.method == "logging/setLevel" || c.method == "resources/subscribe"
        || c.method == "resources/unsubscribe")
        return testing::reply::result(json::object());
    return std::nullopt;
}

inline json::object one(std::string_view name, std::string_view value)
{
    json::object o;
    o[name] = json::string_view(value.data(), value.size());
    return o;
}

// The ids that the server was told are cancelled.
inline std::vector<std::int64_t> cancelled(const rig& r)
{
    std::vector<std::int64_t> ids;
    for (const testing::call& c : r.server.received())
        if (c.method == "notifications/cancelled")
            ids.push_back(c.params.at("requestId").as_int64());
    return ids;
}

// All that the server received with this method, in order.
inline std::vector<testing::call> all(const rig& r, std::string_view method)
{
    std::vector<testing::call> found;
    for (testing::call& c : r.server.received())
        if (c.method == method)
            found.push_back(std::move(c));
    return found;
}

// The last request with this method that the server received.
inline testing::call last(const rig& r, std::string_view method)
{
    const std::vector<testing::call> found = all(r, method);
    return found.empty() ? testing::call() : found.back();
}

} // namespace mcp_pool::test
