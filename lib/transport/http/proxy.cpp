#include "transport/http/proxy.hpp"

#include <algorithm>
#include <charconv>

namespace mcp_pool::transport::http {

namespace {

struct variable
{
    std::string_view name;
    std::string_view value;
};

// The first of the variables that has a value.
template <std::size_t N>
variable first_of(const proxy_variables& variables, const std::string_view (&names)[N])
{
    for (const std::string_view name : names) {
        const auto at = variables.find(name);
        if (at != variables.end() && !at->second.empty())
            return {name, at->second};
    }
    return {};
}

constexpr std::string_view for_https[] = {"https_proxy", "HTTPS_PROXY"};
constexpr std::string_view for_http[] = {"http_proxy"};
constexpr std::string_view exempt[] = {"no_proxy", "NO_PROXY"};

bool equal_but_case(std::string_view a, std::string_view b) noexcept
{
    const auto lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    return std::ranges::equal(a, b, [&](char x, char y) { return lower(x) == lower(y); });
}

bool is_address(std::string_view host) noexcept
{
    return host.find(':') != std::string_view::npos
        || host.find_first_not_of("0123456789.") == std::string_view::npos;
}

// `name` is `domain` or below it.
bool is_within(std::string_view name, std::string_view domain) noexcept
{
    if (is_address(name))
        return equal_but_case(name, domain);
    if (name.size() < domain.size()
        || !equal_but_case(name.substr(name.size() - domain.size()), domain))
        return false;
    return name.size() == domain.size() || name[name.size() - domain.size() - 1] == '.';
}

// Takes ":port" off `entry`; false: it is for another port.
bool take_port(std::string_view& entry, std::uint16_t port) noexcept
{
    const std::size_t colon = entry.rfind(':');
    if (colon == std::string_view::npos)
        return true;
    const bool bracketed = entry.front() == '[';
    // An IPv6 address without brackets has colons of its own and no port.
    if (bracketed ? entry[colon - 1] != ']' : entry.find(':') != colon)
        return true;
    const std::string_view digits = entry.substr(colon + 1);
    std::uint16_t wanted = 0;
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), wanted);
    entry = entry.substr(0, colon);
    return error == std::errc() && end == digits.end() && wanted == port;
}

bool names(std::string_view entry, const url& server) noexcept
{
    if (entry == "*")
        return true;
    if (!take_port(entry, server.port))
        return false;
    if (entry.starts_with('[') && entry.ends_with(']'))
        entry = entry.substr(1, entry.size() - 2);
    if (entry.starts_with("*."))
        entry.remove_prefix(2);
    else if (entry.starts_with('.'))
        entry.remove_prefix(1);
    if (entry.ends_with('.'))
        entry.remove_suffix(1);
    std::string_view host = server.host;
    if (host.ends_with('.'))
        host.remove_suffix(1);
    return !entry.empty() && is_within(host, entry);
}

} // namespace

std::string proxy::title() const
{
    url address;
    address.host = host;
    address.port = port;
    return address.host_and_port();
}

bool is_exempt(const url& server, std::string_view no_proxy)
{
    constexpr std::string_view separators = ", \t";
    for (;;) {
        const std::size_t begin = no_proxy.find_first_not_of(separators);
        if (begin == std::string_view::npos)
            return false;
        no_proxy.remove_prefix(begin);
        const std::string_view entry = no_proxy.substr(0, no_proxy.find_first_of(separators));
        if (names(entry, server))
            return true;
        no_proxy.remove_prefix(entry.size());
    }
}

proxy_choice choose_proxy(const url& server, const proxy_variables& variables)
{
    proxy_choice choice;
    const variable chosen = server.secure ? first_of(variables, for_https)
                                          : first_of(variables, for_http);
    if (chosen.value.empty() || is_exempt(server, first_of(variables, exempt).value))
        return choice;
    std::string text(chosen.value);
    if (text.find("://") == std::string::npos)
        text.insert(0, "http://");
    std::string problem;
    const std::optional<url> address = parse_url(text, problem);
    if (address && !address->secure) {
        proxy& through = choice.through.emplace();
        through.host = address->host;
        through.port = address->port;
        through.authorization = address->authorization;
        return choice;
    }
    if (address)
        problem = "the URL \"" + shown_url(text)
            + "\": proxies that are reached by https are not supported";
    choice.problem = "the variable " + std::string(chosen.name) + ": " + problem
        + "; http://[user:password@]host[:port] is allowed";
    return choice;
}

} // namespace mcp_pool::transport::http
