// Where an HTTP server is: the parts of its URL that a client needs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_pool::transport::http {

// An http or https URL, checked and taken apart. Source: RFC 3986, RFC 9110 section 4.2.
struct url
{
    // https.
    bool secure = false;
    // In lower case; an IPv6 address without its brackets.
    std::string host;
    std::uint16_t port = 0;
    // Path and query as they are sent; begins with '/'. The fragment is left out.
    std::string target;
    // The value of an Authorization field made of "user:password@"; empty where there was none. A
    // secret.
    std::string authorization;

    url() = default;

    // What stands in a Host field: the port only where it is not the scheme's own.
    [[nodiscard]] std::string authority() const;
    // "https://host", with the port where it is not the scheme's own. Fit to be shown.
    [[nodiscard]] std::string origin() const;
    // host:port, the port always: what a CONNECT asks for.
    [[nodiscard]] std::string host_and_port() const;
    // Source: RFC 6454 section 5.
    [[nodiscard]] bool same_origin(const url& other) const noexcept;
};

// The URL in `text`, or what is wrong with it in `problem`: what was found and what is allowed, escaped
// and bounded, without user names, passwords and queries.
std::optional<url> parse_url(std::string_view text, std::string& problem);

// `text`, which may be no URL at all, fit for a message: escaped and bounded, "***" for user name and
// password, without query and fragment.
std::string shown_url(std::string_view text);

} // namespace mcp_pool::transport::http
