// Transports and execution contexts that end at any moment.
#include "scene.hpp"
#include "transport/resident.hpp"

#include <thread>

using namespace mcp_pool;
using namespace mcp_pool::transport;
using namespace mcp_pool::transport::testing;

namespace {

// A server with everything that can be left behind.
std::shared_ptr<stdio_server> family()
{
    return server("stubborn_family");
}

// A transport that outlives its context or not, as its owner likes.
struct loose_scene
{
    std::unique_ptr<asio::io_context> context = std::make_unique<asio::io_context>();
    recorder events;
    std::unique_ptr<any_transport> io;

    explicit loose_scene(std::shared_ptr<const stdio_server> what)
        : io(make_stdio_transport(
            connection_strand(context->get_executor()), events, std::move(what), default_limits()))
    {}

    template <class Predicate>
    void until(Predicate predicate)
    {
        while (!predicate()) {
            context->restart();
            BOOST_REQUIRE(context->run_one_for(deadline) == 1U);
        }
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(lifetimes, balance)

BOOST_AUTO_TEST_CASE(the_memory_of_a_server_is_that_of_its_whole_family_while_it_lives)
{
    scene alone(server("echo"));
    BOOST_TEST(alone.io->resident_bytes() == 0U);
    alone.io->start();
    alone.until_started();
    scene s(family());
    s.start_and_wait_for("ready");
    const std::vector<pid_t> grandchildren = s.events.grandchildren();
    BOOST_TEST_REQUIRE(grandchildren.size() == 2U);
    // Nobody of the family does anything, so that the parts can be added.
    std::size_t parts = 0;
    for (const pid_t grandchild : grandchildren) {
        BOOST_TEST(resident_bytes_of(grandchild) > 0U);
        parts += resident_bytes_of(grandchild);
    }
    BOOST_TEST(s.io->resident_bytes() > parts);
    s.io->stop(stop_step::kill);
    s.until_ended();
    BOOST_TEST(s.io->resident_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(a_destroyed_transport_leaves_no_process_of_the_whole_family)
{
    {
        scene s(family());
        s.start_and_wait_for("ready");
        BOOST_TEST(processes_of_this_test().size() == 3U);
    }
    eventually([] { return processes_of_this_test().empty(); });
}

BOOST_AUTO_TEST_CASE(a_server_that_exits_when_its_pipes_close_leaves_nothing_either)
{
    // It races with the process thread, which must have noted the grandchild first.
    for (int round = 0; round < 30; ++round) {
        scene s(server("escaped_grandchild"));
        s.io->start();
        s.until([&] { return !s.events.lines.empty(); });
        s.io.reset();
    }
    eventually([] { return processes_of_this_test().empty(); });
}

BOOST_AUTO_TEST_CASE(a_transport_may_be_destroyed_in_any_of_its_events)
{
    for (const auto& what : {server("burst", "3"), server("one_line", "100000")}) {
        // Counted first, then destroyed in the first event, the second, and so on.
        std::size_t most = 0;
        {
            scene s(what);
            s.io->start();
            s.io->send("some line\n");
            s.until_line(what->args[0] == "burst" ? "line 3" : "after");
            s.io->stop(stop_step::kill);
            s.until_ended();
            most = s.events.story.size();
        }
        for (std::size_t last = 1; last <= most; ++last) {
            scene s(what);
            s.events.after = [&s, last](const std::string& event) {
                if (event == "line" && s.events.lines.size() == 3 && s.io)
                    s.io->stop(stop_step::kill);
                if (s.events.story.size() == last)
                    s.io.reset();
            };
            s.io->start();
            s.io->send("some line\n");
            s.until([&] { return !s.io || s.events.told("ended"); });
            const std::size_t told = s.events.story.size();
            // Everything that is pending runs out and tells nothing.
            s.context.restart();
            s.context.run();
            BOOST_TEST(s.events.story.size() == told);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_transport_may_be_destroyed_at_once_after_its_start)
{
    for (int i = 0; i < 20; ++i) {
        scene s(family());
        s.io->start();
        s.io.reset();
        s.context.run();
        BOOST_TEST(s.events.story.empty());
    }
}

BOOST_AUTO_TEST_CASE(a_context_may_be_destroyed_before_its_transports_at_any_moment)
{
    {
        loose_scene never_started(family());
        never_started.context.reset();
    }
    const std::function<void(loose_scene&)> moments[] = {
        [](loose_scene&) {},
        [](loose_scene& s) { s.until([&] { return s.events.told("started"); }); },
        [](loose_scene& s) { s.until([&] { return s.events.told("first output"); }); },
        [](loose_scene& s) { s.until([&] { return s.events.has_line("ready"); }); },
        [](loose_scene& s) {
            // More than the pipe takes: a write is pending too.
            s.until([&] { return s.events.told("started"); });
            BOOST_TEST(s.io->send(std::string(1'000'000, 'x')) > 0U);
        },
        // The process thread is in the middle of its news.
        [](loose_scene& s) { s.io->stop(stop_step::kill); },
        [](loose_scene& s) {
            s.until([&] { return s.events.has_line("ready"); });
            s.io->stop(stop_step::kill);
        },
        [](loose_scene& s) {
            s.io->stop(stop_step::kill);
            s.until([&] { return s.events.told("ended"); });
        },
    };
    for (const auto& reach : moments) {
        loose_scene s(family());
        s.io->start();
        s.io->send("unread\n");
        reach(s);
        const std::size_t told = s.events.story.size();
        s.context.reset();
        BOOST_TEST(s.events.story.size() == told);
        s.io->stop(stop_step::kill);
        BOOST_TEST(s.io->send("late\n") == 0U);
    }
}

BOOST_AUTO_TEST_CASE(a_transport_in_the_frame_of_a_handler_may_go_with_its_context)
{
    recorder events;
    {
        asio::io_context context;
        auto io = make_stdio_transport(connection_strand(context.get_executor()), events,
            std::make_shared<stdio_server>(*family()), default_limits());
        io->start();
        while (!events.pid)
            BOOST_REQUIRE(context.run_one_for(deadline) == 1U);
        asio::post(context, [held = std::move(io)] {});
    }
}

BOOST_AUTO_TEST_CASE(processes_that_die_while_their_context_ends_are_no_race)
{
    for (int i = 0; i < 30; ++i) {
        auto context = std::make_unique<asio::io_context>();
        std::vector<recorder> events(4);
        std::vector<std::unique_ptr<any_transport>> all;
        for (recorder& one : events) {
            all.push_back(make_stdio_transport(connection_strand(context->get_executor()), one,
                server("exit", "0"), default_limits()));
            all.back()->start();
        }
        // The process thread posts while the context is being destroyed.
        if (i % 3 != 0)
            context->run_one_for(deadline);
        context.reset();
    }
}

BOOST_AUTO_TEST_CASE(a_context_does_not_run_out_of_work_while_a_process_is_watched)
{
    asio::io_context context;
    recorder events;
    const auto io = make_stdio_transport(connection_strand(context.get_executor()), events,
        server("close_output"), default_limits());
    io->start();
    events.after = [&](const std::string& event) {
        // No pipe is left to wait on but the process.
        if (event == "end of output")
            io->stop(stop_step::terminate);
    };
    context.run();
    BOOST_TEST(events.end.has_value());
}

BOOST_AUTO_TEST_CASE(many_sessions_on_several_threads_end_in_order)
{
    constexpr std::size_t sessions = 40;
    asio::io_context context;
    std::vector<recorder> events(sessions);
    std::vector<std::unique_ptr<any_transport>> all;
    for (recorder& one : events) {
        const connection_strand strand(context.get_executor());
        all.push_back(make_stdio_transport(strand, one, server("echo"), default_limits()));
        any_transport& io = *all.back();
        one.after = [&io](const std::string& event) {
            if (event == "started")
                io.send("hello\n");
            if (event == "line")
                io.stop(stop_step::close_input);
        };
        asio::post(strand, [&io] { io.start(); });
    }
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&context] { context.run_for(deadline); });
    for (std::thread& thread : threads)
        thread.join();
    for (const recorder& one : events) {
        BOOST_REQUIRE(one.end);
        BOOST_TEST(one.has_line("hello"));
        BOOST_TEST(one.end->status->text() == "exit status 0");
    }
}

BOOST_AUTO_TEST_SUITE_END()
