// Uses the installed or embedded library as a stranger does: nothing but its public header.

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// A command that does not exist must be told apart from everything else, quickly.
asio::awaitable<void> lease_from_nowhere(mcp_pool::session_pool& pool, bool& told)
{
    try {
        mcp_pool::lease session = co_await pool.acquire(20s);
    } catch (const mcp_pool::error& e) {
        std::cout << e.what() << '\n';
        told = e.code() == mcp_pool::errc::circuit_open || e.code() == mcp_pool::errc::start_failed;
    }
    co_await pool.close(1s);
}

int main()
{
    mcp_pool::stdio_server server;
    server.command = "/nonexistent/mcp-server";

    asio::io_context context;
    mcp_pool::session_pool pool(context.get_executor(), {"nowhere", server});
    bool told = false;
    asio::co_spawn(context, lease_from_nowhere(pool, told), [](std::exception_ptr e) {
        if (e)
            std::rethrow_exception(e);
    });
    context.run();
    return told ? 0 : 1;
}
