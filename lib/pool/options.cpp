// Options: environment, order of precedence, ranges.
#include "pool/options.hpp"

#include <mcp_pool/error.hpp>
#include <mcp_pool/pool_options.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>

namespace mcp_pool {

namespace {

constexpr std::size_t most_sessions = 10'000;
constexpr std::size_t most_leases = 1000;
constexpr std::size_t most_count = 1'000'000'000;
// 100 years: beyond it a duration is a mistake.
constexpr double most_seconds = 3.2e9;

[[noreturn]] void refuse(std::string message)
{
    diagnostics details;
    details.message = std::move(message);
    throw error(errc::invalid_config, std::move(details));
}

// Values come from people: quoted, without control characters, of bounded length.
std::string in_quotes(std::string_view value)
{
    constexpr std::size_t most = 80;
    std::string text = "\"";
    for (const char c : value.substr(0, most)) {
        const bool plain = static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
        text += plain ? c : '?';
    }
    text += value.size() > most ? "…\"" : "\"";
    return text;
}

[[noreturn]] void refuse_variable(
    const char* name, std::string_view value, const std::string& expected)
{
    refuse(std::string(name) + "=" + in_quotes(value) + ": expected " + expected);
}

void read(const char* name, std::optional<std::size_t>& to, std::size_t least, std::size_t most)
{
    const char* const raw = std::getenv(name);
    if (!raw)
        return;
    const std::string_view value(raw);
    std::size_t number = 0;
    const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (failure != std::errc() || end != value.data() + value.size() || number < least
        || number > most)
        refuse_variable(name, value,
            "an integer from " + std::to_string(least) + " to " + std::to_string(most));
    to = number;
}

void read(const char* name, std::optional<duration>& to)
{
    const char* const raw = std::getenv(name);
    if (!raw)
        return;
    const std::string_view value(raw);
    double seconds = 0;
    const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (failure != std::errc() || end != value.data() + value.size() || !std::isfinite(seconds)
        || seconds < 0 || seconds > most_seconds)
        refuse_variable(name, value, "seconds, fractions allowed, from 0 to 3200000000");
    to = detail::saturate(std::chrono::duration<double>(seconds));
}

// One option of an integer kind: name, member and range, for the check of resolved values.
struct count_range
{
    const char* name;
    std::size_t pool_options::*member;
    std::size_t least;
    std::size_t most;
};

constexpr std::size_t unlimited = static_cast<std::size_t>(-1);
constexpr std::array count_ranges{
    count_range{"max_size", &pool_options::max_size, 1, most_sessions},
    count_range{"min_size", &pool_options::min_size, 0, most_sessions},
    count_range{"max_starting", &pool_options::max_starting, 1, most_sessions},
    count_range{"max_probing", &pool_options::max_probing, 1, most_sessions},
    count_range{"max_waiters", &pool_options::max_waiters, 0, most_count},
    count_range{"max_uses", &pool_options::max_uses, 0, most_count},
    count_range{"max_rss", &pool_options::max_rss, 0, unlimited},
    count_range{"max_leases_per_session", &pool_options::max_leases_per_session, 1, most_leases},
    count_range{"max_leases_per_key", &pool_options::max_leases_per_key, 0, most_count},
    count_range{"max_waiters_per_key", &pool_options::max_waiters_per_key, 0, most_count},
    count_range{"breaker_threshold", &pool_options::breaker_threshold, 0, most_count},
    count_range{"max_message_bytes", &pool_options::max_message_bytes, 1024, unlimited},
    count_range{"max_buffered_bytes", &pool_options::max_buffered_bytes, 1024, unlimited},
    count_range{"cache_bytes", &pool_options::cache_bytes, 0, unlimited},
    count_range{"stderr_tail_bytes", &pool_options::stderr_tail_bytes, 0, std::size_t{1} << 30},
};

struct duration_range
{
    const char* name;
    duration pool_options::*member;
    // The shortest value that makes sense; 0 stands for off where `zero_allowed`.
    duration least;
    bool zero_allowed;
};

constexpr duration instant = std::chrono::milliseconds(1);
constexpr std::array duration_ranges{
    duration_range{"max_wait", &pool_options::max_wait, instant, true},
    duration_range{"start_timeout", &pool_options::start_timeout, instant, true},
    duration_range{"era_timeout", &pool_options::era_timeout, instant, false},
    duration_range{"era_ttl", &pool_options::era_ttl, instant, true},
    duration_range{"call_timeout", &pool_options::call_timeout, instant, true},
    duration_range{"write_timeout", &pool_options::write_timeout, instant, true},
    duration_range{"probe_interval", &pool_options::probe_interval, instant, true},
    duration_range{"probe_timeout", &pool_options::probe_timeout, instant, false},
    duration_range{"validate_after", &pool_options::validate_after, instant, true},
    duration_range{"max_lifetime", &pool_options::max_lifetime, instant, true},
    duration_range{"overdue_after", &pool_options::overdue_after, instant, true},
    duration_range{"idle_timeout", &pool_options::idle_timeout, instant, true},
    duration_range{"backoff_initial", &pool_options::backoff_initial, instant, true},
    duration_range{"backoff_max", &pool_options::backoff_max, instant, true},
    duration_range{"min_uptime", &pool_options::min_uptime, instant, true},
    duration_range{"stop_grace", &pool_options::stop_grace, instant, true},
    duration_range{"reset_timeout", &pool_options::reset_timeout, instant, false},
};

// The number of seconds for people.
std::string seconds(duration d)
{
    std::string text = std::to_string(std::chrono::duration<double>(d).count());
    text.erase(text.find_last_not_of('0') + 1);
    if (!text.empty() && text.back() == '.')
        text.pop_back();
    return text + " s";
}

void check(const pool_options& o)
{
    for (const count_range& r : count_ranges) {
        const std::size_t value = o.*r.member;
        if (value >= r.least && value <= r.most)
            continue;
        std::string expected = "an integer from " + std::to_string(r.least);
        expected += r.most == unlimited ? " on" : " to " + std::to_string(r.most);
        refuse(std::string(r.name) + "=" + std::to_string(value) + ": expected " + expected);
    }
    for (const duration_range& r : duration_ranges) {
        const duration value = o.*r.member;
        if (value >= r.least || (value == duration::zero() && r.zero_allowed))
            continue;
        refuse(std::string(r.name) + "=" + seconds(value) + ": expected at least "
            + seconds(r.least) + (r.zero_allowed ? ", or 0 for off" : ""));
    }
    if (o.min_size > o.max_size)
        refuse("min_size=" + std::to_string(o.min_size) + ": expected at most max_size, which is "
            + std::to_string(o.max_size));
    if (o.sharing == sharing_policy::exclusive && o.max_leases_per_session != 1)
        refuse("max_leases_per_session=" + std::to_string(o.max_leases_per_session)
            + ": expected 1, or sharing=multiplexed beside it");
    if (o.queue == queue_policy::fifo) {
        const auto needs_fair = [](std::size_t value, const char* name) {
            if (value != 0)
                refuse(std::string(name) + "=" + std::to_string(value)
                    + ": expected 0, or queue=fair beside it");
        };
        needs_fair(o.max_leases_per_key, "max_leases_per_key");
        needs_fair(o.max_waiters_per_key, "max_waiters_per_key");
    }
    if (o.sharing == sharing_policy::multiplexed && o.reset == reset_policy::respawn)
        refuse("reset=respawn: expected protocol, or sharing=exclusive beside it");
    if (o.stderr == stderr_policy::file && o.stderr_file.empty())
        refuse("stderr=file: expected the name of a file in stderr_file");
    if (o.stderr != stderr_policy::file && !o.stderr_file.empty())
        refuse("stderr_file=" + in_quotes(o.stderr_file) + ": expected stderr=file beside it");
}

} // namespace

pool_overrides pool_overrides::from_environment()
{
    pool_overrides o;
    read("MCP_POOL_SIZE", o.max_size, 1, most_sessions);
    read("MCP_POOL_MIN_SIZE", o.min_size, 0, most_sessions);
    read("MCP_POOL_MAX_STARTING", o.max_starting, 1, most_sessions);
    read("MCP_POOL_MAX_WAITERS", o.max_waiters, 0, most_count);
    read("MCP_POOL_MAX_WAIT", o.max_wait);
    read("MCP_POOL_START_TIMEOUT", o.start_timeout);
    read("MCP_POOL_CALL_TIMEOUT", o.call_timeout);
    read("MCP_POOL_PROBE_INTERVAL", o.probe_interval);
    read("MCP_POOL_PROBE_TIMEOUT", o.probe_timeout);
    read("MCP_POOL_IDLE_TIMEOUT", o.idle_timeout);
    if (const char* const raw = std::getenv("MCP_POOL_SCALING")) {
        const std::string_view value(raw);
        if (value == "fixed")
            o.scaling = scaling_policy::fixed;
        else if (value == "adaptive")
            o.scaling = scaling_policy::adaptive;
        else
            refuse_variable("MCP_POOL_SCALING", value, "fixed or adaptive");
    }
    return o;
}

pool_options resolve(std::initializer_list<const pool_overrides*> in_order)
{
    pool_options result;
    const auto choose = [&](auto& to, const auto pool_overrides::*from) {
        for (const pool_overrides* overrides : in_order) {
            if (const auto& value = overrides->*from) {
                to = *value;
                return;
            }
        }
    };
#define MCP_POOL_CHOOSE(name) choose(result.name, &pool_overrides::name)
    MCP_POOL_CHOOSE(max_size);
    MCP_POOL_CHOOSE(min_size);
    MCP_POOL_CHOOSE(max_wait);
    MCP_POOL_CHOOSE(max_starting);
    MCP_POOL_CHOOSE(max_probing);
    MCP_POOL_CHOOSE(max_waiters);
    MCP_POOL_CHOOSE(start_timeout);
    MCP_POOL_CHOOSE(era_timeout);
    MCP_POOL_CHOOSE(era_ttl);
    MCP_POOL_CHOOSE(call_timeout);
    MCP_POOL_CHOOSE(write_timeout);
    MCP_POOL_CHOOSE(probe_interval);
    MCP_POOL_CHOOSE(probe_timeout);
    MCP_POOL_CHOOSE(validate_after);
    MCP_POOL_CHOOSE(idle_timeout);
    MCP_POOL_CHOOSE(max_lifetime);
    MCP_POOL_CHOOSE(max_uses);
    MCP_POOL_CHOOSE(max_rss);
    MCP_POOL_CHOOSE(backoff_initial);
    MCP_POOL_CHOOSE(backoff_max);
    MCP_POOL_CHOOSE(breaker_threshold);
    MCP_POOL_CHOOSE(min_uptime);
    MCP_POOL_CHOOSE(stop_grace);
    MCP_POOL_CHOOSE(reset_timeout);
    MCP_POOL_CHOOSE(reset);
    MCP_POOL_CHOOSE(sharing);
    MCP_POOL_CHOOSE(max_leases_per_session);
    MCP_POOL_CHOOSE(force);
    MCP_POOL_CHOOSE(max_requests_in_flight);
    MCP_POOL_CHOOSE(single_writer);
    MCP_POOL_CHOOSE(queue);
    MCP_POOL_CHOOSE(max_leases_per_key);
    MCP_POOL_CHOOSE(max_waiters_per_key);
    MCP_POOL_CHOOSE(scaling);
    MCP_POOL_CHOOSE(overdue_after);
    MCP_POOL_CHOOSE(max_message_bytes);
    MCP_POOL_CHOOSE(invalid_utf8);
    MCP_POOL_CHOOSE(max_buffered_bytes);
    MCP_POOL_CHOOSE(cache_bytes);
    MCP_POOL_CHOOSE(stderr_tail_bytes);
    MCP_POOL_CHOOSE(stderr);
    MCP_POOL_CHOOSE(stderr_file);
#undef MCP_POOL_CHOOSE
    check(result);
    return result;
}

namespace detail {

pool_options changed(const pool_options& present, const pool_overrides& changes)
{
    pool_options next = present;
    const auto set = [](auto& to, const auto& from) {
        if (from)
            to = *from;
    };
#define MCP_POOL_SET(name) set(next.name, changes.name)
    MCP_POOL_SET(max_size);
    MCP_POOL_SET(min_size);
    MCP_POOL_SET(max_wait);
    MCP_POOL_SET(max_starting);
    MCP_POOL_SET(max_probing);
    MCP_POOL_SET(max_waiters);
    MCP_POOL_SET(start_timeout);
    MCP_POOL_SET(probe_interval);
    MCP_POOL_SET(probe_timeout);
    MCP_POOL_SET(validate_after);
    MCP_POOL_SET(idle_timeout);
    MCP_POOL_SET(max_lifetime);
    MCP_POOL_SET(max_uses);
    MCP_POOL_SET(max_rss);
    MCP_POOL_SET(backoff_initial);
    MCP_POOL_SET(backoff_max);
    MCP_POOL_SET(breaker_threshold);
    MCP_POOL_SET(min_uptime);
    MCP_POOL_SET(stop_grace);
    MCP_POOL_SET(reset_timeout);
    MCP_POOL_SET(max_leases_per_key);
    MCP_POOL_SET(max_waiters_per_key);
    MCP_POOL_SET(scaling);
    MCP_POOL_SET(overdue_after);
#undef MCP_POOL_SET
    const auto fixed = [](const auto& asked, const auto& is, std::string name) {
        if (asked && *asked != is)
            refuse(name.append(" cannot be changed while the pool runs; make a new pool"));
    };
#define MCP_POOL_FIXED(name) fixed(changes.name, present.name, #name)
    MCP_POOL_FIXED(era_timeout);
    MCP_POOL_FIXED(era_ttl);
    MCP_POOL_FIXED(call_timeout);
    MCP_POOL_FIXED(write_timeout);
    MCP_POOL_FIXED(reset);
    MCP_POOL_FIXED(sharing);
    MCP_POOL_FIXED(max_leases_per_session);
    MCP_POOL_FIXED(max_requests_in_flight);
    MCP_POOL_FIXED(force);
    MCP_POOL_FIXED(single_writer);
    MCP_POOL_FIXED(queue);
    MCP_POOL_FIXED(max_message_bytes);
    MCP_POOL_FIXED(invalid_utf8);
    MCP_POOL_FIXED(max_buffered_bytes);
    MCP_POOL_FIXED(cache_bytes);
    MCP_POOL_FIXED(stderr_tail_bytes);
    MCP_POOL_FIXED(stderr);
    MCP_POOL_FIXED(stderr_file);
#undef MCP_POOL_FIXED
    if (next.single_writer && next.max_size != 1)
        refuse("max_size=" + std::to_string(next.max_size) + ": expected 1 beside single_writer");
    check(next);
    return next;
}

std::string identity_of(const server_config& config)
{
    if (const auto* const web = std::get_if<http_server>(&config.transport))
        return web->url;
    const auto& server = std::get<stdio_server>(config.transport);
    std::string text = server.command;
    const auto add = [&text](std::string_view part) { text.append(1, '\0').append(part); };
    for (const std::string& argument : server.args)
        add(argument);
    add({});
    for (const auto& [name, value] : server.env) {
        add(name);
        add(value);
    }
    add({});
    add(server.cwd.native());
    return text;
}

void check_server(const server_config& config, const pool_options& o)
{
    if (config.name.empty() || config.name.size() > 200)
        refuse("server name " + in_quotes(config.name) + ": expected 1 to 200 characters");
    if (!std::holds_alternative<stdio_server>(config.transport))
        return;
    const auto& server = std::get<stdio_server>(config.transport);
    const std::string of = "server " + in_quotes(config.name) + ": ";
    if (server.command.empty())
        refuse(of + "command=\"\": expected a program");
    const auto no_nul = [&](const std::string& text, const char* what) {
        if (text.find('\0') != std::string::npos)
            refuse(of + what + " contains a NUL character");
    };
    no_nul(server.command, "command");
    no_nul(server.cwd.string(), "cwd");
    no_nul(o.stderr_file, "stderr_file");
    for (const std::string& argument : server.args)
        no_nul(argument, "an argument");
    for (const auto& [name, value] : server.env) {
        if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos)
            refuse(of + "environment variable " + in_quotes(name)
                + ": expected a name without '=' and NUL");
        no_nul(value, "the value of an environment variable");
    }
}

} // namespace detail

} // namespace mcp_pool
