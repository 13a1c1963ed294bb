// mcp-pool-echo-server: the embedded MCP server over standard input and output.
#include "programs/echo_server/stdio_loop.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace {

using namespace mcp_pool::echo_server;

constexpr std::size_t longest_token = 256;

// The witness of what was executed: one line for each call, in one write, so that the lines of
// several servers never mix in the file they share.
class token_log
{
public:
    bool open(const std::string& path)
    {
        file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        return file_ != -1;
    }

    void append(std::string_view token)
    {
        std::string line(token.substr(0, longest_token));
        for (char& c : line) {
            if (static_cast<unsigned char>(c) < 0x20) {
                c = '?';
            }
        }
        line += '\n';
        if (::write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
            // A witness that forgets is worse than none.
            std::fprintf(stderr, "mcp-pool-echo-server: token log: %s\n", std::strerror(errno));
            std::_Exit(1);
        }
    }

private:
    int file_ = -1;
};

} // namespace

int main(int argc, char** argv)
{
    const auto command = parse_command_line(argc, argv);
    if (const auto* words = std::get_if<print_and_exit>(&command)) {
        std::fputs(words->text.c_str(), words->status == 0 ? stdout : stderr);
        return words->status;
    }
    const auto& configured = std::get<options>(command);
    // A client that went away shows as EPIPE.
    std::signal(SIGPIPE, SIG_IGN);
    token_log log;
    std::function<void(std::string_view)> on_token;
    if (!configured.token_log.empty()) {
        if (!log.open(configured.token_log)) {
            std::fprintf(stderr, "mcp-pool-echo-server: %s: %s\n", configured.token_log.c_str(),
                std::strerror(errno));
            return 1;
        }
        on_token = [&log](std::string_view token) { log.append(token); };
    }
    server peer(configured, on_token);
    return serve_stdio(peer);
}
