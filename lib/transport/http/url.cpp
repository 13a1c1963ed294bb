#include "transport/http/url.hpp"

#include "rpc/base64.hpp"
#include "rpc/text.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>
#include <charconv>

namespace mcp_pool::transport::http {

namespace {

namespace urls = boost::urls;

// More than any server takes.
constexpr std::size_t max_url = 8192;
constexpr std::size_t max_shown = 200;

std::string_view view_of(boost::core::string_view text) noexcept
{
    return {text.data(), text.size()};
}

char lower(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_name_character(char c) noexcept
{
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'
        || c == '_';
}

std::uint16_t own_port(bool secure) noexcept
{
    return secure ? 443 : 80;
}

bool is_ipv6(const std::string& host) noexcept
{
    return host.find(':') != std::string::npos;
}

std::string bracketed(const std::string& host)
{
    return is_ipv6(host) ? '[' + host + ']' : host;
}

// What is wrong with the host; empty: nothing.
std::string take_host(const urls::url_view& parsed, url& result)
{
    switch (parsed.host_type()) {
    case urls::host_type::none:
        return "it names no host";
    case urls::host_type::ipvfuture:
        return "the host is an address of an unknown version; a name, an IPv4 or an IPv6 address "
               "is "
               "allowed";
    case urls::host_type::ipv6:
        result.host = parsed.host_address();
        break;
    case urls::host_type::ipv4:
    case urls::host_type::name:
        result.host = std::string(view_of(parsed.encoded_host()));
        break;
    }
    if (result.host.empty())
        return "it names no host";
    if (result.host.size() > 255)
        return "the host has " + std::to_string(result.host.size())
            + " characters; at most 255 are allowed";
    if (parsed.host_type() == urls::host_type::name
        && !std::ranges::all_of(result.host, is_name_character))
        return "the host is \"" + rpc::escape_foreign(result.host, max_shown)
            + "\"; letters, digits, '-', '.' and '_' are allowed, other letters in their form "
              "\"xn--…\"";
    std::ranges::transform(result.host, result.host.begin(), lower);
    return {};
}

// What is wrong with the port; empty: nothing.
std::string take_port(const urls::url_view& parsed, url& result)
{
    result.port = own_port(result.secure);
    if (!parsed.has_port() || parsed.port().empty())
        return {};
    // Not by port_number(), which in Boost 1.81 wraps around.
    const std::string_view digits = view_of(parsed.port());
    const auto [end, error] = std::from_chars(
        digits.data(), digits.data() + digits.size(), result.port);
    if (error != std::errc() || end != digits.data() + digits.size() || result.port == 0)
        return "the port is " + rpc::escape_foreign(digits, 20) + "; 1 to 65535 is allowed";
    return {};
}

std::string take_parts(const urls::url_view& parsed, url& result)
{
    std::string scheme(view_of(parsed.scheme()));
    std::ranges::transform(scheme, scheme.begin(), lower);
    if (scheme != "http" && scheme != "https")
        return "the scheme is \"" + rpc::escape_foreign(scheme, 40)
            + "\"; http and https are allowed";
    result.secure = scheme == "https";
    if (!parsed.has_authority())
        return "it names no host";
    if (std::string wrong = take_host(parsed, result); !wrong.empty())
        return wrong;
    if (std::string wrong = take_port(parsed, result); !wrong.empty())
        return wrong;
    if (parsed.has_userinfo())
        result.authorization = "Basic " + rpc::base64(parsed.userinfo());
    result.target = std::string(view_of(parsed.encoded_path()));
    if (result.target.empty())
        result.target = "/";
    // Boost 1.81 takes "http://a@b@c/" for a path "@c/" on b.
    if (result.target.front() != '/')
        return "the host is followed by something else than a port or a path";
    if (parsed.has_query())
        result.target.append("?").append(view_of(parsed.encoded_query()));
    return {};
}

} // namespace

std::string url::authority() const
{
    return port == own_port(secure) ? bracketed(host) : host_and_port();
}

std::string url::origin() const
{
    return (secure ? "https://" : "http://") + authority();
}

std::string url::host_and_port() const
{
    return bracketed(host) + ':' + std::to_string(port);
}

bool url::same_origin(const url& other) const noexcept
{
    return secure == other.secure && port == other.port && host == other.host;
}

std::optional<url> parse_url(std::string_view text, std::string& problem)
{
    const auto refuse = [&](const std::string& what) {
        problem = "the URL \"" + shown_url(text) + "\": " + what;
        return std::nullopt;
    };
    if (text.size() > max_url)
        return refuse("it has " + std::to_string(text.size()) + " characters; at most "
            + std::to_string(max_url) + " are allowed");
    if (text.empty())
        return refuse("it is empty; http://host/path or https://host/path is allowed");
    const auto parsed = urls::parse_uri(text);
    if (!parsed)
        return refuse("it cannot be read as http://host/path or https://host/path; what is no "
                      "ASCII letter, digit or -._~ belongs into the form %xx");
    url result;
    if (const std::string wrong = take_parts(*parsed, result); !wrong.empty())
        return refuse(wrong);
    return result;
}

std::string shown_url(std::string_view text)
{
    text = text.substr(0, text.find_first_of("?#"));
    const std::size_t slashes = text.find("//");
    const std::size_t begin = slashes == std::string_view::npos ? 0 : slashes + 2;
    // Where it is no URL, a password may contain a '/' too: everything before the last '@' goes.
    const std::size_t at = text.rfind('@');
    if (at == std::string_view::npos || at < begin)
        return rpc::escape_foreign(text, max_shown);
    return rpc::escape_foreign(
        std::string(text.substr(0, begin)).append("***").append(text.substr(at)), max_shown);
}

} // namespace mcp_pool::transport::http
