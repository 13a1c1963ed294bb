// Everything that a server of the official SDK offers, in both eras and over both transports.
#include "http_servers/scene.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>

#include <set>

namespace data = boost::unit_test::data;
namespace ut = boost::unit_test;
using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

json::object numbers(int a, int b)
{
    json::object both;
    both["a"] = a;
    both["b"] = b;
    return both;
}

bool is_modern(const std::string& way)
{
    return way.starts_with("modern");
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(features, http_fixture, *ut::precondition(node_is_installed))

BOOST_DATA_TEST_CASE(of_the_server_are_told_by_it, data::make(every_way))
{
    open_features(sample);
    lease session = acquire();
    BOOST_TEST((session->era() == (is_modern(sample) ? era::modern : era::legacy)));
    BOOST_TEST(session->protocol_version() == (is_modern(sample) ? "2026-07-28" : "2025-11-25"));
    BOOST_TEST(session->server_info().at("name") == "features-server");
    BOOST_TEST(session->instructions() == "Ask for what you want.");
    for (const char* part : {"completions", "logging", "prompts", "resources", "tools"})
        BOOST_TEST(session->capabilities().contains(part), part);
    BOOST_TEST((session->pid() == 0) == sample.ends_with("HTTP"));
    BOOST_TEST(!finish(session->ping())->failure);
}

BOOST_AUTO_TEST_CASE(of_both_eras_are_spoken_to_in_the_modern_one)
{
    serve_features();
    open_http();
    {
        lease session = acquire();
        BOOST_TEST((session->era() == era::modern));
        BOOST_TEST(said(session, "echo", object("message", "hi")) == "hi");
    }
    lease again = acquire();
    BOOST_TEST(again.reused());
    BOOST_TEST(said(again, "echo", object("message", "again")) == "again");
    // The modern era has no sessions at the server.
    BOOST_TEST(process->lines("opened ") == 0u);
}

BOOST_DATA_TEST_CASE(are_tools_with_results_of_each_kind, data::make(every_way))
{
    open_features(sample);
    lease session = acquire();
    std::set<std::string_view> names;
    const auto tools = got(session->list_tools());
    for (const tool& t : tools)
        names.insert(t.name());
    for (const char* name : {"add", "ask", "count", "echo", "fail", "hold", "report"})
        BOOST_TEST(names.contains(name), name);
    BOOST_TEST(said(session, "echo", object("message", "Ünïcødé\n\"\\")) == "Ünïcødé\n\"\\");
    const tool_result sum = call(session, "add", numbers(2, 40));
    BOOST_TEST(sum.structured_content().at("sum") == 42);
    const tool_result failed = call(session, "fail");
    BOOST_TEST(failed.is_error());
    BOOST_TEST(failed.text() == "failed as asked");
    check_failure(finish(session->call_tool("nope", {})), error_code(-32602, rpc_category()),
        {"tools/call", "nope"});
    check_failure(
        finish(session->request("no/such", {})), error_code(-32601, rpc_category()), {"no/such"});
    // None of this was the session's fault.
    BOOST_TEST(said(session, "echo", object("message", "hi")) == "hi");
}

BOOST_DATA_TEST_CASE(are_resources_prompts_and_completions, data::make(every_way))
{
    open_features(sample);
    lease session = acquire();
    std::set<std::string_view> uris;
    const auto resources = got(session->list_resources());
    for (const resource& r : resources)
        uris.insert(r.uri());
    BOOST_TEST(uris == (std::set<std::string_view>{"test://bytes", "test://note"}),
        boost::test_tools::per_element());
    BOOST_TEST(got(session->read_resource("test://note")).text() == "a note");
    const resource_result bytes = got(session->read_resource("test://bytes"));
    BOOST_TEST_REQUIRE(bytes.contents().size() == 1u);
    BOOST_TEST(bytes.contents()[0].bytes().size() == 4u);
    const auto templates = got(session->list_resource_templates());
    BOOST_TEST_REQUIRE(templates.size() == 1u);
    BOOST_TEST(templates[0].uri_template() == "test://items/{id}");
    BOOST_TEST(got(session->read_resource("test://items/7")).text() == "item 7");
    // The SDK has this code in both eras.
    check_failure(finish(session->read_resource("test://nowhere")),
        error_code(-32602, rpc_category()), {"test://nowhere"});

    const auto prompts = got(session->list_prompts());
    BOOST_TEST_REQUIRE(prompts.size() == 1u);
    BOOST_TEST(prompts[0].arguments()[0].name() == "name");
    const prompt_result made = got(session->get_prompt("greet", object("name", "Ada")));
    BOOST_TEST_REQUIRE(made.messages().size() == 1u);
    BOOST_TEST(made.messages()[0].content().text() == "Greet Ada.");

    const completion names = got(
        session->complete(completion_reference::prompt("greet"), completion_argument("name", "A")));
    BOOST_TEST_REQUIRE(names.values().size() == 2u);
    BOOST_TEST(names.values()[1] == "Alan");
    const completion ids = got(session->complete(
        completion_reference::resource("test://items/{id}"), completion_argument("id", "2")));
    BOOST_TEST_REQUIRE(ids.values().size() == 2u);
    BOOST_TEST(ids.values()[1] == "21");
}

BOOST_DATA_TEST_CASE(are_reports_of_progress_in_order, data::make(every_way))
{
    open_features(sample);
    lease session = acquire();
    std::vector<double> steps;
    std::string last;
    call_options watched;
    watched.progress = [&](const progress& p) {
        steps.push_back(p.value);
        last = p.message;
    };
    const tool_result done = got(
        session->call_tool("count", object("steps", 5), std::move(watched)));
    BOOST_TEST(done.text() == "counted to 5");
    BOOST_TEST(steps == (std::vector<double>{1, 2, 3, 4, 5}), boost::test_tools::per_element());
    BOOST_TEST(last == "step 5");
}

BOOST_DATA_TEST_CASE(are_log_messages_of_the_level_asked_for, data::make(every_way))
{
    handlers = answers.handlers();
    open_features(sample);
    lease session = acquire();
    const auto say = [&](const char* level, const char* message) {
        json::object what;
        what["level"] = level;
        what["message"] = message;
        BOOST_TEST(said(session, "say", std::move(what)) == "said");
    };
    BOOST_TEST(!finish(session->set_log_level(log_level::warning))->failure);
    say("info", "too low");
    say("error", "first");
    say("warning", "second");
    until([&] { return answers.logged.size() >= 2; });
    BOOST_TEST(answers.logged == (std::vector<std::string>{"\"first\"", "\"second\""}),
        boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(get_the_meta_of_a_request, data::make(every_way))
{
    open_features(sample);
    lease session = acquire();
    call_options traced;
    const char* const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    traced.meta["traceparent"] = parent;
    traced.meta["tracestate"] = "vendor=1";
    traced.meta["baggage"] = "user=ada";
    const tool_result seen = got(session->call_tool("meta", {}, std::move(traced)));
    BOOST_TEST(seen.structured_content().at("traceparent") == parent);
    BOOST_TEST(seen.structured_content().at("tracestate") == "vendor=1");
    BOOST_TEST(seen.structured_content().at("baggage") == "user=ada");
}

BOOST_AUTO_TEST_CASE(get_arguments_as_header_fields_where_the_tool_says_so)
{
    open_features("modern over HTTP");
    lease session = acquire();
    // The server compares each field with the argument, and refuses what differs.
    got(session->list_tools());
    json::object arguments;
    arguments["region"] = "nord-ost";
    arguments["count"] = -7;
    arguments["urgent"] = true;
    arguments["note"] = "not in a field";
    const tool_result plain = call(session, "report", std::move(arguments));
    json::object expected;
    expected["mcp-method"] = "tools/call";
    expected["mcp-name"] = "report";
    expected["mcp-param-count"] = "-7";
    expected["mcp-param-region"] = "nord-ost";
    expected["mcp-param-urgent"] = "true";
    expected["mcp-protocol-version"] = "2026-07-28";
    BOOST_TEST(plain.structured_content() == expected);

    const tool_result encoded = call(session, "report", object("region", " Øst "));
    BOOST_TEST(encoded.structured_content().at("mcp-param-region") == "=?base64?IMOYc3Qg?=");
    BOOST_TEST(!encoded.structured_content().as_object().contains("mcp-param-count"));
}

BOOST_DATA_TEST_CASE(answer_many_calls_side_by_side, data::make(every_way))
{
    pool_overrides options = at_most(1);
    options.max_requests_in_flight = 32;
    open_features(sample, options);
    lease session = acquire();
    std::vector<std::shared_ptr<outcome<tool_result>>> calls;
    for (int i = 0; i != 200; ++i) {
        const json::string token = json::string(std::to_string(i));
        calls.push_back(spawn(session->call_tool("echo", object("message", token))));
    }
    for (std::size_t i = 0; i != calls.size(); ++i) {
        until([&] { return calls[i]->done; });
        BOOST_REQUIRE_MESSAGE(!calls[i]->failure, why(calls[i]));
        BOOST_TEST(calls[i]->value->text() == std::to_string(i));
    }
}

BOOST_DATA_TEST_CASE(are_big_messages_both_ways, data::make(every_way))
{
    open_features(sample);
    lease session = acquire();
    std::string big;
    big.resize(1 << 20, 'x');
    const std::string back = said(session, "echo", object("message", json::string(big)));
    BOOST_TEST((back == big));
}

BOOST_AUTO_TEST_CASE(are_not_given_more_than_the_server_takes)
{
    open_features("modern over HTTP");
    lease session = acquire();
    // Over HTTP the SDK takes 4 MiB.
    json::string big;
    big.resize(5 << 20, 'x');
    const auto refused = finish(session->call_tool("echo", object("message", std::move(big))));
    BOOST_REQUIRE(refused->failure);
    BOOST_TEST((refused->code() == errc::message_too_large || refused->code() == errc::http_error),
        why(refused));
    BOOST_TEST(said(session, "echo", object("message", "hi")) == "hi");
}

BOOST_AUTO_TEST_SUITE_END()
