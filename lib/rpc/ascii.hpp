// Letters of ASCII, whatever the locale: the names of protocols are made of them.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace mcp_pool::rpc {

constexpr char lower(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

inline std::string in_lower_case(std::string_view text)
{
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), lower);
    return result;
}

inline bool equal_but_for_case(std::string_view a, std::string_view b) noexcept
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
        [](char x, char y) { return lower(x) == lower(y); });
}

constexpr bool is_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}

constexpr bool is_letter(char c) noexcept
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

// What names of header fields and the like may have. Source: RFC 9110, section 5.6.2.
constexpr bool is_token_char(char c) noexcept
{
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return is_digit(c) || is_letter(c) || marks.find(c) != std::string_view::npos;
}

} // namespace mcp_pool::rpc
