#include "support/program.hpp"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace mcp_pool::bench {

program_result run_program(const std::vector<std::string>& words)
{
    constexpr std::size_t most_output = std::size_t{16} << 20;
    program_result result;
    result.status = 127;
    std::array<int, 2> pipe{};
    if (words.empty() || ::pipe2(pipe.data(), O_CLOEXEC) != 0)
        return result;
    std::vector<char*> arguments;
    for (const std::string& word : words)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    pid_t pid = 0;
    const int failure = ::posix_spawnp(
        &pid, arguments.front(), &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(pipe[1]);
    if (failure != 0) {
        ::close(pipe[0]);
        return result;
    }

    std::array<char, 65536> buffer;
    for (;;) {
        const ssize_t n = ::read(pipe[0], buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        // What exceeds the limit is read all the same, so that the program does not block.
        if (result.output.size() < most_output)
            result.output.append(buffer.data(), static_cast<std::size_t>(n));
    }
    ::close(pipe[0]);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result;
}

} // namespace mcp_pool::bench
