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

// A program that runs beside this one: a server that ends with its standard input. Starts with the
// object and is waited for at its end.
class background_program
{
public:
    // Words as above. Throws if it cannot be started or ends without having printed a line.
    explicit background_program(const std::vector<std::string>& words);
    background_program(const background_program&) = delete;
    background_program& operator=(const background_program&) = delete;
    ~background_program();

    // The first line that it printed, without its end.
    [[nodiscard]] const std::string& first_line() const noexcept { return first_line_; }

private:
    void end() noexcept;

    int pid_ = 0;
    int input_ = -1;
    int output_ = -1;
    std::string first_line_;
};

} // namespace mcp_pool::bench
