// A resource that is kept until the server says that it has changed. The server here is a scripted one,
// so that the program needs nothing beside itself.
//
//     subscriptions

#include <mcp_pool/mcp_pool.hpp>
#include <mcp_pool/testing/scripted_server.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <exception>
#include <iostream>

namespace asio = boost::asio;
namespace json = boost::json;
using namespace std::chrono_literals;

// [snippet: handlers]
// Shared by all leases; `context` is what each lease was acquired with.
std::shared_ptr<const mcp_pool::client_handlers> make_handlers()
{
    auto handlers = std::make_shared<mcp_pool::client_handlers>();
    handlers->resource_updated = [](const mcp_pool::request_context& of,
                                     const json::object& params) {
        std::cout << params.at("uri").as_string().c_str() << " has changed\n";
        // Whoever waits for it, now or later.
        std::static_pointer_cast<asio::steady_timer>(of.context)
            ->expires_at(asio::steady_timer::time_point::min());
    };
    return handlers;
}
// [snippet end]

// [snippet: lease]
asio::awaitable<void> watch(mcp_pool::session_pool& pool)
{
    const auto changed = std::make_shared<asio::steady_timer>(
        co_await asio::this_coro::executor, 60s);
    mcp_pool::acquire_options options(30s);
    options.context = changed;
    mcp_pool::lease session = co_await pool.acquire(std::move(options));
    co_await session->subscribe("note:today");
    const auto first = co_await session->read_resource("note:today");
    // Not asked for again: the server allows it to be kept.
    const auto again = co_await session->read_resource("note:today");
    std::cout << first.text() << ", " << again.text() << '\n';

    co_await session->call_tool("write", {});
    boost::system::error_code cancelled;
    co_await changed->async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    const auto now = co_await session->read_resource("note:today");
    std::cout << now.text() << '\n';
} // The subscription ends with the lease.
// [snippet end]

// [snippet: fresh]
asio::awaitable<void> ask_the_server(mcp_pool::lease& session)
{
    mcp_pool::call_options options;
    options.fresh = true;
    options.trace.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const auto now = co_await session->read_resource("note:today", std::move(options));
    std::cout << now.text() << '\n';
}
// [snippet end]

// One resource that a tool rewrites, and tells of.
class notes
{
public:
    std::optional<mcp_pool::testing::reply> operator()(const mcp_pool::testing::call& c)
    {
        using mcp_pool::testing::reply;
        if (c.method == "subscriptions/listen") {
            subscription_ = json::serialize(c.id);
            return std::nullopt; // It is acknowledged.
        }
        if (c.method == "resources/read")
            return reply::result(json::parse(
                R"({"resultType":"complete","ttlMs":60000,"cacheScope":"private","contents":[
                {"uri":"note:today","text":"read )"
                + std::to_string(++reads_) + R"("}]})"));
        if (c.method == "tools/call")
            return reply::result(json::parse(R"({"resultType":"complete","content":[]})"))
                .before(R"({"jsonrpc":"2.0","method":"notifications/resources/updated","params":)"
                        R"({"uri":"note:today","_meta":{"io.modelcontextprotocol/subscriptionId":)"
                    + subscription_ + "}}}");
        return std::nullopt;
    }

private:
    int reads_ = 0;
    std::string subscription_;
};

asio::awaitable<void> run(mcp_pool::session_pool& pool)
{
    co_await watch(pool);
    {
        mcp_pool::lease session = co_await pool.acquire(30s);
        co_await ask_the_server(session);
    }
    co_await pool.close(5s);
}

int main()
{
    mcp_pool::testing::scripted_server server(mcp_pool::testing::personality::modern);
    server.on_request(notes());
    mcp_pool::stdio_server process;
    process.command = "scripted";
    mcp_pool::server_config config("notes", process);
    config.handlers = make_handlers();

    asio::io_context context;
    mcp_pool::session_pool pool(context.get_executor(), config, server.source());
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
