// The tools of a server and what calling them gives.
#pragma once

#include <mcp_pool/content.hpp>
#include <mcp_pool/view_list.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace mcp_pool {

// Whether a tool is called as a task. Source: MCP 2025-11-25, basic/utilities/tasks.
enum class task_support {
    // Never; also where the server says nothing.
    forbidden,
    // As the caller likes.
    optional,
    // Always: an ordinary call of it is refused.
    required,
};

// "forbidden", "optional" or "required".
std::string_view to_string(task_support value) noexcept;

// One entry of `tools/list`. Source: MCP, server/tools.
//
// Lifetime: what the accessors return is valid until the tool is destroyed, moved from or assigned to.
class tool
{
public:
    tool() = default;
    explicit tool(json::value raw) noexcept
        : raw_(std::move(raw))
    {}

    [[nodiscard]] std::string_view name() const noexcept;
    // What to call it before people: its title, else that of its annotations, else its name.
    [[nodiscard]] std::string_view title() const noexcept;
    [[nodiscard]] std::string_view description() const noexcept;
    // JSON Schema of the arguments; an empty object if the server sent none.
    [[nodiscard]] const json::object& input_schema() const noexcept;
    // JSON Schema of structured_content(); an empty object, which demands nothing, if there is none.
    [[nodiscard]] const json::object& output_schema() const noexcept;

    // What the server says of the tool, with the specification's defaults where it says nothing: hints,
    // not to be relied on unless the server is trusted. Source: MCP, schema, "ToolAnnotations".
    //
    // It changes nothing around it (false).
    [[nodiscard]] bool read_only_hint() const noexcept;
    // If it changes something: it may destroy, not only add (true); calling it again with the same
    // arguments changes nothing more (false).
    [[nodiscard]] bool destructive_hint() const noexcept;
    [[nodiscard]] bool idempotent_hint() const noexcept;
    // It deals with an open world, such as the web (true).
    [[nodiscard]] bool open_world_hint() const noexcept;

    [[nodiscard]] mcp_pool::task_support task_support() const noexcept;
    [[nodiscard]] view_list<icon> icons() const& noexcept;
    view_list<icon> icons() const&& = delete;
    [[nodiscard]] const json::value& raw() const noexcept { return raw_; }

private:
    json::value raw_;
};

// The result of `tools/call`. Source: MCP, server/tools.
//
// Lifetime: what the accessors return is valid until the result is destroyed, moved from or assigned
// to; the blocks of a result without a name cannot be asked for.
class tool_result
{
public:
    tool_result() = default;
    explicit tool_result(json::value raw) noexcept
        : raw_(std::move(raw))
    {}

    // The content blocks; an empty array if the server sent none.
    [[nodiscard]] const json::array& content() const noexcept;
    // The same, each read by what it is.
    [[nodiscard]] view_list<content_block> blocks() const& noexcept;
    view_list<content_block> blocks() const&& = delete;
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
