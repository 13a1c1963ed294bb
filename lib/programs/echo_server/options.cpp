#include "programs/echo_server/options.hpp"

#include <charconv>
#include <optional>
#include <string_view>

namespace mcp_pool::echo_server {

namespace {

constexpr std::string_view usage =
    R"(Usage: mcp-pool-echo-server [OPTION]...
An MCP server over standard input and output, for demonstrations, tests and measurements.

It speaks the revisions 2024-11-05, 2025-03-26, 2025-06-18 and 2025-11-25 (initialize) and
2026-07-28 (server/discover), and ends when its input ends.

Tools:
  echo      {message, token?}   answers with the message
  add       {a, b}              answers with the sum
  sleep     {seconds}           answers after a while; other requests are served meanwhile
  progress  {steps, interval}   as sleep, with a progress notification after each step
  fail      {message?}          answers with an error result
  pid       {}                  answers with the process id

Options:
  --era both|legacy|modern   protocol generations to speak (default: both)
  --page-size N              tools on one page of tools/list (default: all)
  --extra-tools N            offer N more tools, extra_1 to extra_N (at most 100000)
  --write-pid                end each tool result with a text block "pid N"
  --token-log FILE           append a line to FILE for each executed call of echo: its token, or
                             its message if it has none
  --help                     print this and exit
  --version                  print the version and exit

Exit status: 0 at the end of input, 1 on an error of input or output, 2 on a wrong command line.
)";

std::optional<std::size_t> number_up_to(std::string_view text, std::size_t limit)
{
    std::size_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc() || end != text.data() + text.size() || value > limit) {
        return std::nullopt;
    }
    return value;
}

print_and_exit wrong(const std::string& what)
{
    return {"mcp-pool-echo-server: " + what + "\nTry 'mcp-pool-echo-server --help'.\n", 2};
}

} // namespace

std::variant<options, print_and_exit> parse_command_line(int argc, const char* const* argv)
{
    options result;
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (name == "--help") {
            return print_and_exit{std::string(usage), 0};
        }
        if (name == "--version") {
            return print_and_exit{"mcp-pool-echo-server " MCP_POOL_VERSION "\n", 0};
        }
        if (name == "--write-pid") {
            result.write_pid = true;
            continue;
        }
        if (name != "--era" && name != "--page-size" && name != "--extra-tools"
            && name != "--token-log") {
            return wrong("unknown argument '" + std::string(name) + "'");
        }
        if (++i == argc) {
            return wrong(std::string(name) + " needs a value");
        }
        const std::string_view value = argv[i];
        if (name == "--token-log") {
            result.token_log = value;
        } else if (name == "--era") {
            if (value == "both") {
                result.eras = era_support::both;
            } else if (value == "legacy") {
                result.eras = era_support::legacy;
            } else if (value == "modern") {
                result.eras = era_support::modern;
            } else {
                return wrong("--era is both, legacy or modern, not '" + std::string(value) + "'");
            }
        } else {
            const auto number = number_up_to(value, 100'000);
            if (!number) {
                return wrong(std::string(name) + " is a number from 0 to 100000, not '"
                    + std::string(value) + "'");
            }
            (name == "--page-size" ? result.page_size : result.extra_tools) = *number;
        }
    }
    return result;
}

} // namespace mcp_pool::echo_server
