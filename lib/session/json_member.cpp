#include "session/json_member.hpp"

#include <mcp_pool/view_list.hpp>

namespace mcp_pool::detail {

const json::value& no_value() noexcept
{
    static const json::value none;
    return none;
}

const json::value* member(const json::value& raw, std::string_view name) noexcept
{
    const json::object* const object = raw.if_object();
    return object ? object->if_contains(json::string_view(name.data(), name.size())) : nullptr;
}

const json::value& value_member(const json::value& raw, std::string_view name) noexcept
{
    const json::value* const found = member(raw, name);
    return found ? *found : no_value();
}

const json::array& array_member(const json::value& raw, std::string_view name) noexcept
{
    static const json::array none;
    const json::array* const found = value_member(raw, name).if_array();
    return found ? *found : none;
}

const json::object& object_member(const json::value& raw, std::string_view name) noexcept
{
    static const json::object none;
    const json::object* const found = value_member(raw, name).if_object();
    return found ? *found : none;
}

std::string_view text_member(const json::value& raw, std::string_view name) noexcept
{
    const json::string* const text = value_member(raw, name).if_string();
    return text ? std::string_view(text->data(), text->size()) : std::string_view();
}

std::string_view text_member(
    const json::value& raw, std::string_view name, std::string_view otherwise) noexcept
{
    const std::string_view first = text_member(raw, name);
    return first.empty() ? text_member(raw, otherwise) : first;
}

bool flag_member(const json::value& raw, std::string_view name, bool otherwise) noexcept
{
    const bool* const flag = value_member(raw, name).if_bool();
    return flag ? *flag : otherwise;
}

std::optional<std::uint64_t> count_member(const json::value& raw, std::string_view name) noexcept
{
    // Exact conversions only: a fraction, a negative number and one that is too large are no count.
    boost::system::error_code inexact;
    const auto count = value_member(raw, name).to_number<std::uint64_t>(inexact);
    return inexact ? std::nullopt : std::optional(count);
}

} // namespace mcp_pool::detail
