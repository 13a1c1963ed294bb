// Giving up: by a signal from elsewhere, and by `||` with whatever else may happen. Neither loses a
// session. For a mere limit of time neither is needed: `pool.acquire(10ms)`.
//
//     cancellation COMMAND [ARGUMENT...]     the MCP server to start

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <iostream>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// [snippet: signal]
// A user who waits for a session until somebody calls him off.
asio::awaitable<void> wait_in_vain(mcp_pool::session_pool& pool)
{
    try {
        mcp_pool::lease session = co_await pool.acquire(30s);
        std::cout << "unexpected: a session\n";
    } catch (const mcp_pool::error& e) {
        if (e.code() == asio::error::operation_aborted)
            std::cout << "called off while waiting\n";
    }
}

// `signal` outlives the user, and is emitted on the user's executor: here, on the one thread.
asio::awaitable<void> call_off(mcp_pool::session_pool& pool, asio::cancellation_signal& signal)
{
    const auto executor = co_await asio::this_coro::executor;
    const auto ended = [](const std::exception_ptr&) {};
    asio::co_spawn(
        executor, wait_in_vain(pool), asio::bind_cancellation_slot(signal.slot(), ended));
    // The user runs as far as he gets before this coroutine goes on.
    co_await asio::post(executor, asio::use_awaitable);
    signal.emit(asio::cancellation_type::terminal);
}
// [snippet end]

// [snippet: operators]
using namespace asio::experimental::awaitable_operators;

// Waits for a session for as long as the client stays; `client` stands for its socket.
asio::awaitable<void> serve_while_connected(
    mcp_pool::session_pool& pool, asio::steady_timer& client)
{
    auto first = co_await (pool.acquire(30s) || client.async_wait(asio::use_awaitable));
    if (first.index() == 1)
        std::cout << "the client has gone, no session was taken\n";
}

// The same for a call: it is cancelled at the server, and the session is lent again as soon as the
// server has shown that it is past the call.
asio::awaitable<void> call_while_connected(mcp_pool::lease& session, asio::steady_timer& client)
{
    boost::json::object arguments;
    arguments["seconds"] = 60;
    auto first = co_await (session->call_tool("sleep", std::move(arguments))
        || client.async_wait(asio::use_awaitable));
    if (first.index() == 1)
        std::cout << "the client has gone, the call was cancelled\n";
}
// [snippet end]

asio::awaitable<void> run(mcp_pool::session_pool& pool, asio::cancellation_signal& signal)
{
    const auto executor = co_await asio::this_coro::executor;
    {
        mcp_pool::lease only_one = co_await pool.acquire(30s);
        co_await call_off(pool, signal);
        asio::steady_timer client(executor, 20ms);
        co_await serve_while_connected(pool, client);
        client.expires_after(20ms);
        co_await call_while_connected(only_one, client);
    }
    mcp_pool::lease again = co_await pool.acquire(30s);
    std::cout << (again.reused() ? "the session is as good as new\n" : "");
    again.release();
    co_await pool.close(5s);
}

int main(int argc, char** argv)
{
    if (argc < 2) {
        std::cerr << "usage: cancellation COMMAND [ARGUMENT...]\n";
        return 2;
    }
    mcp_pool::stdio_server server;
    server.command = argv[1];
    server.args.assign(argv + 2, argv + argc);
    mcp_pool::server_config config("greeter", server);
    config.pool.max_size = 1;

    asio::io_context context;
    mcp_pool::session_pool pool(context.get_executor(), config);
    asio::cancellation_signal signal;
    asio::co_spawn(context, run(pool, signal), [](const std::exception_ptr& failure) {
        if (failure)
            std::rethrow_exception(failure);
    });
    try {
        context.run();
    } catch (const std::exception& e) {
        std::cerr << e.what() << '\n';
        return 1;
    }
}
