#include "protocol/tool_headers.hpp"

#include "rpc/ascii.hpp"
#include "rpc/json_text.hpp"
#include "rpc/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>

namespace mcp_pool::protocol {

namespace {

using rpc::view;

constexpr std::string_view prefix = "Mcp-Param-";
constexpr json::string_view annotation = "x-mcp-header";

// Of a schema in a message.
constexpr std::size_t max_path_text = 200;
constexpr std::size_t max_name_text = 60;

// What is exact in a double, which is what many peers read integers into.
constexpr std::int64_t largest_integer = (std::int64_t{1} << 53) - 1;

// Keywords whose value is a schema or an array of schemas.
constexpr std::array<std::string_view, 16> schema_keywords = {"additionalItems",
    "additionalProperties", "allOf", "anyOf", "contains", "contentSchema", "else", "if", "items",
    "not", "oneOf", "prefixItems", "propertyNames", "then", "unevaluatedItems",
    "unevaluatedProperties"};
// Keywords whose value is an object of schemas by names of any kind.
constexpr std::array<std::string_view, 5> map_keywords = {
    "$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties"};

template <class Names>
bool contains(const Names& names, std::string_view name) noexcept
{
    return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_token(std::string_view text) noexcept
{
    return !text.empty() && std::all_of(text.begin(), text.end(), rpc::is_token_char);
}

std::optional<std::string> text_of(std::int64_t value)
{
    if (value < -largest_integer || value > largest_integer)
        return std::nullopt;
    return std::to_string(value);
}

// The value of an argument as text, if it has one in a header.
std::optional<std::string> text_of(const json::value& value)
{
    switch (value.kind()) {
    case json::kind::string:
        return std::string(view(value.get_string()));
    case json::kind::bool_:
        return value.get_bool() ? "true" : "false";
    case json::kind::int64:
        return text_of(value.get_int64());
    case json::kind::uint64:
        return value.get_uint64() > static_cast<std::uint64_t>(largest_integer)
            ? std::nullopt
            : text_of(static_cast<std::int64_t>(value.get_uint64()));
    case json::kind::double_: {
        const double number = value.get_double();
        if (!(std::abs(number) <= static_cast<double>(largest_integer))
            || std::trunc(number) != number)
            return std::nullopt;
        return text_of(static_cast<std::int64_t>(number));
    }
    case json::kind::null:
    case json::kind::object:
    case json::kind::array:
        break;
    }
    return std::nullopt;
}

const json::value* value_at(const json::value& arguments, const std::vector<std::string>& path)
{
    const json::value* at = &arguments;
    for (const std::string& step : path) {
        const json::object* object = at->if_object();
        at = object ? object->if_contains(step) : nullptr;
        if (!at)
            return nullptr;
    }
    return at;
}

} // namespace

// Walks a schema. Stops at the first fault.
class tool_headers::judge
{
public:
    explicit judge(tool_headers& into)
        : into_(into)
    {}

    // `plain`: only `properties` lie between the root and this schema.
    void schema(const json::value& at, bool plain)
    {
        const json::object* object = at.if_object();
        // `true` and `false` are schemas.
        if (!object || !into_.valid())
            return;
        if (++schemas_ > max_schemas) {
            fail("the schema has more than " + std::to_string(max_schemas) + " parts");
            return;
        }
        if (depth_ == max_depth) {
            fail("the schema is nested more than " + std::to_string(max_depth) + " deep");
            return;
        }
        ++depth_;
        if (const json::value* name = object->if_contains(annotation))
            annotated(*object, *name, plain);
        for (const auto& member : *object)
            keyword(view(member.key()), member.value(), plain);
        --depth_;
    }

private:
    void keyword(std::string_view name, const json::value& value, bool plain)
    {
        steps_.push_back(name);
        if (name == "properties")
            named_schemas(value, plain);
        else if (contains(map_keywords, name))
            named_schemas(value, false);
        else if (contains(schema_keywords, name))
            schemas(value);
        steps_.pop_back();
    }

    void named_schemas(const json::value& value, bool plain)
    {
        const json::object* object = value.if_object();
        if (!object)
            return;
        for (const auto& member : *object) {
            steps_.push_back(view(member.key()));
            schema(member.value(), plain);
            steps_.pop_back();
        }
    }

    void schemas(const json::value& value)
    {
        const json::array* array = value.if_array();
        if (!array) {
            schema(value, false);
            return;
        }
        for (const json::value& element : *array)
            schema(element, false);
    }

    void annotated(const json::object& schema, const json::value& name, bool plain)
    {
        const std::string fault = fault_of(schema, name, plain);
        if (!fault.empty()) {
            fail(fault);
            return;
        }
        parameter p;
        p.header = prefix;
        p.header += view(name.get_string());
        // Every other step is `properties`.
        for (std::size_t i = 1; i < steps_.size(); i += 2)
            p.path.emplace_back(steps_[i]);
        into_.parameters_.push_back(std::move(p));
    }

    [[nodiscard]] std::string fault_of(
        const json::object& schema, const json::value& name, bool plain) const
    {
        if (!plain || steps_.empty())
            return "x-mcp-header stands where the path to the value is not plain: only "
                   "`properties` "
                   "may lie between the root and the annotated property";
        const json::string* string = name.if_string();
        if (!string)
            return "x-mcp-header is no string";
        const std::string_view text = view(*string);
        if (text.empty())
            return "x-mcp-header is empty";
        const std::string shown = "x-mcp-header \"" + rpc::escape_foreign(text, max_name_text)
            + '"';
        if (text.size() > max_name_bytes)
            return shown + " has more than " + std::to_string(max_name_bytes) + " bytes";
        if (!is_token(text))
            return shown + " has characters that no header name may have";
        const json::value* type = schema.if_contains("type");
        const json::string* type_name = type ? type->if_string() : nullptr;
        if (!type_name
            || (*type_name != "string" && *type_name != "integer" && *type_name != "boolean"))
            return shown + " annotates "
                + (type_name
                        ? "the type \"" + rpc::escape_foreign(view(*type_name), max_name_text) + '"'
                        : type ? std::string("several types")
                               : std::string("no type"))
                + "; only string, integer and boolean have a form in a header";
        const bool taken = std::any_of(
            into_.parameters_.begin(), into_.parameters_.end(), [&](const parameter& p) {
                return rpc::equal_but_for_case(
                    std::string_view(p.header).substr(prefix.size()), text);
            });
        if (taken)
            return shown + " is there twice; upper and lower case are the same in header names";
        if (into_.parameters_.size() == max_headers)
            return "the schema has more than " + std::to_string(max_headers) + " annotations";
        return {};
    }

    void fail(std::string_view what)
    {
        if (!into_.valid())
            return;
        std::string path;
        for (const std::string_view step : steps_) {
            path += '/';
            path += step;
            if (path.size() > max_path_text)
                break;
        }
        into_.fault_ = what;
        into_.fault_ += ", at ";
        into_.fault_ += path.empty() ? std::string("the root")
                                     : rpc::escape_foreign(path, max_path_text);
        into_.parameters_.clear();
    }

    tool_headers& into_;
    // Keywords and names of properties from the root to here.
    std::vector<std::string_view> steps_;
    std::size_t depth_ = 0;
    std::size_t schemas_ = 0;
};

tool_headers::tool_headers(const json::value& input_schema)
{
    judge(*this).schema(input_schema, true);
}

void tool_headers::add_to(header_fields& fields, const json::value& arguments) const
{
    for (const parameter& p : parameters_)
        if (const json::value* value = value_at(arguments, p.path))
            if (const std::optional<std::string> text = text_of(*value))
                fields.emplace_back(p.header, encode_header_value(*text));
}

} // namespace mcp_pool::protocol
