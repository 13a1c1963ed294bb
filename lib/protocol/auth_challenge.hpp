// What a server wants that refuses the credentials of a request.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_pool::protocol {

// One challenge of a `WWW-Authenticate` field. All of it is foreign text.
struct auth_challenge
{
    // In lower case; empty if there was no challenge that could be read.
    std::string scheme;
    // In order, names in lower case, quotes and escapes taken off. A token in place of parameters has
    // an empty name.
    std::vector<std::pair<std::string, std::string>> parameters;

    auth_challenge() = default;

    // The value of the first parameter of that name, or an empty text. `name` is in lower case.
    [[nodiscard]] std::string_view find(std::string_view name) const noexcept;
};

// Of one response; what goes beyond these is not read.
inline constexpr std::size_t max_challenge_bytes = 8192;
inline constexpr std::size_t max_challenges = 8;
inline constexpr std::size_t max_challenge_parameters = 32;

// Reads the value of `WWW-Authenticate`; several fields are joined by commas, as HTTP joins them.
// Reading ends where the text has no meaning any more: what came before it stands.
//
// Source: RFC 9110, section 11.6.1.
std::vector<auth_challenge> parse_challenges(std::string_view text);

// The challenge that a client of MCP can do something with: the first one of the scheme Bearer, else
// the first one; without a scheme if there is none.
//
// Source: MCP 2026-07-28, basic/authorization.
auth_challenge bearer_challenge(std::string_view text);

} // namespace mcp_pool::protocol
