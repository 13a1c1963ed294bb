// The pool and the embedded server, end to end.
#include "support/process_fixture.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include <sys/wait.h>
#include <unistd.h>

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

struct echo_fixture : process_fixture
{
    void open(std::vector<std::string> args, const pool_overrides& options = {})
    {
        open_server("mcp-pool-echo-server", std::move(args), options);
    }

    tool_result call(lease& session, std::string tool, json::object arguments,
        std::source_location where = std::source_location::current())
    {
        const auto result = finish(
            session->call_tool(std::move(tool), std::move(arguments)), where);
        BOOST_TEST_CONTEXT("line " << where.line())
        BOOST_REQUIRE_MESSAGE(!result->failure, why(result));
        return *result->value;
    }
};

// A file that is gone with its object.
struct temporary_file
{
    temporary_file()
    {
        std::string name = (std::filesystem::temp_directory_path() / "mcp-pool-XXXXXX").string();
        const int file = ::mkstemp(name.data());
        BOOST_REQUIRE(file != -1);
        ::close(file);
        path = name;
    }
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;
    ~temporary_file() { std::filesystem::remove(path); }

    [[nodiscard]] std::map<std::string, int> count_lines() const
    {
        std::map<std::string, int> counts;
        std::ifstream file(path);
        for (std::string line; std::getline(file, line);)
            ++counts[line];
        return counts;
    }

    std::string path;
};

// What many users under way came to.
struct tally
{
    std::set<std::string> answered;
    std::size_t failed = 0;
    std::string first_untyped;
};

// One user: so many calls, each through a lease of its own.
asio::awaitable<void> use(session_pool& pool, std::string name, int calls, tally& seen)
{
    for (int i = 0; i < calls; ++i) {
        const std::string token = name + "-" + std::to_string(i);
        json::object arguments;
        arguments["message"] = token;
        try {
            lease session = co_await pool.acquire(60s);
            const tool_result result = co_await session->call_tool("echo", std::move(arguments));
            if (result.content().at(0).at("text") == json::string_view(token))
                seen.answered.insert(token);
            else
                seen.first_untyped = "a wrong answer: " + result.text();
        } catch (const mcp_pool::error& e) {
            ++seen.failed;
            const bool typed = e.code() == errc::session_closed || e.code() == errc::not_sent;
            if (!typed && seen.first_untyped.empty())
                seen.first_untyped = e.what();
        }
    }
}

json::object sum_of(int a, int b)
{
    json::object arguments;
    arguments["a"] = a;
    arguments["b"] = b;
    return arguments;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(pool_of_echo_servers, echo_fixture)

BOOST_DATA_TEST_CASE(offers_its_tools_in_both_eras,
    boost::unit_test::data::make<std::string>({"legacy", "modern", "both"}), speaks)
{
    open({"--era", speaks});
    lease session = acquire();
    BOOST_TEST((session->era() == (speaks == "legacy" ? era::legacy : era::modern)));
    BOOST_TEST(session->protocol_version() == (speaks == "legacy" ? "2025-11-25" : "2026-07-28"));
    BOOST_TEST(session->server_info().at("name") == "mcp-pool-echo-server");

    BOOST_TEST(call(session, "echo", object("message", "ü \"\n")).text() == "ü \"\n");
    const tool_result sum = call(session, "add", sum_of(2, 40));
    BOOST_TEST(sum.structured_content().at("sum") == 42);
    BOOST_TEST(!sum.is_error());
    const tool_result failure = call(session, "fail", object("message", "no"));
    BOOST_TEST(failure.is_error());
    BOOST_TEST(failure.text() == "no");
    BOOST_TEST(call(session, "pid", {}).text() == std::to_string(session->pid()));
    BOOST_TEST(!finish(session->ping())->failure);
    check_failure(finish(session->call_tool("nope", {})), error_code(-32602, rpc_category()),
        {"tools/call", "nope"});
}

BOOST_AUTO_TEST_CASE(lists_all_pages_of_tools)
{
    open({"--page-size", "7", "--extra-tools", "94"});
    lease session = acquire();
    const auto listed = finish(session->list_tools());
    BOOST_REQUIRE(listed->value);
    std::set<std::string> names;
    for (const tool& t : *listed->value)
        names.insert(std::string(t.name()));
    BOOST_TEST(listed->value->size() == 100u);
    BOOST_TEST(names.size() == 100u);
    BOOST_TEST(names.contains("extra_94"));
}

BOOST_DATA_TEST_CASE(
    reports_progress, boost::unit_test::data::make<std::string>({"legacy", "modern"}), speaks)
{
    open({"--era", speaks});
    lease session = acquire();
    std::vector<double> steps;
    call_options watched;
    watched.progress = [&steps](const progress& p) { steps.push_back(p.value); };
    json::object arguments;
    arguments["steps"] = 5;
    const auto result = finish(
        session->call_tool("progress", std::move(arguments), std::move(watched)));
    BOOST_REQUIRE(result->value);
    BOOST_TEST(result->value->text() == "5 steps");
    BOOST_TEST(steps == (std::vector<double>{1, 2, 3, 4, 5}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(progress_keeps_a_slow_call_alive)
{
    open({});
    lease session = acquire();
    json::object arguments;
    arguments["steps"] = 20;
    arguments["interval"] = 0.05;
    call_options patient(60s);
    patient.idle_timeout = 10s;
    const auto result = finish(
        session->call_tool("progress", std::move(arguments), std::move(patient)));
    BOOST_TEST(!result->failure);

    call_options impatient(60s);
    impatient.idle_timeout = 200ms;
    check_failure(finish(session->call_tool("sleep", object("seconds", 60), std::move(impatient))),
        errc::call_timeout, {"tools/call", "progress for 200 ms", "idle_timeout"});
}

BOOST_DATA_TEST_CASE(a_cancelled_call_leaves_the_session_usable,
    boost::unit_test::data::make<std::string>({"legacy", "modern"}), speaks)
{
    open({"--era", speaks});
    int pid = 0;
    {
        lease session = acquire();
        pid = session->pid();
        asio::cancellation_signal stop;
        error_code code;
        bool under_way = false;
        bool done = false;
        json::object arguments = object("steps", 10'000);
        arguments["interval"] = 0.05;
        call_options watched;
        watched.progress = [&](const progress&) { under_way = true; };
        auto ended = [&](error_code failure, const tool_result&) {
            code = failure;
            done = true;
        };
        session->async_call_tool("progress", std::move(arguments), std::move(watched),
            asio::bind_cancellation_slot(stop.slot(), ended));
        until([&] { return under_way; });
        stop.emit(asio::cancellation_type::terminal);
        until([&] { return done; });
        BOOST_TEST(code == asio::error::operation_aborted);
    }
    lease again = acquire();
    BOOST_TEST(again->pid() == pid);
    BOOST_TEST(call(again, "echo", object("message", "hi")).text() == "hi");
}

BOOST_AUTO_TEST_CASE(serves_50_users_with_10_sessions_and_executes_every_call_once)
{
    const temporary_file witness;
    pool_overrides ten;
    ten.max_size = 10;
    open({"--write-pid", "--token-log", witness.path}, ten);
    tally seen;
    for (int user = 0; user < 50; ++user)
        spawn(use(*pool, "user" + std::to_string(user), 20, seen));
    until([&] { return seen.answered.size() + seen.failed == 1000; });
    BOOST_TEST(seen.first_untyped == "");
    BOOST_TEST(seen.failed == 0u);
    const auto executed = witness.count_lines();
    BOOST_TEST(executed.size() == 1000u);
    for (const auto& [token, times] : executed)
        BOOST_TEST_REQUIRE(times == 1, token);
    const pool_stats stats = pool->stats();
    BOOST_TEST(stats.created <= 10u);
    BOOST_TEST(stats.total_requests == 1000u);
    // A session that became ready after the last call has served nobody.
    BOOST_TEST(stats.total_requests - stats.reused <= stats.created);
    BOOST_TEST(stats.reused >= 990u);
}

BOOST_AUTO_TEST_CASE(killed_servers_cost_typed_errors_and_no_call_is_executed_twice)
{
    const temporary_file witness;
    pool_overrides four;
    four.max_size = 4;
    open({"--token-log", witness.path}, four);
    tally seen;
    for (int user = 0; user < 20; ++user)
        spawn(use(*pool, "user" + std::to_string(user), 50, seen));
    for (std::size_t kills = 0; kills < 10; ++kills) {
        // Some calls between any two deaths.
        const std::size_t before = seen.answered.size();
        until([&] {
            return seen.answered.size() >= before + 20
                || seen.answered.size() + seen.failed == 1000;
        });
        if (const auto alive = marked_processes(); !alive.empty())
            ::kill(alive[kills % alive.size()], SIGKILL);
    }
    until([&] { return seen.answered.size() + seen.failed == 1000; });
    BOOST_TEST(seen.first_untyped == "");
    // Each death takes at most the call of its session along.
    BOOST_TEST(seen.failed <= 10u);
    for (const auto& [token, times] : witness.count_lines())
        BOOST_TEST_REQUIRE(times == 1, token);
    BOOST_TEST(pool->stats().created <= 14u);
}

BOOST_AUTO_TEST_CASE(a_session_whose_process_died_after_its_answer_is_lent_to_nobody)
{
    open({});
    lease session = acquire();
    const int pid = session->pid();
    BOOST_TEST(call(session, "echo", object("message", "hi")).text() == "hi");
    ::kill(pid, SIGKILL);
    // The context does not run: nobody has told the pool.
    siginfo_t info{};
    BOOST_REQUIRE(
        ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0 || errno == ECHILD);
    session.release();
    BOOST_TEST(!pool->try_acquire());
    BOOST_TEST(acquire()->pid() != pid);
    BOOST_TEST(pool->stats().replaced.died == 1u);
}

BOOST_AUTO_TEST_CASE(a_pool_destroyed_on_a_context_that_nobody_runs_kills_its_processes)
{
    open({});
    const lease session = acquire();
    BOOST_TEST(marked_processes().size() == 1u);
    pool.reset();
    BOOST_TEST(await_no_marked_process());
}

BOOST_AUTO_TEST_SUITE_END()
