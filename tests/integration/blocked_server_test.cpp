// Servers with one thread that a call blocks: nobody waits behind another's cancelled call.
#include "support/process_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <vector>

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

// Acquires a session and calls `echo` with `message`, which may take a second.
asio::awaitable<tool_result> use(session_pool& pool, std::string message)
{
    lease session = co_await pool.acquire(30s);
    json::object arguments = object("message", json::value(message));
    call_options options(1s);
    tool_result result = co_await session->call_tool(
        "echo", std::move(arguments), std::move(options));
    co_return result;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_server_that_blocks, process_fixture)

BOOST_AUTO_TEST_CASE(keeps_nobody_but_those_who_blocked_it)
{
    pool_overrides options;
    options.max_size = 4;
    options.reset_timeout = 200ms;
    options.stop_grace = 20ms;
    open_server("misbehaving-server", {"block", "30"}, options, era_choice::legacy);

    constexpr int users = 20, blockers = 6;
    std::vector<std::shared_ptr<outcome<tool_result>>> calls;
    for (int i = 0; i != users; ++i) {
        // At first all the sessions are blocked, later some of those that take their places.
        const bool blocks = i < 4 || i == 9 || i == 14;
        calls.push_back(spawn(use(*pool, blocks ? "block" : "hi")));
    }
    until([&] {
        return std::all_of(calls.begin(), calls.end(), [](const auto& call) { return call->done; });
    });

    int timed_out = 0;
    for (const auto& call : calls) {
        if (!call->failure) {
            BOOST_TEST(call->value->text() == "hi");
            continue;
        }
        BOOST_TEST(call->code() == errc::call_timeout, call->failure->what());
        ++timed_out;
    }
    BOOST_TEST(timed_out == blockers);
    // A session whose cancelled call stayed unanswered was replaced, each of them and no other.
    until([&] { return pool->stats().resetting == 0; });
    BOOST_TEST(pool->stats().replaced.reset == static_cast<unsigned>(blockers));
    teardown();
}

BOOST_AUTO_TEST_SUITE_END()
