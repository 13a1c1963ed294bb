// The members of `_meta` that carry a trace. Source: MCP 2026-07-28, basic/index, "_meta"; W3C Trace
// Context; W3C Baggage.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>
#include <mcp_pool/trace_context.hpp>

#include <boost/json/object.hpp>

#include <string_view>

namespace mcp_pool::protocol {

bool is_trace_key(std::string_view key) noexcept;

bool is_traceparent(std::string_view text) noexcept;
bool is_tracestate(std::string_view text) noexcept;
bool is_baggage(std::string_view text) noexcept;

// Adds to `meta` what is well-formed, except members that it or `own` have already.
void add_trace(const trace_context& trace, json::object& meta, const json::object* own);

} // namespace mcp_pool::protocol
