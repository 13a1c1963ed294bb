// Members of JSON that somebody else wrote, read without any trust: what is missing or of the wrong
// type reads as empty.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace mcp_pool::detail {

// Null if `raw` is no object or has no such member.
const json::value* member(const json::value& raw, std::string_view name) noexcept;
// The same, null of static lifetime instead of nothing.
const json::value& value_member(const json::value& raw, std::string_view name) noexcept;
const json::array& array_member(const json::value& raw, std::string_view name) noexcept;
const json::object& object_member(const json::value& raw, std::string_view name) noexcept;
std::string_view text_member(const json::value& raw, std::string_view name) noexcept;
// The first of both that is not empty.
std::string_view text_member(
    const json::value& raw, std::string_view name, std::string_view otherwise) noexcept;
bool flag_member(const json::value& raw, std::string_view name, bool otherwise) noexcept;
// A whole number that is not negative, also one that was written as a fraction ("3.0").
std::optional<std::uint64_t> count_member(const json::value& raw, std::string_view name) noexcept;

} // namespace mcp_pool::detail
