// A user of the library as the official conformance suite wants one: it is called with the URL of a
// server of the suite, and does what the scenario that the environment names is about.
//
//     MCP_CONFORMANCE_SCENARIO=NAME                        what to do; unknown ones list the tools
//     MCP_CONFORMANCE_PROTOCOL_VERSION=REVISION            which era the server is to be spoken to in
//     MCP_CONFORMANCE_CONTEXT=JSON                         data of the scenario
//     mcp-pool-conformance-client [ARGUMENT...] URL
//
// Exit status: 0 everything was answered, 1 something failed (and what, on stderr), 2 wrong usage.

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace asio = boost::asio;
namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

std::string variable(const char* name)
{
    const char* const value = std::getenv(name);
    return value ? value : "";
}

// As the suite sees a tool that failed: by what the client does next, which is nothing.
void require_success(const mcp_pool::tool_result& result)
{
    if (result.is_error())
        throw std::runtime_error("the tool has failed: " + result.text());
}

asio::awaitable<void> call(mcp_pool::lease& session, std::string tool, json::object arguments)
{
    const mcp_pool::tool_result result = co_await session->call_tool(
        std::move(tool), std::move(arguments));
    require_success(result);
}

asio::awaitable<void> list_tools(mcp_pool::lease& session, const json::object&)
{
    co_await session->list_tools();
}

asio::awaitable<void> add_numbers(mcp_pool::lease& session, const json::object&)
{
    co_await session->list_tools();
    json::object numbers;
    numbers["a"] = 5;
    numbers["b"] = 3;
    co_await call(session, "add_numbers", std::move(numbers));
}

asio::awaitable<void> fill_in_form(mcp_pool::lease& session, const json::object&)
{
    co_await session->list_tools();
    json::object none;
    co_await call(session, "test_client_elicitation_defaults", std::move(none));
}

asio::awaitable<void> lose_stream(mcp_pool::lease& session, const json::object&)
{
    co_await session->list_tools();
    json::object none;
    co_await call(session, "test_reconnection", std::move(none));
}

// Results that ask for input first, beside others that must not notice.
asio::awaitable<void> answer_in_rounds(mcp_pool::lease& session, const json::object&)
{
    co_await session->list_tools();
    for (const char* tool : {"test_mrtr_echo_state", "test_mrtr_unrelated", "test_mrtr_no_state",
             "test_mrtr_no_result_type"}) {
        std::string name(tool);
        json::object none;
        co_await call(session, std::move(name), std::move(none));
    }
}

// One request of each kind whose header fields are looked at.
asio::awaitable<void> use_everything(mcp_pool::lease& session, const json::object&)
{
    const std::vector<mcp_pool::tool> tools = co_await session->list_tools();
    for (const mcp_pool::tool& tool : tools) {
        std::string name(tool.name());
        json::object none;
        co_await call(session, std::move(name), std::move(none));
    }
    const std::vector<mcp_pool::resource> resources = co_await session->list_resources();
    for (const mcp_pool::resource& resource : resources) {
        std::string uri(resource.uri());
        co_await session->read_resource(std::move(uri));
    }
    const std::vector<mcp_pool::prompt> prompts = co_await session->list_prompts();
    for (const mcp_pool::prompt& prompt : prompts) {
        std::string name(prompt.name());
        json::object none;
        co_await session->get_prompt(std::move(name), std::move(none));
    }
}

asio::awaitable<void> call_as_told(mcp_pool::lease& session, const json::object& context)
{
    co_await session->list_tools();
    for (const json::value& told : context.at("toolCalls").as_array()) {
        std::string name(told.at("name").as_string());
        json::object arguments = told.at("arguments").as_object();
        co_await call(session, std::move(name), std::move(arguments));
    }
}

// Whatever the list still has can be called.
asio::awaitable<void> call_what_is_listed(mcp_pool::lease& session, const json::object&)
{
    const std::vector<mcp_pool::tool> tools = co_await session->list_tools();
    for (const mcp_pool::tool& tool : tools) {
        std::string name(tool.name());
        json::object arguments;
        arguments["region"] = "eu-north1";
        co_await call(session, std::move(name), std::move(arguments));
    }
}

asio::awaitable<void> return_schema(mcp_pool::lease& session, const json::object&)
{
    const std::vector<mcp_pool::tool> tools = co_await session->list_tools();
    for (const mcp_pool::tool& tool : tools) {
        if (tool.name() != "json_schema_2020_12_tool")
            continue;
        json::object arguments;
        arguments["schema"] = tool.raw().at("inputSchema");
        co_await call(session, "json_schema_echo", std::move(arguments));
        co_return;
    }
    throw std::runtime_error("json_schema_2020_12_tool is not listed");
}

using scenario = asio::awaitable<void> (*)(mcp_pool::lease&, const json::object&);

scenario scenario_named(const std::string& name)
{
    static const std::map<std::string, scenario> known{
        {"elicitation-sep1034-client-defaults", fill_in_form},
        {"http-custom-headers", call_as_told},
        {"http-invalid-tool-headers", call_what_is_listed},
        {"http-standard-headers", use_everything},
        {"json-schema-2020-12-preservation", return_schema},
        {"sep-2322-client-request-state", answer_in_rounds},
        {"sse-retry", lose_stream},
        {"tools_call", add_numbers},
    };
    const auto found = known.find(name);
    return found == known.end() ? list_tools : found->second;
}

// A user who agrees to everything and types nothing: the defaults of the form have to do.
asio::awaitable<json::value> agree(mcp_pool::request_context, json::object)
{
    json::object result;
    result["action"] = "accept";
    co_return result;
}

asio::awaitable<json::value> refuse(mcp_pool::request_context, json::object)
{
    throw mcp_pool::user_rejected();
    co_return nullptr;
}

asio::awaitable<json::value> no_roots(mcp_pool::request_context, json::object)
{
    json::object result;
    result["roots"] = json::array();
    co_return result;
}

mcp_pool::server_config server_at(std::string url)
{
    mcp_pool::server_config config("suite", mcp_pool::http_server(std::move(url)));
    // The suite says which era it wants; the names of revisions are dates.
    config.era = variable("MCP_CONFORMANCE_PROTOCOL_VERSION") >= "2026-07-28"
        ? mcp_pool::era_choice::modern
        : mcp_pool::era_choice::legacy;
    auto handlers = std::make_shared<mcp_pool::client_handlers>();
    handlers->elicit_form = agree;
    handlers->sampling = refuse;
    handlers->roots = no_roots;
    config.handlers = std::move(handlers);
    return config;
}

asio::awaitable<void> run(mcp_pool::session_pool& pool, scenario play, const json::object& context)
{
    {
        mcp_pool::lease session = co_await pool.acquire(20s);
        co_await play(session, context);
    }
    co_await pool.close(5s);
}

} // namespace

int main(int argc, char** argv)
{
    if (argc < 2) {
        std::cerr << "usage: mcp-pool-conformance-client [ARGUMENT...] URL\n";
        return 2;
    }
    try {
        const std::string told = variable("MCP_CONFORMANCE_CONTEXT");
        const json::object context = told.empty() ? json::object() : json::parse(told).as_object();
        asio::io_context io;
        mcp_pool::session_pool pool(io.get_executor(), server_at(argv[argc - 1]));
        std::exception_ptr failure;
        asio::co_spawn(io, run(pool, scenario_named(variable("MCP_CONFORMANCE_SCENARIO")), context),
            [&](std::exception_ptr e) {
                failure = e;
                io.stop();
            });
        io.run();
        if (failure)
            std::rethrow_exception(failure);
    } catch (const std::exception& e) {
        std::cerr << e.what() << '\n';
        return 1;
    }
}
