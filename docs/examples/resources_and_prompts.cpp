// What a server has besides tools. Prints how many resources and prompts it lists, the first line of
// the first resource, and the messages of the first prompt that takes no arguments.
//
//     resources_and_prompts COMMAND [ARGUMENT...]     the MCP server to start

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;

std::string_view first_line(std::string_view text)
{
    return text.substr(0, text.find('\n'));
}

// [snippet: resources]
asio::awaitable<void> show_resources(mcp_pool::lease& session)
{
    // Every page of the list; a view of a result is valid as long as the result.
    const std::vector<mcp_pool::resource> listed = co_await session->list_resources();
    std::cout << listed.size() << " resources\n";
    if (listed.empty())
        co_return;
    std::string uri(listed.front().uri());
    const mcp_pool::resource_result read = co_await session->read_resource(std::move(uri));
    for (const mcp_pool::resource_contents contents : read.contents()) {
        std::cout << contents.uri() << " (" << contents.mime_type() << "): ";
        if (contents.is_text())
            std::cout << first_line(contents.text()) << '\n';
        else
            std::cout << contents.bytes().size() << " bytes\n";
    }
}
// [snippet end]

// [snippet: prompts]
asio::awaitable<void> show_prompts(mcp_pool::lease& session)
{
    const std::vector<mcp_pool::prompt> listed = co_await session->list_prompts();
    std::cout << listed.size() << " prompts\n";
    for (const mcp_pool::prompt& prompt : listed) {
        if (!prompt.arguments().empty())
            continue;
        std::string name(prompt.name());
        boost::json::object none;
        const mcp_pool::prompt_result made = co_await session->get_prompt(
            std::move(name), std::move(none));
        for (const mcp_pool::prompt_message message : made.messages())
            std::cout << message.role() << ": " << first_line(message.content().text()) << '\n';
        co_return;
    }
}
// [snippet end]

asio::awaitable<void> run(mcp_pool::session_pool& pool)
{
    {
        mcp_pool::lease session = co_await pool.acquire(30s);
        if (session->capabilities().contains("resources"))
            co_await show_resources(session);
        else
            std::cout << "the server has no resources\n";
        if (session->capabilities().contains("prompts"))
            co_await show_prompts(session);
        else
            std::cout << "the server has no prompts\n";
    }
    co_await pool.close(5s);
}

int main(int argc, char** argv)
{
    if (argc < 2) {
        std::cerr << "usage: resources_and_prompts COMMAND [ARGUMENT...]\n";
        return 2;
    }
    mcp_pool::stdio_server server;
    server.command = argv[1];
    server.args.assign(argv + 2, argv + argc);

    asio::io_context context;
    mcp_pool::session_pool pool(context.get_executor(), {"shown", server});
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
