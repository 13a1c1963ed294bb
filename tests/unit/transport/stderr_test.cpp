// What becomes of a server's stderr besides the ring: lines for a log, and a file.
#include "transport/stderr_file.hpp"
#include "transport/stderr_lines.hpp"

#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

using namespace mcp_pool::transport;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;
using clock_type = stderr_lines::clock;
using strings = std::vector<std::string>;

constexpr clock_type::time_point t0{1000h};

// Lines, and what came of them.
struct log_of_lines
{
    stderr_lines lines;
    strings told;

    void feed(std::string_view bytes, clock_type::time_point now = t0)
    {
        lines.feed(bytes, now, [this](std::string line) { told.push_back(std::move(line)); });
    }
    void finish(clock_type::time_point now = t0)
    {
        lines.finish(now, [this](std::string line) { told.push_back(std::move(line)); });
    }
};

struct scratch
{
    fs::path directory;

    scratch()
    {
        std::string name = (fs::temp_directory_path() / "mcp_pool_XXXXXX").native();
        BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
        directory = name;
    }
    ~scratch() { fs::remove_all(directory); }

    [[nodiscard]] std::string path(const char* name = "log") const
    {
        return (directory / name).native();
    }
    [[nodiscard]] std::string text(const char* name = "log") const
    {
        std::ifstream file(directory / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(stderr_for_a_log)

BOOST_AUTO_TEST_CASE(lines_are_put_together_from_any_pieces)
{
    const std::string text = "one\ntwo\r\n\n\nthree";
    for (const std::size_t piece : {1U, 2U, 3U, 100U}) {
        log_of_lines log;
        for (std::size_t at = 0; at < text.size(); at += piece)
            log.feed(std::string_view(text).substr(at, piece));
        BOOST_TEST(log.told == (strings{"one", "two"}), boost::test_tools::per_element());
        log.finish();
        BOOST_TEST(log.told == (strings{"one", "two", "three"}), boost::test_tools::per_element());
        log.finish();
        BOOST_TEST(log.told.size() == 3U);
    }
}

BOOST_AUTO_TEST_CASE(a_line_is_escaped_and_bounded)
{
    log_of_lines log;
    log.feed("red \x1b[31m\n");
    BOOST_TEST(log.told.back() == "red \\x1b[31m");
    log.feed(std::string(stderr_lines::max_line_bytes, 'x') + "\n");
    BOOST_TEST(log.told.back() == std::string(stderr_lines::max_line_bytes, 'x'));
    for (int i = 0; i < 100; ++i)
        log.feed(std::string(100'000, 'y'));
    log.feed("\nnext\n");
    BOOST_TEST_REQUIRE(log.told.size() == 4U);
    BOOST_TEST(log.told[2].size() == stderr_lines::max_line_bytes);
    BOOST_TEST(log.told[2].ends_with("yyy..."));
    BOOST_TEST(log.told[3] == "next");
}

BOOST_AUTO_TEST_CASE(a_flood_is_cut_and_the_number_of_lost_lines_is_told)
{
    log_of_lines log;
    std::string flood;
    for (int i = 0; i < 1000; ++i)
        flood += "line " + std::to_string(i) + "\n";
    log.feed(flood);
    BOOST_TEST(log.told.size() == static_cast<std::size_t>(stderr_lines::burst));
    BOOST_TEST(log.told.back() == "line 199");
    // One interval later there is room for one line again.
    log.feed("later\nlost\n", t0 + 10ms);
    BOOST_TEST_REQUIRE(log.told.size() == 202U);
    BOOST_TEST(log.told[200] == "800 lines were dropped here: more than 100 came in a second");
    BOOST_TEST(log.told[201] == "later");
    // Nothing follows: the end tells the rest.
    log.finish(t0 + 10ms);
    BOOST_TEST(log.told.back() == "1 line was dropped here: more than 100 came in a second");
}

BOOST_AUTO_TEST_CASE(a_steady_stream_within_the_rate_loses_nothing)
{
    log_of_lines log;
    for (int i = 0; i < 5000; ++i)
        log.feed("line\n", t0 + i * 10ms);
    BOOST_TEST(log.told.size() == 5000U);
    // After a silence a whole burst is possible, and no more than that.
    for (int i = 0; i < 500; ++i)
        log.feed("line\n", t0 + 1h);
    BOOST_TEST(log.told.size() == 5000U + stderr_lines::burst);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(stderr_for_a_file)

BOOST_AUTO_TEST_CASE(what_is_there_is_kept_and_appended_to)
{
    const scratch s;
    std::ofstream(s.path()) << "before\n";
    stderr_file file(s.path());
    file.append("one\n");
    file.append("");
    file.append("two\n");
    BOOST_TEST(s.text() == "before\none\ntwo\n");
}

BOOST_AUTO_TEST_CASE(a_file_that_would_grow_too_large_is_put_away_and_begun_anew)
{
    const scratch s;
    stderr_file file(s.path(), 10);
    file.append("12345678\n");
    file.append("x");
    BOOST_TEST(!fs::exists(s.path("log.1")));
    file.append("second\n");
    BOOST_TEST(s.text("log.1") == "12345678\nx");
    BOOST_TEST(s.text() == "second\n");
    // One piece may be larger than all of it.
    file.append("a piece of more than ten bytes\n");
    BOOST_TEST(s.text("log.1") == "second\n");
    file.append("third\n");
    BOOST_TEST(s.text("log.1") == "a piece of more than ten bytes\n");
    BOOST_TEST(s.text() == "third\n");
}

BOOST_AUTO_TEST_CASE(a_file_that_somebody_else_put_away_is_begun_anew)
{
    const scratch s;
    stderr_file file(s.path());
    file.append("one\n");
    fs::rename(s.path(), s.path("elsewhere"));
    file.append("two\n");
    fs::remove(s.path());
    file.append("three\n");
    BOOST_TEST(s.text("elsewhere") == "one\n");
    BOOST_TEST(s.text() == "three\n");
}

BOOST_AUTO_TEST_CASE(two_who_append_to_the_same_file_put_it_away_once)
{
    const scratch s;
    stderr_file mine(s.path(), 10);
    stderr_file another(s.path(), 10);
    mine.append("12345678\n");
    another.append("large enough\n");
    BOOST_TEST(s.text("log.1") == "12345678\n");
    BOOST_TEST(s.text() == "large enough\n");
    // Mine is still open on what was put away.
    mine.append("mine\n");
    BOOST_TEST(s.text("log.1") == "large enough\n");
    BOOST_TEST(s.text() == "mine\n");

    // While another process is about to rename it nothing is appended and nothing is renamed.
    const descriptor locked(::open(s.path().c_str(), O_RDONLY | O_CLOEXEC));
    BOOST_REQUIRE(::flock(locked.get(), LOCK_EX) == 0);
    mine.append("too much for it\n");
    BOOST_TEST(s.text("log.1") == "large enough\n");
    BOOST_TEST(s.text() == "mine\n");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_put_away_does_not_grow)
{
    const scratch s;
    stderr_file file(s.path(), 10);
    // A directory in the way that is not empty.
    fs::create_directories(s.directory / "log.1" / "x");
    file.append("12345678\n");
    file.append("more\n");
    BOOST_TEST(s.text() == "12345678\n");
    fs::remove_all(s.directory / "log.1");
    file.append("again\n");
    BOOST_TEST(s.text() == "again\n");
}

BOOST_AUTO_TEST_CASE(what_is_no_regular_file_is_refused_without_waiting)
{
    const scratch s;
    BOOST_REQUIRE(::mkfifo(s.path("fifo").c_str(), 0600) == 0);
    BOOST_CHECK_THROW(stderr_file(s.path("fifo")), boost::system::system_error);
    BOOST_CHECK_THROW(stderr_file("/dev/null"), boost::system::system_error);
    BOOST_CHECK_THROW(stderr_file(s.directory.native()), boost::system::system_error);
    BOOST_CHECK_THROW(stderr_file(s.path("none") + "/log"), boost::system::system_error);
}

BOOST_AUTO_TEST_CASE(children_do_not_inherit_the_file)
{
    const scratch s;
    const int next = ::dup(0);
    ::close(next);
    const stderr_file file(s.path());
    BOOST_TEST((::fcntl(next, F_GETFD) & FD_CLOEXEC) != 0);
}

BOOST_AUTO_TEST_CASE(lines_of_several_sessions_do_not_mix)
{
    const scratch s;
    const auto file = std::make_shared<stderr_file>(s.path());
    {
        stderr_appender first(file);
        stderr_appender second(file);
        first.append("a1 ");
        second.append("b1 ");
        first.append("a2\na3 ");
        second.append("b2\n");
        BOOST_TEST(s.text() == "a1 a2\nb1 b2\n");
        first.finish();
        first.finish();
    }
    BOOST_TEST(s.text() == "a1 a2\nb1 b2\na3 \n");
}

BOOST_AUTO_TEST_CASE(a_line_without_end_is_appended_in_pieces)
{
    const scratch s;
    stderr_appender session(std::make_shared<stderr_file>(s.path()));
    const std::string half(stderr_appender::max_line_bytes / 2, 'x');
    session.append(half);
    session.append(half);
    BOOST_TEST(s.text().empty());
    session.append("x");
    BOOST_TEST(s.text().size() == stderr_appender::max_line_bytes + 1);
}

BOOST_AUTO_TEST_CASE(threads_append_at_the_same_time)
{
    const scratch s;
    const auto file = std::make_shared<stderr_file>(s.path());
    std::vector<std::thread> sessions;
    for (int i = 0; i < 4; ++i)
        sessions.emplace_back([&file] {
            stderr_appender session(file);
            for (int n = 0; n < 500; ++n)
                session.append("whole line\n");
        });
    for (std::thread& t : sessions)
        t.join();
    std::ifstream written(s.path());
    int lines = 0;
    for (std::string line; std::getline(written, line); ++lines)
        BOOST_TEST_REQUIRE(line == "whole line");
    BOOST_TEST(lines == 2000);
}

BOOST_AUTO_TEST_SUITE_END()
