// Uses the installed or embedded library as a stranger does: nothing but its public header.
//
// Arguments: an echo server, and what SIGPIPE is once there is a pool: `ignored` or `default`.

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <csignal>
#include <exception>
#include <iostream>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// A command that does not exist must be told apart from everything else, quickly.
asio::awaitable<void> lease_from_nowhere(mcp_pool::session_pool& pool, bool& good)
{
    try {
        mcp_pool::lease session = co_await pool.acquire(20s);
    } catch (const mcp_pool::error& e) {
        std::cout << e.what() << '\n';
        good = e.code() == mcp_pool::errc::circuit_open || e.code() == mcp_pool::errc::start_failed;
    }
    co_await pool.close(1s);
}

asio::awaitable<void> call_through_a_lease(mcp_pool::session_pool& pool, bool& good)
{
    try {
        mcp_pool::lease session = co_await pool.acquire(60s);
        boost::json::object arguments;
        arguments["message"] = "from a stranger";
        const mcp_pool::tool_result answer = co_await session->call_tool(
            "echo", std::move(arguments));
        std::cout << answer.text() << '\n';
        good = !answer.is_error() && answer.text() == "from a stranger";
    } catch (const mcp_pool::error& e) {
        std::cout << e.what() << '\n';
    }
    co_await pool.close(20s);
}

// Whether `use` says that all was good.
template <class Use>
bool try_pool(const std::string& command, bool sigpipe_is_ignored, Use use)
{
    mcp_pool::stdio_server server;
    server.command = command;

    asio::io_context context;
    mcp_pool::session_pool pool(context.get_executor(), {"server", server});
    struct sigaction present = {};
    ::sigaction(SIGPIPE, nullptr, &present);
    if (present.sa_handler != (sigpipe_is_ignored ? SIG_IGN : SIG_DFL)) {
        std::cout << "SIGPIPE is not what it should be\n";
        return false;
    }
    bool good = false;
    asio::co_spawn(context, use(pool, good), [](std::exception_ptr e) {
        if (e)
            std::rethrow_exception(e);
    });
    context.run();
    return good;
}

int main(int argc, char** argv)
{
    if (argc != 3)
        return 2;
    // Whoever started this may have had another opinion.
    std::signal(SIGPIPE, SIG_DFL);
    const bool ignored = argv[2] == std::string("ignored");
    const bool good = try_pool("/nonexistent/mcp-server", ignored, lease_from_nowhere)
        && try_pool(argv[1], ignored, call_through_a_lease);
    return good ? 0 : 1;
}
