#include "session/json_member.hpp"

#include <mcp_pool/types.hpp>

namespace mcp_pool {

using namespace detail;

namespace {

// Joins texts that are there with newlines, empty ones included.
class joined_lines
{
public:
    void add(std::string_view text)
    {
        if (!first_)
            all_ += '\n';
        first_ = false;
        all_ += text;
    }
    [[nodiscard]] std::string take() { return std::move(all_); }

private:
    std::string all_;
    bool first_ = true;
};

view_list<icon> icons_of(const json::value& raw) noexcept
{
    return view_list<icon>(array_member(raw, "icons"));
}

} // namespace

std::string_view to_string(era value) noexcept
{
    return value == era::legacy ? "legacy" : "modern";
}

std::string_view to_string(log_level value) noexcept
{
    switch (value) {
    case log_level::debug:
        return "debug";
    case log_level::info:
        return "info";
    case log_level::notice:
        return "notice";
    case log_level::warning:
        return "warning";
    case log_level::error:
        return "error";
    case log_level::critical:
        return "critical";
    case log_level::alert:
        return "alert";
    case log_level::emergency:
        break;
    }
    return "emergency";
}

std::string_view to_string(task_support value) noexcept
{
    switch (value) {
    case task_support::optional:
        return "optional";
    case task_support::required:
        return "required";
    case task_support::forbidden:
        break;
    }
    return "forbidden";
}

std::string_view tool::name() const noexcept
{
    return text_member(raw_, "name");
}

std::string_view tool::title() const noexcept
{
    if (const std::string_view own = text_member(raw_, "title"); !own.empty())
        return own;
    const std::string_view noted = text_member(value_member(raw_, "annotations"), "title");
    return noted.empty() ? name() : noted;
}

std::string_view tool::description() const noexcept
{
    return text_member(raw_, "description");
}

const json::object& tool::input_schema() const noexcept
{
    return object_member(raw_, "inputSchema");
}

const json::object& tool::output_schema() const noexcept
{
    return object_member(raw_, "outputSchema");
}

bool tool::read_only_hint() const noexcept
{
    return flag_member(value_member(raw_, "annotations"), "readOnlyHint", false);
}

bool tool::destructive_hint() const noexcept
{
    return flag_member(value_member(raw_, "annotations"), "destructiveHint", true);
}

bool tool::idempotent_hint() const noexcept
{
    return flag_member(value_member(raw_, "annotations"), "idempotentHint", false);
}

bool tool::open_world_hint() const noexcept
{
    return flag_member(value_member(raw_, "annotations"), "openWorldHint", true);
}

mcp_pool::task_support tool::task_support() const noexcept
{
    const std::string_view said = text_member(value_member(raw_, "execution"), "taskSupport");
    if (said == "optional")
        return mcp_pool::task_support::optional;
    return said == "required" ? mcp_pool::task_support::required
                              : mcp_pool::task_support::forbidden;
}

view_list<icon> tool::icons() const& noexcept
{
    return icons_of(raw_);
}

const json::array& tool_result::content() const noexcept
{
    return array_member(raw_, "content");
}

view_list<content_block> tool_result::blocks() const& noexcept
{
    return view_list<content_block>(content());
}

const json::value& tool_result::structured_content() const noexcept
{
    return value_member(raw_, "structuredContent");
}

bool tool_result::is_error() const noexcept
{
    return flag_member(raw_, "isError", false);
}

std::string tool_result::text() const
{
    joined_lines lines;
    for (const content_block block : blocks())
        if (block.kind() == content_kind::text)
            lines.add(block.text());
    return lines.take();
}

std::string_view resource::uri() const noexcept
{
    return text_member(raw_, "uri");
}

std::string_view resource::name() const noexcept
{
    return text_member(raw_, "name");
}

std::string_view resource::title() const noexcept
{
    return text_member(raw_, "title", "name");
}

std::string_view resource::description() const noexcept
{
    return text_member(raw_, "description");
}

std::string_view resource::mime_type() const noexcept
{
    return text_member(raw_, "mimeType");
}

std::optional<std::uint64_t> resource::size() const noexcept
{
    return count_member(raw_, "size");
}

mcp_pool::annotations resource::annotations() const& noexcept
{
    return mcp_pool::annotations(value_member(raw_, "annotations"));
}

view_list<icon> resource::icons() const& noexcept
{
    return icons_of(raw_);
}

std::string_view resource_template::uri_template() const noexcept
{
    return text_member(raw_, "uriTemplate");
}

std::string_view resource_template::name() const noexcept
{
    return text_member(raw_, "name");
}

std::string_view resource_template::title() const noexcept
{
    return text_member(raw_, "title", "name");
}

std::string_view resource_template::description() const noexcept
{
    return text_member(raw_, "description");
}

std::string_view resource_template::mime_type() const noexcept
{
    return text_member(raw_, "mimeType");
}

mcp_pool::annotations resource_template::annotations() const& noexcept
{
    return mcp_pool::annotations(value_member(raw_, "annotations"));
}

view_list<icon> resource_template::icons() const& noexcept
{
    return icons_of(raw_);
}

view_list<resource_contents> resource_result::contents() const& noexcept
{
    return view_list<resource_contents>(array_member(raw_, "contents"));
}

std::string resource_result::text() const
{
    joined_lines lines;
    for (const resource_contents one : contents())
        if (one.is_text())
            lines.add(one.text());
    return lines.take();
}

std::string_view prompt_argument::name() const noexcept
{
    return text_member(*raw_, "name");
}

std::string_view prompt_argument::title() const noexcept
{
    return text_member(*raw_, "title", "name");
}

std::string_view prompt_argument::description() const noexcept
{
    return text_member(*raw_, "description");
}

bool prompt_argument::required() const noexcept
{
    return flag_member(*raw_, "required", false);
}

std::string_view prompt::name() const noexcept
{
    return text_member(raw_, "name");
}

std::string_view prompt::title() const noexcept
{
    return text_member(raw_, "title", "name");
}

std::string_view prompt::description() const noexcept
{
    return text_member(raw_, "description");
}

view_list<prompt_argument> prompt::arguments() const& noexcept
{
    return view_list<prompt_argument>(array_member(raw_, "arguments"));
}

view_list<icon> prompt::icons() const& noexcept
{
    return icons_of(raw_);
}

std::string_view prompt_message::role() const noexcept
{
    return text_member(*raw_, "role");
}

content_block prompt_message::content() const noexcept
{
    return content_block(value_member(*raw_, "content"));
}

std::string_view prompt_result::description() const noexcept
{
    return text_member(raw_, "description");
}

view_list<prompt_message> prompt_result::messages() const& noexcept
{
    return view_list<prompt_message>(array_member(raw_, "messages"));
}

completion_reference completion_reference::prompt(std::string name)
{
    return {true, std::move(name)};
}

completion_reference completion_reference::resource(std::string uri_or_template)
{
    return {false, std::move(uri_or_template)};
}

json::object completion_reference::to_json() const
{
    json::object reference;
    reference["type"] = of_prompt_ ? "ref/prompt" : "ref/resource";
    reference[of_prompt_ ? "name" : "uri"] = what_;
    return reference;
}

view_list<std::string_view> completion::values() const& noexcept
{
    return view_list<std::string_view>(array_member(value_member(raw_, "completion"), "values"));
}

std::optional<std::uint64_t> completion::total() const noexcept
{
    return count_member(value_member(raw_, "completion"), "total");
}

bool completion::has_more() const noexcept
{
    return flag_member(value_member(raw_, "completion"), "hasMore", false);
}

} // namespace mcp_pool
