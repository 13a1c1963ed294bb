// Between the two kinds of string views, and out of objects that somebody else wrote.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/object.hpp>
#include <boost/json/string_view.hpp>
#include <boost/json/value.hpp>

#include <string_view>

namespace mcp_pool::rpc {

constexpr std::string_view view(json::string_view text) noexcept
{
    return {text.data(), text.size()};
}

constexpr json::string_view json_view(std::string_view text) noexcept
{
    return {text.data(), text.size()};
}

// The string under this name; empty where there is none.
inline std::string_view text_member(const json::object& of, std::string_view name) noexcept
{
    const json::value* const found = of.if_contains(json_view(name));
    const json::string* const text = found ? found->if_string() : nullptr;
    return text ? view(*text) : std::string_view();
}

} // namespace mcp_pool::rpc
