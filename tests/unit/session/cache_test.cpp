// Results that are kept, as sessions of the modern era use them.
#include "support/asking.hpp"
#include "support/await.hpp"

using namespace mcp_pool;
using namespace mcp_pool::test;
using mcp_pool::testing::call;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

namespace {

// Every list in two pages, and resources, all to be kept for an hour in this scope.
testing::script keeping(std::string scope, std::string more_capabilities = "")
{
    return [scope = std::move(scope), more = std::move(more_capabilities)](
               const call& c) -> std::optional<reply> {
        if (c.method == "server/discover")
            return reply::result(parsed(
                R"({"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{)"
                + more + R"(},"ttlMs":3600000,"cacheScope":"public"})"));
        const bool list = c.method.ends_with("/list");
        if (!list && c.method != "resources/read")
            return std::nullopt;
        json::object result;
        result["resultType"] = "complete";
        result["ttlMs"] = 3'600'000;
        result["cacheScope"] = scope;
        const json::value* const cursor = c.params.if_contains("cursor");
        if (c.method == "tools/list")
            result["tools"] = parsed(cursor ? R"([{"name":"b","inputSchema":{}}])"
                                            : R"([{"name":"a","inputSchema":{}}])");
        else if (c.method == "prompts/list")
            result["prompts"] = parsed(R"([{"name":"p"}])");
        else if (c.method == "resources/list")
            result["resources"] = json::array();
        else if (c.method == "resources/templates/list")
            result["resourceTemplates"] = json::array();
        else
            result["contents"] = parsed(R"([{"uri":"test:a","text":"contents"}])");
        if (c.method == "tools/list" && !cursor)
            result["nextCursor"] = "2";
        return reply::result(std::move(result));
    };
}

struct scene : rig
{
    explicit scene(const testing::script& script, pool_options options = patient(),
        std::size_t leases = 1, personality p = personality::modern)
        : rig(p, options, era_choice::auto_detect, leases)
    {
        server.on_request(script);
        lease();
    }

    void name(std::size_t grant, const char* key)
    {
        state->grant(grant).isolation_key = key ? std::make_shared<const std::string>(key)
                                                : nullptr;
    }

    std::size_t tools(std::size_t grant = 0, call_options options = {})
    {
        const auto listed = await(*this, view(grant).list_tools(std::move(options)));
        BOOST_TEST(listed.value.has_value(), listed.details.message);
        return listed.value ? listed.value->size() : 0;
    }
    void read(std::string uri, std::size_t grant = 0, call_options options = {})
    {
        const auto got = await(
            *this, view(grant).read_resource(std::move(uri), std::move(options)));
        BOOST_TEST(got.value.has_value(), got.details.message);
    }

    void heard()
    {
        const int before = told->probe_done;
        io->probe();
        until([&] { return told->probe_done == before + 1; });
        settle();
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(kept_by_the_pool)

BOOST_AUTO_TEST_CASE(what_is_still_fresh_is_not_asked_for_again)
{
    scene s(keeping("public"));
    for (int i = 0; i != 3; ++i) {
        BOOST_TEST(s.tools() == 2u);
        s.read("test:a");
        BOOST_TEST(await(s, s.view().list_prompts()).value->size() == 1u);
        BOOST_TEST(await(s, s.view().list_resources()).value->empty());
        BOOST_TEST(await(s, s.view().list_resource_templates()).value->empty());
    }
    BOOST_TEST(s.server.count("tools/list") == 2u);
    for (const auto method :
        {"resources/read", "prompts/list", "resources/list", "resources/templates/list"})
        BOOST_TEST(s.server.count(method) == 1u);
    BOOST_TEST(s.shared->results.hits() == 12u);
    BOOST_TEST(s.unanswered() == 0u);
    s.read("test:b");
    BOOST_TEST(s.server.count("resources/read") == 2u);
    // Nor by another session of the pool.
    s.make_connection();
    s.lease();
    BOOST_TEST(s.tools() == 2u);
    BOOST_TEST(s.server.count("tools/list") == 2u);
}

BOOST_AUTO_TEST_CASE(a_kept_result_comes_as_any_other_never_before_the_call_returns)
{
    scene s(keeping("public"));
    const auto first = s.call("tools/list");
    s.finish(first);
    const auto again = s.call("tools/list");
    BOOST_TEST(!again->done);
    s.finish(again);
    BOOST_TEST((again->result == first->result));
    BOOST_TEST(s.server.count("tools/list") == 1u);
    BOOST_TEST(s.shared->call_times.snapshot().count == 1u);
    // A lease that has ended gets nothing.
    const auto late = s.call("tools/list");
    s.release();
    s.finish(late);
    BOOST_TEST((late->code == asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(who_wants_it_fresh_asks_the_server_and_renews_what_is_kept)
{
    scene s(keeping("public"));
    call_options fresh;
    fresh.fresh = true;
    s.read("test:a");
    s.read("test:a", 0, fresh);
    BOOST_TEST(s.server.count("resources/read") == 2u);
    s.read("test:a");
    BOOST_TEST(s.server.count("resources/read") == 2u);
    // What is asked for a sign of life is never kept.
    const std::size_t asked = s.server.count("server/discover");
    s.finish(s.call("server/discover"));
    s.finish(s.call("server/discover"));
    BOOST_TEST(s.server.count("server/discover") == asked + 1);
    BOOST_TEST(await(s, s.view().ping()).value.has_value());
    s.heard();
    BOOST_TEST(s.server.count("server/discover") == asked + 3);
}

BOOST_AUTO_TEST_CASE(private_results_stay_with_their_isolation_key)
{
    scene s(keeping("private"), patient(), 3);
    s.name(0, "Ada");
    s.name(1, "Ben");
    for (int i = 0; i != 2; ++i)
        for (std::size_t grant = 0; grant != 3; ++grant)
            s.read("test:a", grant);
    BOOST_TEST(s.server.count("resources/read") == 3u);
    // Those without a key are one more, and a later lease with the same key finds it.
    s.name(1, nullptr);
    s.name(2, "Ben");
    s.read("test:a", 1);
    s.read("test:a", 2);
    BOOST_TEST(s.server.count("resources/read") == 3u);
}

BOOST_AUTO_TEST_CASE(nothing_is_kept_in_the_legacy_era_or_where_it_is_off)
{
    pool_options off = patient();
    off.cache_bytes = 0;
    const auto legacy = [script = keeping("public")](const call& c) {
        return c.method == "server/discover" ? std::nullopt : script(c);
    };
    scene old(legacy, patient(), 1, personality::legacy);
    scene never(keeping("public"), off);
    for (scene* const s : {&old, &never}) {
        s->read("test:a");
        s->read("test:a");
        BOOST_TEST(s->server.count("resources/read") == 2u);
    }
}

BOOST_AUTO_TEST_CASE(what_a_handler_had_a_part_in_is_not_kept)
{
    witness seen;
    rig r(personality::modern, patient(), era_choice::auto_detect, 1, all_handlers(seen));
    r.server.on_request([script = keeping("public")](const call& c) -> std::optional<reply> {
        if (c.method == "resources/read" && !c.params.contains("inputResponses"))
            return reply::result(parsed(R"({"resultType":"input_required","ttlMs":3600000,
                "cacheScope":"public","inputRequests":{"r":{"method":"roots/list"}}})"));
        return script(c);
    });
    r.start();
    lend_to(r, "Ada");
    for (std::size_t i = 1; i != 3; ++i) {
        BOOST_TEST(await(r, r.view().read_resource("test:a")).value.has_value());
        BOOST_TEST(r.server.count("resources/read") == 2 * i);
        BOOST_TEST(seen.roots.size() == i);
    }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_used_is_not_kept)
{
    scene s([](const call& c) -> std::optional<reply> {
        if (c.method != "tools/list")
            return std::nullopt;
        return reply::result(parsed(R"({"resultType":"complete","tools":7,"ttlMs":3600000,
            "cacheScope":"public"})"));
    });
    for (std::size_t i = 1; i != 3; ++i) {
        s.finish(s.call("tools/list"));
        BOOST_TEST(s.server.count("tools/list") == i);
    }
    BOOST_TEST((await(s, s.view().list_tools()).code == errc::protocol_error));
}

BOOST_AUTO_TEST_CASE(what_the_server_says_has_changed_is_asked_for_again)
{
    scene s(keeping("public", R"("tools":{"listChanged":true})"));
    BOOST_TEST(s.server.count("subscriptions/listen") == 0u);
    s.tools();
    // From now on its changes are of interest; asked for once.
    s.heard();
    BOOST_TEST(s.server.count("subscriptions/listen") == 1u);
    BOOST_TEST(json::serialize(last(s, "subscriptions/listen").params.at("notifications"))
        == R"({"toolsListChanged":true})");
    s.server.emit(1,
        report("tools/list_changed",
            R"({"_meta":{"io.modelcontextprotocol/subscriptionId":)"
                + std::to_string(id_of(last(s, "subscriptions/listen"))) + "}}"));
    s.heard();
    s.tools();
    BOOST_TEST(s.server.count("tools/list") == 4u);
    s.read("test:a");
    s.read("test:b");
    s.server.emit(1, report("resources/updated", R"({"uri":"test:a"})"));
    s.heard();
    s.read("test:a");
    s.read("test:b");
    BOOST_TEST(s.server.count("resources/read") == 3u);
    BOOST_TEST(await(s, s.view().list_prompts()).value.has_value());
    s.heard();
    BOOST_TEST(s.server.count("subscriptions/listen") == 1u);
    BOOST_TEST(!s.state->grant(0).dirty());
}

BOOST_AUTO_TEST_CASE(after_an_interruption_nothing_that_was_listened_to_is_believed)
{
    scene s(keeping("public", R"("tools":{"listChanged":true})"));
    s.tools();
    BOOST_TEST(await(s, s.view().subscribe("test:a")).value.has_value());
    s.read("test:a");
    s.heard();
    for (const call& c : all(s, "subscriptions/listen"))
        s.server.emit(1, answer_line(id_of(c), R"({"resultType":"complete"})"));
    s.until([&] { return s.server.count("subscriptions/listen") == 4; });
    s.heard();
    s.tools();
    s.read("test:a");
    BOOST_TEST(s.server.count("tools/list") == 4u);
    BOOST_TEST(s.server.count("resources/read") == 2u);
}

BOOST_AUTO_TEST_CASE(a_cursor_that_has_become_wrong_begins_the_list_anew)
{
    bool moved = false;
    scene s([&moved, script = keeping("public")](const call& c) -> std::optional<reply> {
        const json::value* const cursor = c.params.if_contains("cursor");
        if (moved && c.method == "tools/list") {
            if (cursor && *cursor == "2")
                return reply::error(-32602, "no such cursor");
            if (cursor)
                return reply::result(parsed(R"({"tools":[{"name":"c","inputSchema":{}}]})"));
            return reply::result(parsed(R"({"tools":[{"name":"a","inputSchema":{}},
                {"name":"b","inputSchema":{}}],"nextCursor":"3"})"));
        }
        std::optional<reply> usual = script(c);
        if (c.method == "tools/list" && cursor)
            return reply::result(parsed(R"({"tools":[{"name":"b","inputSchema":{}}]})"));
        return usual;
    });
    BOOST_TEST(s.tools() == 2u);
    BOOST_TEST(s.tools() == 2u);
    // The first page is kept, the second is not.
    BOOST_TEST(s.server.count("tools/list") == 3u);
    moved = true;
    BOOST_TEST(s.tools() == 3u);
    BOOST_TEST(s.server.count("tools/list") == 6u);
    // A cursor that is wrong in spite of it is an error.
    s.server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method != "tools/list")
            return std::nullopt;
        if (c.params.contains("cursor"))
            return reply::error(-32602, "no such cursor");
        return reply::result(parsed(R"({"tools":[],"nextCursor":"2"})"));
    });
    const auto refused = await(s, s.view().list_tools());
    BOOST_TEST((refused.code == error_code(-32602, rpc_category())));
    BOOST_TEST(s.server.count("tools/list") == 10u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(traces_of_calls)

BOOST_AUTO_TEST_CASE(go_with_the_request_in_both_eras)
{
    for (const personality p : {personality::legacy, personality::modern}) {
        rig r(p);
        r.lease();
        call_options traced;
        traced.trace.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        traced.trace.tracestate = "congo=t61";
        traced.trace.baggage = "not baggage";
        r.finish(r.call("tools/call", with_message("x"), traced));
        const json::object meta = last(r, "tools/call").params.at("_meta").as_object();
        BOOST_TEST(meta.at("traceparent") == json::value(traced.trace.traceparent));
        BOOST_TEST(meta.at("tracestate") == "congo=t61");
        BOOST_TEST(!meta.contains("baggage"));
        BOOST_TEST(await(r, r.view().list_tools(traced)).value.has_value());
        BOOST_TEST(last(r, "tools/list").params.at("_meta").as_object().contains("traceparent"));
        r.finish(r.call("tools/call", with_message("x")));
        BOOST_TEST(!contains(json::serialize(last(r, "tools/call").params), "traceparent"));
    }
}

BOOST_AUTO_TEST_SUITE_END()
