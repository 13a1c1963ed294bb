// Lines in both directions, and stderr.
#include "scene.hpp"

#include <csignal>

using namespace mcp_pool;
using namespace mcp_pool::transport;
using namespace mcp_pool::transport::testing;

namespace {

using story = std::vector<std::string>;

} // namespace

BOOST_FIXTURE_TEST_SUITE(streams, balance)

BOOST_AUTO_TEST_CASE(lines_go_there_and_back)
{
    scene s(server("echo"));
    s.io->start();
    // Before the process exists they wait.
    BOOST_TEST(s.io->send("first\n") == 6U);
    BOOST_TEST(s.io->send("second\n") == 13U);
    s.until_line("second");
    BOOST_TEST(s.io->send("third\r\n") == 0U);
    s.until_line("third");
    const std::vector<std::string> expected{"first", "second", "third"};
    BOOST_TEST(s.events.lines == expected, boost::test_tools::per_element());
    const story beginning{"started", "write progress", "first output", "line"};
    BOOST_TEST(story(s.events.story.begin(), s.events.story.begin() + 4) == beginning,
        boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(nothing_is_told_before_start_returns)
{
    scene s(server("exit", "0"));
    s.io->start();
    BOOST_TEST(s.events.story.empty());
    s.until_ended();
}

BOOST_AUTO_TEST_CASE(a_message_of_many_megabytes_passes_in_both_directions)
{
    scene s(server("echo"));
    s.io->start();
    s.until_started();
    std::string line(std::size_t{8} << 20, 'x');
    line.back() = '\n';
    const std::size_t size = line.size();
    s.io->send(std::move(line));
    s.until([&] { return s.events.line_bytes == size - 1; });
    BOOST_TEST(s.events.waiting == 0U);
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_read_makes_lines_wait)
{
    scene s(server("read_after_signal"));
    s.start_and_wait_for("ready");
    std::string line(200'000, 'x');
    line.back() = '\n';
    // A pipe takes 65,536 bytes.
    BOOST_TEST(s.io->send(line) == 200'000U - 65'536U);
    BOOST_TEST(s.io->send("next\n") == 200'000U - 65'536U + 5U);
    BOOST_TEST(!s.events.told("write progress"));
    ::kill(*s.events.pid, SIGUSR1);
    s.until_line("next");
    BOOST_TEST(s.events.told("write progress"));
    BOOST_TEST(s.events.waiting == 0U);
    BOOST_TEST(s.events.lines.size() == 3U);
}

BOOST_AUTO_TEST_CASE(lines_of_a_burst_go_out_in_order_at_its_end)
{
    scene s(server("echo"));
    s.io->start();
    s.until_started();
    BOOST_REQUIRE(s.io->begin_burst());
    std::vector<std::string> expected;
    for (int i = 0; i < 1000; ++i) {
        expected.push_back("line " + std::to_string(i));
        // Nothing waits for the peer: it has not been asked yet.
        BOOST_TEST(s.io->send(expected.back() + "\n") == 0U);
    }
    // The end of an inner one is not the end.
    BOOST_REQUIRE(s.io->begin_burst());
    BOOST_TEST(s.io->end_burst() == 0U);
    BOOST_TEST(s.io->end_burst() == 0U);
    s.until_line("line 999");
    BOOST_TEST(s.events.lines == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_burst_is_no_larger_than_what_a_pipe_takes)
{
    scene s(server("read_after_signal"));
    s.start_and_wait_for("ready");
    BOOST_REQUIRE(s.io->begin_burst());
    std::string line(40'000, 'x');
    line.back() = '\n';
    BOOST_TEST(s.io->send(line) == 0U);
    // It is written now, and more than the pipe takes is there.
    BOOST_TEST(s.io->send(line) == 80'000U - 65'536U);
    BOOST_TEST(s.io->send("next\n") == 80'000U - 65'536U + 5U);
    BOOST_TEST(s.io->end_burst() == 80'000U - 65'536U + 5U);
    ::kill(*s.events.pid, SIGUSR1);
    s.until_line("next");
    BOOST_TEST(s.events.waiting == 0U);
}

BOOST_AUTO_TEST_CASE(what_lines_have_caused_is_told_if_the_peer_does_not_take_it)
{
    scene s(server("read_after_signal"));
    std::string line(40'000, 'x');
    line.back() = '\n';
    std::optional<std::size_t> answered;
    s.events.after = [&](const std::string& event) {
        // What a line causes is kept back until all of its chunk have been told.
        if (event == "line" && !answered)
            answered = s.io->send(line);
    };
    s.io->start();
    s.io->send(line);
    // How much of the second a pipe takes that has the first in it, depends on its pages.
    s.until([&] { return answered && s.events.waiting != 0; });
    BOOST_TEST(answered.value_or(1) == 0U);
    ::kill(*s.events.pid, SIGUSR1);
    s.until([&] { return s.events.lines.size() == 3U; });
    BOOST_TEST(s.events.waiting == 0U);
}

BOOST_AUTO_TEST_CASE(a_stopped_server_is_killed_with_lines_waiting)
{
    scene s(server("stop_itself"));
    s.start_and_wait_for("ready");
    BOOST_TEST(s.io->send(std::string(1'000'000, 'x') + "\n") > 0U);
    s.io->stop(stop_step::kill);
    const end_report& report = s.until_ended();
    BOOST_TEST(report.killed);
    BOOST_TEST(report.status->value == SIGKILL);
}

BOOST_AUTO_TEST_CASE(writing_to_a_closed_stdin_is_an_error_and_no_signal)
{
    scene s(server("close_input"));
    s.start_and_wait_for("ready");
    BOOST_TEST(s.io->send("unread\n") == 0U);
    // Not while the sender is in the middle of sending.
    BOOST_TEST(!s.events.write_failure);
    s.until([&] { return s.events.write_failure.has_value(); });
    BOOST_TEST((*s.events.write_failure == boost::system::errc::broken_pipe));
    BOOST_TEST(s.io->send("more\n") == 0U);
}

BOOST_AUTO_TEST_CASE(a_line_of_100_mib_is_given_up_at_the_limit_and_drained)
{
    constexpr std::size_t size = std::size_t{100} << 20;
    stdio_limits limits = default_limits();
    limits.max_message_bytes = std::size_t{16} << 20;
    scene s(server("one_line", std::to_string(size)), limits);
    s.io->start();
    s.until([&] { return s.events.oversized.has_value(); });
    BOOST_TEST(*s.events.oversized > limits.max_message_bytes);
    BOOST_TEST(*s.events.oversized < limits.max_message_bytes + (std::size_t{1} << 20));
    // The server gets to read the end of its input only after it has written everything.
    s.io->stop(stop_step::close_input);
    BOOST_TEST(s.until_ended().status->text() == "exit status 0");
    BOOST_TEST(s.events.lines.empty());
}

BOOST_AUTO_TEST_CASE(a_flood_on_stderr_blocks_nobody_and_its_end_is_kept)
{
    stdio_limits limits = default_limits();
    limits.stderr_tail_bytes = 1000;
    scene s(server("flood_stderr", std::to_string(std::size_t{10} << 20)), limits);
    s.start_and_wait_for("flooded");
    s.until([&] { return s.io->stderr_tail().ends_with("THE END"); });
    BOOST_TEST(s.io->stderr_tail().size() == 1000U);
    s.echo("still working");
}

BOOST_AUTO_TEST_CASE(the_first_output_may_be_on_stderr)
{
    scene s(server("flood_stderr", "1"));
    s.start_and_wait_for("flooded");
    BOOST_TEST(std::ranges::count(s.events.story, "first output") == 1);
    BOOST_TEST(s.events.story[1] == "first output");
}

BOOST_AUTO_TEST_CASE(an_inherited_stderr_is_the_hosts)
{
    int ends[2];
    BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    descriptor read(ends[0]);
    descriptor write(ends[1]);
    const descriptor own(::fcntl(2, F_DUPFD_CLOEXEC, 3));
    ::dup2(write.get(), 2);
    stdio_limits limits = default_limits();
    limits.stderr_to = stderr_policy::inherit;
    scene s(server("write_pid"), limits);
    s.io->start();
    s.until([&] { return !s.events.lines.empty(); });
    ::dup2(own.get(), 2);
    std::string text(100, '\0');
    text.resize(static_cast<std::size_t>(::read(read.get(), text.data(), text.size())));
    BOOST_TEST(text == "to stderr\n");
    BOOST_TEST(s.io->stderr_tail().empty());
}

BOOST_AUTO_TEST_CASE(stderr_is_told_line_by_line_where_it_is_to_be_logged)
{
    stdio_limits limits = default_limits();
    limits.stderr_to = stderr_policy::log;
    {
        scene s(server("write_pid"), limits);
        s.io->start();
        s.until([&] { return !s.events.error_lines.empty(); });
        BOOST_TEST(s.events.error_lines.front() == "to stderr");
        BOOST_TEST(s.io->stderr_tail() == "to stderr\n");
    }
    // The end of the stream ends its last line, also after a stop.
    scene s(server("last_words"), limits);
    s.start_and_wait_for("ready");
    s.io->stop(stop_step::close_input);
    s.until_ended();
    BOOST_TEST(s.events.error_lines == std::vector<std::string>{"last words"},
        boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_listener_that_destroys_the_transport_hears_no_further_line_of_stderr)
{
    stdio_limits limits = default_limits();
    limits.stderr_to = stderr_policy::log;
    scene s(server("stderr_lines", "50"), limits);
    s.events.after = [&s](const std::string& event) {
        if (event == "stderr line")
            s.io.reset();
    };
    s.io->start();
    s.until([&] { return !s.io; });
    s.context.restart();
    s.context.poll();
    BOOST_TEST(s.events.error_lines.size() == 1U);
}

BOOST_AUTO_TEST_CASE(stderr_of_several_sessions_is_appended_to_one_file)
{
    const std::filesystem::path file = std::filesystem::temp_directory_path()
        / ("mcp_pool_stderr_" + std::to_string(::getpid()));
    pool_options options;
    options.stderr = stderr_policy::file;
    options.stderr_file = file.native();
    {
        const stdio_limits limits(options);
        for (int i = 0; i < 2; ++i) {
            scene s(server("burst", "1"), limits);
            s.io->start();
            s.until_ended();
            BOOST_TEST(s.io->stderr_tail() == "last words");
            BOOST_TEST(s.events.error_lines.empty());
        }
    }
    std::ifstream written(file);
    const std::string text(std::istreambuf_iterator<char>(written), {});
    BOOST_TEST(text == "last words\nlast words\n");
    std::filesystem::remove(file);
}

BOOST_AUTO_TEST_CASE(what_was_written_before_the_exit_is_not_lost)
{
    for (int i = 0; i < 10; ++i) {
        scene s(server("burst", "3000"));
        s.io->start();
        BOOST_TEST(s.until_ended().status->text() == "exit status 3");
        BOOST_TEST(s.events.lines.size() == 3000U);
        BOOST_TEST(s.events.lines.back() == "line 3000");
        BOOST_TEST(s.io->stderr_tail() == "last words");
        const story end{"end of output", "ended"};
        BOOST_TEST(story(s.events.story.end() - 2, s.events.story.end()) == end,
            boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(after_a_stop_no_line_is_told_but_stderr_is_kept)
{
    scene s(server("last_words"));
    s.start_and_wait_for("ready");
    s.io->stop(stop_step::close_input);
    BOOST_TEST(s.until_ended().status->text() == "exit status 3");
    BOOST_TEST(!s.events.has_line("last line"));
    BOOST_TEST(s.io->stderr_tail() == "last words");
}

BOOST_AUTO_TEST_CASE(a_server_that_closes_its_output_and_lives_is_noticed)
{
    scene s(server("close_output"));
    s.start_and_wait_for("ready");
    s.until([&] { return s.events.output_ended; });
    BOOST_TEST(is_alive(*s.events.pid));
    s.io->stop(stop_step::terminate);
    BOOST_TEST(s.until_ended().status->value == SIGTERM);
    BOOST_TEST(std::ranges::count(s.events.story, "end of output") == 1);
}

BOOST_AUTO_TEST_SUITE_END()
