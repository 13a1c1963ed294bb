// A server that is reached by URL: header fields, credentials that expire, proxies, and how each failure
// looks. Prints the answer of its tool `echo`.
//
//     http_server URL

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>
#include <string>
#include <utility>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// [snippet: credentials]
// Runs on the executor of the pool. A real one asks whoever gives out tokens.
asio::awaitable<std::string> current_token(mcp_pool::credential_request of)
{
    static int number = 0;
    if (of.refused)
        std::cout << of.server << " wants another token: " << of.challenge << '\n';
    else
        std::cout << of.server << " is asked for the first time\n";
    co_return "Bearer token-" + std::to_string(++number);
}
// [snippet end]

// [snippet: server]
mcp_pool::server_config weather_at(std::string url)
{
    mcp_pool::http_server server(std::move(url));
    server.headers["X-Team"] = "forecast";
    server.credentials = current_token;
    server.proxies = mcp_pool::proxies_from_environment();
    // For https: other authorities than the system's, and a certificate of the client.
    //     server.tls.ca_file = "/etc/weather/ca.pem";
    //     server.tls.certificate_file = "/etc/weather/client.pem";
    //     server.tls.key_file = "/etc/weather/client.key";
    server.connect_timeout = 5s;
    return mcp_pool::server_config("weather", std::move(server));
}
// [snippet end]

// [snippet: call]
asio::awaitable<void> ask(mcp_pool::session_pool& pool)
{
    mcp_pool::lease session = co_await pool.acquire(30s);
    boost::json::object arguments;
    arguments["message"] = "sunny";
    try {
        const auto result = co_await session->call_tool("echo", std::move(arguments));
        std::cout << result.text() << '\n';
    } catch (const mcp_pool::error& e) {
        if (e.code() == mcp_pool::errc::unauthorized)
            std::cout << "no token that we have is good enough\n";
        else if (mcp_pool::is_safe_to_retry(e.code()))
            std::cout << "nothing has reached the server\n";
        else
            std::cout << "it may have been executed\n";
        throw;
    }
}
// [snippet end]

asio::awaitable<void> run(mcp_pool::session_pool& pool)
{
    co_await ask(pool);
    co_await pool.close(5s);
}

int main(int argc, char** argv)
{
    if (argc != 2) {
        std::cerr << "usage: http_server URL\n";
        return 2;
    }
    asio::io_context context;
    mcp_pool::session_pool pool(context.get_executor(), weather_at(argv[1]));
    std::exception_ptr failure;
    asio::co_spawn(context, run(pool), [&](std::exception_ptr e) {
        failure = e;
        context.stop();
    });
    context.run();
    try {
        if (failure)
            std::rethrow_exception(failure);
    } catch (const mcp_pool::error& e) {
        std::cerr << e.what() << '\n';
        return 1;
    }
}
