#include "programs/echo_server/tools.hpp"

#include "programs/echo_server/json_text.hpp"

#include <boost/json/value.hpp>

#include <charconv>
#include <cmath>
#include <iterator>
#include <optional>

#include <unistd.h>

namespace mcp_pool::echo_server {

namespace json = boost::json;

namespace {

constexpr double longest_seconds = 86'400;
constexpr double most_steps = 10'000;
constexpr std::string_view extra_prefix = "extra_";

constexpr std::string_view declarations[] = {
    R"({"name":"echo","description":"Answers with the message","inputSchema":{"type":"object",)"
    R"("properties":{"message":{"type":"string"},"token":{"type":"string"}},)"
    R"("required":["message"]},"annotations":{"readOnlyHint":true}})",
    R"({"name":"add","description":"Answers with the sum of two numbers","inputSchema":)"
    R"({"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}},)"
    R"("required":["a","b"]},"outputSchema":{"type":"object","properties":)"
    R"({"sum":{"type":"number"}},"required":["sum"]},"annotations":{"readOnlyHint":true}})",
    R"({"name":"sleep","description":"Answers after a while","inputSchema":{"type":"object",)"
    R"("properties":{"seconds":{"type":"number","minimum":0,"maximum":86400}},)"
    R"("required":["seconds"]},"annotations":{"readOnlyHint":true}})",
    R"({"name":"progress","description":"Takes a number of steps and reports each",)"
    R"("inputSchema":{"type":"object","properties":)"
    R"({"steps":{"type":"integer","minimum":1,"maximum":10000},)"
    R"("interval":{"type":"number","minimum":0,"maximum":86400}},"required":["steps"]},)"
    R"("annotations":{"readOnlyHint":true}})",
    R"({"name":"fail","description":"Answers with an error result","inputSchema":)"
    R"({"type":"object","properties":{"message":{"type":"string"}}},)"
    R"("annotations":{"readOnlyHint":true}})",
    R"({"name":"pid","description":"Answers with the process id","inputSchema":)"
    R"({"type":"object"},"annotations":{"readOnlyHint":true}})",
};

outcome refusal(std::string text)
{
    return {std::move(text), true, {}};
}

std::optional<std::string_view> text_of(const json::object& arguments, std::string_view name)
{
    const json::value* value = arguments.if_contains(name);
    if (value == nullptr || !value->is_string()) {
        return std::nullopt;
    }
    return std::string_view(value->get_string());
}

std::optional<double> number_of(const json::object& arguments, std::string_view name)
{
    const json::value* value = arguments.if_contains(name);
    if (value == nullptr || !value->is_number()) {
        return std::nullopt;
    }
    return value->to_number<double>();
}

std::chrono::nanoseconds nanoseconds_of(double seconds)
{
    return std::chrono::nanoseconds(std::llround(seconds * 1e9));
}

outcome add(const json::object& arguments)
{
    const json::value* a = arguments.if_contains("a");
    const json::value* b = arguments.if_contains("b");
    if (a == nullptr || b == nullptr || !a->is_number() || !b->is_number()) {
        return refusal("add needs two numbers, 'a' and 'b'");
    }
    std::string sum;
    if (long long exact = 0; a->is_int64() && b->is_int64()
        && !__builtin_add_overflow(a->get_int64(), b->get_int64(), &exact)) {
        sum = std::to_string(exact);
    } else {
        const double rounded = a->to_number<double>() + b->to_number<double>();
        if (!std::isfinite(rounded)) {
            return refusal("the sum is too large");
        }
        sum = number_text(rounded);
    }
    std::string structured = "{\"sum\":" + sum + "}";
    return {std::move(sum), false, std::move(structured)};
}

std::variant<outcome, timed_call, unknown_tool> sleep(const json::object& arguments)
{
    const auto seconds = number_of(arguments, "seconds");
    if (!seconds || *seconds < 0 || *seconds > longest_seconds) {
        return refusal("sleep needs a number 'seconds' from 0 to 86400");
    }
    return timed_call{nanoseconds_of(*seconds), 1, false, "slept " + number_text(*seconds) + " s"};
}

std::variant<outcome, timed_call, unknown_tool> progress(const json::object& arguments)
{
    const auto steps = number_of(arguments, "steps");
    const auto interval = arguments.contains("interval") ? number_of(arguments, "interval")
                                                         : std::optional(0.0);
    if (!steps || *steps < 1 || *steps > most_steps || *steps != std::floor(*steps)) {
        return refusal("progress needs a whole number 'steps' from 1 to 10000");
    }
    if (!interval || *interval < 0 || *interval > longest_seconds) {
        return refusal("'interval' is a number of seconds from 0 to 86400");
    }
    return timed_call{nanoseconds_of(*interval), static_cast<std::size_t>(*steps), true,
        number_text(*steps) + " steps"};
}

} // namespace

toolbox::toolbox(std::size_t extra_tools, std::function<void(std::string_view)> on_token)
    : extra_tools_(extra_tools)
    , on_token_(std::move(on_token))
{}

std::size_t toolbox::size() const noexcept
{
    return std::size(declarations) + extra_tools_;
}

void toolbox::append_declaration(std::string& to, std::size_t index) const
{
    if (index < std::size(declarations)) {
        to += declarations[index];
        return;
    }
    to += "{\"name\":\"";
    to += extra_prefix;
    to += std::to_string(index - std::size(declarations) + 1);
    to += R"(","description":"Answers with its own name","inputSchema":{"type":"object"}})";
}

bool toolbox::is_extra(std::string_view name) const
{
    if (!name.starts_with(extra_prefix) || name.substr(extra_prefix.size()).starts_with('0')) {
        return false;
    }
    name.remove_prefix(extra_prefix.size());
    std::size_t number = 0;
    const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), number);
    return failure == std::errc() && end == name.data() + name.size() && number >= 1
        && number <= extra_tools_;
}

std::variant<outcome, timed_call, unknown_tool> toolbox::call(
    std::string_view name, const json::object& arguments) const
{
    if (name == "echo") {
        const auto message = text_of(arguments, "message");
        if (!message) {
            return refusal("echo needs a string 'message'");
        }
        if (on_token_) {
            on_token_(text_of(arguments, "token").value_or(*message));
        }
        return outcome{std::string(*message), false, {}};
    }
    if (name == "add") {
        return add(arguments);
    }
    if (name == "sleep") {
        return sleep(arguments);
    }
    if (name == "progress") {
        return progress(arguments);
    }
    if (name == "fail") {
        return refusal(std::string(text_of(arguments, "message").value_or("failed as asked")));
    }
    if (name == "pid") {
        return outcome{std::to_string(::getpid()), false, {}};
    }
    if (is_extra(name)) {
        return outcome{std::string(name), false, {}};
    }
    return unknown_tool{};
}

} // namespace mcp_pool::echo_server
