// Ends in order on SIGTERM: no new work, time for what is under way, a report of what that came to.
//
//     graceful_shutdown COMMAND [ARGUMENT...]     the MCP server to start
//
// The program sends the signal to itself while one user has a session and another one waits.

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <csignal>
#include <iostream>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// [snippet: shutdown]
// `ending` never expires: it is cancelled when users ought to come to an end.
asio::awaitable<void> close_on_signal(mcp_pool::session_pool& pool, asio::steady_timer& ending)
{
    const auto executor = co_await asio::this_coro::executor;
    asio::signal_set signals(executor, SIGTERM, SIGINT);
    co_await signals.async_wait(asio::use_awaitable);
    std::cout << "closing\n";
    // A second signal ends the program at once, as by default.
    signals.clear();
    ending.cancel();
    // Less than the ten seconds that an orchestrator gives us before it sends SIGKILL.
    const mcp_pool::close_report report = co_await pool.close(8s);
    std::cout << report.finished << " finished, " << report.forced << " cut off, "
              << report.waiters_failed << " refused, " << report.killed << " killed\n";
}
// [snippet end]

// Has a session until the end, and makes one more call then.
asio::awaitable<void> long_user(mcp_pool::session_pool& pool, asio::steady_timer& ending)
{
    mcp_pool::lease session = co_await pool.acquire(30s);
    std::raise(SIGTERM);
    mcp_pool::error_code cancelled;
    auto token = asio::redirect_error(asio::use_awaitable, cancelled);
    co_await ending.async_wait(token);
    boost::json::object arguments;
    arguments["message"] = "saved what was under way";
    const auto result = co_await session->call_tool("echo", std::move(arguments));
    std::cout << result.text() << '\n';
}

asio::awaitable<void> late_user(mcp_pool::session_pool& pool)
{
    try {
        mcp_pool::lease session = co_await pool.acquire(30s);
        std::cout << "unexpected: a session\n";
    } catch (const mcp_pool::error& e) {
        std::cout << (e.code() == mcp_pool::errc::pool_closed ? "too late\n" : e.what());
    }
}

int main(int argc, char** argv)
{
    if (argc < 2) {
        std::cerr << "usage: graceful_shutdown COMMAND [ARGUMENT...]\n";
        return 2;
    }
    mcp_pool::stdio_server server;
    server.command = argv[1];
    server.args.assign(argv + 2, argv + argc);
    mcp_pool::server_config config("greeter", server);
    config.pool.max_size = 1;

    asio::io_context context;
    mcp_pool::session_pool pool(context.get_executor(), config);
    asio::steady_timer ending(context, asio::steady_timer::time_point::max());
    asio::co_spawn(context, close_on_signal(pool, ending), asio::detached);
    asio::co_spawn(context, long_user(pool, ending), asio::detached);
    asio::co_spawn(context, late_user(pool), asio::detached);
    // Returns when nothing is left to do: users, sessions and their processes have ended.
    context.run();
}
