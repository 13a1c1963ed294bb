// One user's whole way, from boot to the end of the pool, with each kind of completion token.
#include "support/crew.hpp"
#include "support/pool_fixture.hpp"

#include <string>

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

pool_overrides one_session()
{
    pool_overrides o;
    o.max_size = 1;
    return o;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(tokens, pool_fixture)

BOOST_AUTO_TEST_CASE(callbacks_alone_carry_a_user_from_boot_to_the_end)
{
    open(one_session());
    struct user
    {
        session_pool& pool;
        lease mine;
        error_code failure;
        std::string answer;
        std::size_t tools = 0;
        bool closed = false;

        void boot()
        {
            pool.async_wait_ready(1, 30s, [this](error_code code) {
                failure = code;
                if (!code)
                    acquire();
            });
        }
        void acquire()
        {
            pool.async_acquire(30s, [this](error_code code, lease granted) {
                failure = code;
                mine = std::move(granted);
                if (!code)
                    list();
            });
        }
        void list()
        {
            mine->async_list_tools({}, [this](error_code code, std::vector<tool> found) {
                failure = code;
                tools = found.size();
                if (!code)
                    greet();
            });
        }
        void greet()
        {
            mine->async_call_tool(
                "echo", object("message", "hi"), {}, [this](error_code code, tool_result result) {
                    failure = code;
                    answer = result.text();
                    mine.release();
                    if (!code)
                        close();
                });
        }
        void close()
        {
            pool.async_close(30s, [this](error_code code, close_report) {
                failure = code;
                closed = true;
            });
        }
    } caller{*pool, {}, {}, {}};
    caller.boot();
    until([&] { return caller.closed || caller.failure; });
    BOOST_TEST(!caller.failure);
    BOOST_TEST(caller.tools == 1u);
    BOOST_TEST(caller.answer == "hi");
    BOOST_TEST(server.sessions_alive() == 0u);
}

BOOST_AUTO_TEST_CASE(futures_serve_code_that_has_no_event_loop)
{
    crew home(1);
    session_pool served(home.executor(), config(one_session()), server.source());
    get(served.async_wait_ready(1, 30s, asio::use_future));
    {
        lease mine = get(served.async_acquire(30s, asio::use_future));
        BOOST_TEST(get(mine->async_list_tools({}, asio::use_future)).size() == 1u);
        tool_result answer = get(
            mine->async_call_tool("echo", object("message", "hi"), {}, asio::use_future));
        BOOST_TEST(answer.text() == "hi");
        // Failures come as exceptions with the code.
        BOOST_TEST(
            failure_of(served.async_acquire(1ms, asio::use_future)) == errc::acquire_timeout);
        BOOST_TEST(
            failure_of(served.async_wait_ready(2, 30s, asio::use_future)) == errc::invalid_config);
    }
    BOOST_TEST(get(served.async_close(30s, asio::use_future)).forced == 0u);
    BOOST_TEST(failure_of(served.async_acquire(30s, asio::use_future)) == errc::pool_closed);
}

BOOST_AUTO_TEST_CASE(a_future_that_nobody_looks_at_gives_its_session_back)
{
    open(one_session());
    {
        std::future<lease> forgotten = pool->async_acquire(30s, asio::use_future);
        until([&] { return pool->stats().in_use == 1; });
    }
    until([&] { return pool->stats().in_use == 0; });
    BOOST_TEST(pool->stats().available == 1u);
}

BOOST_AUTO_TEST_CASE(a_deferred_acquire_takes_nothing_before_it_is_started)
{
    open(one_session());
    {
        auto packaged = pool->async_acquire(30s, asio::deferred);
        context.poll();
        BOOST_TEST(server.sessions_started() == 0u);
        BOOST_TEST(pool->stats().waiting == 0u);
        // Each start of the same operation is an acquire of its own.
        int served = 0;
        const auto count = [&](error_code code, lease mine) { served += !code && mine ? 1 : 0; };
        packaged(count);
        packaged(count);
        BOOST_TEST(pool->stats().waiting == 2u);
        until([&] { return served == 2; });
    }
    BOOST_TEST(pool->stats().total_requests == 2u);
    BOOST_TEST(pool->stats().in_use == 0u);
}

BOOST_AUTO_TEST_CASE(a_deferred_chain_goes_from_the_acquire_to_the_answer)
{
    open(one_session());
    std::string answer;
    lease kept;
    pool->async_acquire(30s, asio::deferred([&](error_code, lease granted) {
        kept = std::move(granted);
        return kept->async_call_tool("echo", object("message", "hi"), {}, asio::deferred);
    }))([&](error_code code, tool_result result) { answer = code ? "failed" : result.text(); });
    until([&] { return !answer.empty(); });
    BOOST_TEST(answer == "hi");
}

BOOST_AUTO_TEST_CASE(as_tuple_of_use_awaitable_gives_codes_and_details_instead_of_exceptions)
{
    open(one_session());
    auto user = [](session_pool& p) -> asio::awaitable<int> {
        constexpr auto token = asio::as_tuple(asio::use_awaitable);
        auto [boot] = co_await p.async_wait_ready(1, 30s, token);
        auto [code, mine] = co_await p.async_acquire(30s, token);
        auto [failed, result] = co_await mine->async_call_tool(
            "echo", object("message", "hi"), {}, token);
        diagnostics why;
        acquire_options in_vain(1ms);
        in_vain.diagnostics = &why;
        auto [late, none] = co_await p.async_acquire(std::move(in_vain), token);
        const bool told = why.message.find("no session became free in time") != std::string::npos;
        mine.release();
        auto [ended, report] = co_await p.async_close(30s, token);
        auto [refused, nothing] = co_await p.async_acquire(30s, token);
        co_return !boot && !code && !failed && result.text() == "hi"
            && late == errc::acquire_timeout && !none && told && !ended && report.forced == 0
            && refused == errc::pool_closed && !nothing;
    };
    auto result = finish(user(*pool));
    BOOST_TEST(result->value.value_or(0) == 1);
}

BOOST_AUTO_TEST_CASE(as_tuple_of_deferred_is_awaited_as_it_is)
{
    open(one_session());
    auto user = [](session_pool& p) -> asio::awaitable<int> {
        constexpr auto token = asio::as_tuple(asio::deferred);
        auto [code, mine] = co_await p.async_acquire(30s, token);
        auto [failed, result] = co_await mine->async_call_tool(
            "echo", object("message", "hi"), {}, token);
        auto [late, none] = co_await p.async_acquire(0s, token);
        mine.release();
        auto [ended, report] = co_await p.async_close(30s, token);
        co_return !code && !failed && result.text() == "hi" && late == errc::acquire_timeout
            && !none && !ended && report.forced == 0;
    };
    auto result = finish(user(*pool));
    BOOST_TEST(result->value.value_or(0) == 1);
}

BOOST_AUTO_TEST_SUITE_END()
