// Who answers when a server asks: the user of the call, and nobody else. The server here is a scripted
// one, so that the program needs nothing beside itself.
//
//     handlers

#include <mcp_pool/mcp_pool.hpp>
#include <mcp_pool/testing/scripted_server.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>

#include <exception>
#include <iostream>

namespace asio = boost::asio;
namespace json = boost::json;
using namespace std::chrono_literals;

// [snippet: user]
// What handlers have to know of the user of a call; the pool only carries it.
struct user
{
    std::string name;
    bool agrees = false;
};
// [snippet end]

// [snippet: handlers]
// Runs on the executor of whoever acquired the lease, here the one thread of the program.
asio::awaitable<json::value> fill_in_form(mcp_pool::request_context of, json::object params)
{
    const auto who = std::static_pointer_cast<user>(of.context);
    std::cout << of.server << " asks " << who->name << ": "
              << params.at("message").as_string().c_str() << '\n';
    json::object result;
    // What is not in `content` gets the default of the form.
    result["action"] = who->agrees ? "accept" : "decline";
    co_return result;
}

asio::awaitable<json::value> ask_a_model(mcp_pool::request_context, json::object)
{
    // The server gets the error -1 with a text that was written for it; any other exception would
    // reach it as an internal error without a text.
    throw mcp_pool::user_rejected();
    co_return nullptr;
}

std::shared_ptr<const mcp_pool::client_handlers> make_handlers()
{
    auto handlers = std::make_shared<mcp_pool::client_handlers>();
    handlers->elicit_form = fill_in_form;
    handlers->sampling = ask_a_model;
    handlers->list_changed = [](const mcp_pool::request_context&, mcp_pool::list_kind) {
        std::cout << "ask for the list again\n";
    };
    return handlers;
}
// [snippet end]

// [snippet: call]
asio::awaitable<void> book(mcp_pool::session_pool& pool, std::shared_ptr<user> who)
{
    mcp_pool::acquire_options options(30s);
    options.isolation_key = who->name;
    options.context = std::move(who);
    mcp_pool::lease session = co_await pool.acquire(std::move(options));
    const auto result = co_await session->call_tool("book", {});
    std::cout << result.text() << '\n';
}
// [snippet end]

// A tool of the modern era that asks before it books.
std::optional<mcp_pool::testing::reply> booking_server(const mcp_pool::testing::call& c)
{
    using mcp_pool::testing::reply;
    if (c.method != "tools/call")
        return std::nullopt;
    const json::value* const answers = c.params.if_contains("inputResponses");
    if (!answers)
        return reply::result(json::parse(R"({"resultType":"input_required","inputRequests":{"seat":{
            "method":"elicitation/create","params":{"message":"Which seat?","requestedSchema":{
            "type":"object","properties":{"seat":{"type":"string","default":"12A"}}}}}}})"));
    const json::object& answer = answers->at("seat").as_object();
    json::object block;
    block["type"] = "text";
    block["text"] = answer.contains("content")
        ? "booked " + std::string(answer.at("content").at("seat").as_string())
        : std::string("nothing booked");
    json::object result;
    result["resultType"] = "complete";
    result["content"] = json::array(1, json::value(std::move(block)));
    return reply::result(std::move(result));
}

asio::awaitable<void> run(mcp_pool::session_pool& pool)
{
    auto ada = std::make_shared<user>();
    ada->name = "Ada";
    ada->agrees = true;
    auto ben = std::make_shared<user>();
    ben->name = "Ben";
    co_await book(pool, std::move(ada));
    co_await book(pool, std::move(ben));
    co_await pool.close(5s);
}

int main()
{
    mcp_pool::testing::scripted_server server(mcp_pool::testing::personality::modern);
    server.on_request(booking_server);
    mcp_pool::stdio_server process;
    process.command = "scripted";
    mcp_pool::server_config config("airline", process);
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
