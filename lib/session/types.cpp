#include <mcp_pool/types.hpp>

namespace mcp_pool {

namespace {

const json::value* member(const json::value& raw, std::string_view name) noexcept
{
    const json::object* object = raw.if_object();
    return object ? object->if_contains(json::string_view(name.data(), name.size())) : nullptr;
}

std::string_view text_member(const json::value& raw, std::string_view name) noexcept
{
    const json::value* found = member(raw, name);
    const json::string* text = found ? found->if_string() : nullptr;
    return text ? std::string_view(text->data(), text->size()) : std::string_view();
}

} // namespace

std::string_view to_string(era value) noexcept
{
    return value == era::legacy ? "legacy" : "modern";
}

std::string_view tool::name() const noexcept
{
    return text_member(raw_, "name");
}

std::string_view tool::title() const noexcept
{
    return text_member(raw_, "title");
}

std::string_view tool::description() const noexcept
{
    return text_member(raw_, "description");
}

const json::object& tool::input_schema() const noexcept
{
    static const json::object none;
    const json::value* found = member(raw_, "inputSchema");
    const json::object* schema = found ? found->if_object() : nullptr;
    return schema ? *schema : none;
}

const json::array& tool_result::content() const noexcept
{
    static const json::array none;
    const json::value* found = member(raw_, "content");
    const json::array* blocks = found ? found->if_array() : nullptr;
    return blocks ? *blocks : none;
}

const json::value& tool_result::structured_content() const noexcept
{
    static const json::value none;
    const json::value* found = member(raw_, "structuredContent");
    return found ? *found : none;
}

bool tool_result::is_error() const noexcept
{
    const json::value* found = member(raw_, "isError");
    const bool* flag = found ? found->if_bool() : nullptr;
    return flag && *flag;
}

std::string tool_result::text() const
{
    std::string joined;
    bool first = true;
    for (const json::value& block : content()) {
        if (text_member(block, "type") != "text")
            continue;
        if (!first)
            joined += '\n';
        first = false;
        joined += text_member(block, "text");
    }
    return joined;
}

} // namespace mcp_pool
