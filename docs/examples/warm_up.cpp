// Starts sessions before the first user comes, and refuses to boot, with the real cause, where that
// cannot be.
//
//     warm_up COMMAND [ARGUMENT...]     the MCP server to start

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <future>
#include <iostream>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// [snippet: warm_up]
// True when the pool is ready to serve.
asio::awaitable<bool> boot(mcp_pool::session_pool& pool)
{
    try {
        co_await pool.wait_ready(2, 30s);
        std::cout << pool.stats().available << " sessions are ready\n";
        co_return true;
    } catch (const mcp_pool::error& e) {
        // what() tells all of it in one sentence; the parts are there too.
        std::cerr << e.what() << '\n';
        const mcp_pool::diagnostics& why = e.diagnostics();
        std::cout << why.server << " cannot be started: "
                  << (why.exit_status ? why.exit_status->text() : e.code().message()) << '\n'
                  << why.stderr_tail << '\n';
        co_return false;
    }
}
// [snippet end]

// Boots one server and ends it again.
bool try_out(const char* name, mcp_pool::stdio_server server)
{
    mcp_pool::server_config config(name, std::move(server));
    // Kept from now on, whoever asks for them.
    config.pool.min_size = 2;
    // One failure is enough to know at boot; a pool that runs tries more often.
    config.pool.breaker_threshold = 1;
    asio::io_context context;
    mcp_pool::session_pool pool(context.get_executor(), config);
    auto run = [](mcp_pool::session_pool& p) -> asio::awaitable<bool> {
        const bool ready = co_await boot(p);
        co_await p.close(5s);
        co_return ready;
    };
    std::future<bool> ready = asio::co_spawn(context, run(pool), asio::use_future);
    context.run();
    return ready.get();
}

int main(int argc, char** argv)
{
    if (argc < 2) {
        std::cerr << "usage: warm_up COMMAND [ARGUMENT...]\n";
        return 2;
    }
    mcp_pool::stdio_server good;
    good.command = argv[1];
    good.args.assign(argv + 2, argv + argc);
    // A server that says what is wrong, and leaves.
    mcp_pool::stdio_server bad;
    bad.command = "sh";
    bad.args = {"-c", "echo 'the licence has expired' >&2; exit 3"};
    const bool good_boots = try_out("greeter", good);
    const bool bad_boots = try_out("unlicensed", bad);
    return good_boots && !bad_boots ? 0 : 1;
}
