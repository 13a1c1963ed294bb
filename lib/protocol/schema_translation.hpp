// JSON Schema of the dialect that MCP speaks, put into the words of draft 7.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace mcp_pool::protocol {

// What became of a schema, or why nothing did.
struct schema_translation
{
    // Keywords that draft 7 does not have, for the validator to know: the types that are allowed, as an
    // array of names; what a number is a multiple of; a regular expression; and one that stands before
    // the others of each schema, for counting.
    static constexpr std::string_view types_keyword = "mcp-pool:types";
    static constexpr std::string_view multiple_keyword = "mcp-pool:multiple";
    static constexpr std::string_view pattern_keyword = "mcp-pool:pattern";
    static constexpr std::string_view step_keyword = "mcp-pool:step";

    // All references in it lead to `definitions`, and none in a circle.
    json::object schema;
    // Why the schema is not checked, to follow "the outputSchema ": names the keyword and its place.
    // Empty if it is.
    std::string fault;
    // It has `patternProperties`, whose expressions are simple.
    bool names_by_pattern = false;
    bool unique_items = false;

    schema_translation() = default;
};

// Beyond these a schema is not checked: people write none like it.
struct schema_limits
{
    static constexpr std::size_t schemas = 1'000;
    static constexpr std::size_t references = 250;
    static constexpr std::size_t pattern_bytes = 500;
};

// Translates a schema of 2020-12, or of draft 7 where `$schema` says so. What only describes is left
// out, `format` too, which demands nothing in either dialect unless somebody asks for it. What draft 7
// cannot say (`unevaluatedProperties` beside other schemas, `minContains`, `$dynamicRef`, …) and
// references that lead out of the document are a fault.
//
// Complexity: linear in the size of the schema, up to the bounds above.
// Source: JSON Schema 2020-12, core and validation; MCP 2026-07-28, basic/index, "JSON Schema Usage".
schema_translation translate_schema(const json::value& schema);

// The value as schemas and what is checked by them are compared: numbers without a fraction are integers
// where they fit, and no text has a NUL in it.
json::value comparable(const json::value& value);

} // namespace mcp_pool::protocol
