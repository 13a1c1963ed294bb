// Everything that a server sends besides results of calls, with everything wrong in it that can be: the
// session goes on or ends with an error, and nobody waits for ever.
#include "support/asking.hpp"
#include "support/await.hpp"
#include "support/schema_instances.hpp"

#include <boost/json/serialize.hpp>

using namespace mcp_pool;
using namespace mcp_pool::test;
using mcp_pool::testing::call;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

namespace {

json::value schema_of(personality p)
{
    return specification(
        p == personality::modern ? "schema-2026-07-28.json" : "schema-2025-11-25.json");
}

const std::vector<personality> both_eras = {personality::legacy, personality::modern};

// Each message that a definition allows, and the first of them with everything wrong in it that can be.
void each_message(const json::value& schema, std::string_view definition,
    const std::function<void(const json::value&, const std::string&)>& use)
{
    const std::string name(definition);
    const std::vector<json::value> all = instances(schema, definition);
    for (const json::value& whole : all)
        use(whole, name);
    each_damage(all.at(0),
        [&](const json::value& damaged, const std::string& path, const std::string& with) {
            use(damaged, name + path + ": " + with);
        });
}

// The session is as good as ever.
void check_health(rig& r, const std::string& after)
{
    const auto pinged = await(r, r.view().ping());
    BOOST_TEST(pinged.value.has_value(), after << ": " << pinged.details.message);
    BOOST_TEST(r.unanswered() == 0u, after);
    BOOST_TEST(!r.told->broken.has_value(), after);
}

} // namespace

BOOST_AUTO_TEST_SUITE(bad_peers)

BOOST_AUTO_TEST_CASE(start_a_session_or_fail_to_with_a_reason)
{
    for (const personality p : both_eras) {
        const bool modern = p == personality::modern;
        const char* const method = modern ? "server/discover" : "initialize";
        json::value whole =
            instances(schema_of(p), modern ? "DiscoverResult" : "InitializeResult").at(0);
        if (modern) {
            json::array versions;
            versions.emplace_back("2026-07-28");
            whole.as_object()["supportedVersions"] = std::move(versions);
            whole.as_object()["resultType"] = "complete";
        } else {
            whole.as_object()["protocolVersion"] = "2025-11-25";
        }
        std::size_t ready = 0, failed = 0;
        each_damage(whole,
            [&](const json::value& damaged, const std::string& path, const std::string& with) {
                rig r(p);
                r.server.on_request(answering(method, reply::result(damaged)));
                r.start();
                BOOST_TEST_CONTEXT(method << path << ": " << with)
                {
                    if (r.told->failed) {
                        ++failed;
                        const error_code code = r.told->failed->code;
                        BOOST_TEST(
                            (code == errc::start_failed || code == errc::unsupported_version));
                        BOOST_TEST(contains(r.told->failed->details.message, "scripted"));
                        return;
                    }
                    ++ready;
                    BOOST_TEST_REQUIRE(r.told->ready);
                    r.lend();
                    BOOST_TEST(!r.view().protocol_version().empty());
                    BOOST_TEST(json::serialize(r.view().capabilities()).size() >= 2u);
                    BOOST_TEST(json::serialize(r.view().server_info()).size() >= 2u);
                    BOOST_TEST(r.view().instructions().size() < 100u);
                }
            });
        BOOST_TEST(ready > 50u);
        BOOST_TEST(failed > 5u);
    }
}

BOOST_AUTO_TEST_CASE(answer_with_errors_of_any_shape)
{
    constexpr std::int64_t to_be_replaced = 987654;
    for (const personality p : both_eras) {
        rig r(p);
        json::value present;
        r.server.on_request([&](const call& c) -> std::optional<reply> {
            if (c.method != "tools/call")
                return std::nullopt;
            json::value line = present;
            if (json::object* const object = line.if_object())
                if (json::value* const id = object->if_contains("id"); id && *id == to_be_replaced)
                    *id = c.id;
            std::vector<std::string> lines;
            lines.push_back(json::serialize(line));
            // Where that was no answer to the call, this one is.
            lines.push_back(answer_line(id_of(c), "{}"));
            return reply::raw(std::move(lines));
        });
        r.lease();
        std::size_t errors = 0;
        each_message(schema_of(p), "JSONRPCErrorResponse",
            [&](const json::value& damaged, const std::string& what) {
                present = damaged;
                if (json::object* const object = present.if_object();
                    object && object->contains("id") && object->at("id") == "text")
                    object->at("id") = to_be_replaced;
                const auto out = r.call();
                r.finish(out);
                errors += out->code.failed() ? 1 : 0;
                BOOST_TEST((!out->code || out->code.category() == rpc_category()), what);
            });
        BOOST_TEST(errors > 5u);
        check_health(r, "errors");
    }
}

BOOST_AUTO_TEST_CASE(report_what_nobody_can_read)
{
    for (const personality p : both_eras) {
        witness seen;
        std::shared_ptr<client_handlers> handlers = all_handlers(seen);
        std::size_t heard = 0;
        handlers->list_changed = [&heard](const request_context&, list_kind) { ++heard; };
        rig r(p, patient(), era_choice::auto_detect, 1, handlers);
        r.start();
        lend_to(r, "Ada");
        for (const char* definition :
            {"ProgressNotification", "LoggingMessageNotification", "ResourceUpdatedNotification",
                "ToolListChangedNotification", "PromptListChangedNotification",
                "ResourceListChangedNotification", "CancelledNotification"})
            each_message(
                schema_of(p), definition, [&](const json::value& damaged, const std::string&) {
                    r.server.emit(1, json::serialize(damaged));
                });
        check_health(r, "notifications");
        BOOST_TEST(heard > 0u);
    }
}

BOOST_AUTO_TEST_CASE(ask_what_nobody_can_answer)
{
    witness seen;
    rig r(personality::legacy, patient(), era_choice::auto_detect, 1, all_handlers(seen));
    r.server.on_request(answering("tools/call", reply::result(json::object()).held()));
    r.start();
    lend_to(r, "Ada");
    const auto out = r.call();
    r.until([&] { return r.server.held() == 1; });
    const json::value schema = schema_of(personality::legacy);
    std::size_t asked = 0;
    for (const char* definition :
        {"CreateMessageRequest", "ElicitRequest", "ListRootsRequest", "PingRequest"})
        each_message(schema, definition, [&](const json::value& damaged, const std::string&) {
            const json::object* const object = damaged.if_object();
            const bool is_request = object && object->contains("id")
                && (object->at("id").is_string() || object->at("id").is_number())
                && object->contains("method") && object->at("method").is_string();
            asked += is_request ? 1 : 0;
            r.server.emit(1, json::serialize(damaged));
            // Of more than 16 at once the rest is refused.
            if (is_request && asked % 8 == 0)
                r.until([&] { return r.server.answers().size() == asked; });
        });
    r.until([&] { return r.server.answers().size() == asked; });
    BOOST_TEST(asked > 200u);
    BOOST_TEST(seen.calls() > 5u);
    r.server.release();
    r.finish(out);
    BOOST_TEST(!out->code);
    check_health(r, "requests");
}

BOOST_AUTO_TEST_CASE(ask_for_input_in_ways_that_are_none)
{
    witness seen;
    rig r(personality::modern, patient(), era_choice::auto_detect, 1, all_handlers(seen));
    json::value present;
    r.server.on_request([&](const call& c) -> std::optional<reply> {
        const bool first = !c.params.contains("inputResponses")
            && !c.params.contains("requestState");
        if (c.method != "tools/call" || !first)
            return std::nullopt;
        return reply::result(present);
    });
    r.start();
    lend_to(r, "Ada");
    const json::value whole = parsed(
        R"({"resultType":"input_required","requestState":"s","inputRequests":{"who":{"method":)"
        R"("elicitation/create","params":)"
        + std::string(form_params) + R"(},"model":{"method":"sampling/createMessage","params":)"
        + std::string(sampling_params) + "}}}");
    std::size_t values = 0, errors = 0;
    each_damage(
        whole, [&](const json::value& damaged, const std::string& path, const std::string& with) {
            present = damaged;
            const auto out = r.call();
            r.finish(out);
            ++(out->code ? errors : values);
            BOOST_TEST((!out->code || out->code == errc::protocol_error
                           || out->code.category() == rpc_category()),
                path << ": " << with << ": " << out->details.message);
        });
    BOOST_TEST(values > 10u);
    BOOST_TEST(errors > 50u);
    check_health(r, "rounds");
}

// What is wrong below the level of types.
BOOST_AUTO_TEST_CASE(write_json_that_means_two_things_or_none)
{
    using namespace std::string_literals;
    struct expectation
    {
        std::string body;
        // Of the content; empty: the call fails.
        std::string text;
    };
    const expectation table[] = {
        {R"({"content":7,"content":[{"type":"text","text":"a","text":"b"}]})", "b"},
        {R"({"content":[{"type":"text","text":"a\u0000b"}]})", "a\0b"s},
        {R"({"content":[{"type":"text","text":"\ud83d\ude00"}]})", "\xf0\x9f\x98\x80"},
        {"{\"content\":[{\"type\":\"text\",\"text\":\"\xf0\x9f\x98\"}]}", "\xef\xbf\xbd"},
        {"{\"content\":[{\"type\":\"text\",\"text\":\"\xed\xa0\x80\"}]}",
            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {R"({"content":[{"type":"text","text":"n"}],"n":1e400,"m":-1e400})", "n"},
        {R"({"content":[{"type":"text","text":"\ud83d"}]})", ""},
        {"{\"content\":[{\"type\":\"text\",\"text\":\"a\0b\"}]}"s, ""},
        {R"({"content":[],"n":1e99999999999999999999})", ""},
        {R"({"content":[],})", ""},
    };
    for (const personality p : both_eras)
        for (const expectation& e : table) {
            rig r(p);
            r.server.on_request([&](const call& c) -> std::optional<reply> {
                if (c.method != "tools/call")
                    return std::nullopt;
                std::vector<std::string> lines(1, answer_line(id_of(c), e.body));
                return reply::raw(std::move(lines));
            });
            r.lease();
            const auto came = await(r, r.view().call_tool("t", {}));
            BOOST_TEST(came.value.has_value() == !e.text.empty(), e.body);
            if (came.value)
                BOOST_TEST(came.value->text() == e.text, e.body);
            else
                BOOST_TEST((came.code == errc::protocol_error), e.body);
            check_health(r, e.body);
        }
}

BOOST_AUTO_TEST_SUITE_END()
