// Plain callbacks, for code without coroutines: each user is an object that goes from callback to
// callback. One thread runs everything, so that nothing needs a lock.
//
//     callbacks COMMAND [ARGUMENT...]     the MCP server to start

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/io_context.hpp>

#include <functional>
#include <iostream>
#include <memory>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// [snippet: callbacks]
class greeter : public std::enable_shared_from_this<greeter>
{
public:
    greeter(mcp_pool::session_pool& pool, std::string message, std::function<void()> done)
        : pool_(pool)
        , message_(std::move(message))
        , done_(std::move(done))
    {}

    void acquire()
    {
        // The callback keeps the object alive; the pool keeps the callback.
        pool_.async_acquire(
            30s, [self = shared_from_this()](mcp_pool::error_code code, mcp_pool::lease granted) {
                if (code)
                    return self->finish(code.message());
                self->session_ = std::move(granted);
                self->call();
            });
    }

private:
    void call()
    {
        boost::json::object arguments;
        arguments["message"] = message_;
        session_->async_call_tool("echo", std::move(arguments), {},
            [self = shared_from_this()](mcp_pool::error_code code, mcp_pool::tool_result result) {
                self->finish(code ? code.message() : result.text());
            });
    }

    void finish(const std::string& outcome)
    {
        std::cout << outcome << '\n';
        session_.release(); // the next one gets it in this very moment
        done_();
    }

    mcp_pool::session_pool& pool_;
    const std::string message_;
    const std::function<void()> done_;
    mcp_pool::lease session_;
};
// [snippet end]

int main(int argc, char** argv)
{
    if (argc < 2) {
        std::cerr << "usage: callbacks COMMAND [ARGUMENT...]\n";
        return 2;
    }
    mcp_pool::stdio_server server;
    server.command = argv[1];
    server.args.assign(argv + 2, argv + argc);
    mcp_pool::server_config config("greeter", server);
    // One session for all: they are served in the order in which they ask.
    config.pool.max_size = 1;

    asio::io_context context;
    mcp_pool::session_pool pool(context.get_executor(), config);
    int left = 3;
    const auto done = [&] {
        if (--left == 0)
            pool.async_close(5s, [](mcp_pool::error_code, mcp_pool::close_report) {});
    };
    for (const char* message : {"hi, Ada", "hi, Ben", "hi, Eve"})
        std::make_shared<greeter>(pool, message, done)->acquire();
    context.run();
}
