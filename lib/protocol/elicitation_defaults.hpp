// The defaults of a form: what a user who has accepted it without a word has chosen.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace mcp_pool::protocol {

// Adds to `content` the default of each property that has one and that `content` does not have. A
// default that is no value of its property is left out: the server would refuse the whole answer.
//
// Source: MCP 2025-11-25, client/elicitation, "Requested Schema"; SEP-1034.
void fill_defaults(const json::object& properties, json::object& content);

// Whether a value fits one of the primitive schemas that a form may have. Formats, lengths and ranges
// are not looked at.
bool fits(const json::object& schema, const json::value& value) noexcept;

} // namespace mcp_pool::protocol
