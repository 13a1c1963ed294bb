// One connection, a context with several threads, callers on threads of their own: for the thread
// sanitizer, and for counts that must come out even.
#include "session/connection.hpp"
#include "session/transport_source.hpp"

#include <mcp_pool/testing/scripted_server.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <cstdlib>
#include <future>
#include <thread>

using namespace mcp_pool;
using namespace std::chrono_literals;
using mcp_pool::testing::call;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

namespace {

class host final : public detail::connection_events, public detail::session_owner
{
public:
    std::promise<bool> started;
    std::promise<void> ended;
    // By grant.
    std::array<std::atomic<int>, 3> resets{};

    void on_ready(detail::session_state&) override { started.set_value(true); }
    void on_failed(detail::session_state&, detail::failed_start) override
    {
        started.set_value(false);
    }
    void on_broken(
        detail::session_state&, detail::broken_cause, std::shared_ptr<const diagnostics>) override
    {}
    void on_reset_done(detail::session_state&, std::size_t grant) override { ++resets[grant]; }
    void on_reset_failed(
        detail::session_state&, std::size_t, std::shared_ptr<const diagnostics>) override
    {}
    void on_probe_done(detail::session_state&) override {}
    void on_measured(detail::session_state&, std::size_t) override {}
    void on_stderr_line(detail::session_state&, std::string) override {}
    void on_warning(detail::session_state&, std::string) override {}
    void on_ended(detail::session_state&, const transport::end_report&) override
    {
        ended.set_value();
    }
    void give_back(detail::grant_record&) noexcept override {}
};

// Everything of one session, on a pool of threads.
struct scene
{
    testing::scripted_server server;
    asio::thread_pool threads{3};
    std::shared_ptr<host> told = std::make_shared<host>();
    std::shared_ptr<detail::server_state> shared;
    std::shared_ptr<detail::session_state> state;
    std::shared_ptr<detail::connection> io;

    explicit scene(personality p, std::size_t grants = 1)
        : server(p)
    {
        stdio_server process;
        process.command = "scripted";
        server_config config("scripted", process);
        shared = std::make_shared<detail::server_state>(
            config, pool_options(), server.source()->make);
        state = std::make_shared<detail::session_state>(*told, 0, 1, grants);
        io = detail::connection::make(threads.get_executor(), shared, state, told);
        state->set_io(io);
        io->start();
        auto ready = told->started.get_future();
        BOOST_TEST_REQUIRE((ready.wait_for(60s) == std::future_status::ready));
        BOOST_TEST_REQUIRE(ready.get());
        for (std::size_t i = 0; i != grants; ++i)
            state->grant(i).generation = 1;
    }

    ~scene()
    {
        threads.join();
        state->take_io();
        io.reset();
    }

    void end()
    {
        auto ended = told->ended.get_future();
        io->stop(transport::stop_step::close_input, "the test is over");
        BOOST_TEST_REQUIRE((ended.wait_for(60s) == std::future_status::ready));
    }
};

// Makes calls one after another from a strand of its own; every third is cancelled from that strand.
void caller(scene& s, int calls, std::atomic<int>& completed)
{
    auto strand = asio::make_strand(s.threads.get_executor());
    for (int i = 0; i < calls; ++i) {
        asio::cancellation_signal signal;
        std::promise<void> done;
        asio::post(strand, [&] {
            s.state->grant(0).view.async_call_tool("echo", {}, {},
                asio::bind_cancellation_slot(
                    signal.slot(), asio::bind_executor(strand, [&](error_code, tool_result) {
                        ++completed;
                        done.set_value();
                    })));
        });
        auto finished = done.get_future();
        if (i % 3 == 0) {
            std::promise<void> emitted;
            asio::post(strand, [&] {
                signal.emit(asio::cancellation_type::terminal);
                emitted.set_value();
            });
            emitted.get_future().wait();
        }
        // Boost.Test is for one thread, and nothing sane can follow.
        if (finished.wait_for(60s) != std::future_status::ready)
            std::abort();
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(one_session_many_threads)

BOOST_AUTO_TEST_CASE(every_call_completes_once_and_the_count_comes_out_even)
{
    for (const personality p : {personality::legacy, personality::modern}) {
        scene s(p);
        std::atomic<int> completed = 0;
        std::vector<std::thread> callers;
        for (int i = 0; i < 4; ++i)
            callers.emplace_back([&] { caller(s, 150, completed); });
        for (std::thread& t : callers)
            t.join();
        BOOST_TEST(completed == 4 * 150);
        // The answers to cancelled calls may still be on their way.
        const bool even = s.server.wait_until(
            [&](const auto&) { return s.state->grant(0).unanswered == 0; }, 60s);
        BOOST_TEST(even);
        s.end();
    }
}

BOOST_AUTO_TEST_CASE(leases_that_end_under_calls_leave_a_clean_session)
{
    scene s(personality::legacy);
    s.server.on_request([](const call& c) -> std::optional<reply> {
        return c.method == "tools/call" ? std::optional(reply::silence()) : std::nullopt;
    });
    for (int i = 0; i < 200; ++i) {
        std::vector<std::future<tool_result>> calls;
        for (int n = 0; n < 3; ++n)
            calls.push_back(
                s.state->grant(0).view.async_call_tool("echo", {}, {}, asio::use_future));
        ++s.state->grant(0).generation;
        s.io->reset(0);
        for (auto& c : calls) {
            BOOST_TEST_REQUIRE((c.wait_for(60s) == std::future_status::ready));
            BOOST_CHECK_THROW(c.get(), boost::system::system_error);
        }
        const bool reset = s.server.wait_until(
            [&](const auto&) { return s.told->resets[0] == i + 1; }, 60s);
        BOOST_TEST_REQUIRE(reset);
        BOOST_TEST(s.state->grant(0).unanswered == 0u);
        ++s.state->grant(0).generation;
    }
    s.end();
}

BOOST_AUTO_TEST_CASE(leases_of_one_session_end_on_their_threads_without_touching_each_other)
{
    constexpr std::size_t leases = 3;
    constexpr int rounds = 60;
    scene s(personality::modern, leases);
    // Every second call of a lease is never answered.
    std::atomic<int> answered = 0, aborted = 0, other = 0;
    s.server.on_request([](const call& c) -> std::optional<reply> {
        return c.method == "tools/call" && c.params.at("name").as_string() == "mute"
            ? std::optional(reply::silence())
            : std::nullopt;
    });
    const auto user = [&](std::size_t lease) {
        detail::grant_record& grant = s.state->grant(lease);
        for (int round = 1; round <= rounds; ++round) {
            auto echo = grant.view.async_call_tool("echo", {}, {}, asio::use_future);
            auto mute = grant.view.async_call_tool("mute", {}, {}, asio::use_future);
            if (echo.wait_for(60s) != std::future_status::ready)
                std::abort();
            try {
                echo.get();
                ++answered;
            } catch (const boost::system::system_error&) {
                ++other;
            }
            ++grant.generation;
            s.io->reset(lease);
            if (mute.wait_for(60s) != std::future_status::ready)
                std::abort();
            try {
                mute.get();
                ++other;
            } catch (const boost::system::system_error& e) {
                ++(e.code() == asio::error::operation_aborted ? aborted : other);
            }
            if (!s.server.wait_until(
                    [&](const auto&) { return s.told->resets[lease] == round; }, 60s))
                std::abort();
            if (grant.unanswered != 0)
                ++other;
            ++grant.generation;
        }
    };
    std::vector<std::thread> users;
    for (std::size_t lease = 0; lease != leases; ++lease)
        users.emplace_back(user, lease);
    for (std::thread& t : users)
        t.join();
    BOOST_TEST(answered == static_cast<int>(leases) * rounds);
    BOOST_TEST(aborted == static_cast<int>(leases) * rounds);
    BOOST_TEST(other == 0);
    s.end();
}

BOOST_AUTO_TEST_CASE(a_death_under_calls_completes_them_all)
{
    scene s(personality::modern);
    std::atomic<int> completed = 0;
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i)
        callers.emplace_back([&] { caller(s, 100, completed); });
    const bool under_way = s.server.wait_until([&](const auto&) { return completed >= 50; }, 60s);
    BOOST_TEST(under_way);
    s.server.kill(1);
    for (std::thread& t : callers)
        t.join();
    BOOST_TEST(completed == 4 * 100);
    auto ended = s.told->ended.get_future();
    BOOST_TEST((ended.wait_for(60s) == std::future_status::ready));
    BOOST_TEST(s.state->grant(0).unanswered == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
