// Runs another program and reads what it prints.
#pragma once

#include <string>
#include <vector>

namespace mcp_pool::bench {

struct program_result
{
    // The exit status; 128 and the signal's number if one ended it; 127 if it could not be started.
    int status = 0;
    // Standard output, at most 16 MiB.
    std::string output;

    program_result() = default;
};

// Waits for the end of the program. Standard error is passed on, standard input is empty. No shell:
// `words` are the program, looked up in PATH if it has no slash, and its arguments.
program_result run_program(const std::vector<std::string>& words);

} // namespace mcp_pool::bench
