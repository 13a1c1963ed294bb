#include "protocol/trace.hpp"

#include "rpc/ascii.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace mcp_pool::protocol {

namespace {

constexpr std::string_view parent_key = "traceparent";
constexpr std::string_view state_key = "tracestate";
constexpr std::string_view baggage_key = "baggage";

constexpr std::size_t max_state = 512, max_state_members = 32;
constexpr std::size_t max_baggage = 8192;

bool is_lower_hex(std::string_view text) noexcept
{
    return std::all_of(text.begin(), text.end(),
        [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) noexcept
{
    return text.find_first_not_of('0') == std::string_view::npos;
}

// Optional white space, as both recommendations allow around members.
std::string_view trimmed(std::string_view text) noexcept
{
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Calls use(member) for what stands between separators, until it returns false, which is the result.
template <class Use>
bool each_member(std::string_view text, char separator, Use use)
{
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(separator, begin), text.size());
        if (!use(trimmed(text.substr(begin, end - begin))))
            return false;
        begin = end + 1;
    }
    return true;
}

bool is_state_key(std::string_view key) noexcept
{
    constexpr std::size_t max_key = 256;
    constexpr std::string_view marks = "_-*/@";
    const auto starts = [](char c) { return (c >= 'a' && c <= 'z') || rpc::is_digit(c); };
    return !key.empty() && key.size() <= max_key && starts(key.front())
        && std::all_of(key.begin(), key.end(),
            [&](char c) { return starts(c) || marks.find(c) != std::string_view::npos; })
        && std::count(key.begin(), key.end(), '@') <= 1;
}

bool is_state_value(std::string_view value) noexcept
{
    constexpr std::size_t max_value = 256;
    return !value.empty() && value.size() <= max_value
        && std::all_of(value.begin(), value.end(),
            [](char c) { return c >= ' ' && c <= '~' && c != ',' && c != '='; });
}

bool is_token(std::string_view text) noexcept
{
    return !text.empty() && std::all_of(text.begin(), text.end(), rpc::is_token_char);
}

bool is_baggage_value(std::string_view value) noexcept
{
    return std::all_of(value.begin(), value.end(), [](char c) {
        return c > ' ' && c <= '~' && c != '"' && c != ',' && c != ';' && c != '\\';
    });
}

// `key = value`, and for a property of a member `key` alone.
bool is_baggage_part(std::string_view part, bool value_needed) noexcept
{
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos)
        return !value_needed && is_token(part);
    return is_token(trimmed(part.substr(0, equals)))
        && is_baggage_value(trimmed(part.substr(equals + 1)));
}

json::string_view text(std::string_view s) noexcept
{
    return {s.data(), s.size()};
}

} // namespace

bool is_trace_key(std::string_view key) noexcept
{
    return key == parent_key || key == state_key || key == baggage_key;
}

bool is_traceparent(std::string_view text) noexcept
{
    constexpr std::size_t length = 55;
    if (text.size() < length || text[2] != '-' || text[35] != '-' || text[52] != '-')
        return false;
    const std::string_view version = text.substr(0, 2), trace = text.substr(3, 32),
                           parent = text.substr(36, 16), flags = text.substr(53, 2);
    // Later versions may go on after another dash.
    if (text.size() > length && (version == "00" || text[length] != '-'))
        return false;
    return is_lower_hex(version) && version != "ff" && is_lower_hex(trace) && !is_zero(trace)
        && is_lower_hex(parent) && !is_zero(parent) && is_lower_hex(flags);
}

bool is_tracestate(std::string_view text) noexcept
{
    std::array<std::string_view, max_state_members> keys;
    std::size_t members = 0;
    return !text.empty() && text.size() <= max_state && each_member(text, ',', [&](auto member) {
        // Empty members are allowed.
        if (member.empty())
            return true;
        const std::size_t equals = member.find('=');
        if (equals == std::string_view::npos)
            return false;
        const std::string_view key = member.substr(0, equals);
        const auto end = keys.begin() + static_cast<std::ptrdiff_t>(members);
        if (members == keys.size() || std::find(keys.begin(), end, key) != end)
            return false;
        keys[members++] = key;
        return is_state_key(key) && is_state_value(member.substr(equals + 1));
    });
}

bool is_baggage(std::string_view text) noexcept
{
    return !text.empty() && text.size() <= max_baggage && each_member(text, ',', [](auto member) {
        bool first = true;
        return each_member(member, ';', [&first](auto part) {
            const bool right = is_baggage_part(part, first);
            first = false;
            return right;
        });
    });
}

void add_trace(const trace_context& trace, json::object& meta, const json::object* own)
{
    const auto add = [&](std::string_view key, std::string_view value) {
        if (!meta.contains(text(key)) && !(own && own->contains(text(key))))
            meta.emplace(text(key), text(value));
    };
    if (is_traceparent(trace.traceparent)) {
        add(parent_key, trace.traceparent);
        if (is_tracestate(trace.tracestate))
            add(state_key, trace.tracestate);
    }
    if (is_baggage(trace.baggage))
        add(baggage_key, trace.baggage);
}

} // namespace mcp_pool::protocol

namespace mcp_pool {

bool trace_context::valid() const noexcept
{
    return (traceparent.empty() || protocol::is_traceparent(traceparent))
        && (tracestate.empty() || (!traceparent.empty() && protocol::is_tracestate(tracestate)))
        && (baggage.empty() || protocol::is_baggage(baggage));
}

} // namespace mcp_pool
