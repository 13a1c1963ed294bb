// Requests through a connection: answers of every kind, limits, cancellation, timeouts, release,
// end.
#include "session/failure.hpp"
#include "support/talk.hpp"

#include <map>

using namespace mcp_pool;
using namespace mcp_pool::test;
using mcp_pool::testing::call;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

BOOST_AUTO_TEST_SUITE(requests)

BOOST_AUTO_TEST_CASE(a_call_is_answered)
{
    for (const personality p : {personality::legacy, personality::modern}) {
        rig r(p);
        r.lease();
        const auto out = r.call("tools/call", with_message("hi"));
        BOOST_TEST(r.unanswered() == 1u);
        r.finish(out);
        BOOST_TEST(!out->code);
        BOOST_TEST(text_in(out->result) == "hi");
        BOOST_TEST(r.unanswered() == 0u);
        BOOST_TEST(r.shared->call_times.snapshot().max >= 0);
    }
}

BOOST_AUTO_TEST_CASE(an_error_of_the_peer_has_its_code_and_object)
{
    rig r;
    r.server.on_request(answering("tools/call", reply::error(-32602, "no \x1b tool", 7)));
    r.lease();
    const auto out = r.call();
    r.finish(out);
    BOOST_TEST((out->code.category() == rpc_category()));
    BOOST_TEST(out->code.value() == -32602);
    BOOST_TEST_REQUIRE(out->details.rpc.has_value());
    BOOST_TEST(out->details.rpc->data.as_int64() == 7);
    BOOST_TEST(contains(out->details.message, "server \"scripted\": tools/call"));
    BOOST_TEST(contains(out->details.message, "no \\x1b tool"));
    BOOST_TEST(r.unanswered() == 0u);
}

BOOST_AUTO_TEST_CASE(an_error_with_code_0_is_an_error)
{
    rig r;
    r.server.on_request(answering("tools/call", reply::error(0, "zero")));
    r.lease();
    const auto out = r.call();
    r.finish(out);
    BOOST_TEST(out->code.failed());
    BOOST_TEST(!is_safe_to_retry(out->code));
}

BOOST_AUTO_TEST_CASE(an_answer_twice_and_an_unknown_one_are_counted_and_ignored)
{
    rig r;
    r.server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method != "tools/call")
            return std::nullopt;
        return reply::result(json::object())
            .after(answer_line(id_of(c), R"({"second":true})"))
            .after(answer_line(4711, "{}"))
            .after(R"({"jsonrpc":"2.0","id":"x","result":{}})")
            .after(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}})");
    });
    r.lease();
    const auto out = r.call();
    r.finish(out);
    BOOST_TEST(out->result.as_object().empty());
    r.until([&] { return r.shared->unknown_answers == 4; });
    BOOST_TEST(r.unanswered() == 0u);
    BOOST_TEST(!r.told->broken);
}

BOOST_AUTO_TEST_CASE(garbage_batches_and_requests_in_the_middle_do_not_disturb_a_call)
{
    rig r;
    r.server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method != "tools/call")
            return std::nullopt;
        return reply::raw({"Debugger attached.", "{\"half\":", "{}", "[]", "17",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}",
            R"([{"jsonrpc":"2.0","id":"q","method":"ping"},)"
            R"({"jsonrpc":"2.0","method":"notifications/message","params":{}},3,)"
                + answer_line(id_of(c),
                    R"({"text":"broken )"
                    "\xff"
                    R"( utf-8"})")
                + "]"});
    });
    r.lease();
    const auto out = r.call();
    r.finish(out);
    BOOST_TEST(out->result.as_object().at("text").as_string() == "broken \xef\xbf\xbd utf-8");
    BOOST_TEST(r.shared->garbage_lines == 6u);
    BOOST_TEST(r.shared->replaced_sequences == 1u);
    r.until([&] { return r.server.answers().size() == 1; });
    BOOST_TEST(r.server.answers()[0].at("id").as_string() == "q");
}

BOOST_AUTO_TEST_CASE(one_line_of_2025_03_26_may_answer_several_requests_and_report_besides)
{
    pool_options two_at_a_time = patient();
    two_at_a_time.max_requests_in_flight = 2;
    rig r(personality::legacy, two_at_a_time);
    std::int64_t first = 0;
    r.server.on_request([&first](const call& c) -> std::optional<reply> {
        if (c.method == "initialize")
            return reply::result(json::parse(R"({"protocolVersion":"2025-03-26","capabilities":{},
                "serverInfo":{"name":"batches","version":"1"}})")
                                     .as_object());
        if (c.method != "tools/call")
            return std::nullopt;
        if (first == 0) {
            first = id_of(c);
            return reply::silence();
        }
        return reply::raw({"[" + answer_line(id_of(c), R"({"text":"second"})")
            + R"(,{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":)"
            + std::to_string(first) + R"(,"progress":1}},)"
            + R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"},)"
            + answer_line(first, R"({"text":"first"})") + "]"});
    });
    r.lease();
    BOOST_TEST(r.view().protocol_version() == "2025-03-26");
    call_options watched;
    watched.progress = [](const progress&) {};
    const auto one = r.call("tools/call", {}, watched);
    const auto other = r.call();
    r.finish(one);
    r.finish(other);
    BOOST_TEST(one->result.as_object().at("text").as_string() == "first");
    BOOST_TEST(other->result.as_object().at("text").as_string() == "second");
    BOOST_TEST(one->progress == std::vector<double>{1}, boost::test_tools::per_element());
    BOOST_TEST(r.unanswered() == 0u);
    BOOST_TEST(r.shared->garbage_lines == 0u);
}

BOOST_AUTO_TEST_CASE(a_modern_server_gets_no_answers_to_requests_it_must_not_send)
{
    rig r(personality::modern);
    r.lease();
    r.server.emit(1, R"({"jsonrpc":"2.0","id":1,"method":"ping"})");
    r.until([&] { return r.shared->forbidden_requests == 1; });
    const auto out = r.call();
    r.finish(out);
    BOOST_TEST(!out->code);
    BOOST_TEST(r.server.answers().empty());
}

BOOST_AUTO_TEST_CASE(a_modern_request_says_who_asks)
{
    rig r(personality::modern);
    r.lease();
    call_options options;
    options.meta["traceparent"] = "00-1";
    options.meta["progressToken"] = "mine";
    json::object params = with_message("hi");
    params["_meta"] = json::parse(
        R"({"vendor/x":1,"io.modelcontextprotocol/protocolVersion":"9"})");
    r.finish(r.call("tools/call", params, options));
    const call seen = last(r, "tools/call");
    const json::object& meta = seen.params.at("_meta").as_object();
    BOOST_TEST(meta.at("io.modelcontextprotocol/protocolVersion").as_string() == "2026-07-28");
    BOOST_TEST(meta.at("io.modelcontextprotocol/clientCapabilities").as_object().empty());
    BOOST_TEST(meta.at("io.modelcontextprotocol/clientInfo").as_object().at("name").as_string()
        == "mcp-pool");
    BOOST_TEST(meta.at("traceparent").as_string() == "00-1");
    BOOST_TEST(meta.at("vendor/x").as_int64() == 1);
    BOOST_TEST(!meta.contains("progressToken"));
    BOOST_TEST(seen.params.at("name").as_string() == "echo");
}

BOOST_AUTO_TEST_CASE(result_types_of_the_modern_era_are_checked)
{
    const std::map<std::string, std::string> faults = {
        {R"({"resultType":"complete"})", ""},
        {R"({})", ""},
        {R"({"resultType":"input_required","requestState":"x"})", "asks for input"},
        {R"({"resultType":"tas\nk"})", "unknown resultType \"tas\\nk\""},
        {R"({"resultType":1})", "unknown resultType"},
    };
    for (const auto& [result, fault] : faults) {
        rig r(personality::modern);
        r.server.on_request(answering("tools/call", reply::result(json::parse(result))));
        r.lease();
        const auto out = r.call();
        r.finish(out);
        if (fault.empty()) {
            BOOST_TEST(!out->code);
        } else {
            BOOST_TEST((out->code == errc::protocol_error));
            BOOST_TEST(contains(out->details.message, fault), out->details.message);
        }
        BOOST_TEST(!r.told->broken);
    }
}

BOOST_AUTO_TEST_CASE(methods_of_the_other_era_are_refused_without_harm)
{
    const std::map<personality, std::vector<std::string>> foreign = {
        {personality::legacy, {"server/discover", "subscriptions/listen", "initialize"}},
        {personality::modern, {"ping", "logging/setLevel", "initialize"}},
    };
    for (const auto& [p, methods] : foreign) {
        rig r(p);
        r.lease();
        for (const std::string& method : methods) {
            const auto out = r.call(method);
            r.finish(out);
            BOOST_TEST((out->code == errc::method_not_supported));
        }
        BOOST_TEST(r.unanswered() == 0u);
    }
}

BOOST_AUTO_TEST_CASE(legacy_requests_go_one_at_a_time_and_in_order)
{
    rig r;
    r.server.on_request(answering("tools/call", reply::result(json::object()).held()));
    r.lease();
    const auto first = r.call();
    const auto second = r.call();
    const auto third = r.call();
    r.until([&] { return r.server.held() == 1; });
    r.settle();
    BOOST_TEST(r.server.count("tools/call") == 1u);
    BOOST_TEST(r.unanswered() == 3u);
    for (const auto& out : {first, second, third}) {
        BOOST_TEST(!out->done);
        r.until([&] { return r.server.held() == 1; });
        r.server.release();
        r.finish(out);
    }
    BOOST_TEST(r.unanswered() == 0u);
}

BOOST_AUTO_TEST_CASE(modern_requests_share_the_connection_and_may_be_answered_in_any_order)
{
    rig r(personality::modern);
    std::vector<std::int64_t> ids;
    r.server.on_request([&](const call& c) -> std::optional<reply> {
        if (c.method != "tools/call")
            return std::nullopt;
        ids.push_back(id_of(c));
        return reply::silence();
    });
    r.lease();
    std::vector<std::shared_ptr<outcome>> out;
    for (int i = 0; i < 70; ++i)
        out.push_back(r.call());
    r.until([&] { return ids.size() == 64; });
    r.settle();
    BOOST_TEST(ids.size() == 64u);
    for (std::size_t i = 64; i-- > 0;)
        r.server.emit(1, answer_line(ids[i], R"({"id":)" + std::to_string(ids[i]) + "}"));
    r.until([&] { return ids.size() == 70; });
    for (std::size_t i = 64; i < 70; ++i)
        r.server.emit(1, answer_line(ids[i], R"({"id":)" + std::to_string(ids[i]) + "}"));
    for (std::size_t i = 0; i < out.size(); ++i) {
        r.finish(out[i]);
        BOOST_TEST(out[i]->result.at("id").as_int64() == ids[i]);
    }
}

BOOST_AUTO_TEST_CASE(a_request_that_is_too_large_is_refused_without_harm)
{
    pool_options o = patient();
    o.max_message_bytes = 1000;
    rig r(personality::legacy, o);
    r.lease();
    const auto large = r.call("tools/call", with_message(std::string(1000, 'x')));
    r.finish(large);
    BOOST_TEST((large->code == errc::message_too_large));
    BOOST_TEST(
        contains(large->details.message, "max_message_bytes (1000)"), large->details.message);
    const auto small = r.call("tools/call", with_message("x"));
    r.finish(small);
    BOOST_TEST(!small->code);
    BOOST_TEST(!r.told->broken);
}

BOOST_AUTO_TEST_CASE(a_notification_completes_when_it_is_handed_over)
{
    rig r;
    r.lease();
    const auto out = r.call("notifications/roots/list_changed", {}, {}, {}, true);
    r.finish(out);
    BOOST_TEST(!out->code);
    BOOST_TEST(r.unanswered() == 0u);
    r.until([&] { return r.server.count("notifications/roots/list_changed") == 1; });
    BOOST_TEST(last(r, "notifications/roots/list_changed").id.is_null());
}

BOOST_AUTO_TEST_CASE(progress_reaches_the_caller_and_only_where_it_was_asked_for)
{
    rig r;
    r.server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method != "tools/call")
            return std::nullopt;
        const auto note = [&c](int i) {
            return R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":)"
                + std::to_string(id_of(c)) + R"(,"progress":)" + std::to_string(i) + "}}";
        };
        return reply::result(json::object()).before(note(1)).before(note(2)).after(note(3));
    });
    r.lease();
    call_options options;
    options.progress = [](const progress&) {};
    const auto asked = r.call("tools/call", with_message("x"), options);
    r.finish(asked);
    r.settle();
    BOOST_TEST(asked->progress == (std::vector<double>{1, 2}));
    BOOST_TEST(last(r, "tools/call").params.at("_meta").as_object().at("progressToken").is_int64());
    const auto silent = r.call("tools/call", with_message("x"));
    r.finish(silent);
    BOOST_TEST(!last(r, "tools/call").params.contains("_meta"));
}

BOOST_AUTO_TEST_CASE(a_flood_of_progress_is_bounded_and_its_newest_report_arrives)
{
    rig r;
    r.server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method != "tools/call")
            return std::nullopt;
        reply flood = reply::result(json::object());
        for (int i = 1; i <= 1000; ++i)
            flood = std::move(flood).before(
                R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":)"
                + std::to_string(id_of(c)) + R"(,"progress":)" + std::to_string(i) + "}}");
        return flood;
    });
    r.lease();
    // Nobody runs it before everything has come.
    asio::io_context slow;
    std::vector<double> seen;
    bool done = false;
    call_options options;
    options.progress = [&seen](const progress& p) { seen.push_back(p.value); };
    r.view().async_call_tool("echo", {}, options,
        asio::bind_executor(slow.get_executor(), [&](error_code code, const tool_result&) {
            BOOST_TEST(!code);
            done = true;
        }));
    r.until([&] { return r.shared->call_times.snapshot().count == 1; });
    slow.run();
    BOOST_TEST(done);
    BOOST_TEST(seen.size() == 64u);
    BOOST_TEST(std::is_sorted(seen.begin(), seen.end()));
    BOOST_TEST(seen.back() == 1000);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(giving_up)

BOOST_AUTO_TEST_CASE(a_deadline_that_has_passed_is_not_the_same_as_none)
{
    rig r;
    r.server.on_request(answering("tools/call", reply::silence()));
    r.lease();
    const auto by_constructor = r.call("tools/call", {}, call_options(-5s));
    r.finish(by_constructor);
    BOOST_TEST((by_constructor->code == errc::call_timeout));
    call_options options;
    options.timeout = -5s;
    const auto by_member = r.call("tools/call", {}, options);
    r.finish(by_member);
    BOOST_TEST((by_member->code == errc::call_timeout));
}

BOOST_AUTO_TEST_CASE(a_call_times_out_and_is_cancelled_at_the_server)
{
    rig r;
    r.server.on_request(answering("tools/call", reply::result(json::object()).held()));
    r.lease();
    const auto out = r.call("tools/call", {}, call_options(1ms));
    const auto behind = r.call("tools/call", with_message("behind"));
    r.finish(out);
    BOOST_TEST((out->code == errc::call_timeout));
    BOOST_TEST(contains(out->details.message, "tools/call got no answer within 1 ms"),
        out->details.message);
    r.until([&] { return cancelled(r).size() == 1; });
    // It counts until its answer comes after all.
    BOOST_TEST(r.unanswered() == 2u);
    r.until([&] { return r.server.held() == 2; });
    r.server.release();
    r.finish(behind);
    BOOST_TEST(!behind->code);
    BOOST_TEST(r.shared->late_answers == 1u);
    BOOST_TEST(r.unanswered() == 0u);
    BOOST_TEST(!r.told->broken);
}

BOOST_AUTO_TEST_CASE(call_timeout_of_the_pool_holds_where_the_call_says_nothing)
{
    pool_options o = patient();
    o.call_timeout = 1ms;
    rig r(personality::legacy, o);
    r.server.on_request(answering("tools/call", reply::silence()));
    r.lease();
    const auto out = r.call();
    r.finish(out);
    BOOST_TEST((out->code == errc::call_timeout));
}

BOOST_AUTO_TEST_CASE(a_queued_call_that_times_out_is_never_sent)
{
    rig r;
    r.server.on_request(answering("tools/call", reply::silence()));
    r.lease();
    const auto first = r.call();
    const auto queued = r.call("tools/call", {}, call_options(1ms));
    r.finish(queued);
    BOOST_TEST((queued->code == errc::call_timeout));
    BOOST_TEST(contains(queued->details.message, "it was not sent"), queued->details.message);
    BOOST_TEST(r.server.count("tools/call") == 1u);
    BOOST_TEST(cancelled(r).empty());
    BOOST_TEST(r.unanswered() == 1u);
    BOOST_TEST(!first->done);
}

BOOST_AUTO_TEST_CASE(idle_timeout_asks_for_progress_and_ends_a_silent_call)
{
    rig r;
    r.server.on_request(answering("tools/call", reply::silence()));
    r.lease();
    call_options options;
    options.idle_timeout = 1ms;
    const auto out = r.call("tools/call", with_message("x"), options);
    r.finish(out);
    BOOST_TEST((out->code == errc::call_timeout));
    BOOST_TEST(contains(out->details.message, "neither an answer nor progress"));
    BOOST_TEST(last(r, "tools/call").params.at("_meta").as_object().contains("progressToken"));
}

BOOST_AUTO_TEST_CASE(cancelling_at_every_stage_completes_once)
{
    for (int i = 0;; ++i) {
        rig r;
        r.lease();
        r.settle();
        asio::cancellation_signal signal;
        const auto out = r.call("tools/call", with_message("x"), {}, signal.slot());
        for (int n = 0; n < i; ++n)
            r.context.poll_one();
        const bool finished_first = out->done;
        signal.emit(asio::cancellation_type::total);
        r.finish(out);
        r.settle();
        const bool aborted = out->code == asio::error::operation_aborted;
        BOOST_TEST((aborted || !out->code));
        const bool was_sent = r.server.count("tools/call") == 1;
        BOOST_TEST(cancelled(r).size() == (aborted && was_sent ? 1u : 0u));
        // The peer answered in any case, in time or late.
        r.until([&] { return r.unanswered() == 0; });
        const auto next = r.call("tools/call", with_message("next"));
        r.finish(next);
        BOOST_TEST(text_in(next->result) == "next");
        if (finished_first)
            break;
        BOOST_TEST_REQUIRE(i < 1000);
    }
}

BOOST_AUTO_TEST_CASE(a_queued_request_that_is_cancelled_is_never_sent)
{
    rig r;
    r.server.on_request(answering("tools/call", reply::silence()));
    r.lease();
    const auto first = r.call();
    asio::cancellation_signal signal;
    const auto queued = r.call("tools/call", {}, {}, signal.slot());
    r.settle();
    signal.emit(asio::cancellation_type::terminal);
    r.finish(queued);
    BOOST_TEST((queued->code == asio::error::operation_aborted));
    BOOST_TEST(r.server.count("tools/call") == 1u);
    BOOST_TEST(cancelled(r).empty());
    BOOST_TEST(r.unanswered() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(release)

BOOST_AUTO_TEST_CASE(an_operation_through_an_ended_lease_fails)
{
    rig r;
    r.lease();
    r.release();
    const auto out = r.call();
    r.finish(out);
    BOOST_TEST((out->code == errc::lease_released));
    BOOST_TEST(r.unanswered() == 0u);
    BOOST_TEST(r.server.count("tools/call") == 0u);
}

BOOST_AUTO_TEST_CASE(reset_of_a_clean_session_is_done_at_once)
{
    rig r;
    r.lease();
    r.finish(r.call());
    r.release();
    r.io->reset(0);
    r.until([&] { return r.told->reset_done == 1; });
    BOOST_TEST(r.server.count("ping") == 0u);
}

BOOST_AUTO_TEST_CASE(reset_aborts_cancels_and_asks_for_a_sign_of_life)
{
    for (const personality p : {personality::legacy, personality::modern}) {
        rig r(p);
        r.server.on_request(answering("tools/call", reply::silence()));
        r.lease();
        const auto probes = r.server.count("server/discover");
        const auto sent = r.call();
        const auto unsent = r.call();
        r.until([&] { return r.server.count("tools/call") >= 1; });
        r.release();
        r.io->reset(0);
        r.finish(sent);
        r.finish(unsent);
        BOOST_TEST((sent->code == asio::error::operation_aborted));
        BOOST_TEST((unsent->code == asio::error::operation_aborted));
        r.until([&] { return r.told->reset_done == 1; });
        BOOST_TEST(r.unanswered() == 0u);
        if (p == personality::legacy) {
            BOOST_TEST(r.server.count("ping") == 1u);
            BOOST_TEST(cancelled(r).size() == 1u);
        } else {
            BOOST_TEST(r.server.count("server/discover") == probes + 1);
            BOOST_TEST(cancelled(r).size() == 2u);
        }
        // The next lease is not troubled by what the former one left.
        r.server.on_request({});
        r.lend();
        const auto next = r.call("tools/call", with_message("next"));
        r.finish(next);
        BOOST_TEST(text_in(next->result) == "next");
    }
}

BOOST_AUTO_TEST_CASE(a_timed_out_call_keeps_the_grant_dirty_until_reset)
{
    rig r;
    r.server.on_request(answering("tools/call", reply::silence()));
    r.lease();
    const auto out = r.call("tools/call", {}, call_options(1ms));
    r.finish(out);
    BOOST_TEST(r.unanswered() == 1u);
    r.release();
    r.io->reset(0);
    r.until([&] { return r.told->reset_done == 1; });
    BOOST_TEST(r.server.count("ping") == 1u);
    BOOST_TEST(r.unanswered() == 0u);
}

BOOST_AUTO_TEST_CASE(an_error_answer_to_the_probe_is_life)
{
    rig r;
    r.server.on_request(answering("ping", reply::error(-32600, "what is a ping?")));
    r.lease();
    r.io->probe();
    r.until([&] { return r.told->probe_done == 1; });
    BOOST_TEST(r.told->reset_done == 0);
}

BOOST_AUTO_TEST_CASE(a_mute_peer_gives_no_sign)
{
    rig r;
    r.server.on_request(answering("ping", reply::silence()));
    r.lease();
    r.io->probe();
    r.until([&] { return r.server.count("ping") == 1; });
    r.settle();
    BOOST_TEST(r.told->probe_done == 0);
}

BOOST_AUTO_TEST_CASE(a_request_racing_with_the_release_is_aborted_and_leaves_no_count)
{
    rig r;
    r.lease();
    const auto out = r.call();
    r.release();
    r.io->reset(0);
    r.finish(out);
    BOOST_TEST((out->code == asio::error::operation_aborted));
    r.until([&] { return r.told->reset_done == 1; });
    BOOST_TEST(r.unanswered() == 0u);
    BOOST_TEST(r.server.count("tools/call") == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(the_end)

BOOST_AUTO_TEST_CASE(a_death_fails_what_is_in_flight_with_status_and_stderr)
{
    rig r;
    r.server.on_request(answering("tools/call", reply::silence()));
    r.lease();
    const auto sent = r.call();
    const auto queued = r.call();
    r.until([&] { return r.server.count("tools/call") == 1; });
    r.server.write_stderr(1, "FATAL: heap out of memory\n");
    r.server.kill(1);
    r.finish(sent);
    r.finish(queued);
    BOOST_TEST((sent->code == errc::session_closed));
    BOOST_TEST((queued->code == errc::not_sent));
    BOOST_TEST(!is_safe_to_retry(sent->code));
    BOOST_TEST(is_safe_to_retry(queued->code));
    for (const auto& out : {sent, queued}) {
        BOOST_TEST(contains(out->details.message, "server \"scripted\""), out->details.message);
        BOOST_TEST(contains(out->details.message, "signal 9 (SIGKILL)"), out->details.message);
        BOOST_TEST(contains(out->details.message, "heap out of memory"), out->details.message);
        BOOST_TEST(contains(out->details.message, "acquire a new lease"), out->details.message);
    }
    r.until([&] { return r.told->ended_count == 1; });
    BOOST_TEST(r.told->broken_count == 1);
    BOOST_TEST((r.told->broken == detail::broken_cause::died));
    BOOST_TEST(r.unanswered() == 0u);
    // What is started on it now was certainly not sent.
    const auto late = r.call();
    r.finish(late);
    BOOST_TEST((late->code == errc::not_sent));
    BOOST_TEST(contains(late->details.message, "signal 9 (SIGKILL)"), late->details.message);
}

BOOST_AUTO_TEST_CASE(a_kill_is_told_as_ours_or_as_somebody_elses)
{
    rig foreign;
    foreign.lease();
    foreign.server.kill(1);
    foreign.until([&] { return foreign.told->ended_count == 1; });
    BOOST_TEST(foreign.told->ended->status->text() == "signal 9 (SIGKILL), not sent by this pool");
    const auto late = foreign.call();
    foreign.finish(late);
    BOOST_TEST(contains(late->details.message,
                   "the process ended with signal 9 (SIGKILL), not sent by this pool"),
        late->details.message);
    BOOST_TEST(late->details.exit_status->note == "not sent by this pool");

    rig ours;
    ours.lease();
    ours.io->stop(transport::stop_step::kill, "the pool is closed");
    ours.until([&] { return ours.told->ended_count == 1; });
    BOOST_TEST(ours.told->ended->status->text() == "signal 9 (SIGKILL)");

    rig other;
    other.lease();
    other.server.kill(1, 11);
    other.until([&] { return other.told->ended_count == 1; });
    BOOST_TEST(other.told->ended->status->text() == "signal 11 (SIGSEGV)");
}

BOOST_AUTO_TEST_CASE(want_of_memory_is_told_with_the_count_of_the_kernel)
{
    transport::end_report report;
    report.status = exit_status(exit_status::kind::signalled, 9);
    report.out_of_memory.emplace();
    report.out_of_memory->before = 3;
    report.out_of_memory->after = 4;
    report.out_of_memory->file = "/sys/fs/cgroup/memory.events";
    detail::note_foreign_kill(report);
    BOOST_TEST(report.status->text()
        == "signal 9 (SIGKILL), not sent by this pool; the kernel has killed for want of memory "
           "while it ran: oom_kill in /sys/fs/cgroup/memory.events went from 3 to 4");
}

BOOST_AUTO_TEST_CASE(the_memory_of_a_session_is_told_when_asked_for)
{
    rig r;
    r.io->measure();
    r.until([&] { return r.told->measured.size() == 1; });
    r.lease();
    r.server.occupy(1, 12'345);
    r.io->measure();
    r.until([&] { return r.told->measured.size() == 2; });
    BOOST_TEST(r.told->measured == (std::vector<std::size_t>{0, 12'345}));
}

BOOST_AUTO_TEST_CASE(lines_of_stderr_are_told_where_they_are_to_be_logged)
{
    for (const bool logged : {true, false}) {
        pool_options o = patient();
        o.stderr = logged ? stderr_policy::log : stderr_policy::ring;
        rig r(personality::legacy, o);
        r.lease();
        r.server.write_stderr(1, "loading\nready \x1b[2J\n");
        r.server.kill(1);
        r.until([&] { return r.told->ended_count == 1; });
        const std::vector<std::string> told = {"loading", "ready \\x1b[2J"};
        BOOST_TEST(r.told->stderr_lines == (logged ? told : std::vector<std::string>{}),
            boost::test_tools::per_element());
        BOOST_TEST(contains(r.told->broken_details->stderr_tail, "loading"));
    }
}

BOOST_AUTO_TEST_CASE(the_end_of_output_is_told_at_once_and_the_status_waited_for_only_briefly)
{
    rig r;
    r.server.on_request(answering("tools/call", reply::close_output()));
    r.lease();
    const auto out = r.call();
    r.until([&] { return r.told->broken_count == 1; });
    BOOST_TEST(!out->done);
    r.io->stop(transport::stop_step::close_input, "it broke");
    r.finish(out);
    BOOST_TEST((out->code == errc::session_closed));
    BOOST_TEST(contains(out->details.message, "closed its output"), out->details.message);
    r.until([&] { return r.told->ended_count == 1; });
}

BOOST_AUTO_TEST_CASE(the_end_of_output_without_an_end_of_the_process_fails_calls_all_the_same)
{
    rig r;
    r.server.ignore_stop(true, true);
    r.server.on_request(answering("tools/call", reply::close_output()));
    r.lease();
    const auto out = r.call();
    r.finish(out);
    BOOST_TEST((out->code == errc::session_closed));
    BOOST_TEST(!out->details.exit_status);
    BOOST_TEST(r.told->ended_count == 0);
    r.io->stop(transport::stop_step::kill, "it broke");
    r.until([&] { return r.told->ended_count == 1; });
}

BOOST_AUTO_TEST_CASE(a_stop_with_requests_pending_completes_them)
{
    rig r;
    r.server.on_request(answering("tools/call", reply::silence()));
    r.lease();
    const auto sent = r.call();
    r.until([&] { return r.server.count("tools/call") == 1; });
    const auto queued = r.call();
    r.io->stop(transport::stop_step::terminate, "the pool is closed");
    r.finish(sent);
    r.finish(queued);
    BOOST_TEST((sent->code == errc::session_closed));
    BOOST_TEST(contains(sent->details.message, "the pool is closed"), sent->details.message);
    BOOST_TEST((queued->code == errc::not_sent));
    r.until([&] { return r.told->ended_count == 1; });
    BOOST_TEST(r.told->broken_count == 0);
}

BOOST_AUTO_TEST_CASE(a_peer_that_does_not_read_is_given_up)
{
    pool_options o = patient();
    o.write_timeout = 1ms;
    rig r(personality::legacy, o);
    r.lease();
    r.settle();
    r.server.stop_reading(1);
    r.settle();
    const auto out = r.call();
    r.finish(out);
    BOOST_TEST((out->code == errc::session_closed));
    BOOST_TEST(contains(out->details.message, "does not read its input"), out->details.message);
    BOOST_TEST((r.told->broken == detail::broken_cause::protocol));
    r.io->stop(transport::stop_step::kill, "");
    r.until([&] { return r.told->ended_count == 1; });
    BOOST_TEST(r.shared->buffered_bytes == 0u);
}

BOOST_AUTO_TEST_CASE(beyond_the_buffer_limit_a_connection_that_waits_hands_nothing_over)
{
    pool_options o = patient();
    o.max_buffered_bytes = 1;
    o.max_requests_in_flight = 8;
    rig r(personality::legacy, o);
    r.lease();
    r.settle();
    r.server.stop_reading(1);
    r.settle();
    const auto first = r.call("tools/call", with_message("1"));
    const auto second = r.call("tools/call", with_message("2"));
    r.settle();
    const std::size_t one = r.shared->buffered_bytes;
    BOOST_TEST(one > 0u);
    BOOST_TEST(one < 200u);
    r.server.resume_reading(1);
    r.finish(first);
    r.finish(second);
    BOOST_TEST(text_in(second->result) == "2");
    BOOST_TEST(r.shared->buffered_bytes == 0u);
}

BOOST_AUTO_TEST_CASE(a_context_that_ends_with_requests_everywhere_is_harmless)
{
    std::shared_ptr<outcome> out;
    {
        rig r;
        r.server.on_request(answering("tools/call", reply::silence()));
        r.lease();
        out = r.call();
        r.settle();
        r.call();
        r.settle();
        r.call();
    }
    BOOST_TEST(!out->done);
    BOOST_TEST(out.use_count() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
