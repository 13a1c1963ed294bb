// Text that somebody else wrote: made harmless before it enters our messages, repaired before it
// enters the JSON parser.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mcp_pool::rpc {

// One code point at the beginning of a text.
struct utf8_step
{
    char32_t code = 0;
    // Bytes that it takes; for an invalid sequence its maximal subpart, at least 1.
    std::size_t length = 0;
    bool valid = false;

    utf8_step() = default;
    utf8_step(char32_t c, std::size_t n, bool ok) noexcept
        : code(c)
        , length(n)
        , valid(ok)
    {}
};

// Precondition: `text` is not empty.
utf8_step decode_utf8(std::string_view text) noexcept;

// Complexity: linear; eight bytes at a time where they are ASCII.
bool is_utf8(std::string_view text) noexcept;

// `text` with every invalid sequence replaced by U+FFFD, one for each maximal subpart. Adds the
// number of replacements to `replaced`. Source: Unicode 15, section 3.9.
std::string repair_utf8(std::string_view text, std::size_t& replaced);

// `text` on one line of at most `max` bytes, safe to print and to log: control characters, invalid
// UTF-8, and what reorders or hides text are written as escapes, the backslash too. What does not
// fit is cut off at the end and marked by "...".
std::string escape_foreign(std::string_view text, std::size_t max);
// The same between quotation marks.
std::string quote_foreign(std::string_view text, std::size_t max);

// The end of `text` in at most `max` bytes, escaped as above, with its line ends kept and leading
// and trailing empty lines removed. What does not fit is cut off at the beginning and marked by
// "...".
std::string escape_foreign_tail(std::string_view text, std::size_t max);

} // namespace mcp_pool::rpc
