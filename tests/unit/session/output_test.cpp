// Calls whose results have to match what the tool promises.
#include "support/await.hpp"
#include "support/schema_library.hpp"
#include "support/talk.hpp"

#include <mcp_pool/output_schema.hpp>

#include <boost/json/parse.hpp>

using namespace mcp_pool;
using namespace mcp_pool::test;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

namespace {

call_options promising(const char* schema)
{
    json::object of;
    of["name"] = "echo";
    of["outputSchema"] = json::parse(schema);
    call_options options;
    options.output = std::make_shared<const output_schema>(tool(json::value(std::move(of))));
    return options;
}

} // namespace

BOOST_AUTO_TEST_SUITE(promised_results)

BOOST_AUTO_TEST_CASE(come_where_they_match_and_are_errors_where_they_do_not,
    *boost::unit_test::precondition(schemas_are_checked))
{
    for (const personality p : {personality::legacy, personality::modern}) {
        rig r(p);
        json::value result = json::parse(R"({"content":[],"structuredContent":{"n":1}})");
        r.server.on_request([&](const testing::call& c) -> std::optional<reply> {
            return c.method == "tools/call" ? std::optional(reply::result(result)) : std::nullopt;
        });
        r.lease();
        const call_options options = promising(
            R"({"type":"object","properties":{"n":{"type":"integer"},"m":{"type":"null"}}})");
        const auto good = await(r, r.view().call_tool("echo", {}, options));
        BOOST_TEST_REQUIRE(good.value.has_value(), good.details.message);
        BOOST_TEST(good.value->structured_content().at("n") == 1);

        result = json::parse(R"({"content":[],"structuredContent":{"n":"1","m":2}})");
        const auto bad = await(r, r.view().call_tool("echo", {}, options));
        BOOST_TEST((bad.code == errc::protocol_error));
        BOOST_TEST(
            contains(bad.details.message,
                "the answer to tools/call cannot be used: it does not match the outputSchema "
                "of the tool: Type "),
            bad.details.message);
        BOOST_TEST(contains(bad.details.message, "(at /n)"), bad.details.message);
        const auto text = await(r, r.view().request_text("tools/call", with_message("x"), options));
        BOOST_TEST((text.code == errc::protocol_error));
        // Without the option it is a result like any other.
        BOOST_TEST(await(r, r.view().call_tool("echo", {})).value.has_value());
        result = json::parse(R"({"content":[],"isError":true})");
        const auto failed = await(r, r.view().call_tool("echo", {}, options));
        BOOST_TEST((failed.value.has_value() && failed.value->is_error()));
        BOOST_TEST(r.unanswered() == 0u);
        BOOST_TEST(!r.told->broken);
    }
}

BOOST_AUTO_TEST_CASE(are_not_asked_for_where_they_could_not_be_checked)
{
    rig r;
    r.lease();
    const auto refused = await(
        r, r.view().call_tool("echo", {}, promising(R"({"$ref":"https://example.com/s.json"})")));
    BOOST_TEST((refused.code == errc::protocol_error));
    BOOST_TEST(contains(refused.details.message, "\"https://example.com/s.json\""),
        refused.details.message);
    BOOST_TEST(contains(refused.details.message, "tools/call was not sent"));
    BOOST_TEST(r.server.count("tools/call") == 0u);
    BOOST_TEST(r.unanswered() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
