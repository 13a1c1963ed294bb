// Results that are not what the specification wants them to be.
#include "support/await.hpp"
#include "support/schema_instances.hpp"
#include "support/talk.hpp"

using namespace mcp_pool;
using namespace mcp_pool::test;
using mcp_pool::testing::call;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

namespace {

// A member of `session` that reads a result, and what the specification wants of that.
struct reading
{
    const char* method;
    const char* definition;
    // Runs the member; the code it ended with, and what it says.
    answer<bool> (*use)(rig&);
    // Its required list; absence of it is a fault; null is none.
    const char* list;
    bool required;
};

template <class Result>
answer<bool> outcome_of(answer<Result> whole)
{
    answer<bool> out;
    if (whole.value)
        out.value = true;
    out.code = whole.code;
    out.details = std::move(whole.details);
    return out;
}

const reading readings[] = {
    {"tools/list", "ListToolsResult",
        [](rig& r) { return outcome_of(await(r, r.view().list_tools())); }, "/tools", true},
    {"resources/list", "ListResourcesResult",
        [](rig& r) { return outcome_of(await(r, r.view().list_resources())); }, "/resources", true},
    {"resources/templates/list", "ListResourceTemplatesResult",
        [](rig& r) { return outcome_of(await(r, r.view().list_resource_templates())); },
        "/resourceTemplates", true},
    {"prompts/list", "ListPromptsResult",
        [](rig& r) { return outcome_of(await(r, r.view().list_prompts())); }, "/prompts", true},
    {"tools/call", "CallToolResult",
        [](rig& r) { return outcome_of(await(r, r.view().call_tool("t", {}))); }, "/content",
        false},
    {"resources/read", "ReadResourceResult",
        [](rig& r) { return outcome_of(await(r, r.view().read_resource("test:a"))); }, "/contents",
        true},
    {"prompts/get", "GetPromptResult",
        [](rig& r) { return outcome_of(await(r, r.view().get_prompt("p", {}))); }, "/messages",
        true},
    {"completion/complete", "CompleteResult",
        [](rig& r) {
            return outcome_of(await(r,
                r.view().complete(
                    completion_reference::prompt("p"), completion_argument("language", "py"))));
        },
        "/completion/values", true},
};

// Whether the call has to fail; what is wrong elsewhere is left to the accessors.
bool must_fail(const reading& of, const std::string& path, const std::string& with, bool modern)
{
    if (path.empty())
        return true;
    if (path == "/resultType")
        return modern && with != "absence";
    if (path == "/nextCursor")
        return with != "null" && with != "absence";
    if (path == "/completion")
        return true;
    return path == of.list && with != "null" && (with != "absence" || of.required);
}

} // namespace

BOOST_AUTO_TEST_SUITE(wrong_results)

BOOST_AUTO_TEST_CASE(end_in_a_value_or_in_an_error_that_names_the_member)
{
    for (const personality p : {personality::legacy, personality::modern}) {
        const bool modern = p == personality::modern;
        const json::value schema = specification(
            modern ? "schema-2026-07-28.json" : "schema-2025-11-25.json");
        // One right answer would be given again in place of the wrong ones.
        pool_options nothing_kept = patient();
        nothing_kept.cache_bytes = 0;
        rig r(p, nothing_kept);
        json::value present;
        r.server.on_request([&](const call& c) -> std::optional<reply> {
            if (c.method == "server/discover" || c.method == "initialize" || c.method == "ping")
                return std::nullopt;
            // What is asked for behind a cursor is the end of the list.
            if (c.params.contains("cursor"))
                return reply::result(json::object{{"tools", nullptr}, {"resources", nullptr},
                    {"resourceTemplates", nullptr}, {"prompts", nullptr}});
            return reply::result(present);
        });
        r.lease();
        std::size_t values = 0, errors = 0;
        for (const reading& of : readings) {
            json::value whole = instances(schema, of.definition).at(0);
            if (modern)
                whole.as_object()["resultType"] = "complete";
            each_damage(whole,
                [&](const json::value& damaged, const std::string& path, const std::string& with) {
                    present = damaged;
                    const answer<bool> came = of.use(r);
                    const bool failed = must_fail(of, path, with, modern);
                    BOOST_TEST_CONTEXT(of.method << path << ": " << with)
                    {
                        BOOST_TEST(came.value.has_value() == !failed, came.details.message);
                        if (failed) {
                            BOOST_TEST((came.code == errc::protocol_error));
                            BOOST_TEST(contains(came.details.message, "server \"scripted\""));
                            const std::string name = path.substr(path.rfind('/') + 1);
                            BOOST_TEST((path.empty() || contains(came.details.message, name)));
                        }
                    }
                    ++(failed ? errors : values);
                });
        }
        BOOST_TEST(errors > 50u);
        BOOST_TEST(values > 500u);
        BOOST_TEST(await(r, r.view().ping()).value.has_value());
        BOOST_TEST(r.unanswered() == 0u);
        BOOST_TEST(!r.told->broken.has_value());
    }
}

BOOST_AUTO_TEST_CASE(are_given_as_they_came_to_who_asks_with_a_request_of_his_own)
{
    rig r;
    r.server.on_request(answering("tools/list", reply::result(json::parse(R"({"tools":7})"))));
    r.lease();
    const auto raw = await(r, r.view().request("tools/list", {}));
    BOOST_TEST_REQUIRE(raw.value.has_value());
    BOOST_TEST(raw.value->at("tools") == 7);
    diagnostics details;
    call_options options;
    options.diagnostics = &details;
    const auto typed = await(r, r.view().list_tools(options));
    BOOST_TEST((typed.code == errc::protocol_error));
    BOOST_TEST(details.message == typed.details.message);
    BOOST_TEST(typed.details.message
        == "server \"scripted\": the answer to tools/list cannot be used: its member \"tools\" is "
           "a "
           "number, and an array was expected");
}

BOOST_AUTO_TEST_CASE(of_a_list_leave_its_good_entries)
{
    rig r;
    r.server.on_request(answering("prompts/list",
        reply::result(json::parse(R"({"prompts":[null,{"name":"good"},{"name":7}]})"))));
    r.lease();
    const auto listed = await(r, r.view().list_prompts());
    BOOST_TEST_REQUIRE(listed.value->size() == 3u);
    BOOST_TEST(listed.value->at(0).raw().is_null());
    BOOST_TEST(listed.value->at(1).name() == "good");
    BOOST_TEST(listed.value->at(2).name() == "");
    BOOST_TEST(listed.value->at(2).raw().at("name") == 7);
}

BOOST_AUTO_TEST_SUITE_END()
