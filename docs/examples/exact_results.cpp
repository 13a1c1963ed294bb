// A result as its bytes, and a result held against what its tool promises. Prints both.
//
//     exact_results COMMAND [ARGUMENT...]     the MCP server to start, with tools "echo" and "add"

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// [snippet: text]
asio::awaitable<std::string> forward(mcp_pool::lease& session, boost::json::object arguments)
{
    boost::json::object params;
    params["name"] = "echo";
    params["arguments"] = std::move(arguments);
    // Not one byte is read and written again: 1.10 stays 1.10.
    co_return co_await session->request_text("tools/call", std::move(params));
}
// [snippet end]

// [snippet: schemas]
using promises = std::map<std::string, std::shared_ptr<const mcp_pool::output_schema>>;

// Once for each server; the schemas are shared by all calls, on any thread.
asio::awaitable<promises> promised_by(mcp_pool::lease& session)
{
    const std::vector<mcp_pool::tool> tools = co_await session->list_tools();
    promises made;
    for (const mcp_pool::tool& tool : tools) {
        if (tool.output_schema().empty())
            continue;
        auto schema = std::make_shared<const mcp_pool::output_schema>(tool);
        if (schema->checked())
            made[std::string(tool.name())] = std::move(schema);
        else
            std::cout << "the outputSchema of " << tool.name() << ' ' << schema->reason() << '\n';
    }
    co_return made;
}

asio::awaitable<void> call(mcp_pool::lease& session, promises known)
{
    mcp_pool::call_options options;
    // Null for a tool that promises nothing: its result is not looked at.
    options.output = known["add"];
    boost::json::object arguments;
    arguments["a"] = 2;
    arguments["b"] = 3;
    // A result that does not match would be an error here, errc::protocol_error.
    const mcp_pool::tool_result result = co_await session->call_tool(
        "add", std::move(arguments), std::move(options));
    std::cout << result.structured_content() << '\n';
}
// [snippet end]

asio::awaitable<void> run(mcp_pool::session_pool& pool)
{
    {
        mcp_pool::lease session = co_await pool.acquire(30s);
        boost::json::object arguments;
        arguments["message"] = "bytes";
        const std::string text = co_await forward(session, std::move(arguments));
        std::cout << text << '\n';
        promises known = co_await promised_by(session);
        co_await call(session, std::move(known));
    }
    co_await pool.close(5s);
}

int main(int argc, char** argv)
{
    if (argc < 2) {
        std::cerr << "usage: exact_results COMMAND [ARGUMENT...]\n";
        return 2;
    }
    mcp_pool::stdio_server server;
    server.command = argv[1];
    server.args.assign(argv + 2, argv + argc);

    asio::io_context context;
    mcp_pool::session_pool pool(context.get_executor(), {"exact", server});
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
