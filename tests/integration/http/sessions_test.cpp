// Sessions of both eras over HTTP, in a pool.
#include "integration/http/web_server.hpp"

#include <boost/json/serialize.hpp>

using namespace mcp_pool;
using namespace mcp_pool::testing;
using namespace std::chrono_literals;

namespace {

struct warnings : pool_observer
{
    std::string text;
    void warned(const pool_event& e) noexcept override { text = e.text; }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(web_sessions, web_fixture)

BOOST_AUTO_TEST_CASE(a_modern_session_says_with_each_request_what_the_specification_demands)
{
    open_web(at_most(1));
    lease session = acquire();
    BOOST_TEST((session->era() == era::modern));
    BOOST_TEST(session->protocol_version() == "2026-07-28");
    BOOST_TEST(session->pid() == 0);
    const auto answer = echo(session);
    BOOST_TEST_REQUIRE(answer->value.has_value(), why(answer));
    BOOST_TEST(answer->value->text() == "hi");

    const web_request& probe = nth(0, "POST", "server/discover");
    BOOST_TEST(probe.target == "/mcp");
    BOOST_TEST(probe.field("content-type") == "application/json");
    BOOST_TEST(probe.field("accept") == "application/json, text/event-stream");
    BOOST_TEST(probe.field("mcp-protocol-version") == "2026-07-28");
    BOOST_TEST(probe.field("mcp-method") == "server/discover");
    const web_request& call = nth(0, "POST", "tools/call");
    BOOST_TEST(call.field("mcp-method") == "tools/call");
    BOOST_TEST(call.field("mcp-name") == "echo");
    BOOST_TEST(call.field("mcp-protocol-version") == "2026-07-28");
    BOOST_TEST(call.field("mcp-session-id") == "(none)");
    BOOST_TEST(call.body.find('\n') == std::string::npos);
    session.release();
    // One connection for all of it, and nothing to be told at the end.
    finish(pool->close(10s));
    BOOST_TEST(web->peers.size() == 1u);
    BOOST_TEST(requests.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_legacy_session_is_initialised_kept_by_its_id_and_ended_with_a_delete)
{
    legacy = true;
    open_web(at_most(1));
    lease session = acquire();
    BOOST_TEST((session->era() == era::legacy));
    BOOST_TEST(session->protocol_version() == "2025-11-25");
    const auto answer = echo(session);
    BOOST_TEST_REQUIRE(answer->value.has_value(), why(answer));
    session.release();
    finish(pool->close(10s));

    std::string order;
    for (const web_request& r : requests)
        order += (r.method == "POST" ? r.rpc_method() : r.method) + ' ';
    BOOST_TEST(order == "server/discover initialize notifications/initialized tools/call DELETE ");
    BOOST_TEST(requests[1].field("mcp-session-id") == "(none)");
    BOOST_TEST(requests[1].field("mcp-method") == "(none)");
    for (std::size_t i = 2; i != requests.size(); ++i) {
        BOOST_TEST(requests[i].field("mcp-session-id") == "S1");
        BOOST_TEST(requests[i].field("mcp-protocol-version") == "2025-11-25");
    }
}

BOOST_AUTO_TEST_CASE(nothing_is_sent_before_the_server_has_taken_that_the_session_is_initialised)
{
    legacy = true;
    std::shared_ptr<wire::peer> waiting;
    special = [&](const web_request& r) {
        if (r.rpc_method() != "notifications/initialized")
            return false;
        waiting = r.from;
        return true;
    };
    open_web(at_most(1));
    lease session = acquire();
    const auto answer = begin_echo(session);
    until([&] { return waiting != nullptr; });
    for (int i = 0; i != 100; ++i)
        context.poll();
    BOOST_TEST(count("POST", "tools/call") == 0u);
    waiting->send(web_answer(202));
    until([&] { return answer->done; });
    BOOST_TEST(answer->value.has_value(), why(answer));
}

BOOST_AUTO_TEST_CASE(a_result_comes_as_text_in_a_body_and_in_a_stream)
{
    const std::string written = R"({"resultType":"complete", "n":1.10, "n":18446744073709551616})";
    bool streamed = false;
    special = [&](const web_request& r) {
        if (r.rpc_method() != "x/y")
            return false;
        const std::string message = R"({"jsonrpc":"2.0","id":)" + r.id() + R"(,"result":)" + written
            + "}";
        r.from->send(streamed ? web_stream_head() + web_event(message) + web_stream_end()
                              : web_answer(200, message));
        return true;
    };
    open_web(at_most(1));
    lease session = acquire();
    for (int i = 0; i != 2; ++i) {
        const auto text = finish(session->request_text("x/y", {}));
        BOOST_TEST_REQUIRE(text->value.has_value(), why(text));
        BOOST_TEST(*text->value == written);
        streamed = true;
    }
}

BOOST_AUTO_TEST_CASE(a_message_that_is_no_utf8_ends_a_session_where_the_pool_wants_it)
{
    bool streamed = false;
    special = [&](const web_request& r) {
        if (r.rpc_method() != "x/y")
            return false;
        const std::string message = R"({"jsonrpc":"2.0","id":)" + r.id()
            + ",\"result\":{\"t\":\"\xff\"}}";
        r.from->send(streamed ? web_stream_head() + web_event(message) + web_stream_end()
                              : web_answer(200, message));
        return true;
    };
    pool_overrides strict = at_most(1);
    strict.invalid_utf8 = invalid_utf8_policy::reject;
    open_web(strict);
    for (int i = 0; i != 2; ++i) {
        lease session = acquire();
        const auto number = session->id();
        const auto refused = finish(session->request("x/y", {}));
        BOOST_TEST_REQUIRE(refused->failure.has_value());
        BOOST_TEST((refused->failure->code() == errc::protocol_error), why(refused));
        BOOST_TEST(why(refused).find("no UTF-8") != std::string::npos, why(refused));
        session.release();
        session = acquire();
        BOOST_TEST(session->id() != number);
        streamed = true;
    }
}

BOOST_AUTO_TEST_CASE(an_answer_may_come_in_a_stream_with_what_belongs_to_it)
{
    special = [&](const web_request& r) {
        if (r.rpc_method() != "tools/call")
            return false;
        const std::string token = r.message.at("params").at("_meta").at("progressToken").is_int64()
            ? json::serialize(r.message.at("params").at("_meta").at("progressToken"))
            : "0";
        r.from->send(web_stream_head() + "3\r\n:\n\n\r\n"
            + web_event(R"({"jsonrpc":"2.0","method":"notifications/progress","params":{)"
                        R"("progressToken":)"
                + token + R"(,"progress":1,"total":2}})")
            + web_event("no JSON at all")
            + web_event(R"({"jsonrpc":"2.0","id":)" + r.id() + R"(,"result":)" + echoed("hi") + "}")
            + web_stream_end());
        return true;
    };
    open_web(at_most(1));
    lease session = acquire();
    double seen = 0;
    call_options options;
    options.progress = [&](const progress& news) { seen = news.value; };
    for (int i = 0; i != 3; ++i) {
        const auto answer = echo(session, options);
        BOOST_TEST_REQUIRE(answer->value.has_value(), why(answer));
        BOOST_TEST(answer->value->text() == "hi");
        BOOST_TEST(seen == 1.0);
    }
    // The stream ended with its answer, so that the connection was kept.
    BOOST_TEST(web->peers.size() == 1u);
}

BOOST_AUTO_TEST_CASE(calls_go_side_by_side_on_connections_of_their_own)
{
    std::vector<web_request> calls;
    special = [&](const web_request& r) {
        if (r.rpc_method() != "tools/call")
            return false;
        calls.push_back(r);
        return true;
    };
    open_web(at_most(1));
    lease session = acquire();
    std::vector<std::shared_ptr<outcome<tool_result>>> answers;
    for (int i = 0; i != 10; ++i)
        answers.push_back(begin_echo(session));
    until([&] { return calls.size() == 10; });
    for (auto call = calls.rbegin(); call != calls.rend(); ++call)
        call->from->send(web_result(*call, echoed(call->id())));
    for (std::size_t i = 0; i != answers.size(); ++i) {
        until([&] { return answers[i]->done; });
        BOOST_TEST_REQUIRE(answers[i]->value.has_value(), why(answers[i]));
    }
    BOOST_TEST(answers[0]->value->text() == calls[0].id());
    BOOST_TEST(answers[9]->value->text() == calls[9].id());
    BOOST_TEST(web->peers.size() == 10u);
}

BOOST_AUTO_TEST_CASE(a_modern_call_is_cancelled_by_closing_its_connection_and_nothing_else)
{
    special = [&](const web_request& r) { return r.rpc_method() == "tools/call"; };
    open_web(at_most(1));
    lease session = acquire();
    call_options options;
    options.timeout = 1ms;
    const auto late = echo(session, options);
    BOOST_TEST(late->code() == errc::call_timeout);
    const auto connection = nth(0, "POST", "tools/call").from;
    until([&] { return connection->ended; });
    special = nullptr;
    BOOST_TEST(echo(session)->value.has_value());
    BOOST_TEST(count("POST", "notifications/cancelled") == 0u);
}

BOOST_AUTO_TEST_CASE(a_legacy_call_is_cancelled_by_a_message)
{
    legacy = true;
    special = [&](const web_request& r) { return r.rpc_method() == "tools/call"; };
    open_web(at_most(1));
    lease session = acquire();
    call_options options;
    options.timeout = 1ms;
    BOOST_TEST(echo(session, options)->code() == errc::call_timeout);
    const web_request& told = nth(0, "POST", "notifications/cancelled");
    BOOST_TEST(json::serialize(told.message.at("params").at("requestId"))
        == nth(0, "POST", "tools/call").id());
    BOOST_TEST(told.field("mcp-session-id") == "S1");
    special = nullptr;
    BOOST_TEST(echo(session)->value.has_value());
    session.release();
    // The next lease gets it when the server has answered a ping.
    session = acquire();
    BOOST_TEST(count("POST", "ping") == 1u);
}

BOOST_AUTO_TEST_CASE(redirects_within_the_origin_are_followed)
{
    special = [&](const web_request& r) {
        if (r.target == "/mcp") {
            r.from->send(web_answer(308, {}, "Location: /elsewhere?x=1\r\n"));
            return true;
        }
        return false;
    };
    open_web(at_most(1));
    lease session = acquire();
    BOOST_TEST(echo(session)->value.has_value());
    BOOST_TEST(requests.back().target == "/elsewhere?x=1");
    BOOST_TEST(requests.back().rpc_method() == "tools/call");
}

BOOST_AUTO_TEST_CASE(a_server_that_is_not_there_is_a_failed_start_with_its_cause)
{
    pool_overrides options = at_most(1);
    options.backoff_initial = 1ms;
    options.backoff_max = 1ms;
    open_web(
        http_server("http://127.0.0.1:" + std::to_string(wire::refusing_port()) + "/mcp"), options);
    const auto none = finish(pool->acquire(20s));
    BOOST_TEST(none->code() == errc::circuit_open);
    BOOST_TEST(why(none).find("Connection refused") != std::string::npos, why(none));
}

BOOST_AUTO_TEST_CASE(failures_of_one_call_leave_the_session_as_it_is)
{
    open_web(at_most(1));
    lease session = acquire();
    const auto fails = [&](const std::string& answer, error_code code, const std::string& words) {
        special = [&](const web_request& r) {
            if (r.rpc_method() != "tools/call")
                return false;
            r.from->send(answer);
            if (answer.find("Content-Length") == std::string::npos)
                r.from->close();
            return true;
        };
        const auto failed = echo(session);
        BOOST_TEST(failed->code() == code, why(failed));
        BOOST_TEST(why(failed).find(words) != std::string::npos, why(failed));
    };
    fails(web_answer(500, "boom", ""), errc::http_error, "HTTP 500");
    fails(web_answer(503, "boom", "Retry-After: 3\r\n"), errc::http_error, "HTTP 503");
    fails(web_answer(403, "no", ""), errc::unauthorized, "HTTP 403");
    fails(web_answer(200, "<html>", "Content-Type: text/html\r\n"), errc::protocol_error,
        "text/html");
    fails(web_answer(200, "{}"), errc::protocol_error, "no JSON-RPC");
    fails(web_answer(200), errc::protocol_error, "no answer");
    fails(web_answer(413), errc::message_too_large, "HTTP 413");
    fails("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"json", errc::protocol_error,
        "");
    fails(web_stream_head() + web_event(R"({"jsonrpc":"2.0","method":"notifications/x"})"),
        errc::http_error, "may have been executed");
    fails("garbage\r\n\r\n", errc::protocol_error, "");
    fails("HTTP/1.1 302 Found\r\nLocation: http://other.example/\r\nContent-Length: 0\r\n\r\n",
        errc::http_error, "other.example");
    special = nullptr;
    BOOST_TEST(echo(session)->value.has_value());
    session.release();
    const auto report = finish(pool->close(10s));
    BOOST_TEST(count("POST", "server/discover") == 1u);
    BOOST_TEST(report->value->killed == 0u);
}

BOOST_AUTO_TEST_CASE(a_result_over_the_limit_fails_its_call_alone)
{
    pool_overrides options = at_most(1);
    options.max_message_bytes = 4096;
    open_web(options);
    lease session = acquire();
    for (const bool stream : {false, true}) {
        special = [&](const web_request& r) {
            if (r.rpc_method() != "tools/call")
                return false;
            const std::string big(5000, 'x');
            r.from->send(stream ? web_stream_head() + web_event(big) : web_result(r, echoed(big)));
            return true;
        };
        const auto failed = echo(session);
        BOOST_TEST(failed->code() == errc::message_too_large, why(failed));
    }
    special = nullptr;
    BOOST_TEST(echo(session)->value.has_value());
}

BOOST_AUTO_TEST_CASE(a_session_that_the_server_forgot_before_it_was_used_is_taken_up_again)
{
    legacy = true;
    open_web(at_most(1));
    acquire().release();
    for (const unsigned status : {404U, 400U}) {
        const std::string old = session_id;
        session_id += "x";
        special = [&, status](const web_request& r) {
            if (r.field("mcp-session-id") != old)
                return false;
            r.from->send(web_error(r, status, -32000, "Bad Request: No valid session ID provided"));
            return true;
        };
        lease session = acquire();
        const auto answer = echo(session);
        BOOST_TEST_REQUIRE(answer->value.has_value(), why(answer));
        BOOST_TEST(requests.back().field("mcp-session-id") == session_id);
        BOOST_TEST(session->uses() > 1u);
    }
    BOOST_TEST(initialized == 3u);
    BOOST_TEST(pool->stats().created == 1u);
}

BOOST_AUTO_TEST_CASE(what_else_fails_while_a_session_is_taken_up_again_fails_alone)
{
    legacy = true;
    std::vector<web_request> calls;
    std::optional<web_request> opening;
    special = [&](const web_request& r) {
        if (r.rpc_method() == "tools/call" && r.field("mcp-session-id") == "S1") {
            calls.push_back(r);
            return true;
        }
        if (r.rpc_method() != "initialize" || calls.empty() || opening)
            return false;
        opening = r;
        return true;
    };
    pool_overrides options = at_most(1);
    options.max_requests_in_flight = 3;
    open_web(options);
    lease session = acquire();
    std::vector<std::shared_ptr<outcome<tool_result>>> answers;
    for (int i = 0; i != 3; ++i)
        answers.push_back(begin_echo(session));
    until([&] { return calls.size() == 3; });
    session_id = "S2";
    calls[0].from->send(web_error(calls[0], 404, -32001, "Session not found"));
    until([&] { return opening.has_value(); });
    calls[1].from->send(web_answer(500));
    until([&] { return answers[1]->done; });
    BOOST_TEST(answers[1]->code() == errc::http_error, why(answers[1]));
    calls[2].from->send(web_error(calls[2], 404, -32001, "Session not found"));
    answer(*opening);
    until([&] { return answers[0]->done && answers[2]->done; });
    BOOST_TEST(answers[0]->value.has_value(), why(answers[0]));
    BOOST_TEST(answers[2]->value.has_value(), why(answers[2]));
    BOOST_TEST(initialized == 2u);
    BOOST_TEST(pool->stats().created == 1u);
}

BOOST_AUTO_TEST_CASE(a_lease_whose_session_is_forgotten_gets_no_other_one_in_its_place)
{
    legacy = true;
    open_web(at_most(1));
    lease session = acquire();
    BOOST_TEST(echo(session)->value.has_value());
    special = [&](const web_request& r) {
        if (r.field("mcp-session-id") != "S1")
            return false;
        r.from->send(web_error(r, 404, -32001, "Session not found"));
        return true;
    };
    session_id = "S2";
    const auto failed = echo(session);
    BOOST_TEST(failed->code() == errc::not_sent, why(failed));
    BOOST_TEST(why(failed).find("does not know the session") != std::string::npos, why(failed));
    session.release();
    session = acquire();
    BOOST_TEST(echo(session)->value.has_value());
    BOOST_TEST(initialized == 2u);
    BOOST_TEST(pool->stats().created == 2u);
}

BOOST_AUTO_TEST_CASE(a_stream_that_breaks_is_resumed_behind_its_last_event)
{
    legacy = true;
    std::shared_ptr<wire::peer> polled;
    special = [&](const web_request& r) {
        if (r.method == "GET" && r.field("last-event-id") != "(none)") {
            polled = r.from;
            const web_request& call = nth(0, "POST", "tools/call");
            r.from->send(web_stream_head()
                + web_event(
                    R"({"jsonrpc":"2.0","id":)" + call.id() + R"(,"result":)" + echoed("hi") + "}",
                    "e2")
                + web_stream_end());
            return true;
        }
        if (r.rpc_method() != "tools/call")
            return false;
        r.from->send(web_stream_head() + "14\r\nretry: 10\nid: e1\ndat\r\n" + "4\r\na:\n\n\r\n"
            + web_stream_end());
        return true;
    };
    open_web(at_most(1));
    lease session = acquire();
    const auto answer = echo(session);
    BOOST_TEST_REQUIRE(answer->value.has_value(), why(answer));
    const web_request& resumed = nth(0, "GET", "");
    BOOST_TEST(resumed.field("last-event-id") == "e1");
    BOOST_TEST(resumed.field("mcp-session-id") == "S1");
    BOOST_TEST(resumed.field("accept") == "text/event-stream");
}

BOOST_AUTO_TEST_CASE(what_the_server_says_unasked_comes_by_a_stream_of_its_own)
{
    legacy = true;
    std::shared_ptr<wire::peer> stream;
    special = [&](const web_request& r) {
        if (r.method != "GET")
            return false;
        stream = r.from;
        r.from->send(web_stream_head());
        return true;
    };
    std::size_t changed = 0;
    auto handlers = std::make_shared<client_handlers>();
    handlers->list_changed = [&](const request_context&, list_kind) { ++changed; };
    open_web(at_most(1), handlers);
    lease session = acquire();
    until([&] { return stream != nullptr; });
    stream->send(web_event(R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"})", "7")
        + web_event(R"({"jsonrpc":"2.0","id":"q","method":"ping"})", "8"));
    until([&] { return changed == 1 && count("POST", "") > 3; });
    BOOST_TEST(requests.back().body == R"({"jsonrpc":"2.0","id":"q","result":{}})");
    BOOST_TEST(requests.back().field("mcp-session-id") == "S1");
    // The stream ends, and is opened again behind what came.
    const auto first = std::exchange(stream, nullptr);
    first->send("b\r\nretry: 5\n\n\r\n" + web_stream_end());
    until([&] { return stream != nullptr; });
    BOOST_TEST(nth(1, "GET", "").field("last-event-id") == "8");
    session.release();
    finish(pool->close(10s));
    BOOST_TEST(count("DELETE") == 1u);
}

BOOST_AUTO_TEST_CASE(a_question_in_the_answer_to_a_call_goes_to_the_handler_of_that_lease)
{
    legacy = true;
    std::vector<web_request> calls;
    std::vector<std::string> asked;
    special = [&](const web_request& r) {
        if (r.rpc_method() == "tools/call") {
            calls.push_back(r);
            r.from->send(web_stream_head());
            return true;
        }
        if (r.method == "POST" && r.rpc_method().empty()) {
            r.from->send(web_answer(202));
            // The answer to the question ends the call.
            for (const web_request& call : calls)
                if (r.id() == "\"q" + call.id() + "\"")
                    call.from->send(web_event(R"({"jsonrpc":"2.0","id":)" + call.id()
                                        + R"(,"result":)" + echoed("hi") + "}")
                        + web_stream_end());
            return true;
        }
        return false;
    };
    auto handlers = std::make_shared<client_handlers>();
    handlers->roots = [&](request_context of, json::object) -> asio::awaitable<json::value> {
        asked.push_back(of.isolation_key + ' ' + json::serialize(of.request_id));
        json::object result;
        result["roots"] = json::array();
        co_return json::value(std::move(result));
    };
    pool_overrides options = at_most(1);
    options.sharing = sharing_policy::multiplexed;
    options.max_leases_per_session = 2;
    options.max_requests_in_flight = 4;
    options.force = true;
    open_web(options, handlers);
    const auto get = [&](const char* key) {
        acquire_options how(20s);
        how.isolation_key = key;
        auto got = finish(pool->acquire(std::move(how)));
        BOOST_TEST_REQUIRE(got->value.has_value(), why(got));
        return std::move(*got->value);
    };
    lease alice = get("same");
    lease bob = get("same");
    BOOST_TEST(alice->id() == bob->id());
    const auto of_alice = begin_echo(alice);
    const auto of_bob = begin_echo(bob);
    until([&] { return calls.size() == 2; });
    // Both calls are under way, and still it is known whose the question is.
    const auto question = [](const web_request& call) {
        return web_event(R"({"jsonrpc":"2.0","id":"q)" + call.id() + R"(","method":"roots/list"})");
    };
    calls[1].from->send(question(calls[1]));
    until([&] { return of_bob->done || of_alice->done; });
    calls[0].from->send(question(calls[0]));
    until([&] { return of_bob->done && of_alice->done; });
    BOOST_TEST(of_alice->value.has_value(), why(of_alice));
    BOOST_TEST(of_bob->value.has_value(), why(of_bob));
    BOOST_TEST(asked.size() == 2u);
}

BOOST_AUTO_TEST_CASE(credentials_are_asked_for_and_asked_again_when_they_are_refused)
{
    std::vector<credential_request> asked;
    http_server here = target();
    here.headers["X-Key"] = "k";
    here.credentials = [&](credential_request why) -> asio::awaitable<std::string> {
        asked.push_back(std::move(why));
        co_return "Bearer " + std::to_string(asked.size());
    };
    special = [&](const web_request& r) {
        if (r.field("authorization") == "Bearer " + std::to_string(asked.size()))
            return false;
        r.from->send(web_answer(401, {}, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"));
        return true;
    };
    pool_overrides options = at_most(3);
    open_web(here, options);
    lease session = acquire();
    BOOST_TEST_REQUIRE(asked.size() == 1u);
    BOOST_TEST(!asked[0].refused);
    BOOST_TEST(asked[0].server == "web");
    BOOST_TEST(asked[0].origin == here.url.substr(0, here.url.rfind('/')));
    BOOST_TEST(nth(0, "POST", "server/discover").field("authorization") == "Bearer 1");
    BOOST_TEST(nth(0, "POST", "server/discover").field("x-key") == "k");
    // Another session need not ask.
    lease other = acquire();
    BOOST_TEST(asked.size() == 1u);
    // The token expires.
    special = [&](const web_request& r) {
        if (r.field("authorization") == "Bearer 2")
            return false;
        r.from->send(web_answer(401, {}, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"));
        return true;
    };
    auto answer = echo(session);
    BOOST_TEST_REQUIRE(answer->value.has_value(), why(answer));
    BOOST_TEST_REQUIRE(asked.size() == 2u);
    BOOST_TEST(asked[1].refused);
    BOOST_TEST(asked[1].previous == "Bearer 1");
    BOOST_TEST(asked[1].challenge == "Bearer error=\"invalid_token\"");
    BOOST_TEST(echo(other)->value.has_value());
    BOOST_TEST(asked.size() == 2u);
    // What is given is refused too: no more than one more try.
    special = [&](const web_request& r) {
        r.from->send(web_answer(401));
        return true;
    };
    answer = echo(session);
    BOOST_TEST(answer->code() == errc::unauthorized, why(answer));
    BOOST_TEST(asked.size() == 3u);
    BOOST_TEST(why(answer).find("Bearer") == std::string::npos, why(answer));
}

BOOST_AUTO_TEST_CASE(sessions_whose_token_expires_at_the_same_time_ask_once)
{
    std::size_t asked = 0;
    http_server here = target();
    here.credentials = [&](credential_request) -> asio::awaitable<std::string> {
        co_return "Bearer " + std::to_string(++asked);
    };
    std::vector<web_request> calls;
    special = [&](const web_request& r) {
        if (r.rpc_method() != "tools/call" || r.field("authorization") != "Bearer 1")
            return false;
        calls.push_back(r);
        return true;
    };
    open_web(here, at_most(2));
    lease first = acquire();
    lease second = acquire();
    const auto of_first = begin_echo(first);
    const auto of_second = begin_echo(second);
    until([&] { return calls.size() == 2; });
    for (const web_request& call : calls) {
        call.from->send(web_answer(401));
        until([&] { return of_first->done || of_second->done; });
    }
    until([&] { return of_first->done && of_second->done; });
    BOOST_TEST(of_first->value.has_value(), why(of_first));
    BOOST_TEST(of_second->value.has_value(), why(of_second));
    BOOST_TEST(asked == 2u);
}

BOOST_AUTO_TEST_CASE(credentials_that_do_not_come_are_no_credentials)
{
    http_server here = target();
    here.credentials = [](credential_request) -> asio::awaitable<std::string> {
        throw std::runtime_error("the vault is closed");
        co_return std::string();
    };
    pool_overrides options = at_most(1);
    options.backoff_initial = 1ms;
    options.breaker_threshold = 1;
    open_web(here, options);
    auto none = finish(pool->acquire(20s));
    BOOST_TEST(none->code() == errc::circuit_open);
    BOOST_TEST(why(none).find("the vault is closed") != std::string::npos, why(none));
    BOOST_TEST(requests.empty());
}

BOOST_AUTO_TEST_CASE(a_tool_whose_fields_are_not_known_is_called_again_when_they_are)
{
    const std::string tools =
        R"({"resultType":"complete","ttlMs":0,"cacheScope":"public","tools":[{"name":"echo","inputSchema":)"
        R"({"type":"object","properties":{"message":{"type":"string","x-mcp-header":"Text"}}}},)"
        R"({"name":"bad","inputSchema":{"type":"object","properties":{"a":{"type":"number","x-mcp-header":"A"}}}}]})";
    special = [&](const web_request& r) {
        if (r.rpc_method() == "tools/list") {
            r.from->send(web_result(r, tools));
            return true;
        }
        if (r.rpc_method() != "tools/call" || r.field("mcp-param-text") == "hi")
            return false;
        r.from->send(web_error(r, 400, -32020, "Header mismatch"));
        return true;
    };
    const auto listener = std::make_shared<warnings>();
    open_web(at_most(1));
    pool->set_observer(listener);
    lease session = acquire();
    auto answer = echo(session);
    BOOST_TEST_REQUIRE(answer->value.has_value(), why(answer));
    BOOST_TEST(count("POST", "tools/call") == 2u);
    BOOST_TEST(count("POST", "tools/list") == 1u);
    // It is known now, to every session.
    answer = echo(session);
    BOOST_TEST_REQUIRE(answer->value.has_value(), why(answer));
    BOOST_TEST(count("POST", "tools/call") == 3u);
    const auto list = finish(session->list_tools());
    BOOST_TEST_REQUIRE(list->value.has_value(), why(list));
    BOOST_TEST_REQUIRE(list->value->size() == 1u);
    BOOST_TEST(list->value->front().name() == "echo");
    until([&] { return !listener->text.empty(); });
    BOOST_TEST(listener->text.find("tool \"bad\" is left out of tools/list") == 0u, listener->text);
    // A second refusal is an answer.
    special = [&](const web_request& r) {
        if (r.rpc_method() == "tools/list") {
            r.from->send(web_result(r, tools));
            return true;
        }
        if (r.rpc_method() != "tools/call")
            return false;
        r.from->send(web_error(r, 400, -32020, "Header mismatch"));
        return true;
    };
    answer = echo(session);
    BOOST_TEST(answer->code() == error_code(-32020, rpc_category()), why(answer));
    pool->set_observer(nullptr);
}

BOOST_AUTO_TEST_CASE(a_server_of_neither_era_is_told_so)
{
    special = [&](const web_request& r) {
        r.from->send(web_answer(404, "not here", "Content-Type: text/plain\r\n"));
        return true;
    };
    pool_overrides options = at_most(1);
    options.breaker_threshold = 1;
    open_web(options);
    const auto none = finish(pool->acquire(20s));
    BOOST_TEST(none->code() == errc::circuit_open);
    BOOST_TEST(
        why(none).find("is this the URL of its MCP endpoint?") != std::string::npos, why(none));
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_answer_the_end_is_not_waited_for)
{
    legacy = true;
    special = [&](const web_request& r) { return r.method == "DELETE"; };
    open_web(at_most(1));
    acquire().release();
    const auto report = finish(pool->close(50ms));
    BOOST_TEST_REQUIRE(report->value.has_value());
    BOOST_TEST(count("DELETE") == 1u);
}

BOOST_AUTO_TEST_CASE(a_pool_may_go_while_anything_is_under_way)
{
    for (int stage = 0; stage != 6; ++stage) {
        web_fixture f;
        f.legacy = stage % 2 == 0;
        std::size_t seen = 0;
        f.special = [&](const web_request&) { return ++seen > static_cast<std::size_t>(stage); };
        auto handlers = std::make_shared<client_handlers>();
        handlers->list_changed = [](const request_context&, list_kind) {};
        f.open_web(at_most(2), handlers);
        const auto session = f.spawn(f.pool->acquire(20s));
        f.until([&] { return seen > static_cast<std::size_t>(stage) || session->done; });
        std::shared_ptr<outcome<tool_result>> call;
        if (session->value)
            call = f.begin_echo(*session->value);
        f.context.poll();
        f.pool.reset();
        f.context.restart();
        f.context.poll();
    }
}

BOOST_AUTO_TEST_SUITE_END()
