#include "protocol/redirect.hpp"

#include "rpc/ascii.hpp"
#include "rpc/text.hpp"

#include <algorithm>

namespace mcp_pool::protocol {

namespace {

constexpr std::size_t max_location_text = 200;

// Visible ASCII but for what browsers and servers disagree about.
bool is_plain(std::string_view text) noexcept
{
    return std::all_of(
        text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f' && c != '\\'; });
}

// The scheme of a reference, without the colon; empty if it has none.
std::string_view scheme_of(std::string_view reference) noexcept
{
    const auto end = std::find_if_not(reference.begin(), reference.end(), [](char c) {
        return rpc::is_letter(c) || rpc::is_digit(c) || c == '+' || c == '-' || c == '.';
    });
    const auto length = static_cast<std::size_t>(end - reference.begin());
    if (length == 0 || !rpc::is_letter(reference.front()) || end == reference.end() || *end != ':')
        return {};
    return reference.substr(0, length);
}

// Whether an authority is that of the origin, its port written or not.
bool is_at(std::string_view authority, const http_origin& origin)
{
    const std::uint16_t usual = origin.secure ? 443 : 80;
    const bool ipv6 = origin.host.find(':') != std::string::npos;
    const std::string host = rpc::in_lower_case(ipv6 ? '[' + origin.host + ']' : origin.host);
    const std::string given = rpc::in_lower_case(authority);
    if (given == host + ':' + std::to_string(origin.port))
        return true;
    return origin.port == usual && (given == host || given == host + ':');
}

// Source: RFC 3986, section 5.2.4.
std::string without_dots(std::string_view path)
{
    std::string result;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find('/', 1), path.size());
        const std::string_view segment = path.substr(0, end);
        path.remove_prefix(end);
        if (segment == "/.") {
            if (path.empty())
                result += '/';
        } else if (segment == "/..") {
            result.erase(result.empty() ? 0 : result.rfind('/'));
            if (path.empty())
                result += '/';
        } else {
            result += segment;
        }
    }
    return result;
}

// A reference without scheme and authority against the path that was asked for.
std::string resolved(std::string_view reference, std::string_view target)
{
    const std::string_view path = target.substr(0, target.find('?'));
    if (reference.empty())
        return std::string(target);
    if (reference.front() == '?')
        return std::string(path) + std::string(reference);
    const std::size_t query = std::min(reference.find('?'), reference.size());
    std::string whole;
    if (reference.front() != '/')
        whole = path.substr(0, path.rfind('/') + 1);
    whole += reference.substr(0, query);
    if (!whole.starts_with('/'))
        whole.insert(0, 1, '/');
    return without_dots(whole) + std::string(reference.substr(query));
}

redirect_result refused(std::string_view location, std::string_view why)
{
    redirect_result result;
    result.fault = "the redirect to \"" + shown_location(location)
        + "\" is not followed: " + std::string(why);
    return result;
}

} // namespace

std::string shown_location(std::string_view location)
{
    location = location.substr(0, location.find_first_of("?#"));
    const std::size_t slashes = location.find("//");
    const std::size_t host = slashes == std::string_view::npos ? 0 : slashes + 2;
    // Browsers end the authority at a backslash too; what is hidden here is hidden to either.
    const std::size_t end = std::min(location.find_first_of("/\\", host), location.size());
    const std::size_t at = location.substr(0, end).rfind('@');
    if (at == std::string_view::npos || at < host)
        return rpc::escape_foreign(location, max_location_text);
    std::string shown(location.substr(0, host));
    shown += "***";
    shown += location.substr(at);
    return rpc::escape_foreign(shown, max_location_text);
}

redirect_result follow_redirect(
    const http_origin& from, std::string_view target, std::string_view location)
{
    if (location.empty())
        return refused(location, "it says nothing");
    if (location.size() > max_location_bytes)
        return refused(location, "it is too long");
    if (!is_plain(location))
        return refused(location, "it is no URL");

    std::string_view rest = location.substr(0, location.find('#'));
    if (const std::string_view scheme = scheme_of(rest); !scheme.empty()) {
        const std::string name = rpc::in_lower_case(scheme);
        if (name == "http" && from.secure)
            return refused(location, "it leads from https to plain http");
        if (name != (from.secure ? "https" : "http"))
            return refused(location, "it leads to another origin");
        rest.remove_prefix(scheme.size() + 1);
        if (!rest.starts_with("//"))
            return refused(location, "it is no URL");
    }
    if (rest.starts_with("//")) {
        rest.remove_prefix(2);
        const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
        if (!is_at(rest.substr(0, end), from))
            return refused(location, "it leads to another origin");
        rest.remove_prefix(end);
        // What follows an authority is a path from the root.
        target = "/";
    }
    redirect_result result;
    result.target = resolved(rest, target);
    // To whoever takes it for a reference once more, the host would follow.
    if (result.target.starts_with("//"))
        return refused(location, "it could be read as another host");
    return result;
}

} // namespace mcp_pool::protocol
