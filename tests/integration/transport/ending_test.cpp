// How processes end, by themselves and by the stop ladder, and who is left of them.
#include "scene.hpp"
#include "transport/cgroup.hpp"

#include <csignal>

#include <sys/prctl.h>

using namespace mcp_pool;
using namespace mcp_pool::transport;
using namespace mcp_pool::transport::testing;

namespace {

void expect_nothing_left(const scene& s)
{
    BOOST_TEST(s.events.end->survivors.empty());
    BOOST_TEST(!has_remains(*s.events.pid));
    for (const pid_t grandchild : s.events.grandchildren())
        BOOST_TEST(!is_alive(grandchild));
    BOOST_TEST(s.events.story.back() == "ended");
}

void expect_signalled(const scene& s, int number)
{
    BOOST_REQUIRE(s.events.end->status.has_value());
    BOOST_TEST((s.events.end->status->how == exit_status::kind::signalled));
    BOOST_TEST(s.events.end->status->value == number);
}

// Each ending is the same with and without what newer kernels offer.
template <class Test>
void on_every_kernel(Test test)
{
    BOOST_TEST_CONTEXT("with everything")
    test();
    {
        const without seam(seams().no_pidfd);
        BOOST_TEST_CONTEXT("without pidfd")
        test();
    }
    {
        const without seam(seams().no_children_files);
        BOOST_TEST_CONTEXT("without children files")
        test();
    }
}

void start_with_grandchildren(scene& s, std::size_t count)
{
    s.io->start();
    s.until([&] { return s.events.lines.size() >= count; });
    for (const pid_t grandchild : s.events.grandchildren())
        BOOST_REQUIRE(is_alive(grandchild));
}

// In the place of the file in which the kernel counts.
class oom_counter
{
public:
    oom_counter()
        : path_(
            std::filesystem::temp_directory_path() / ("mcp_pool_oom_" + std::to_string(::getpid())))
    {
        seams().oom_file = path_.c_str();
    }
    ~oom_counter()
    {
        seams().oom_file = nullptr;
        std::filesystem::remove(path_);
    }

    void says(int kills) const
    {
        std::ofstream(path_) << "low 0\noom 1\noom_kill " << kills << "\noom_group_kill 0\n";
    }

private:
    const std::filesystem::path path_;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(endings, balance)

BOOST_AUTO_TEST_CASE(an_exit_status_is_reported)
{
    on_every_kernel([] {
        scene s(server("exit", "7"));
        s.io->start();
        const end_report& report = s.until_ended();
        BOOST_TEST((report.status->how == exit_status::kind::exited));
        BOOST_TEST(report.status->value == 7);
        BOOST_TEST(!report.killed);
        const std::vector<std::string> story{"started", "end of output", "ended"};
        BOOST_TEST(s.events.story == story, boost::test_tools::per_element());
        expect_nothing_left(s);
    });
}

BOOST_AUTO_TEST_CASE(a_foreign_kill_comes_with_the_kernels_count_of_kills_for_want_of_memory)
{
    const oom_counter counter;
    counter.says(3);
    scene s(server("echo"));
    s.io->start();
    s.until_started();
    counter.says(4);
    ::kill(*s.events.pid, SIGKILL);
    const end_report& report = s.until_ended();
    expect_signalled(s, SIGKILL);
    BOOST_TEST(!report.killed);
    BOOST_TEST_REQUIRE(report.out_of_memory.has_value());
    BOOST_TEST(report.out_of_memory->before == 3U);
    BOOST_TEST(report.out_of_memory->after == 4U);
    BOOST_TEST(report.out_of_memory->file == oom_file());
}

BOOST_AUTO_TEST_CASE(memory_is_not_blamed_where_the_count_stood_still_or_the_kill_was_ours)
{
    const oom_counter counter;
    counter.says(3);
    {
        scene s(server("echo"));
        s.io->start();
        s.until_started();
        ::kill(*s.events.pid, SIGKILL);
        BOOST_TEST(!s.until_ended().out_of_memory.has_value());
    }
    {
        scene s(server("echo"));
        s.io->start();
        s.until_started();
        counter.says(4);
        s.io->stop(stop_step::kill);
        BOOST_TEST(s.until_ended().killed);
        BOOST_TEST(!s.events.end->out_of_memory.has_value());
    }
    {
        scene s(server("echo"));
        s.io->start();
        s.until_started();
        counter.says(5);
        ::kill(*s.events.pid, SIGSEGV);
        s.until_ended();
        expect_signalled(s, SIGSEGV);
        BOOST_TEST(!s.events.end->out_of_memory.has_value());
    }
}

BOOST_AUTO_TEST_CASE(a_deadly_signal_is_reported)
{
    on_every_kernel([] {
        scene s(server("die", std::to_string(SIGSEGV)));
        s.io->start();
        s.until_ended();
        expect_signalled(s, SIGSEGV);
        expect_nothing_left(s);
    });
}

BOOST_AUTO_TEST_CASE(a_sudden_death_is_seen_though_a_grandchild_holds_the_pipes)
{
    on_every_kernel([] {
        scene s(server("grandchild"));
        start_with_grandchildren(s, 1);
        ::kill(*s.events.pid, SIGKILL);
        s.until_ended();
        expect_signalled(s, SIGKILL);
        BOOST_TEST(!s.events.end->killed);
        expect_nothing_left(s);
    });
}

BOOST_AUTO_TEST_CASE(what_an_exiting_server_leaves_in_its_group_is_killed)
{
    on_every_kernel([] {
        scene s(server("grandchild_exit", "5"));
        s.io->start();
        BOOST_TEST(s.until_ended().status->value == 5);
        BOOST_TEST(s.events.grandchildren().size() == 1U);
        expect_nothing_left(s);
    });
}

BOOST_AUTO_TEST_CASE(the_end_of_its_input_ends_a_good_server)
{
    on_every_kernel([] {
        scene s(server("echo"));
        s.io->start();
        s.echo("hello");
        s.io->stop(stop_step::close_input);
        BOOST_TEST(s.until_ended().status->text() == "exit status 0");
        BOOST_TEST(!s.events.end->killed);
        expect_nothing_left(s);
    });
}

BOOST_AUTO_TEST_CASE(a_server_that_ignores_the_end_of_input_gets_a_signal)
{
    on_every_kernel([] {
        scene s(server("ignore_input"));
        s.start_and_wait_for("ready");
        s.io->stop(stop_step::close_input);
        s.io->stop(stop_step::terminate);
        s.until_ended();
        expect_signalled(s, SIGTERM);
        BOOST_TEST(!s.events.end->killed);
        expect_nothing_left(s);
    });
}

BOOST_AUTO_TEST_CASE(a_stopped_server_still_gets_its_signal)
{
    scene s(server("stop_itself"));
    s.start_and_wait_for("ready");
    eventually([&] { return read_process(*s.events.pid)->state == 'T'; });
    s.io->stop(stop_step::terminate);
    s.until_ended();
    expect_signalled(s, SIGTERM);
}

BOOST_AUTO_TEST_CASE(a_stubborn_server_is_killed)
{
    on_every_kernel([] {
        scene s(server("stubborn"));
        s.start_and_wait_for("ready");
        s.io->stop(stop_step::close_input);
        s.io->stop(stop_step::terminate);
        s.io->stop(stop_step::kill);
        s.until_ended();
        expect_signalled(s, SIGKILL);
        BOOST_TEST(s.events.end->killed);
        expect_nothing_left(s);
    });
}

BOOST_AUTO_TEST_CASE(sigterm_reaches_the_group_and_the_rest_of_it_goes_with_the_leader)
{
    on_every_kernel([] {
        scene s(server("grandchild"));
        start_with_grandchildren(s, 1);
        s.io->stop(stop_step::terminate);
        s.until_ended();
        expect_signalled(s, SIGTERM);
        expect_nothing_left(s);
    });
}

BOOST_AUTO_TEST_CASE(descendants_in_sessions_of_their_own_are_killed_too)
{
    on_every_kernel([] {
        scene s(server("stubborn_family"));
        start_with_grandchildren(s, 2);
        s.io->stop(stop_step::kill);
        s.until_ended();
        expect_signalled(s, SIGKILL);
        BOOST_TEST(s.events.grandchildren().size() == 2U);
        expect_nothing_left(s);
    });
}

BOOST_AUTO_TEST_CASE(descendants_in_sessions_of_their_own_do_not_outlive_a_polite_stop)
{
    on_every_kernel([] {
        scene s(server("escaped_grandchild"));
        start_with_grandchildren(s, 1);
        s.io->stop(stop_step::close_input);
        BOOST_TEST(s.until_ended().status->text() == "exit status 0");
        expect_nothing_left(s);
    });
}

BOOST_AUTO_TEST_CASE(orphans_are_reaped_where_the_host_inherits_them)
{
    // As init does in a container.
    BOOST_REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
    scene s(server("stubborn_family"));
    start_with_grandchildren(s, 2);
    s.io->stop(stop_step::kill);
    s.until_ended();
    ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    expect_nothing_left(s);
    for (const pid_t grandchild : s.events.grandchildren())
        BOOST_TEST(!read_process(grandchild));
}

BOOST_AUTO_TEST_CASE(processes_that_cannot_be_killed_are_reported_and_reaped_some_day)
{
    scene s(server("stubborn_family"));
    start_with_grandchildren(s, 2);
    std::vector<pid_t> expected = s.events.grandchildren();
    expected.push_back(*s.events.pid);
    {
        const without seam(seams().out_of_reach);
        s.io->stop(stop_step::kill);
        s.until_ended();
    }
    BOOST_TEST(!s.events.end->status);
    BOOST_TEST(s.events.end->killed);
    std::vector<int> survivors = s.events.end->survivors;
    std::ranges::sort(survivors);
    std::ranges::sort(expected);
    BOOST_TEST(survivors == expected, boost::test_tools::per_element());
    // The process thread has not forgotten the leader: no zombie is left.
    for (const pid_t survivor : expected)
        ::kill(survivor, SIGKILL);
}

BOOST_AUTO_TEST_CASE(a_stop_before_the_start_ends_without_a_process)
{
    scene s(server("echo"));
    s.io->stop(stop_step::close_input);
    s.io->stop(stop_step::kill);
    BOOST_TEST(!s.until_ended().status);
    BOOST_TEST(s.events.story.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_stop_during_the_start_ends_whatever_has_come_of_it)
{
    for (const stop_step step : {stop_step::close_input, stop_step::terminate, stop_step::kill}) {
        scene s(server("echo"));
        s.io->start();
        s.io->stop(step);
        s.until_ended();
        BOOST_TEST(s.events.story.back() == "ended");
        BOOST_TEST(s.events.end->survivors.empty());
        if (s.events.pid)
            expect_nothing_left(s);
    }
}

BOOST_AUTO_TEST_CASE(stops_after_the_end_are_harmless)
{
    scene s(server("exit", "0"));
    s.io->start();
    s.until_ended();
    s.io->stop(stop_step::close_input);
    s.io->stop(stop_step::kill);
    BOOST_TEST(s.io->send("late\n") == 0U);
    s.context.restart();
    s.context.run();
    BOOST_TEST(s.events.story.back() == "ended");
}

BOOST_AUTO_TEST_SUITE_END()
