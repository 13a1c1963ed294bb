// The command line of mcp-pool-echo-server.
#pragma once

#include <cstddef>
#include <string>
#include <variant>

namespace mcp_pool::echo_server {

// Which generations of the protocol the server speaks.
enum class era_support {
    both,
    // server/discover is an unknown method.
    legacy,
    // initialize is refused with -32022.
    modern,
};

struct options
{
    era_support eras = era_support::both;
    // Tools on one page of tools/list; 0: all.
    std::size_t page_size = 0;
    // Further tools extra_1, extra_2, … that answer with their own name.
    std::size_t extra_tools = 0;
    // The last content block of each tool result is the text "pid N".
    bool write_pid = false;
    // Path of the file that gets one line for each executed call of `echo`; empty: none.
    std::string token_log = {};
};

// What to print instead of serving.
struct print_and_exit
{
    std::string text;
    // 0: to stdout; 2: to stderr, the command line is wrong.
    int status;
};

std::variant<options, print_and_exit> parse_command_line(int argc, const char* const* argv);

} // namespace mcp_pool::echo_server
