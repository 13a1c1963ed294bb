// mcp-pool-echo-server as a process, without the library: start, end, and a client that does not
// read.
#include "support/pool_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace {

constexpr const char* initialize =
    R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",)"
    R"("capabilities":{},"clientInfo":{"name":"test","version":"1"}}})"
    "\n";

// A process of the echo server and our ends of its pipes.
class echo_process
{
public:
    explicit echo_process(std::vector<std::string> args)
    {
        int in[2], out[2];
        BOOST_REQUIRE(::pipe2(in, O_CLOEXEC) == 0);
        BOOST_REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
        ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        std::string command = MCP_POOL_TEST_BIN "/mcp-pool-echo-server";
        std::vector<char*> argv{command.data()};
        for (std::string& arg : args)
            argv.push_back(arg.data());
        argv.push_back(nullptr);
        const int failure = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(in[0]);
        ::close(out[1]);
        to_ = in[1];
        from_ = out[0];
        BOOST_REQUIRE(failure == 0);
    }
    echo_process(const echo_process&) = delete;
    echo_process& operator=(const echo_process&) = delete;
    ~echo_process()
    {
        end_input();
        ::close(from_);
        if (pid_ > 0)
            ::waitpid(pid_, nullptr, 0);
    }

    // Any thread. False if the server has gone, or takes nothing for 30 s.
    bool write(std::string_view bytes) const
    {
        ::fcntl(to_, F_SETFL, O_NONBLOCK);
        while (!bytes.empty()) {
            pollfd room{to_, POLLOUT, 0};
            if (::poll(&room, 1, 30'000) != 1)
                return false;
            const ssize_t put = ::write(to_, bytes.data(), bytes.size());
            if (put < 0 && errno != EAGAIN)
                return false;
            bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(put, 0)));
        }
        return true;
    }

    void end_input()
    {
        if (to_ != -1)
            ::close(to_);
        to_ = -1;
    }

    // Everything to the end of the output.
    [[nodiscard]] std::string read_all() const
    {
        std::string all;
        char chunk[1 << 16];
        for (ssize_t got; (got = ::read(from_, chunk, sizeof chunk)) > 0;)
            all.append(chunk, static_cast<std::size_t>(got));
        return all;
    }

    [[nodiscard]] int exit_status()
    {
        int status = 0;
        BOOST_REQUIRE(::waitpid(pid_, &status, 0) == pid_);
        pid_ = 0;
        BOOST_REQUIRE(WIFEXITED(status));
        return WEXITSTATUS(status);
    }

private:
    pid_t pid_ = 0;
    int to_ = -1;
    int from_ = -1;
};

std::string call_with_a_mebibyte()
{
    return R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":)"
           R"("echo","arguments":{"message":")"
        + std::string(1 << 20, 'x') + "\"}}}\n";
}

std::size_t count_lines(const std::string& text)
{
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

} // namespace

BOOST_AUTO_TEST_SUITE(echo_server_process)

BOOST_AUTO_TEST_CASE(answers_what_came_before_the_end_of_input_and_exits_with_0)
{
    echo_process server({});
    BOOST_REQUIRE(server.write(initialize));
    BOOST_REQUIRE(server.write("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r\n\n"));
    server.end_input();
    BOOST_TEST(count_lines(server.read_all()) == 2u);
    BOOST_TEST(server.exit_status() == 0);
}

BOOST_AUTO_TEST_CASE(abandons_calls_under_way_at_the_end_of_input)
{
    echo_process server({});
    BOOST_REQUIRE(server.write(initialize));
    BOOST_REQUIRE(server.write(R"({"jsonrpc":"2.0","id":1,"method":"tools/call",)"
                               R"("params":{"name":"sleep","arguments":{"seconds":3600}}})"
                               "\n"));
    server.end_input();
    BOOST_TEST(count_lines(server.read_all()) == 1u);
    BOOST_TEST(server.exit_status() == 0);
}

BOOST_AUTO_TEST_CASE(goes_on_listening_to_a_client_that_does_not_read)
{
    echo_process server({});
    BOOST_REQUIRE(server.write(initialize));
    // Far more than the pipes hold.
    for (int i = 0; i < 8; ++i)
        BOOST_REQUIRE(server.write(call_with_a_mebibyte()));
    server.end_input();
    const std::string answers = server.read_all();
    BOOST_TEST(count_lines(answers) == 9u);
    BOOST_TEST(answers.size() > std::size_t{8} << 20);
    BOOST_TEST(server.exit_status() == 0);
}

BOOST_AUTO_TEST_CASE(loses_nothing_of_more_than_it_holds_back)
{
    echo_process server({});
    BOOST_REQUIRE(server.write(initialize));
    bool written = true;
    std::jthread client([&] {
        for (int i = 0; i < 48 && written; ++i)
            written = server.write(call_with_a_mebibyte());
        server.end_input();
    });
    const std::string answers = server.read_all();
    client.join();
    BOOST_TEST(written);
    BOOST_TEST(count_lines(answers) == 49u);
    BOOST_TEST(server.exit_status() == 0);
}

BOOST_AUTO_TEST_CASE(refuses_wrong_command_lines)
{
    echo_process server({"--nonsense"});
    BOOST_TEST(server.read_all() == "");
    BOOST_TEST(server.exit_status() == 2);
}

BOOST_AUTO_TEST_CASE(tells_its_version)
{
    echo_process server({"--version"});
    BOOST_TEST(server.read_all().starts_with("mcp-pool-echo-server "));
    BOOST_TEST(server.exit_status() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
