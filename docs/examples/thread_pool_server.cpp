// A server with several threads: every connection is a coroutine on a strand of its own, all of them
// share one pool, and the sessions of that pool do their I/O on the same threads.
//
//     thread_pool_server COMMAND [ARGUMENT...]     the MCP server to start
//
// For each line that a client sends it answers with what the tool `echo` says to it. The program is
// its own client, so that it ends.

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>

#include <atomic>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

// [snippet: request]
// One request: the session is out for as long as the call takes, not for as long as the client stays.
asio::awaitable<std::string> answer(mcp_pool::session_pool& pool, std::string line)
{
    boost::json::object arguments;
    arguments["message"] = std::move(line);
    try {
        mcp_pool::lease session = co_await pool.acquire(2s);
        const auto result = co_await session->call_tool("echo", std::move(arguments));
        co_return result.text();
    } catch (const mcp_pool::error& e) {
        co_return std::string("error: ") + e.what();
    }
}
// [snippet end]

// [snippet: connections]
asio::awaitable<void> serve(tcp::socket client, mcp_pool::session_pool& pool)
{
    std::string received;
    for (;;) {
        mcp_pool::error_code ended;
        const std::size_t length = co_await asio::async_read_until(client,
            asio::dynamic_buffer(received), '\n', asio::redirect_error(asio::use_awaitable, ended));
        if (ended)
            co_return;
        std::string line = co_await answer(pool, received.substr(0, length - 1));
        received.erase(0, length);
        line += '\n';
        co_await asio::async_write(client, asio::buffer(line), asio::use_awaitable);
    }
}

asio::awaitable<void> listen(tcp::acceptor& acceptor, mcp_pool::session_pool& pool)
{
    for (;;) {
        // What belongs to one connection never runs on two threads at a time.
        auto strand = asio::make_strand(acceptor.get_executor());
        tcp::socket client = co_await acceptor.async_accept(strand, asio::use_awaitable);
        asio::co_spawn(strand, serve(std::move(client), pool), asio::detached);
    }
}
// [snippet end]

// A client that sends some lines and counts the answers that are right.
void visit(const tcp::endpoint& server, std::atomic<int>& right)
{
    asio::io_context context;
    tcp::socket connection(context);
    connection.connect(server);
    std::string received;
    for (int i = 0; i != 5; ++i) {
        const std::string line = "line " + std::to_string(i) + "\n";
        asio::write(connection, asio::buffer(line));
        const std::size_t length = asio::read_until(
            connection, asio::dynamic_buffer(received), '\n');
        right += received.substr(0, length) == line ? 1 : 0;
        received.erase(0, length);
    }
}

int main(int argc, char** argv)
{
    if (argc < 2) {
        std::cerr << "usage: thread_pool_server COMMAND [ARGUMENT...]\n";
        return 2;
    }
    mcp_pool::stdio_server server;
    server.command = argv[1];
    server.args.assign(argv + 2, argv + argc);
    mcp_pool::server_config config("greeter", server);
    config.pool.max_size = 3;

    // [snippet: threads]
    asio::thread_pool threads(4);
    mcp_pool::session_pool pool(threads.get_executor(), config);
    tcp::acceptor acceptor(
        threads.get_executor(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    asio::co_spawn(asio::make_strand(threads), listen(acceptor, pool), asio::detached);
    // [snippet end]

    std::atomic<int> right = 0;
    std::vector<std::thread> clients;
    for (int i = 0; i != 8; ++i)
        clients.emplace_back([&] { visit(acceptor.local_endpoint(), right); });
    for (std::thread& client : clients)
        client.join();
    std::cout << right << " lines answered\n";
    std::cout << (pool.stats().created <= 3 ? "by no more than 3 sessions\n" : "");

    pool.async_close(5s, asio::use_future).get();
    // What still waits for a client goes with the threads.
    threads.stop();
    threads.join();
}
