#include "transport/environment.hpp"

#include <algorithm>
#include <array>

#include <unistd.h>

namespace mcp_pool::transport {

namespace {

// What every server may have. Source: MCP's TypeScript and Python SDKs inherit the same six.
constexpr std::array<std::string_view, 6> allow_list{
    "HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"};

struct hint_group
{
    std::string_view what;
    std::array<std::string_view, 8> patterns;
};

constexpr std::array<hint_group, 4> hint_groups{{
    {"proxy",
        {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy",
            "no_proxy", "all_proxy"}},
    {"CA certificates",
        {"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE"}},
    {"locale", {"LANG", "LC_*"}},
    {"temporary files", {"TMPDIR"}},
}};

// More names than this make no message clearer.
constexpr std::size_t max_hinted_names = 12;

// A function that a shell exported: such a value has started programs (CVE-2014-6271).
bool is_exported_function(std::string_view value) noexcept
{
    return value.starts_with("()");
}

bool is_plain_name(std::string_view name) noexcept
{
    return name.size() <= 64 && std::ranges::all_of(name, [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
            || c == '_';
    });
}

} // namespace

environment host_environment()
{
    environment result;
    for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        // A name may begin with '=' on other systems; an entry without '=' is no variable.
        const std::size_t equals = text.find('=', 1);
        if (equals != std::string_view::npos)
            result.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return result;
}

bool matches_glob(std::string_view pattern, std::string_view name) noexcept
{
    // Backtracks to the last `*` only: linear in practice, quadratic at worst, never exponential.
    std::size_t p = 0;
    std::size_t n = 0;
    std::size_t star = std::string_view::npos;
    std::size_t star_matched = 0;
    while (n < name.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            star_matched = n;
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
            ++p;
            ++n;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            n = ++star_matched;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

environment child_environment(const stdio_server& server, const environment& host)
{
    environment result;
    switch (server.inherit_env) {
    case inherit::none:
        break;
    case inherit::allow_list:
        for (const std::string_view name : allow_list) {
            const auto found = host.find(name);
            if (found != host.end() && !is_exported_function(found->second))
                result.insert(*found);
        }
        break;
    case inherit::all:
        result = host;
        break;
    }
    for (const std::string& pattern : server.env_passthrough) {
        if (pattern.find_first_of("*?") == std::string::npos) {
            const auto found = host.find(pattern);
            if (found != host.end())
                result.insert(*found);
            continue;
        }
        for (const auto& variable : host) {
            if (matches_glob(pattern, variable.first) && !is_exported_function(variable.second))
                result.insert(variable);
        }
    }
    for (const auto& [name, value] : server.env)
        result.insert_or_assign(name, value);
    return result;
}

std::string missing_variables_hint(const environment& host, const environment& child)
{
    std::string names;
    std::size_t count = 0;
    for (const hint_group& group : hint_groups) {
        std::string of_group;
        for (const auto& [name, value] : host) {
            const auto matches = [&name = name](std::string_view pattern) {
                return matches_glob(pattern, name);
            };
            if (value.empty() || child.contains(name) || !is_plain_name(name)
                || std::ranges::none_of(group.patterns, matches))
                continue;
            if (++count <= max_hinted_names) {
                of_group += of_group.empty() ? "" : ", ";
                of_group += name;
            }
        }
        if (of_group.empty())
            continue;
        names += names.empty() ? "" : "; ";
        names += std::string(group.what) + ": " + of_group;
    }
    if (names.empty())
        return {};
    if (count > max_hinted_names)
        names += " and " + std::to_string(count - max_hinted_names) + " more";
    return "the host has variables that the server did not get (" + names
        + "); list in env_passthrough what it needs";
}

} // namespace mcp_pool::transport
