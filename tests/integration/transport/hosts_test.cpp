// Host applications that have done odd things to signals and descriptors, as programs of their own.
// See tests/integration/hosts/transport_host.cpp.
#include "scene.hpp"
#include "transport/descriptor.hpp"

#include <csignal>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

using namespace mcp_pool::transport;
using namespace mcp_pool::transport::testing;

namespace {

struct host_scene
{
    std::string directory = (std::filesystem::temp_directory_path() / "mcp_pool_XXXXXX").native();
    std::string story = "unset";
    pid_t pid = 0;

    host_scene()
    {
        BOOST_REQUIRE(::mkdtemp(directory.data()) != nullptr);
        story = directory + "/story";
    }
    ~host_scene() { std::filesystem::remove_all(directory); }

    // `output`: its stdout, if somebody wants to read it.
    void start(std::string mode, std::string argument, int output = -1)
    {
        std::string program = MCP_POOL_TEST_BIN "/mcp_pool_transport_host";
        char* const arguments[] = {
            program.data(), mode.data(), argument.data(), story.data(), nullptr};
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        for (const int fd : {1, 2}) {
            const std::string path = directory + "/" + std::to_string(fd);
            ::posix_spawn_file_actions_addopen(
                &actions, fd, path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        }
        if (output >= 0)
            ::posix_spawn_file_actions_adddup2(&actions, output, 1);
        const int error = ::posix_spawn(
            &pid, program.c_str(), &actions, nullptr, arguments, ::environ);
        ::posix_spawn_file_actions_destroy(&actions);
        BOOST_REQUIRE(error == 0);
    }

    [[nodiscard]] std::string content(const std::string& name) const
    {
        std::ifstream file(directory + "/" + name);
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }

    void expect_good(std::string mode, std::string argument = "-")
    {
        start(mode, argument);
        int status = 0;
        BOOST_REQUIRE(::waitpid(pid, &status, 0) == pid);
        BOOST_TEST(status == 0,
            mode << " " << argument << " ended with " << status << ": " << content("story")
                 << content("2").substr(0, 5000));
    }

    void expect_good_with_closed_streams(const std::string& mode)
    {
        for (int closed = 0; closed < 8; ++closed) {
            expect_good(mode, std::to_string(closed));
            // What is not closed holds the noise and nothing else.
            for (const int fd : {1, 2}) {
                std::istringstream lines(content(std::to_string(fd)));
                for (std::string line; std::getline(lines, line);)
                    BOOST_REQUIRE(line == "noise of the host");
            }
        }
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(odd_hosts, host_scene)

BOOST_AUTO_TEST_CASE(hosts_that_print_with_any_of_their_streams_closed_get_into_no_pipe)
{
    expect_good_with_closed_streams("closed");
}

BOOST_AUTO_TEST_CASE(hosts_with_pools_that_print_with_any_of_their_streams_closed_get_into_nothing)
{
    expect_good_with_closed_streams("pools");
}

BOOST_AUTO_TEST_CASE(a_host_that_ignores_sigchld_learns_that_it_took_the_status)
{
    expect_good("ignore");
}

BOOST_AUTO_TEST_CASE(a_host_that_waits_for_every_child_disturbs_nothing)
{
    expect_good("wait");
}

BOOST_AUTO_TEST_CASE(sigpipe_is_ignored_only_where_nobody_has_decided_on_it)
{
    expect_good("sigpipe", "default");
    expect_good("sigpipe", "handled");
}

BOOST_AUTO_TEST_CASE(servers_die_with_a_host_that_is_killed)
{
    int ends[2];
    BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const descriptor read(ends[0]);
    descriptor write(ends[1]);
    start("killed", "-", write.get());
    write.reset();
    std::string text(20, '\0');
    const ssize_t size = ::read(read.get(), text.data(), text.size());
    BOOST_REQUIRE(size > 0);
    const pid_t child = std::stoi(text);
    BOOST_TEST(is_alive(child));
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    eventually([child] { return !is_alive(child); });
}

BOOST_AUTO_TEST_SUITE_END()
