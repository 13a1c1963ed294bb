// Where a call belongs in a distributed trace.
#pragma once

#include <string>

namespace mcp_pool {

// Goes with a request as the members `traceparent`, `tracestate` and `baggage` of its `_meta`, in both
// eras, where it is not empty and has the form that the W3C recommends: a trace that is broken fails no
// call. What is malformed is left out; `tracestate` also where `traceparent` is. The caller's own
// members of that name in `call_options::meta` or in the parameters win. Source: MCP 2026-07-28,
// basic/index, "_meta"; W3C Trace Context; W3C Baggage.
struct trace_context
{
    // "00-", 32 hex digits, "-", 16 hex digits, "-", 2 hex digits, in lower case.
    std::string traceparent;
    // "vendor=value,…", up to 512 bytes.
    std::string tracestate;
    // "key=value;property,…", up to 8,192 bytes.
    std::string baggage;

    trace_context() = default;

    // Whether everything that is not empty will be sent.
    [[nodiscard]] bool valid() const noexcept;
};

} // namespace mcp_pool
