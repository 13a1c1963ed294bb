// What a result must have for its accessors to say something: the members that the specification
// requires, of the types that it requires.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace mcp_pool::protocol {

// The member that holds the entries of a listing: "tools" for "tools/list". Empty for a method that
// lists nothing.
std::string_view entries_member(std::string_view list_method) noexcept;

// What is wrong with the result of a request with this method: the member, what it is and what was
// expected. Empty: nothing, or the method has no required members.
//
// A list that is null reads as empty: what some languages make of an empty one. The content of a tool's
// result may be absent, as it is in results of early revisions and in those of servers that only send
// structured content. Entries of lists are not looked at: one bad entry does not take the good ones
// with it.
//
// Source: MCP, schema, the "required" of ListToolsResult, CallToolResult, ListResourcesResult,
// ListResourceTemplatesResult, ReadResourceResult, ListPromptsResult, GetPromptResult, CompleteResult.
std::string fault_of_shape(std::string_view method, const json::value& result);

} // namespace mcp_pool::protocol
