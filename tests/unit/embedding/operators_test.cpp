// `||` and `&&` of acquires: whatever loses leaks no session.
#include "support/crew.hpp"
#include "support/pool_fixture.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <random>
#include <tuple>
#include <variant>

using namespace mcp_pool;
using namespace mcp_pool::testing;
using namespace asio::experimental::awaitable_operators;

namespace {

pool_overrides sessions(std::size_t most)
{
    pool_overrides o;
    o.max_size = most;
    return o;
}

// Which of the two came first: 0 the session, 1 the timer.
asio::awaitable<std::size_t> session_or_timer(session_pool& pool, duration patience)
{
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, patience);
    auto first = co_await (pool.acquire(30s) || timer.async_wait(asio::use_awaitable));
    co_return first.index();
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(operators, pool_fixture)

BOOST_AUTO_TEST_CASE(an_acquire_that_loses_to_a_timer_leaves_no_waiter_behind)
{
    open(sessions(1));
    lease held = acquire();
    auto result = finish(session_or_timer(*pool, 1ms));
    BOOST_TEST(result->value.value_or(9) == 1u);
    BOOST_TEST(pool->stats().waiting == 0u);
    BOOST_TEST(pool->stats().cancelled == 1u);
    held.release();
    BOOST_TEST(pool->stats().available == 1u);
}

BOOST_AUTO_TEST_CASE(an_acquire_that_wins_over_a_timer_ends_the_timer)
{
    open(sessions(1));
    auto result = finish(session_or_timer(*pool, 1h));
    BOOST_TEST(result->value.value_or(9) == 0u);
    // The lease went with the result.
    BOOST_TEST(pool->stats().in_use == 0u);
}

BOOST_AUTO_TEST_CASE(of_two_acquires_granted_in_one_turn_the_loser_gives_its_session_back)
{
    open(sessions(2));
    lease a = acquire(), b = acquire();
    auto either = [](session_pool& p) -> asio::awaitable<lease> {
        auto first = co_await (p.acquire(30s) || p.acquire(30s));
        co_return first.index() == 0 ? std::get<0>(std::move(first))
                                     : std::get<1>(std::move(first));
    };
    auto result = spawn(either(*pool));
    until([&] { return pool->stats().waiting == 2; });
    a.release();
    b.release();
    // Both are on their way, too late to cancel one.
    BOOST_TEST(pool->stats().in_use == 2u);
    until([&] { return result->done; });
    BOOST_REQUIRE(result->value);
    BOOST_TEST(static_cast<bool>(*result->value));
    BOOST_TEST(pool->stats().in_use == 1u);
    BOOST_TEST(pool->stats().available == 1u);
    BOOST_TEST(pool->stats().cancelled == 0u);
}

BOOST_AUTO_TEST_CASE(two_acquires_joined_by_and_bring_two_sessions)
{
    open(sessions(2));
    auto both = [](session_pool& p) -> asio::awaitable<bool> {
        auto [a, b] = co_await (p.acquire(30s) && p.acquire(30s));
        co_return a&& b && a->id() != b->id();
    };
    BOOST_TEST(finish(both(*pool))->value.value_or(false));
    BOOST_TEST(pool->stats().in_use == 0u);
}

BOOST_AUTO_TEST_CASE(when_one_of_two_joined_acquires_fails_the_other_gives_its_session_back)
{
    open(sessions(1));
    acquire().release();
    auto both = [](session_pool& p) -> asio::awaitable<bool> {
        auto pair = co_await (p.acquire(30s) && p.acquire(1ms));
        co_return static_cast<bool>(std::get<0>(pair));
    };
    BOOST_TEST(finish(both(*pool))->code() == errc::acquire_timeout);
    BOOST_TEST(pool->stats().in_use == 0u);
    BOOST_TEST(pool->stats().available == 1u);
}

BOOST_AUTO_TEST_CASE(when_one_of_two_joined_acquires_fails_the_one_that_waits_is_cancelled)
{
    open(sessions(1));
    lease held = acquire();
    // Two failures are one exception of Asio's own.
    auto both = [](session_pool& p) -> asio::awaitable<bool> {
        try {
            auto pair = co_await (p.acquire(30s) && p.acquire(1ms));
            co_return static_cast<bool>(std::get<0>(pair));
        } catch (const asio::multiple_exceptions&) {
            co_return false;
        }
    };
    BOOST_TEST(!finish(both(*pool))->value.value_or(true));
    BOOST_TEST(pool->stats().waiting == 0u);
    BOOST_TEST(pool->stats().timed_out == 1u);
    BOOST_TEST(pool->stats().cancelled == 1u);
}

BOOST_AUTO_TEST_CASE(a_call_that_loses_to_a_timer_is_cancelled_at_the_server)
{
    server.on_request([](const call& c) -> std::optional<reply> {
        return c.method == "tools/call" ? std::optional(reply::silence()) : std::nullopt;
    });
    open(sessions(1));
    auto impatient = [](session_pool& p) -> asio::awaitable<std::size_t> {
        const auto executor = co_await asio::this_coro::executor;
        lease mine = co_await p.acquire(30s);
        asio::steady_timer timer(executor, 1ms);
        json::object arguments;
        auto first = co_await (
            mine->call_tool("echo", std::move(arguments)) || timer.async_wait(asio::use_awaitable));
        co_return first.index();
    };
    BOOST_TEST(finish(impatient(*pool))->value.value_or(9) == 1u);
    until([&] { return server.count("notifications/cancelled") == 1; });
    // The server has confirmed its life to the reset.
    until([&] { return pool->stats().available == 1; });
    BOOST_TEST(server.sessions_started() == 1u);
}

BOOST_AUTO_TEST_CASE(timers_that_race_hand_overs_on_several_threads_lose_no_session)
{
    asio::thread_pool threads(3);
    session_pool busy(threads.get_executor(), config(sessions(2)), server.source());
    struct tally
    {
        std::atomic<int> sessions = 0, timers = 0;
    } total;
    auto user = [](session_pool& p, tally& t, unsigned seed) -> asio::awaitable<void> {
        std::mt19937 random(seed);
        for (int i = 0; i != repetitions / 4; ++i) {
            const std::chrono::microseconds patience(random() % 200);
            const std::size_t first = co_await session_or_timer(p, patience);
            ++(first == 0 ? t.sessions : t.timers);
        }
    };
    std::vector<std::future<void>> users;
    for (unsigned i = 0; i != 8; ++i) {
        users.push_back(
            asio::co_spawn(asio::make_strand(threads), user(busy, total, i), asio::use_future));
    }
    for (std::future<void>& u : users)
        get(std::move(u));
    BOOST_TEST(total.sessions + total.timers == 8 * (repetitions / 4));
    // A session that was handed to a loser may still be on its way back.
    eventually([&] { return busy.stats().in_use == 0 && busy.stats().starting == 0; });
    const pool_stats after = busy.stats();
    BOOST_TEST(after.waiting == 0u);
    BOOST_TEST(after.available == after.created);
    BOOST_TEST(after.total_requests >= static_cast<std::uint64_t>(total.sessions.load()));
    BOOST_TEST(get(busy.async_close(30s, asio::use_future)).forced == 0u);
    threads.join();
}

BOOST_AUTO_TEST_SUITE_END()
