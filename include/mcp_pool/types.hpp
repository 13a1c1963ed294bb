// Results of MCP requests. Each holds one JSON value and reads it through accessors: nothing is
// copied, nothing that a newer server sends is lost. Accessors of missing or mistyped members
// return empty values.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace mcp_pool {

// The two generations of the protocol. Source: MCP 2026-07-28, basic/versioning.
enum class era {
    // 2024-11-05 to 2025-11-25: `initialize` handshake, state in the session.
    legacy,
    // 2026-07-28 and later: no handshake, everything a request needs travels with it.
    modern,
};

// "legacy" or "modern".
std::string_view to_string(era value) noexcept;

// One entry of `tools/list`. Source: MCP, server/tools.
class tool
{
public:
    tool() = default;
    explicit tool(json::value raw) noexcept
        : raw_(std::move(raw))
    {}

    [[nodiscard]] std::string_view name() const noexcept;
    [[nodiscard]] std::string_view title() const noexcept;
    [[nodiscard]] std::string_view description() const noexcept;
    // JSON Schema of the arguments; an empty object if the server sent none.
    [[nodiscard]] const json::object& input_schema() const noexcept;
    [[nodiscard]] const json::value& raw() const noexcept { return raw_; }

private:
    json::value raw_;
};

// The result of `tools/call`. Source: MCP, server/tools.
class tool_result
{
public:
    tool_result() = default;
    explicit tool_result(json::value raw) noexcept
        : raw_(std::move(raw))
    {}

    // The content blocks; an empty array if the server sent none.
    [[nodiscard]] const json::array& content() const noexcept;
    // The structured result, or null.
    [[nodiscard]] const json::value& structured_content() const noexcept;
    // The tool itself reports failure. The session is healthy all the same.
    [[nodiscard]] bool is_error() const noexcept;
    // All text blocks joined with newlines.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] const json::value& raw() const noexcept { return raw_; }

private:
    json::value raw_;
};

} // namespace mcp_pool
