// A host that stands still: by SIGSTOP, as in a debugger or a suspended container, while its servers
// run on. Nothing that they answered may be lost for it.
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace json = boost::json;

namespace {

// The host as a process of its own, on two pipes.
class host_process
{
public:
    host_process(std::chrono::milliseconds patience_of_host, int threads)
    {
        int input[2];
        int output[2];
        BOOST_REQUIRE(::pipe2(input, O_CLOEXEC) == 0);
        BOOST_REQUIRE(::pipe2(output, O_CLOEXEC) == 0);
        input_ = input[1];
        output_ = output[0];
        std::string program = MCP_POOL_TEST_BIN "/mcp_pool_loaded_host";
        std::string patience = std::to_string(patience_of_host.count());
        std::string number = std::to_string(threads);
        char* const arguments[] = {program.data(), patience.data(), number.data(), nullptr};
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, input[0], 0);
        ::posix_spawn_file_actions_adddup2(&actions, output[1], 1);
        const int error = ::posix_spawn(
            &pid_, program.c_str(), &actions, nullptr, arguments, ::environ);
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(input[0]);
        ::close(output[1]);
        BOOST_REQUIRE(error == 0);
    }
    host_process(const host_process&) = delete;
    host_process& operator=(const host_process&) = delete;
    ~host_process()
    {
        ::close(input_);
        ::close(output_);
        if (pid_ > 0) {
            // Its servers die with it.
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }

    // The next line that it prints; the end of the test if there is none for a minute.
    std::string line()
    {
        const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(1);
        for (;;) {
            const std::size_t end = text_.find('\n');
            if (end != std::string::npos) {
                std::string first = text_.substr(0, end);
                text_.erase(0, end + 1);
                return first;
            }
            BOOST_REQUIRE_MESSAGE(std::chrono::steady_clock::now() < limit, "the host is silent");
            pollfd readable{output_, POLLIN, 0};
            if (::poll(&readable, 1, 100) != 1)
                continue;
            char buffer[4096];
            const ssize_t size = ::read(output_, buffer, sizeof buffer);
            BOOST_REQUIRE_MESSAGE(size > 0, "the host has closed its output after: " << text_);
            text_.append(buffer, static_cast<std::size_t>(size));
        }
    }

    // Stops the host, for the time that is the subject of the test, and has it go on.
    void stand_still(std::chrono::milliseconds how_long)
    {
        BOOST_REQUIRE(::kill(pid_, SIGSTOP) == 0);
        int status = 0;
        BOOST_REQUIRE(::waitpid(pid_, &status, WUNTRACED) == pid_);
        BOOST_REQUIRE(WIFSTOPPED(status));
        const auto end = std::chrono::steady_clock::now() + how_long;
        for (auto left = how_long; left > left.zero();
             left = std::chrono::ceil<std::chrono::milliseconds>(
                 end - std::chrono::steady_clock::now()))
            ::poll(nullptr, 0, static_cast<int>(left.count()));
        BOOST_REQUIRE(::kill(pid_, SIGCONT) == 0);
    }

    void go_on_and_finish() { BOOST_REQUIRE(::write(input_, "x", 1) == 1); }

    int exit_status()
    {
        int status = -1;
        BOOST_REQUIRE(::waitpid(pid_, &status, 0) == pid_);
        pid_ = 0;
        return status;
    }

private:
    pid_t pid_ = 0;
    int input_ = -1, output_ = -1;
    std::string text_;
};

// How long hosts stand still: three seconds, or as the command line says after "--".
std::chrono::seconds standstill()
{
    const auto& suite = boost::unit_test::framework::master_test_suite();
    return std::chrono::seconds(suite.argc > 1 ? std::atoi(suite.argv[1]) : 3);
}

void check_that_nothing_is_lost(int threads)
{
    // Every deadline of a call, a probe and a reset that is under way passes meanwhile.
    const std::chrono::milliseconds still = standstill();
    host_process host(still / 2, threads);
    BOOST_TEST_REQUIRE(host.line() == "loaded");
    host.stand_still(still);
    host.go_on_and_finish();
    const std::string line = host.line();
    BOOST_TEST_MESSAGE(line);
    const json::object told = json::parse(line).as_object();
    BOOST_TEST(told.at("failures").as_array().empty(), line);
    BOOST_TEST(told.at("replaced").to_number<int>() == 0, line);
    BOOST_TEST(told.at("created") == told.at("sessions"), line);
    BOOST_TEST(told.at("probes_lost").to_number<int>() == 0, line);
    BOOST_TEST(told.at("suspicions").to_number<int>() == 0, line);
    BOOST_TEST(told.at("probes_answered").to_number<int>() > 0, line);
    // The pool whose sessions are being probed has noticed.
    BOOST_TEST(told.at("stalls").to_number<int>() >= 1, line);
    BOOST_TEST(told.at("calls").to_number<int>() >= 200, line);
    BOOST_TEST(host.exit_status() == 0);
}

} // namespace

BOOST_AUTO_TEST_SUITE(a_host_that_stands_still)

BOOST_AUTO_TEST_CASE(under_load_loses_no_session_and_no_answer)
{
    check_that_nothing_is_lost(1);
}

BOOST_AUTO_TEST_CASE(with_several_threads_under_load_loses_no_session_and_no_answer)
{
    check_that_nothing_is_lost(2);
}

BOOST_AUTO_TEST_SUITE_END()
