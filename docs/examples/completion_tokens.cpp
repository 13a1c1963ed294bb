// The same acquire and call with a callback, with a future, and with error codes in a coroutine.
//
//     completion_tokens COMMAND [ARGUMENT...]     the MCP server to start

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <future>
#include <iostream>
#include <memory>
#include <thread>

namespace asio = boost::asio;
using namespace std::chrono_literals;

boost::json::object greeting(const char* message)
{
    boost::json::object arguments;
    arguments["message"] = message;
    return arguments;
}

// [snippet: callback]
void greet_with_callbacks(mcp_pool::session_pool& pool, std::promise<void>& done)
{
    pool.async_acquire(30s, [&done](mcp_pool::error_code code, mcp_pool::lease granted) {
        if (code) {
            std::cerr << "no session: " << code.message() << '\n';
            return done.set_value();
        }
        // The handler keeps the lease until the answer is here.
        auto session = std::make_shared<mcp_pool::lease>(std::move(granted));
        (*session)->async_call_tool("echo", greeting("hi, callback"), {},
            [session, &done](mcp_pool::error_code failed, mcp_pool::tool_result result) {
                std::cout << (failed ? failed.message() : result.text()) << '\n';
                session->release();
                done.set_value();
            });
    });
}
// [snippet end]

// [snippet: future]
// On a thread that does not run the pool's context: get() blocks.
void greet_with_futures(mcp_pool::session_pool& pool)
{
    mcp_pool::lease session = pool.async_acquire(30s, asio::use_future).get();
    const auto result =
        session->async_call_tool("echo", greeting("hi, future"), {}, asio::use_future).get();
    std::cout << result.text() << '\n';
}
// [snippet end]

// [snippet: tuple]
asio::awaitable<void> greet_without_exceptions(mcp_pool::session_pool& pool)
{
    constexpr auto token = asio::as_tuple(asio::use_awaitable);
    mcp_pool::diagnostics why;
    mcp_pool::acquire_options options(30s);
    options.diagnostics = &why;
    auto [code, session] = co_await pool.async_acquire(std::move(options), token);
    if (code) {
        std::cerr << why.message << '\n';
        co_return;
    }
    auto [failed, result] = co_await session->async_call_tool(
        "echo", greeting("hi, tuple"), {}, token);
    std::cout << (failed ? failed.message() : result.text()) << '\n';
}
// [snippet end]

int main(int argc, char** argv)
{
    if (argc < 2) {
        std::cerr << "usage: completion_tokens COMMAND [ARGUMENT...]\n";
        return 2;
    }
    mcp_pool::stdio_server server;
    server.command = argv[1];
    server.args.assign(argv + 2, argv + argc);

    asio::io_context context;
    auto work = asio::make_work_guard(context);
    std::thread runner([&context] { context.run(); });
    int status = 0;
    try {
        mcp_pool::session_pool pool(context.get_executor(), {"greeter", server});
        std::promise<void> done;
        greet_with_callbacks(pool, done);
        done.get_future().get();
        greet_with_futures(pool);
        asio::co_spawn(context, greet_without_exceptions(pool), asio::use_future).get();
        pool.async_close(5s, asio::use_future).get();
    } catch (const std::exception& e) {
        std::cerr << e.what() << '\n';
        status = 1;
    }
    work.reset();
    context.stop();
    runner.join();
    return status;
}
