#include "harness/options.hpp"

#include "support/processes.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <charconv>
#include <functional>
#include <string_view>

#include <unistd.h>

namespace mcp_pool::bench {
namespace {

constexpr std::string_view embedded_server = "mcp-pool-echo-server";

[[noreturn]] void refuse(std::string_view option, std::string_view value, std::string_view expected)
{
    throw usage_error(
        std::string(option) + "=\"" + std::string(value) + "\": expected " + std::string(expected));
}

std::size_t to_count(std::string_view option, std::string_view value, std::size_t most)
{
    std::size_t count = 0;
    const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), count);
    if (ec != std::errc() || end != value.data() + value.size() || count < 1 || count > most)
        refuse(option, value, "an integer from 1 to " + std::to_string(most));
    return count;
}

// "250ms", "1.5s", "2" (seconds).
duration to_duration(std::string_view option, std::string_view value, double least, double most)
{
    double amount = 0;
    const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), amount);
    const std::string_view unit(end, static_cast<std::size_t>(value.data() + value.size() - end));
    if (unit == "ms")
        amount /= 1000;
    const bool known_unit = unit.empty() || unit == "s" || unit == "ms";
    if (ec != std::errc() || !known_unit || !(amount >= least && amount <= most))
        refuse(option, value, "seconds, such as 5, 0.5s or 250ms");
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>(amount));
}

std::vector<mode> to_modes(std::string_view option, std::string_view value)
{
    std::vector<mode> modes;
    std::string_view rest = value;
    while (!rest.empty()) {
        const auto comma = std::min(rest.find(','), rest.size());
        const std::string_view name = rest.substr(0, comma);
        rest.remove_prefix(std::min(comma + 1, rest.size()));
        bool known = false;
        for (const mode m : {mode::pool, mode::locked, mode::spawn}) {
            if (to_string(m) != name)
                continue;
            known = true;
            if (std::find(modes.begin(), modes.end(), m) == modes.end())
                modes.push_back(m);
        }
        if (!known)
            refuse(option, value, "some of pool,locked,spawn");
    }
    if (modes.empty())
        refuse(option, value, "some of pool,locked,spawn");
    return modes;
}

json::object to_object(std::string_view option, std::string_view value)
{
    boost::system::error_code ec;
    json::value parsed = json::parse(value, ec);
    if (ec || !parsed.is_object())
        refuse(option, value, "a JSON object");
    return std::move(parsed.as_object());
}

using apply = std::function<void(options&, std::string_view option, std::string_view value)>;

struct option_rule
{
    std::string_view name;
    // What the value is called in the help; empty: the option has none.
    std::string_view value;
    std::string_view help;
    apply set;
};

const std::vector<option_rule>& rules()
{
    static const std::vector<option_rule> all{
        {"--users", "N", "concurrent users (50)",
            [](options& o, auto n, auto v) { o.work.users = to_count(n, v, 100'000); }},
        {"--size", "N", "sessions of the pool (10)",
            [](options& o, auto n, auto v) { o.work.size = to_count(n, v, 10'000); }},
        {"--hold", "TIME", "how long a user keeps the session after the answer (0)",
            [](options& o, auto n, auto v) { o.work.hold = to_duration(n, v, 0, 3600); }},
        {"--duration", "TIME", "how long each mode runs (5s)",
            [](options& o, auto n, auto v) { o.work.length = to_duration(n, v, 0.001, 86400); }},
        {"--max-wait", "TIME", "patience of a user who waits for a session (30s)",
            [](options& o, auto n, auto v) { o.work.max_wait = to_duration(n, v, 0.001, 3600); }},
        {"--modes", "LIST", "which of pool,locked,spawn to run (all)",
            [](options& o, auto n, auto v) { o.modes = to_modes(n, v); }},
        {"--runs", "N", "repeat, modes interleaved; the table shows the medians (1)",
            [](options& o, auto n, auto v) { o.runs = to_count(n, v, 1000); }},
        {"--warm", "", "start the sessions before the clock runs",
            [](options& o, auto, auto) { o.work.warm = true; }},
        {"--spawn-concurrency", "N",
            "processes at the same time in mode spawn (the best of 1,2,4,8,50)",
            [](options& o, auto n, auto v) { o.spawn_concurrency = to_count(n, v, 10'000); }},
        {"--tool", "NAME", "the tool to call (echo)",
            [](options& o, auto, auto v) { o.work.tool = v; }},
        {"--arguments", "JSON",
            "its arguments ({\"message\":\"{token}\"}); {token} becomes a text that\n"
            "no other call has, and the answer must contain it",
            [](options& o, auto n, auto v) { o.work.arguments = to_object(n, v); }},
        {"--json", "FILE", "write the numbers as JSON; - is standard output",
            [](options& o, auto, auto v) { o.json_file = v; }},
        {"--report", "FILE", "write a page with plots: one HTML file, no script, no network",
            [](options& o, auto, auto v) { o.report_file = v; }},
        {"--demo", "",
            "what a pool is good for, in a quarter of a minute; writes its report to\n"
            "build/demo/report.html unless --report says otherwise",
            [](options& o, auto, auto) { o.demo = true; }},
        {"--help", "", "this text", [](options& o, auto, auto) { o.help = true; }},
        {"--version", "", "the version", [](options& o, auto, auto) { o.version = true; }},
    };
    return all;
}

const option_rule& rule_of(std::string_view name)
{
    for (const option_rule& rule : rules())
        if (rule.name == name)
            return rule;
    throw usage_error("unknown option " + std::string(name));
}

void use_command(options& o, const std::vector<std::string>& command)
{
    stdio_server server;
    std::string name;
    if (command.empty()) {
        server.command = program_directory() + "/" + std::string(embedded_server);
        if (::access(server.command.c_str(), X_OK) != 0)
            throw usage_error("the embedded server is not at " + server.command
                + ": build the target mcp-pool-echo-server, or give a command after --");
        name = embedded_server;
    } else {
        server.command = command.front();
        server.args.assign(command.begin() + 1, command.end());
        for (const std::string& word : command)
            name += name.empty() ? word : " " + word;
        name.resize(std::min<std::size_t>(name.size(), 200));
    }
    o.work.server.name = std::move(name);
    o.work.server.transport = std::move(server);
}

// The defaults of users and size; a tool that waits for something, as most tools do.
void use_demo_settings(options& o)
{
    o.work.tool = "sleep";
    o.work.arguments = json::object();
    o.work.arguments["seconds"] = 0.005;
    o.work.length = std::chrono::seconds(3);
    o.report_file = "build/demo/report.html";
    o.note = "The tool sleeps for 5 ms, as tools do that wait for a database or another service. "
             "Servers on Node.js take about 300 ms to start, this one a few: one process per call "
             "looks better here than it is.";
}

} // namespace

options parse_options(const std::vector<std::string>& arguments)
{
    options result;
    const auto command = std::find(arguments.begin(), arguments.end(), "--");
    // Settings of the demo are defaults: other options win wherever they stand.
    if (std::find(arguments.begin(), command, "--demo") != command)
        use_demo_settings(result);
    for (auto i = arguments.begin(); i != command; ++i) {
        const auto equals = std::min(i->find('='), i->size());
        const std::string name = i->substr(0, equals);
        const option_rule& rule = rule_of(name);
        std::string value;
        if (equals < i->size()) {
            if (rule.value.empty())
                throw usage_error(name + " takes no value");
            value = i->substr(equals + 1);
        } else if (!rule.value.empty()) {
            if (++i == command)
                throw usage_error(name + " needs a value: " + std::string(rule.value));
            value = *i;
        }
        rule.set(result, name, value);
    }
    if (result.help || result.version)
        return result;
    if (command != arguments.end() && command + 1 == arguments.end())
        throw usage_error("-- needs a command");
    use_command(result, {command == arguments.end() ? command : command + 1, arguments.end()});
    return result;
}

std::string help_text()
{
    std::string text =
        "usage: mcp-pool-bench [OPTIONS] [-- COMMAND [ARGUMENT...]]\n"
        "\n"
        "Drives one MCP server for many users in a closed loop, three ways side by side: through "
        "a\n"
        "pool of sessions, through one session behind a lock, and with a process for every call.\n"
        "The server is COMMAND over stdio, or mcp-pool-echo-server from this program's directory.\n"
        "\n";
    constexpr std::size_t column = 26;
    for (const option_rule& rule : rules()) {
        std::string line = "  " + std::string(rule.name);
        if (!rule.value.empty())
            line += " " + std::string(rule.value);
        line.resize(std::max(column, line.size() + 1), ' ');
        for (const char c : rule.help) {
            line += c;
            if (c == '\n')
                line.append(column, ' ');
        }
        text += line + "\n";
    }
    text += "\n"
            "Exit status: 0 every answer was right, 1 something went wrong, 2 wrong usage.\n";
    return text;
}

} // namespace mcp_pool::bench
