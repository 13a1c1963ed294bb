#include "load/workload.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <atomic>

#include <unistd.h>

namespace mcp_pool::bench {
namespace {

constexpr std::string_view placeholder = "{token}";

void put_token(json::value& value, std::string_view token)
{
    if (auto* text = value.if_string()) {
        const auto at = text->find(placeholder);
        if (at != json::string::npos)
            text->replace(at, placeholder.size(), token);
    } else if (auto* object = value.if_object()) {
        for (auto& member : *object)
            put_token(member.value(), token);
    } else if (auto* array = value.if_array()) {
        for (auto& element : *array)
            put_token(element, token);
    }
}

bool asks_for_token(const json::value& value)
{
    if (const auto* text = value.if_string())
        return text->find(placeholder) != json::string::npos;
    if (const auto* object = value.if_object())
        return has_token(*object);
    if (const auto* array = value.if_array())
        return std::any_of(array->begin(), array->end(), asks_for_token);
    return false;
}

} // namespace

std::string_view to_string(mode value) noexcept
{
    switch (value) {
    case mode::pool:
        return "pool";
    case mode::locked:
        return "locked";
    case mode::spawn:
        return "spawn";
    }
    return "?";
}

json::object arguments_with(const json::object& pattern, std::string_view token)
{
    json::object result(pattern);
    for (auto& member : result)
        put_token(member.value(), token);
    return result;
}

bool has_token(const json::object& pattern)
{
    return std::any_of(pattern.begin(), pattern.end(),
        [](const json::key_value_pair& member) { return asks_for_token(member.value()); });
}

bool is_right(const tool_result& answer, std::string_view token)
{
    if (answer.is_error())
        return false;
    return token.empty() || answer.text().find(token) != std::string::npos;
}

token_source::token_source()
{
    static std::atomic<unsigned> instances{0};
    prefix_ = "t" + std::to_string(::getpid()) + "." + std::to_string(++instances) + ".";
}

std::string token_source::next()
{
    // The last character keeps "t1.1.1" from being found in the answer to "t1.1.11".
    return prefix_ + std::to_string(++count_) + ".";
}

} // namespace mcp_pool::bench
