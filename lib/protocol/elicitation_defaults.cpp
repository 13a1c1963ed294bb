#include "protocol/elicitation_defaults.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace mcp_pool::protocol {

namespace {

const json::array* array_member(const json::object& from, std::string_view name) noexcept
{
    const json::value* const found = from.if_contains(json::string_view(name.data(), name.size()));
    return found ? found->if_array() : nullptr;
}

// Whether the choices of a schema, if it has any, have this one: listed by value in `enum`, or with
// titles in `titled`.
bool is_choice(
    const json::object& schema, std::string_view titled, const json::string& text) noexcept
{
    if (const json::array* const choices = array_member(schema, "enum"))
        return std::any_of(choices->begin(), choices->end(),
            [&](const json::value& c) { return c.is_string() && c.get_string() == text; });
    const json::array* const choices = array_member(schema, titled);
    return !choices || std::any_of(choices->begin(), choices->end(), [&](const json::value& c) {
        const json::object* const choice = c.if_object();
        const json::value* const value = choice ? choice->if_contains("const") : nullptr;
        return value && value->is_string() && value->get_string() == text;
    });
}

bool is_integer(const json::value& value) noexcept
{
    if (value.is_int64() || value.is_uint64())
        return true;
    const double* const number = value.if_double();
    return number && std::trunc(*number) == *number;
}

} // namespace

bool fits(const json::object& schema, const json::value& value) noexcept
{
    const json::value* const named = schema.if_contains("type");
    const json::string* const type = named ? named->if_string() : nullptr;
    if (!type)
        return false;
    if (*type == "string")
        return value.is_string() && is_choice(schema, "oneOf", value.get_string());
    if (*type == "number")
        return value.is_number();
    if (*type == "integer")
        return is_integer(value);
    if (*type == "boolean")
        return value.is_bool();
    const json::array* const chosen = *type == "array" ? value.if_array() : nullptr;
    if (!chosen)
        return false;
    const json::value* const given = schema.if_contains("items");
    const json::object* const items = given ? given->if_object() : nullptr;
    return std::all_of(chosen->begin(), chosen->end(), [items](const json::value& c) {
        return c.is_string() && (!items || is_choice(*items, "anyOf", c.get_string()));
    });
}

void fill_defaults(const json::object& properties, json::object& content)
{
    for (const auto& property : properties) {
        const json::object* const schema = property.value().if_object();
        const json::value* const value = schema ? schema->if_contains("default") : nullptr;
        if (value && !content.contains(property.key()) && fits(*schema, *value))
            content[property.key()] = *value;
    }
}

} // namespace mcp_pool::protocol
