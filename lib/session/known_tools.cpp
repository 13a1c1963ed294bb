#include "session/known_tools.hpp"

#include "rpc/text.hpp"

namespace mcp_pool::detail {

namespace {

constexpr std::size_t max_name = 100;
constexpr std::size_t max_reasons = 10;

} // namespace

std::vector<std::string> known_tools::learn(json::value& result, bool drop)
{
    std::vector<std::string> dropped;
    json::object* const object = result.if_object();
    json::value* const member = object ? object->if_contains("tools") : nullptr;
    json::array* const tools = member ? member->if_array() : nullptr;
    if (!tools)
        return dropped;
    json::array kept(tools->storage());
    for (json::value& element : *tools) {
        const json::object* const tool = element.if_object();
        const json::value* const name = tool ? tool->if_contains("name") : nullptr;
        const json::value* const schema = tool ? tool->if_contains("inputSchema") : nullptr;
        bool valid = true;
        if (name && name->is_string() && schema) {
            const json::string& text = name->get_string();
            auto headers = std::make_shared<const protocol::tool_headers>(*schema);
            valid = headers->valid();
            if (!valid && dropped.size() < max_reasons)
                dropped.push_back("tool \""
                    + rpc::escape_foreign({text.data(), text.size()}, max_name)
                    + "\" is left out of tools/list: " + headers->fault());
            const std::lock_guard lock(mutex_);
            if (!valid || headers->empty())
                tools_.erase(std::string(text.data(), text.size()));
            else if (tools_.size() < max_tools)
                tools_.insert_or_assign(std::string(text.data(), text.size()), std::move(headers));
        }
        if (drop && valid)
            kept.push_back(std::move(element));
    }
    if (drop)
        *tools = std::move(kept);
    return dropped;
}

std::shared_ptr<const protocol::tool_headers> known_tools::find(std::string_view name) const
{
    const std::lock_guard lock(mutex_);
    const auto found = tools_.find(name);
    return found == tools_.end() ? nullptr : found->second;
}

} // namespace mcp_pool::detail
