// What the server that comes with the library costs: the time of a start, and memory.
//
// By hand, over two pipes: what is measured is the server, not the pool.

#include "micro/measure.hpp"
#include "support/processes.hpp"

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/parse.hpp>

#include <chrono>
#include <csignal>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mcp_pool::bench {
namespace {

using clock = std::chrono::steady_clock;

constexpr int patience_ms = 30'000;

class server_process
{
public:
    server_process()
    {
        int in[2], out[2];
        if (::pipe2(in, O_CLOEXEC) != 0)
            throw std::runtime_error("no pipe");
        if (::pipe2(out, O_CLOEXEC) != 0) {
            ::close(in[0]);
            ::close(in[1]);
            throw std::runtime_error("no pipe");
        }
        in_ = in[1];
        out_ = out[0];
        std::string program = program_directory() + "/mcp-pool-echo-server";
        char* const arguments[] = {program.data(), nullptr};
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
        const int failure = ::posix_spawn(
            &pid_, program.c_str(), &actions, nullptr, arguments, ::environ);
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(in[0]);
        ::close(out[1]);
        if (failure != 0) {
            end();
            throw std::runtime_error("cannot start " + program);
        }
    }
    server_process(const server_process&) = delete;
    server_process& operator=(const server_process&) = delete;
    ~server_process() { end(); }

    void send(const std::string& line)
    {
        // Less than an empty pipe holds.
        if (::write(in_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
            throw std::runtime_error("the server does not read");
    }

    // The next line of the server, which must be the result of the request `id`.
    void expect_result(int id)
    {
        while (buffer_.find('\n') == std::string::npos)
            read_more();
        const auto end_of_line = buffer_.find('\n');
        const json::value answer = json::parse(std::string_view(buffer_).substr(0, end_of_line));
        buffer_.erase(0, end_of_line + 1);
        if (answer.at("id") != id || !answer.as_object().contains("result"))
            throw std::runtime_error("the server's answer is no result of the request");
    }

    [[nodiscard]] double resident_mb() const
    {
        std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("VmRSS:"))
                return std::stod(line.substr(6)) * 1024 / 1e6;
        throw std::runtime_error("the server's status does not say VmRSS");
    }

private:
    void read_more()
    {
        pollfd watched = {out_, POLLIN, 0};
        char bytes[1 << 12];
        const ssize_t got = ::poll(&watched, 1, patience_ms) == 1
            ? ::read(out_, bytes, sizeof bytes)
            : -1;
        if (got <= 0)
            throw std::runtime_error("the server does not answer");
        buffer_.append(bytes, static_cast<std::size_t>(got));
    }

    void end() noexcept
    {
        ::close(in_);
        ::close(out_);
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }

    pid_t pid_ = 0;
    int in_ = -1, out_ = -1;
    std::string buffer_;
};

void shake_hands(server_process& server)
{
    server.send(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":)"
                R"("2025-11-25","capabilities":{},"clientInfo":{"name":"figures","version":"1"}}})"
                "\n");
    server.expect_result(1);
    server.send(R"({"jsonrpc":"2.0","method":"notifications/initialized"})"
                "\n");
}

double start_ms()
{
    const auto begin = clock::now();
    server_process server;
    shake_hands(server);
    return std::chrono::duration<double, std::milli>(clock::now() - begin).count();
}

double resident_mb_after(int calls)
{
    server_process server;
    shake_hands(server);
    for (int id = 2; id != calls + 2; ++id) {
        server.send(R"({"jsonrpc":"2.0","id":)" + std::to_string(id)
            + R"(,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hi"}}})"
              "\n");
        server.expect_result(id);
    }
    return server.resident_mb();
}

void measure(const micro_options& asked)
{
    // The first start reads the program from the disk.
    start_ms();
    std::vector<double> starts, memory;
    for (std::size_t i = 0; i < 10 * asked.runs; ++i)
        starts.push_back(start_ms());
    constexpr int calls = 1000;
    for (std::size_t i = 0; i < asked.runs; ++i)
        memory.push_back(resident_mb_after(calls));

    figure start;
    start.name = "embedded server: from its start to the answer to initialize";
    start.bound = 5;
    start.unit = "ms";
    start.judged = !asked.smoke;
    start.measured = median(starts);
    start.detail["starts"] = starts.size();
    print(start);

    figure resident;
    resident.name = "embedded server: resident memory after 1000 calls";
    resident.bound = 5;
    resident.unit = "MB";
    resident.judged = !asked.smoke;
    resident.measured = median(memory);
    resident.detail["runs_mb"] = array_of(memory);
    print(resident);
}

} // namespace
} // namespace mcp_pool::bench

int main(int argc, char** argv)
{
    using namespace mcp_pool::bench;
    const micro_options asked = parse_micro_options(
        argc, argv, "embedded_server: what a start of the server costs, and its memory");
    return run_micro([&] {
        // A server that dies is an error of a write.
        ::signal(SIGPIPE, SIG_IGN);
        measure(asked);
    });
}
