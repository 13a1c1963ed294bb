// Where a redirect of an HTTP server leads, and whether it may be followed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mcp_pool::protocol {

// Scheme, host and port: what credentials and sessions belong to. Source: RFC 6454, section 4.
struct http_origin
{
    // https, else http.
    bool secure = false;
    // A name or an address, one of IPv6 without its brackets.
    std::string host;
    std::uint16_t port = 0;

    http_origin() = default;
};

inline constexpr unsigned max_redirects = 5;
inline constexpr std::size_t max_location_bytes = 8192;

struct redirect_result
{
    // Path and query to ask for next, at the same origin. Empty if the redirect is not followed.
    std::string target;
    // Why it is not followed, for people.
    std::string fault;

    redirect_result() = default;
};

// A location as it may be shown: escaped and bounded, without query and fragment, with "***" for users
// and passwords.
std::string shown_location(std::string_view location);

// Follows a `Location` that came in answer to a request for `target`, a path with its query, at
// `from`. Only what stays in the origin is followed: what is sent holds credentials and arguments
// that are nobody else's business. A location that names users, or that is written in any way that
// could be read as another host, is refused.
//
// Source: RFC 9110, section 10.2.2; RFC 3986, section 5.2.
redirect_result follow_redirect(
    const http_origin& from, std::string_view target, std::string_view location);

} // namespace mcp_pool::protocol
