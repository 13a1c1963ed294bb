#include "protocol/result_shape.hpp"

#include <array>
#include <utility>

namespace mcp_pool::protocol {

namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> listings = {{
    {"tools/list", "tools"},
    {"resources/list", "resources"},
    {"resources/templates/list", "resourceTemplates"},
    {"prompts/list", "prompts"},
}};

std::string_view kind_of(const json::value& value) noexcept
{
    switch (value.kind()) {
    case json::kind::null:
        return "null";
    case json::kind::bool_:
        return "a boolean";
    case json::kind::string:
        return "a string";
    case json::kind::array:
        return "an array";
    case json::kind::object:
        return "an object";
    default:
        return "a number";
    }
}

const json::value* member(const json::value& of, std::string_view name) noexcept
{
    const json::object* const object = of.if_object();
    return object ? object->if_contains(json::string_view(name.data(), name.size())) : nullptr;
}

std::string complaint(const json::value* found, std::string_view name, std::string_view expected)
{
    std::string text;
    if (found) {
        text += "its member \"";
        text += name;
        text += "\" is ";
        text += kind_of(*found);
    } else {
        text += "it has no member \"";
        text += name;
        text += '"';
    }
    text += ", and ";
    text += expected;
    text += " was expected";
    return text;
}

// `path` names the list for people, where it is a member of a member.
std::string fault_of_list(
    const json::value& of, std::string_view name, bool required, std::string_view path = {})
{
    const json::value* const found = member(of, name);
    if (found ? found->is_array() || found->is_null() : !required)
        return {};
    return complaint(found, path.empty() ? name : path, "an array");
}

std::string fault_of_page(const json::value& page, std::string_view entries)
{
    if (std::string fault = fault_of_list(page, entries, true); !fault.empty())
        return fault;
    // Not to be read as the last page: the list would be cut off without a word.
    const json::value* const cursor = member(page, "nextCursor");
    if (!cursor || cursor->is_string() || cursor->is_null())
        return {};
    return complaint(cursor, "nextCursor", "a string");
}

std::string fault_of_completion(const json::value& result)
{
    const json::value* const inner = member(result, "completion");
    if (!inner || !inner->is_object())
        return complaint(inner, "completion", "an object");
    return fault_of_list(*inner, "values", true, "completion.values");
}

} // namespace

std::string_view entries_member(std::string_view list_method) noexcept
{
    for (const auto& [method, entries] : listings)
        if (method == list_method)
            return entries;
    return {};
}

std::string fault_of_shape(std::string_view method, const json::value& result)
{
    if (const std::string_view entries = entries_member(method); !entries.empty())
        return fault_of_page(result, entries);
    if (method == "tools/call")
        return fault_of_list(result, "content", false);
    if (method == "resources/read")
        return fault_of_list(result, "contents", true);
    if (method == "prompts/get")
        return fault_of_list(result, "messages", true);
    if (method == "completion/complete")
        return fault_of_completion(result);
    return {};
}

} // namespace mcp_pool::protocol
