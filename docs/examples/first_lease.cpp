// Lends a session from a pool, calls a tool and gives it back.
//
//     first_lease COMMAND [ARGUMENT...]     the MCP server to start

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// [snippet: lease]
asio::awaitable<void> greet(mcp_pool::session_pool& pool)
{
    mcp_pool::lease session = co_await pool.acquire(30s); // waits at most 30 s, FIFO
    boost::json::object arguments;
    arguments["message"] = "hi";
    const auto result = co_await session->call_tool("echo", std::move(arguments));
    std::cout << result.text() << '\n';
} // the session goes back to the pool
// [snippet end]

asio::awaitable<void> run(mcp_pool::session_pool& pool)
{
    co_await greet(pool);
    co_await pool.close(5s);
}

// [snippet: main]
int main(int argc, char** argv)
{
    if (argc < 2) {
        std::cerr << "usage: first_lease COMMAND [ARGUMENT...]\n";
        return 2;
    }
    mcp_pool::stdio_server server;
    server.command = argv[1];
    server.args.assign(argv + 2, argv + argc);

    asio::io_context context;
    mcp_pool::session_pool pool(context.get_executor(), {"greeter", server});
    std::exception_ptr failure;
    asio::co_spawn(context, run(pool), [&](std::exception_ptr e) { failure = e; });
    context.run();
    try {
        if (failure)
            std::rethrow_exception(failure);
    } catch (const mcp_pool::error& e) {
        std::cerr << e.what() << '\n';
        return 1;
    }
}
// [snippet end]
