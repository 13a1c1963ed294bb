#include "support/program.hpp"

#include <array>
#include <cerrno>
#include <stdexcept>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace mcp_pool::bench {

namespace {

// Starts `words` with these descriptors as standard input and output; 0 if it cannot be started.
pid_t start(const std::vector<std::string>& words, int input, int output)
{
    std::vector<char*> arguments;
    for (const std::string& word : words)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    pid_t pid = 0;
    const int failure = ::posix_spawnp(
        &pid, arguments.front(), &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    return failure == 0 ? pid : 0;
}

int wait_for(pid_t pid)
{
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

program_result run_program(const std::vector<std::string>& words)
{
    constexpr std::size_t most_output = std::size_t{16} << 20;
    program_result result;
    result.status = 127;
    std::array<int, 2> pipe{};
    if (words.empty() || ::pipe2(pipe.data(), O_CLOEXEC) != 0)
        return result;
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    const pid_t pid = start(words, nothing, pipe[1]);
    ::close(nothing);
    ::close(pipe[1]);
    if (pid == 0) {
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
    result.status = wait_for(pid);
    return result;
}

background_program::background_program(const std::vector<std::string>& words)
{
    std::array<int, 2> there{-1, -1}, back{-1, -1};
    if (::pipe2(there.data(), O_CLOEXEC) == 0 && ::pipe2(back.data(), O_CLOEXEC) == 0)
        pid_ = start(words, there[0], back[1]);
    for (const int fd : {there[0], back[1]})
        if (fd >= 0)
            ::close(fd);
    input_ = there[1];
    output_ = back[0];
    char c = 0;
    while (pid_ != 0 && c != '\n' && ::read(output_, &c, 1) == 1)
        if (c != '\n')
            first_line_ += c;
    if (c == '\n')
        return;
    end();
    throw std::runtime_error(words.front() + " has not started");
}

background_program::~background_program()
{
    end();
}

void background_program::end() noexcept
{
    for (const int fd : {input_, output_})
        if (fd >= 0)
            ::close(fd);
    if (pid_ != 0)
        wait_for(pid_);
}

} // namespace mcp_pool::bench
