// Sessions over HTTP whose pool runs on several threads.
#include "integration/http/web_server.hpp"

#include <boost/asio/thread_pool.hpp>

#include <atomic>

using namespace mcp_pool;
using namespace mcp_pool::testing;
using namespace std::chrono_literals;

namespace {

struct tally
{
    std::atomic<int> answered{0};
    std::atomic<int> late{0};
    std::atomic<int> other{0};
    std::atomic<int> users{0};
    std::atomic<int> asked{0};
};

asio::awaitable<void> use(session_pool& pool, tally& count, int number)
{
    for (int turn = 0; turn != 25; ++turn) {
        try {
            lease session = co_await pool.acquire(60s);
            json::object arguments;
            arguments["message"] = "hi";
            call_options options;
            // Some calls are given up at about the time of their answer.
            if ((number + turn) % 5 == 0)
                options.timeout = std::chrono::microseconds(200);
            const tool_result result = co_await session->call_tool(
                "echo", std::move(arguments), std::move(options));
            ++(result.text() == "hi" ? count.answered : count.other);
        } catch (const error& e) {
            ++(e.code() == errc::call_timeout ? count.late : count.other);
        }
    }
    --count.users;
}

} // namespace

BOOST_AUTO_TEST_SUITE(web_races)

BOOST_AUTO_TEST_CASE(many_users_on_several_threads)
{
    for (const bool legacy : {false, true}) {
        web_fixture f;
        f.legacy = legacy;
        tally count;
        auto handlers = std::make_shared<client_handlers>();
        handlers->list_changed = [](const request_context&, list_kind) {};
        http_server how = f.target();
        how.credentials = [&count](credential_request) -> asio::awaitable<std::string> {
            ++count.asked;
            co_return "Bearer token";
        };
        // Now and then the token is refused.
        std::size_t seen = 0;
        f.special = [&](const web_request& r) {
            if (++seen % 40 != 0 || r.rpc_method() != "tools/call")
                return false;
            r.from->send(web_answer(401));
            return true;
        };
        asio::thread_pool threads(4);
        {
            server_config config("web", how);
            config.pool = at_most(3);
            config.handlers = handlers;
            session_pool pool(threads.get_executor(), std::move(config));
            count.users = 8;
            for (int user = 0; user != 8; ++user)
                asio::co_spawn(threads, use(pool, count, user), asio::detached);
            f.until([&] { return count.users == 0; });
            std::atomic<bool> closed{false};
            pool.async_close(20s, [&](error_code, close_report) { closed = true; });
            f.until([&] { return closed.load(); });
        }
        threads.join();
        BOOST_TEST(count.answered + count.late + count.other == 200);
        BOOST_TEST(count.other == 0);
        BOOST_TEST(count.answered > 0);
        BOOST_TEST(count.asked > 0);
    }
}

BOOST_AUTO_TEST_CASE(pools_that_go_in_the_middle_of_it)
{
    for (int round = 0; round != 20; ++round) {
        web_fixture f;
        f.legacy = round % 2 == 0;
        tally count;
        std::size_t seen = 0;
        const std::size_t enough = static_cast<std::size_t>(3 + round);
        f.special = [&](const web_request&) {
            ++seen;
            return false;
        };
        asio::thread_pool threads(3);
        server_config config("web", f.target());
        config.pool = at_most(2);
        auto pool = std::make_unique<session_pool>(threads.get_executor(), std::move(config));
        for (int user = 0; user != 4; ++user)
            asio::co_spawn(
                threads,
                [](session_pool& from) -> asio::awaitable<void> {
                    try {
                        lease session = co_await from.acquire(60s);
                        for (;;)
                            co_await session->call_tool("echo", json::object());
                    } catch (const error&) {
                        // The pool is gone, which is what is tried here.
                    }
                }(*pool),
                asio::detached);
        f.until([&] { return seen >= enough; });
        pool.reset();
        threads.join();
    }
}

BOOST_AUTO_TEST_SUITE_END()
