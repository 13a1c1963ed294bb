// Everything that a session can ask for, in both eras: what is sent and what comes back.
#include "support/await.hpp"
#include "support/talk.hpp"

#include <boost/asio/use_future.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>

using namespace mcp_pool;
using namespace mcp_pool::test;
using mcp_pool::testing::call;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

namespace ut = boost::unit_test;

namespace {

constexpr personality both_eras[] = {personality::legacy, personality::modern};

json::object texts(std::initializer_list<std::pair<std::string_view, std::string_view>> members)
{
    json::object o;
    for (const auto& [name, value] : members)
        o[json::string_view(name.data(), name.size())] = json::string_view(
            value.data(), value.size());
    return o;
}

const char* const answers[][2] = {
    {"tools/list", R"({"tools":[{"name":"echo","inputSchema":{"type":"object"}}]})"},
    {"tools/call", R"({"content":[{"type":"text","text":"done"}]})"},
    {"resources/list", R"({"resources":[{"uri":"test:a","name":"a"}]})"},
    {"resources/templates/list",
        R"({"resourceTemplates":[{"uriTemplate":"test:{x}","name":"t"}]})"},
    {"resources/read", R"({"contents":[{"uri":"test:a","text":"contents"}]})"},
    {"resources/subscribe", "{}"},
    {"resources/unsubscribe", "{}"},
    {"prompts/list", R"({"prompts":[{"name":"p"}]})"},
    {"prompts/get", R"({"messages":[{"role":"user","content":{"type":"text","text":"ask"}}]})"},
    {"completion/complete", R"({"completion":{"values":["python"],"hasMore":false}})"},
    {"logging/setLevel", "{}"},
};

// Answers everything of the protocol; lists, except that of tools, in two pages.
std::optional<reply> able_server(const call& c)
{
    for (const auto& [method, result] : answers) {
        if (c.method != method)
            continue;
        json::object content = json::parse(result).as_object();
        if (c.method.ends_with("/list") && c.method != "tools/list" && !c.params.contains("cursor"))
            content["nextCursor"] = "";
        return reply::result(std::move(content));
    }
    return std::nullopt;
}

completion_argument half_typed()
{
    completion_argument argument("language", "py");
    argument.known["framework"] = "flask";
    return argument;
}

// One use of every member.
void use_everything(rig& r)
{
    session& s = r.view();
    BOOST_TEST(await(r, s.set_log_level(log_level::warning)).value.has_value());
    BOOST_TEST(await(r, s.ping()).value.has_value());
    BOOST_TEST(await(r, s.list_tools()).value->size() == 1u);
    BOOST_TEST(await(r, s.call_tool("echo", texts({{"message", "hi"}}))).value->text() == "done");
    BOOST_TEST(await(r, s.list_resources()).value->size() == 2u);
    BOOST_TEST(await(r, s.list_resource_templates()).value->at(1).uri_template() == "test:{x}");
    BOOST_TEST(await(r, s.read_resource("test:a")).value->text() == "contents");
    BOOST_TEST(await(r, s.list_prompts()).value->at(0).name() == "p");
    const auto messages = await(r, s.get_prompt("p", texts({{"a", "b"}}))).value;
    BOOST_TEST(messages->messages()[0].content().text() == "ask");
    const auto proposed =
        await(r, s.complete(completion_reference::prompt("p"), half_typed())).value;
    BOOST_TEST(proposed->values()[0] == "python");
    completion_argument plain("x", "");
    BOOST_TEST(
        await(r, s.complete(completion_reference::resource("test:{x}"), plain)).value.has_value());
    BOOST_TEST(await(r, s.subscribe("test:a")).value.has_value());
    BOOST_TEST(await(r, s.unsubscribe("test:a")).value.has_value());
}

// A Python that has jsonschema: the first one found, or the system's, which python3-jsonschema is for.
// Empty: there is none.
const std::string& python()
{
    static const std::string found = [] {
        for (const std::string candidate : {"python3", "/usr/bin/python3"})
            if (std::system((candidate + " -c 'import jsonschema' 2>/dev/null").c_str()) == 0)
                return candidate;
        return std::string();
    }();
    return found;
}

// Whether messages can be held against their schema here.
boost::test_tools::assertion_result validator_is_there(ut::test_unit_id)
{
    if (python().empty())
        std::cout << "SKIPPED: python3-jsonschema not found" << std::endl;
    return !python().empty();
}

// What is wrong with the messages by the schema; empty if nothing is.
std::string faults(const std::vector<call>& messages, const std::string& schema)
{
    namespace fs = std::filesystem;
    std::string name = (fs::temp_directory_path() / "mcp-pool-messages-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()));
    const fs::path file = fs::path(name) / "lines";
    {
        std::ofstream out(file);
        for (const call& c : messages) {
            json::object message;
            message["jsonrpc"] = "2.0";
            message["method"] = c.method;
            message["params"] = c.params;
            if (!c.id.is_null())
                message["id"] = c.id;
            out << json::serialize(message) << '\n';
        }
    }
    const std::string data = MCP_POOL_SOURCE_DIR "/tests/fixtures/mcp/";
    const std::string command = python() + ' ' + data + "validate.py " + data + schema + " < "
        + file.string();
    std::string said;
    FILE* const pipe = ::popen(command.c_str(), "r");
    BOOST_REQUIRE(pipe);
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe))
        said += static_cast<char>(c);
    const int status = ::pclose(pipe);
    fs::remove_all(name);
    return status == 0 ? said : said + "(status " + std::to_string(status) + ")";
}

constexpr json::string_view level_key = "io.modelcontextprotocol/logLevel";

std::string level_in(const call& c)
{
    const json::value* const meta = c.params.if_contains("_meta");
    const json::value* const level = meta ? meta->as_object().if_contains(level_key) : nullptr;
    return level ? std::string(level->as_string()) : "none";
}

} // namespace

BOOST_AUTO_TEST_SUITE(surface)

BOOST_AUTO_TEST_CASE(every_member_gives_what_the_server_answers)
{
    for (const personality p : both_eras) {
        rig r(p);
        r.server.on_request(able_server);
        r.lease();
        use_everything(r);
        BOOST_TEST(r.unanswered() == 0u);
    }
}

BOOST_AUTO_TEST_CASE(
    every_message_is_valid_by_the_schema_of_its_revision, *ut::precondition(validator_is_there))
{
    for (const personality p : both_eras) {
        rig r(p);
        r.server.on_request([](const call& c) {
            const json::value* const message = c.method == "tools/call"
                ? c.params.at("arguments").as_object().if_contains("message")
                : nullptr;
            return message && *message == "given up" ? std::optional(reply::silence())
                                                     : able_server(c);
        });
        r.lease();
        use_everything(r);
        call_options watched;
        watched.progress = [](const progress&) {};
        watched.trace.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        watched.trace.tracestate = "congo=t61";
        watched.trace.baggage = "userId=alice";
        BOOST_TEST(await(r, r.view().read_resource("test:a", watched)).value.has_value());
        const std::size_t calls = r.server.count("tools/call");
        asio::cancellation_signal signal;
        const auto given_up = r.call("tools/call", with_message("given up"), {}, signal.slot());
        r.until([&] { return r.server.count("tools/call") > calls; });
        signal.emit(asio::cancellation_type::terminal);
        r.until([&] {
            return r.server.count("notifications/cancelled") == (p == personality::legacy ? 1 : 2);
        });

        // The first message goes to a server whose era is not known yet.
        std::vector<call> of_its_era, first;
        std::set<std::string> methods;
        for (call& c : r.server.received()) {
            methods.insert(c.method);
            const bool question = p == personality::legacy && c.method == "server/discover";
            (question ? first : of_its_era).push_back(std::move(c));
        }
        // Nothing is valid for want of being sent.
        BOOST_TEST(methods.size() == (p == personality::legacy ? 16u : 11u));
        if (p == personality::legacy)
            BOOST_TEST(faults(first, "schema-2026-07-28.json") == "");
        BOOST_TEST(
            faults(of_its_era,
                p == personality::legacy ? "schema-2025-11-25.json" : "schema-2026-07-28.json")
            == "");
    }
}

BOOST_AUTO_TEST_CASE(parameters_are_sent_as_given)
{
    rig r;
    r.server.on_request(able_server);
    r.lease();
    use_everything(r);
    BOOST_TEST(json::serialize(last(r, "resources/read").params) == R"({"uri":"test:a"})");
    BOOST_TEST(json::serialize(last(r, "resources/subscribe").params) == R"({"uri":"test:a"})");
    BOOST_TEST(json::serialize(last(r, "resources/unsubscribe").params) == R"({"uri":"test:a"})");
    BOOST_TEST(
        json::serialize(last(r, "prompts/get").params) == R"({"name":"p","arguments":{"a":"b"}})");
    BOOST_TEST(json::serialize(last(r, "logging/setLevel").params) == R"({"level":"warning"})");
    const std::vector<call> asked = all(r, "completion/complete");
    BOOST_TEST_REQUIRE(asked.size() == 2u);
    BOOST_TEST((asked[0].params
        == json::parse(R"({"ref":{"type":"ref/prompt","name":"p"},
        "argument":{"name":"language","value":"py"},
        "context":{"arguments":{"framework":"flask"}}})")
               .as_object()));
    BOOST_TEST((asked[1].params
        == json::parse(R"({"ref":{"type":"ref/resource","uri":"test:{x}"},
        "argument":{"name":"x","value":""}})")
               .as_object()));
    const std::vector<call> pages = all(r, "prompts/list");
    BOOST_TEST_REQUIRE(pages.size() == 2u);
    BOOST_TEST(pages[0].params.empty());
    BOOST_TEST(pages[1].params.at("cursor") == "");
}

BOOST_AUTO_TEST_CASE(the_twins_do_the_same)
{
    rig r;
    r.server.on_request(able_server);
    r.lease();
    session& s = r.view();
    const auto get = [&r](auto future) {
        r.until([&] { return future.wait_for(0s) == std::future_status::ready; });
        return future.get();
    };
    BOOST_TEST(get(s.async_list_resources({}, asio::use_future)).size() == 2u);
    BOOST_TEST(get(s.async_list_resource_templates({}, asio::use_future)).size() == 2u);
    BOOST_TEST(get(s.async_list_prompts({}, asio::use_future)).size() == 2u);
    BOOST_TEST(get(s.async_read_resource("test:a", {}, asio::use_future)).text() == "contents");
    const prompt_result made = get(s.async_get_prompt("p", {}, {}, asio::use_future));
    BOOST_TEST(made.messages().size() == 1u);
    BOOST_TEST(
        get(s.async_complete(completion_reference::prompt("p"), half_typed(), {}, asio::use_future))
            .total()
            .has_value()
        == false);
    get(s.async_subscribe("test:a", {}, asio::use_future));
    get(s.async_unsubscribe("test:a", {}, asio::use_future));
    get(s.async_set_log_level(log_level::debug, {}, asio::use_future));
    BOOST_TEST(last(r, "logging/setLevel").params.at("level") == "debug");
    BOOST_TEST(r.unanswered() == 0u);
}

BOOST_AUTO_TEST_CASE(what_a_tool_says_of_itself_is_kept_to_the_last_keyword)
{
    // In this order, with numbers as they are written here, and with keywords and members that nobody here knows.
    const std::string schema =
        R"({"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",)"
        R"("$defs":{"address":{"$anchor":"addressDef","type":"object","properties":{)"
        R"("street":{"type":"string"}}}},"properties":{"name":{"type":"string"},)"
        R"("address":{"$ref":"#/$defs/address"},"n":{"maximum":1.5E0,"minimum":-9007199254740993}},)"
        R"("allOf":[{"anyOf":[{"required":["a"]},{"required":["b"]}]}],"if":{"properties":{)"
        R"("name":{"const":"x"}}},"then":{"required":["address"]},"else":{"not":{}},)"
        R"("dependentSchemas":{},"unevaluatedProperties":false,"x-vendor":[null,true],)"
        R"("additionalProperties":false})";
    const std::string tool = R"({"name":"t","inputSchema":)" + schema + R"(,"outputSchema":)"
        + schema + R"(,"x-member":{"kept":[1,{"too":null}]}})";
    for (const personality p : both_eras) {
        rig r(p);
        r.server.on_request([&](const call& c) -> std::optional<reply> {
            if (c.method != "tools/list")
                return std::nullopt;
            return reply::result(json::parse(R"({"tools":[)" + tool + "]}").as_object());
        });
        r.lease();
        const auto listed = await(r, r.view().list_tools());
        BOOST_TEST_REQUIRE(listed.value->size() == 1u);
        BOOST_TEST(
            json::serialize(listed.value->at(0).raw()) == json::serialize(json::parse(tool)));
        BOOST_TEST(json::serialize(listed.value->at(0).input_schema()) == schema);
    }
}

BOOST_AUTO_TEST_CASE(what_the_server_did_not_declare_is_asked_all_the_same)
{
    rig r;
    r.lease();
    BOOST_TEST(!r.view().capabilities().contains("prompts"));
    const auto refused = await(r, r.view().list_prompts());
    BOOST_TEST((refused.code == error_code(-32601, rpc_category())));
    BOOST_TEST(r.server.count("prompts/list") == 1u);
}

BOOST_AUTO_TEST_CASE(typed_members_leave_behind_what_a_reset_undoes)
{
    rig r;
    r.server.on_request([](const call& c) { return logging_server(c); });
    r.lease();
    BOOST_TEST(await(r, r.view().subscribe("test:kept")).value.has_value());
    BOOST_TEST(await(r, r.view().subscribe("test:ended")).value.has_value());
    BOOST_TEST(await(r, r.view().unsubscribe("test:ended")).value.has_value());
    BOOST_TEST(await(r, r.view().set_log_level(log_level::debug)).value.has_value());
    BOOST_TEST(r.state->grant(0).dirty());
    r.release();
    r.io->reset(0);
    r.until([&] { return r.told->reset_done == 1; });
    std::set<std::string> ended;
    for (const call& c : all(r, "resources/unsubscribe"))
        ended.insert(std::string(c.params.at("uri").as_string()));
    BOOST_TEST(ended.size() == 2u);
    BOOST_TEST(all(r, "resources/unsubscribe").size() == 2u);
    BOOST_TEST(last(r, "logging/setLevel").params.at("level") == "info");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(log_level_of_the_modern_era)

BOOST_AUTO_TEST_CASE(goes_with_each_later_request_of_the_lease_and_is_not_sent_itself)
{
    rig r(personality::modern);
    r.server.on_request(able_server);
    r.lease();
    r.finish(r.call("tools/call", with_message("before")));
    BOOST_TEST(level_in(last(r, "tools/call")) == "none");
    BOOST_TEST(await(r, r.view().set_log_level(log_level::error)).value.has_value());
    BOOST_TEST(r.server.count("logging/setLevel") == 0u);
    BOOST_TEST(await(r, r.view().list_prompts()).value.has_value());
    BOOST_TEST(level_in(all(r, "prompts/list").at(0)) == "error");
    BOOST_TEST(level_in(all(r, "prompts/list").at(1)) == "error");
    BOOST_TEST(await(r, r.view().ping()).value.has_value());
    BOOST_TEST(level_in(last(r, "server/discover")) == "error");
    BOOST_TEST(await(r, r.view().set_log_level(log_level::debug)).value.has_value());
    r.finish(r.call("tools/call", with_message("after")));
    BOOST_TEST(level_in(last(r, "tools/call")) == "debug");
    BOOST_TEST(!r.state->grant(0).dirty());
}

BOOST_AUTO_TEST_CASE(ends_with_its_lease_and_is_no_business_of_other_leases)
{
    rig r(personality::modern, patient(), era_choice::auto_detect, 2);
    r.server.on_request(able_server);
    r.lease();
    BOOST_TEST(await(r, r.view(0).set_log_level(log_level::debug)).value.has_value());
    r.finish(r.call_of(1, "tools/call", with_message("other")));
    BOOST_TEST(level_in(last(r, "tools/call")) == "none");
    r.release(0);
    r.lend(0);
    r.finish(r.call_of(0, "tools/call", with_message("next")));
    BOOST_TEST(level_in(last(r, "tools/call")) == "none");
}

BOOST_AUTO_TEST_CASE(gives_way_to_the_level_of_a_request)
{
    rig r(personality::modern);
    r.server.on_request(able_server);
    r.lease();
    BOOST_TEST(await(r, r.view().set_log_level(log_level::debug)).value.has_value());
    call_options options;
    options.meta[level_key] = "alert";
    BOOST_TEST(await(r, r.view().read_resource("test:a", options)).value.has_value());
    BOOST_TEST(level_in(last(r, "resources/read")) == "alert");
    json::object params = with_message("x");
    params["_meta"] = json::object();
    params["_meta"].as_object()[level_key] = "notice";
    r.finish(r.call("tools/call", params));
    BOOST_TEST(level_in(last(r, "tools/call")) == "notice");
}

BOOST_AUTO_TEST_CASE(cannot_be_set_through_a_lease_that_has_ended)
{
    rig r(personality::modern);
    r.lease();
    asio::awaitable<void> late = r.view().set_log_level(log_level::debug);
    r.release();
    r.lend();
    const auto refused = await(r, std::move(late));
    BOOST_TEST((refused.code == errc::lease_released));
    BOOST_TEST(!refused.details.message.empty());
    r.finish(r.call("tools/call", with_message("x")));
    BOOST_TEST(level_in(last(r, "tools/call")) == "none");
}

BOOST_AUTO_TEST_SUITE_END()
