#include "protocol/schema_translator.hpp"
#include "rpc/json_text.hpp"
#include "rpc/text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace mcp_pool::protocol {

namespace {

using rpc::json_view;
using rpc::view;

constexpr std::size_t max_name = 100;

std::string in_quotes(std::string_view foreign)
{
    return rpc::quote_foreign(foreign, max_name);
}

constexpr std::array<std::string_view, 7> type_names = {
    "null", "boolean", "integer", "number", "string", "array", "object"};

bool is_type(const json::value& name) noexcept
{
    return name.is_string()
        && std::find(type_names.begin(), type_names.end(), view(name.get_string()))
        != type_names.end();
}

// An expression that costs little whoever runs it: no groups, no alternatives, few repetitions.
bool is_simple(std::string_view pattern) noexcept
{
    constexpr std::size_t longest = 100;
    constexpr std::ptrdiff_t most_repeated = 2;
    const auto printable = [](char c) { return c >= 0x20 && c < 0x7f; };
    const auto repeats = [](char c) { return c == '*' || c == '+' || c == '{' || c == '?'; };
    return pattern.size() <= longest && std::all_of(pattern.begin(), pattern.end(), printable)
        && pattern.find_first_of("()|\\") == std::string_view::npos
        && std::count_if(pattern.begin(), pattern.end(), repeats) <= most_repeated;
}

} // namespace

const std::initializer_list<schema_translator::keyword>& schema_translator::keywords()
{
    using t = schema_translator;
    static const std::initializer_list<keyword> all = {
        {"$ref", keyword::both, &t::reference},
        {"$dynamicRef", keyword::only_2020, &t::unknown},
        {"$recursiveRef", keyword::only_2020, &t::unknown},
        {"allOf", keyword::both, &t::list},
        {"anyOf", keyword::both, &t::list},
        {"oneOf", keyword::both, &t::list},
        {"not", keyword::both, &t::same_value},
        {"if", keyword::both, &t::condition},
        {"type", keyword::both, &t::types},
        {"enum", keyword::both, &t::values},
        {"const", keyword::both, &t::values},
        {"properties", keyword::both, &t::members},
        {"patternProperties", keyword::both, &t::members},
        {"additionalProperties", keyword::both, &t::below},
        {"unevaluatedProperties", keyword::only_2020, &t::unevaluated},
        {"propertyNames", keyword::both, &t::names_of_members},
        {"required", keyword::both, &t::names},
        {"dependentRequired", keyword::only_2020, &t::dependent},
        {"dependentSchemas", keyword::only_2020, &t::dependent},
        {"dependencies", keyword::both, &t::dependent},
        {"prefixItems", keyword::only_2020, &t::elements},
        {"items", keyword::both, &t::elements},
        {"additionalItems", keyword::only_draft7, &t::below},
        {"unevaluatedItems", keyword::only_2020, &t::unevaluated},
        {"contains", keyword::both, &t::contains},
        {"minItems", keyword::both, &t::size},
        {"maxItems", keyword::both, &t::size},
        {"minLength", keyword::both, &t::size},
        {"maxLength", keyword::both, &t::size},
        {"minProperties", keyword::both, &t::size},
        {"maxProperties", keyword::both, &t::size},
        {"minimum", keyword::both, &t::number},
        {"maximum", keyword::both, &t::number},
        {"exclusiveMinimum", keyword::both, &t::number},
        {"exclusiveMaximum", keyword::both, &t::number},
        {"multipleOf", keyword::both, &t::multiple},
        {"uniqueItems", keyword::both, &t::unique},
        {"pattern", keyword::both, &t::pattern},
    };
    return all;
}

void schema_translator::reference(part& p, std::string_view key, const json::value& value)
{
    if (!value.is_string())
        return wrong(p, key);
    const std::string_view text = view(value.get_string());
    const json::value* const at = document_.target(text);
    if (!at)
        return fail(
            "refers to " + in_quotes(text) + ", which is not in it; nothing is fetched for a check",
            p.place);
    const std::size_t number = number_of(at, text);
    if (p.in_place)
        circles_.emplace_back(here_, number);
    p.all.emplace_back(reference_to(number));
}

void schema_translator::unknown(part& p, std::string_view key, const json::value&)
{
    fail("uses " + std::string(key) + ", which cannot be checked", p.place);
}

void schema_translator::list(part& p, std::string_view key, const json::value& value)
{
    json::array to = children(p, key, value, true);
    if (key != "allOf") {
        p.to[json_view(key)] = std::move(to);
        return;
    }
    for (json::value& element : to)
        p.all.emplace_back(std::move(element));
}

void schema_translator::same_value(part& p, std::string_view key, const json::value& value)
{
    p.to[json_view(key)] = child(p, key, value, true);
}

void schema_translator::condition(part& p, std::string_view key, const json::value& value)
{
    same_value(p, key, value);
    for (const std::string_view branch : {"then", "else"})
        if (const json::value* const found = p.from.if_contains(json_view(branch)))
            same_value(p, branch, *found);
    if (!p.to.contains("then") && !p.to.contains("else"))
        p.to.erase(json_view(key));
}

void schema_translator::types(part& p, std::string_view key, const json::value& value)
{
    json::array names;
    if (const json::array* const several = value.if_array())
        names = *several;
    else
        names.emplace_back(value);
    if (names.empty() || !std::all_of(names.begin(), names.end(), is_type))
        return wrong(p, key);
    p.to[json_view(schema_translation::types_keyword)] = std::move(names);
}

void schema_translator::values(part& p, std::string_view key, const json::value& value)
{
    if (key == "enum" && !value.is_array())
        return wrong(p, key);
    if (key == "enum" && value.get_array().empty())
        p.all.emplace_back(nothing());
    else
        p.to[json_view(key)] = comparable(value);
}

void schema_translator::members(part& p, std::string_view key, const json::value& value)
{
    const json::object* const from = value.if_object();
    if (!from)
        return wrong(p, key);
    const bool by_pattern = key == "patternProperties" && !from->empty();
    out_.names_by_pattern = out_.names_by_pattern || by_pattern;
    json::object to;
    for (const auto& member : *from) {
        const std::string_view name = view(member.key());
        if (by_pattern && !is_simple(name))
            return fail("has patternProperties with the expression " + in_quotes(name)
                    + ", which is not simple enough",
                p.place);
        const std::string place = place_below(p, key) + '/' + std::string(name);
        to[member.key()] = schema(member.value(), place, false);
    }
    p.to[json_view(key)] = std::move(to);
}

void schema_translator::below(part& p, std::string_view key, const json::value& value)
{
    p.to[json_view(key)] = child(p, key, value, false);
}

void schema_translator::names_of_members(part& p, std::string_view key, const json::value& value)
{
    // By reference: the library takes the schema around it for it where it stands here itself.
    p.to[json_view(key)] = reference_to(number_of(&value, place_below(p, key)));
}

void schema_translator::unevaluated(part& p, std::string_view key, const json::value& value)
{
    if (const bool* const anything = value.if_bool(); anything && *anything)
        return;
    const bool of_members = key == "unevaluatedProperties";
    // What other schemas have looked at is known to nobody here.
    for (const std::string_view other : {"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if",
             "dependentSchemas", of_members ? "$ref" : "contains"})
        if (p.from.contains(json_view(other)))
            return fail("uses " + std::string(key) + " beside " + std::string(other)
                    + ", which cannot be checked",
                p.place);
    if (of_members && !p.from.contains("additionalProperties"))
        p.to["additionalProperties"] = child(p, key, value, false);
    else if (!of_members && !p.from.contains("items"))
        p.to[p.from.contains("prefixItems") ? "additionalItems" : "items"] = child(
            p, key, value, false);
}

void schema_translator::names(part& p, std::string_view key, const json::value& value)
{
    if (!are_names(value))
        return wrong(p, key);
    p.to[json_view(key)] = comparable(value);
}

bool schema_translator::are_names(const json::value& value) noexcept
{
    const json::array* const array = value.if_array();
    return array && std::all_of(array->begin(), array->end(), [](const json::value& name) {
        return name.is_string();
    });
}

void schema_translator::dependent(part& p, std::string_view key, const json::value& value)
{
    const json::object* const from = value.if_object();
    if (!from)
        return wrong(p, key);
    json::object to;
    for (const auto& member : *from) {
        const bool named = key == "dependentRequired"
            || (key == "dependencies" && member.value().is_array());
        if (named && !are_names(member.value()))
            return wrong(p, key);
        if (named)
            to[member.key()] = comparable(member.value());
        else
            to[member.key()] = child(p, key, member.value(), true);
    }
    json::object besides;
    besides["dependencies"] = std::move(to);
    p.all.emplace_back(std::move(besides));
}

void schema_translator::elements(part& p, std::string_view key, const json::value& value)
{
    const bool listed = key == "prefixItems" || (document_.draft7() && value.is_array());
    if (!listed) {
        p.to[p.from.contains("prefixItems") && !document_.draft7() ? "additionalItems" : "items"] =
            child(p, key, value, false);
        return;
    }
    p.to["items"] = children(p, key, value, false);
}

void schema_translator::contains(part& p, std::string_view key, const json::value& value)
{
    if (!document_.draft7()) {
        const json::value* const least = p.from.if_contains("minContains");
        if (p.from.contains("maxContains") || (least && *least != 0 && *least != 1))
            return fail("uses minContains or maxContains, which cannot be checked", p.place);
        if (least && *least == 0)
            return;
    }
    below(p, key, value);
}

void schema_translator::size(part& p, std::string_view key, const json::value& value)
{
    const json::value number = comparable(value);
    if (!number.is_int64() || number.get_int64() < 0)
        return wrong(p, key);
    p.to[json_view(key)] = number;
}

void schema_translator::number(part& p, std::string_view key, const json::value& value)
{
    const json::value number = comparable(value);
    if (!number.is_number())
        return wrong(p, key);
    p.to[json_view(key)] = number;
}

void schema_translator::multiple(part& p, std::string_view key, const json::value& value)
{
    const json::value number = comparable(value);
    if (!number.is_number() || !(number.to_number<double>() > 0))
        return wrong(p, key);
    p.to[json_view(schema_translation::multiple_keyword)] = number;
}

void schema_translator::unique(part& p, std::string_view key, const json::value& value)
{
    if (!value.is_bool())
        return wrong(p, key);
    out_.unique_items = out_.unique_items || value.get_bool();
    p.to[json_view(key)] = value;
}

void schema_translator::pattern(part& p, std::string_view key, const json::value& value)
{
    if (!value.is_string())
        return wrong(p, key);
    const std::string_view text = view(value.get_string());
    // Whoever runs it knows no properties of characters.
    if (text.size() > schema_limits::pattern_bytes || text.find('\0') != std::string_view::npos
        || text.find("\\p") != std::string_view::npos || text.find("\\P") != std::string_view::npos)
        return fail("has the pattern " + in_quotes(text) + ", which cannot be checked", p.place);
    p.to[json_view(schema_translation::pattern_keyword)] = value;
}

} // namespace mcp_pool::protocol
