// Which proxy a request goes through.
#pragma once

#include "transport/http/url.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_pool::transport::http {

// A proxy that is spoken to in plain HTTP.
struct proxy
{
    std::string host;
    std::uint16_t port = 0;
    // The value of a Proxy-Authorization field; empty: none. A secret.
    std::string authorization;

    proxy() = default;

    // host:port, fit to be shown.
    [[nodiscard]] std::string title() const;
};

// Variables of an environment.
using proxy_variables = std::map<std::string, std::string, std::less<>>;

// What is to be done to reach a server.
struct proxy_choice
{
    // None: directly.
    std::optional<proxy> through;
    // What is wrong with the variable that decides, without its secrets; empty: nothing. A server is
    // not reached directly then: whoever set the variable had a reason.
    std::string problem;

    proxy_choice() = default;
};

// Decides from `variables`:
//
// - for https, https_proxy or HTTPS_PROXY; for http, http_proxy alone: as HTTP_PROXY a CGI program
//   gets the Proxy field of whoever calls it. Lower case comes first, an empty value is no value.
//   ALL_PROXY is not read.
// - The value is a URL http://[user:password@]host[:port], or the same without "http://". Proxies
//   that are themselves reached by TLS or SOCKS are refused.
// - no_proxy or NO_PROXY names what is reached directly: entries with commas or spaces between them,
//   each a domain, which stands for its subdomains too, also when written ".domain" or "*.domain"; an
//   address, as it stands in URLs; each with ":port" or without; or "*" for everything. Ranges of
//   addresses ("10.0.0.0/8") are not understood and match nothing.
proxy_choice choose_proxy(const url& server, const proxy_variables& variables);

// Whether the list `no_proxy` names `server`.
bool is_exempt(const url& server, std::string_view no_proxy);

} // namespace mcp_pool::transport::http
