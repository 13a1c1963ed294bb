// Messages made from a JSON Schema, and everything that can be wrong with their types.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/value.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_pool::test {

// A file below tests/fixtures/mcp, parsed.
json::value specification(const std::string& file);

// Values that a definition of the schema allows: each has every property, and for every alternative
// of the schema there is one that takes it. Knows as much of JSON Schema as the schemas of MCP use.
std::vector<json::value> instances(const json::value& schema, std::string_view definition);

// Calls use(damaged, path, with) for the value with each of its parts, itself included, replaced by
// something of each other type, and left out; `path` is that of the part ("/tools/0/name"), `with`
// what it was replaced by ("absence", "null", "a string", …).
void each_damage(const json::value& whole,
    const std::function<void(const json::value&, const std::string&, const std::string&)>& use);

} // namespace mcp_pool::test
