// Futures, for code that knows no event loop: the pool has a thread of its own, and any other thread
// calls tools as if they were functions.
//
//     futures COMMAND [ARGUMENT...]     the MCP server to start

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <future>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// [snippet: background]
// Runs a pool on a thread of its own.
class background_pool
{
public:
    explicit background_pool(mcp_pool::server_config config)
        : pool_(context_.get_executor(), std::move(config))
    {}

    ~background_pool()
    {
        try {
            pool_.async_close(5s, asio::use_future).get();
        } catch (const std::exception& e) {
            std::cerr << "the pool did not close in order: " << e.what() << '\n';
        }
        work_.reset();
        thread_.join();
    }

    // Waits for a session and for the answer. On any thread but the pool's own, which would wait for
    // itself.
    std::string call(const std::string& tool, boost::json::object arguments)
    {
        mcp_pool::lease session = pool_.async_acquire(30s, asio::use_future).get();
        return session->async_call_tool(tool, std::move(arguments), {}, asio::use_future)
            .get()
            .text();
    }

    // An empty text if all sessions are busy.
    std::string call_if_free(const std::string& tool, boost::json::object arguments)
    {
        mcp_pool::lease session = pool_.try_acquire();
        if (!session)
            return {};
        return session->async_call_tool(tool, std::move(arguments), {}, asio::use_future)
            .get()
            .text();
    }

private:
    asio::io_context context_;
    asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(
        context_);
    mcp_pool::session_pool pool_;
    std::thread thread_{[this] { context_.run(); }};
};
// [snippet end]

boost::json::object message(const std::string& text)
{
    boost::json::object arguments;
    arguments["message"] = text;
    return arguments;
}

int main(int argc, char** argv)
{
    if (argc < 2) {
        std::cerr << "usage: futures COMMAND [ARGUMENT...]\n";
        return 2;
    }
    mcp_pool::stdio_server server;
    server.command = argv[1];
    server.args.assign(argv + 2, argv + argc);
    try {
        background_pool pool({"greeter", server});
        std::vector<std::future<std::string>> answers;
        for (const char* name : {"Ada", "Ben", "Eve"}) {
            answers.push_back(std::async(std::launch::async,
                [&pool, name] { return pool.call("echo", message(std::string("hi, ") + name)); }));
        }
        for (std::future<std::string>& answer : answers)
            std::cout << answer.get() << '\n';
        std::cout << pool.call_if_free("echo", message("a session is free")) << '\n';
    } catch (const boost::system::system_error& e) {
        // Futures throw plain system errors; the details are in acquire_options::diagnostics.
        std::cerr << e.code().message() << '\n';
        return 1;
    }
}
