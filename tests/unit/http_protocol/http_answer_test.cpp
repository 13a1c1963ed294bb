// What it means when an HTTP server takes a message, and what the answer to the probe says.
#include "unit/http_protocol/answers.hpp"

using namespace http_answers_test;

BOOST_AUTO_TEST_SUITE(http_answers)

BOOST_AUTO_TEST_CASE(a_success_with_json_is_the_answer)
{
    for (const http_sent& exchange : {modern, legacy, in_session}) {
        const http_answer answer = judge(exchange, head(200), result);
        BOOST_TEST(answer.type == kind::messages);
        BOOST_TEST_REQUIRE(answer.messages.size() == 1U);
        BOOST_TEST((answer.messages[0].type == rpc::message::kind::result));
        BOOST_TEST((answer.messages[0].content == json::parse(R"({"ok":true})")));
    }
    for (const char* type : {"application/json; charset=utf-8", "Application/JSON", "", "  "})
        BOOST_TEST(judge(modern, head(200, type), " \r\n" + result + "\n").type == kind::messages);
}

BOOST_AUTO_TEST_CASE(an_error_answers_the_request_whatever_its_id)
{
    for (const char* id : {"null", "\"server-error\"", "7", "99"}) {
        const http_answer answer = judge(legacy, head(200),
            R"({"jsonrpc":"2.0","error":{"code":-32600,"message":"m"},"id":)" + std::string(id)
                + "}");
        BOOST_TEST_REQUIRE((answer.type == kind::messages));
        BOOST_TEST((answer.messages.at(0).id == json::value(7)));
        BOOST_TEST(answer.messages.at(0).error.code == -32600);
    }
    const http_answer without = judge(
        legacy, head(200), R"({"jsonrpc":"2.0","error":{"code":-1,"message":"m"}})");
    BOOST_TEST((without.messages.at(0).id == json::value(7)));
}

BOOST_AUTO_TEST_CASE(a_result_answers_the_request_with_its_id_only)
{
    for (const char* id : {"8", "\"7\"", "7.5", "true"}) {
        const http_answer answer = judge(
            legacy, head(200), R"({"jsonrpc":"2.0","result":{},"id":)" + std::string(id) + "}");
        BOOST_TEST(answer.type == kind::failed, id);
        BOOST_TEST(answer.code == errc::protocol_error, id);
    }
    BOOST_TEST(judge(legacy, head(200), R"({"jsonrpc":"2.0","result":{},"id":7.0})").type
        == kind::messages);
    http_sent named = legacy;
    named.id = "discover-1";
    BOOST_TEST(
        judge(named, head(200), R"({"result":{},"id":"discover-1"})").type == kind::messages);
    BOOST_TEST(judge(named, head(200), R"({"result":{},"id":"discover-2"})").type == kind::failed);
}

BOOST_AUTO_TEST_CASE(beside_the_answer_a_batch_may_have_what_the_server_says_unasked)
{
    const http_answer answer = judge(legacy, head(200),
        R"([{"method":"notifications/message","params":{}},{"id":3,"result":{}},)" + result
            + R"(,{"id":7,"result":"again"},{"id":1,"method":"ping"},{}])");
    BOOST_TEST_REQUIRE((answer.type == kind::messages));
    BOOST_TEST_REQUIRE(answer.messages.size() == 3U);
    BOOST_TEST((answer.messages[0].type == rpc::message::kind::notification));
    BOOST_TEST((answer.messages[1].content == json::parse(R"({"ok":true})")));
    BOOST_TEST((answer.messages[2].type == rpc::message::kind::request));

    std::string batch = "[" + result;
    for (std::size_t i = 1; i < max_batch; ++i)
        batch += R"(,{"method":"m"})";
    BOOST_TEST(judge(legacy, head(200), batch + "]").messages.size() == max_batch);
    BOOST_TEST(
        judge(legacy, head(200), batch + R"(,{"method":"m"}])").code == errc::protocol_error);
}

BOOST_AUTO_TEST_CASE(a_success_that_says_nothing_usable_is_a_broken_protocol)
{
    struct example
    {
        const char* type;
        const char* body;
        const char* part;
    };
    const example table[] = {
        {"application/json", "", "HTTP 200 (OK) and no answer to the request"},
        {"", " \n", "no answer to the request"},
        {"application/json", "{", "no JSON-RPC: \"{\""},
        {"application/json", "[]", "no JSON-RPC"},
        {"application/json", "null", "no JSON-RPC"},
        {"application/json", R"({"method":"notifications/message"})", "no answer to this request"},
        {"text/html; charset=utf-8", "<!doctype html>\n<p>Sign in", "content type \"text/html\""},
        {"text/html", "<!doctype html>\n<p>Sign in", "\"<!doctype html>\\n<p>Sign in\""},
        {"text/plain", R"({"id":7,"result":{}})", "neither JSON nor an event stream"},
        {"application/json-seq", R"({"id":7,"result":{}})", "neither JSON nor an event stream"},
    };
    for (const http_sent& exchange : {modern, in_session, probe})
        for (const example& e : table) {
            const http_answer answer = judge(exchange, head(200, e.type), e.body);
            BOOST_TEST(answer.type == kind::failed, e.body);
            BOOST_TEST(answer.code == errc::protocol_error, e.body);
            BOOST_TEST(has(answer.text, e.part), answer.text);
            check_text(answer);
        }
    for (const unsigned status : {202U, 204U})
        BOOST_TEST(judge(modern, head(status, "")).code == errc::protocol_error);
}

BOOST_AUTO_TEST_CASE(invalid_utf8_is_repaired_and_counted)
{
    rpc::reader reader;
    const http_answer answer = judge_http(
        modern, head(200), "{\"id\":7,\"result\":{\"t\":\"half \xe6\xbc\"}}", reader);
    BOOST_TEST(answer.type == kind::messages);
    BOOST_TEST(reader.replaced_sequences() == 1U);
}

BOOST_AUTO_TEST_CASE(a_body_is_read_as_what_its_head_announces)
{
    const http_sent listening = sent(purpose::listening, era::legacy, true);
    const http_sent note = sent(purpose::notification, era::legacy, true);
    struct example
    {
        http_sent exchange;
        unsigned status;
        const char* type;
        body_use use;
    };
    const example table[] = {
        {modern, 200, "text/event-stream", body_use::stream},
        {modern, 200, "Text/Event-Stream ;charset=utf-8", body_use::stream},
        {probe, 200, "text/event-stream", body_use::stream},
        {modern, 200, "application/json", body_use::message},
        {modern, 200, "", body_use::message},
        {modern, 202, "", body_use::message},
        {modern, 400, "text/event-stream", body_use::explanation},
        {modern, 302, "text/event-stream", body_use::explanation},
        {listening, 200, "text/event-stream", body_use::stream},
        {listening, 200, "application/json", body_use::explanation},
        {listening, 405, "", body_use::explanation},
        {note, 202, "", body_use::explanation},
        // A server that opens a stream for a notification has nothing to say in it.
        {note, 200, "text/event-stream", body_use::explanation},
        {sent(purpose::ending, era::legacy, true), 200, "application/json", body_use::explanation},
    };
    for (const example& e : table)
        BOOST_TEST(
            (use_of_body(e.exchange, head(e.status, e.type)) == e.use), e.status << ' ' << e.type);
    for (const http_sent& exchange : {modern, legacy, probe, listening})
        BOOST_TEST(judge(exchange, head(200, "text/event-stream")).type == kind::event_stream);
}

BOOST_AUTO_TEST_CASE(notifications_are_taken_by_any_success)
{
    const http_sent note = sent(purpose::notification, era::legacy, true);
    for (const unsigned status : {200U, 202U, 204U})
        BOOST_TEST(judge(note, head(status, "text/html"), "whatever").type == kind::accepted);
    const http_answer refused = judge(note, head(400), error_body(-32600, "no"));
    BOOST_TEST(refused.type == kind::failed);
    BOOST_TEST(refused.text
        == "the server answered with HTTP 400 (Bad Request): JSON-RPC error -32600 \"no\"");
}

BOOST_AUTO_TEST_CASE(what_an_answer_to_the_probe_says_about_the_era)
{
    struct example
    {
        unsigned status;
        std::string body;
        verdict era;
        const char* version;
    };
    const std::string supported = R"(,"data":{"supported":["2026-07-28"],"requested":"x"})";
    const example table[] = {
        {200, R"({"id":7,"result":{"supportedVersions":["2026-07-28"]}})", verdict::modern,
            "2026-07-28"},
        {200, R"({"id":7,"result":{"supportedVersions":["2025-11-25"]}})", verdict::legacy, ""},
        {200, R"({"id":7,"result":{"supportedVersions":[]}})", verdict::legacy, ""},
        {200, R"({"id":7,"result":{}})", verdict::legacy, ""},
        {200, R"({"id":7,"result":{"supportedVersions":["2027-01-01"]}})",
            verdict::no_common_version, ""},
        {200, error_body(-32601, "Method not found"), verdict::legacy, ""},
        // The recognized modern error, with whatever status.
        {400, error_body(-32022, "v", supported), verdict::modern_retry, "2026-07-28"},
        {200, error_body(-32022, "v", supported), verdict::modern_retry, "2026-07-28"},
        {404, error_body(-32022, "v", supported), verdict::modern_retry, "2026-07-28"},
        {400, error_body(-32022, "v", R"(,"data":{"supported":["2025-11-25"]})"), verdict::legacy,
            ""},
        {400, error_body(-32022, "v", R"(,"data":{"supported":["2027-01-01"]})"),
            verdict::no_common_version, ""},
        {400, error_body(-32022, "v", R"(,"data":{"supported":[]})"), verdict::legacy, ""},
        {400, error_body(-32022, "v", R"(,"data":{"supported":[1]})"), verdict::legacy, ""},
        {400, error_body(-32022, "v"), verdict::legacy, ""},
        // Codes that prove nothing: some servers used them for other things.
        {400, error_body(-32001, "Session not found"), verdict::legacy, ""},
        {400, error_body(-32020, "Header mismatch"), verdict::legacy, ""},
        {400, error_body(-32021, "Missing capability"), verdict::legacy, ""},
        // server-everything 2026.8.31.
        {400,
            R"({"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: Server not initialized"},"id":null})",
            verdict::legacy, ""},
        {400, "", verdict::legacy, ""},
        {400, "Bad Request", verdict::legacy, ""},
        {400, R"({"error":{"code":-32022,"data":{"supported":["2026-07-28"]}}})", verdict::legacy,
            ""},
        {404, "<html>", verdict::legacy, ""},
        {405, "", verdict::legacy, ""},
        {406, error_body(-32000, "Not Acceptable"), verdict::legacy, ""},
        {415, "", verdict::legacy, ""},
        {422, "", verdict::legacy, ""},
    };
    for (const example& e : table) {
        const http_answer answer = judge(probe, head(e.status), e.body);
        BOOST_TEST(answer.type == kind::era, e.status << ' ' << e.body);
        BOOST_TEST(answer.verdict.type == e.era, e.status << ' ' << e.body);
        BOOST_TEST(answer.verdict.version == e.version, e.body);
        BOOST_TEST((answer.messages.size() == (e.era == verdict::modern ? 1U : 0U)), e.body);
        BOOST_TEST(answer.status == e.status);
    }
}

BOOST_AUTO_TEST_CASE(an_outage_is_no_evidence_about_the_era)
{
    const std::string modern_error = error_body(
        -32022, "v", R"(,"data":{"supported":["2026-07-28"]})");
    for (const unsigned status : {408U, 421U, 425U, 429U, 407U, 500U, 502U, 503U, 504U, 599U, 304U})
        for (const std::string& body : {std::string(), std::string("<html>"), modern_error}) {
            const http_answer answer = judge(probe, head(status), body);
            BOOST_TEST(answer.type == kind::failed, status);
            BOOST_TEST(answer.code == errc::http_error, status);
            check_text(answer);
        }
}

BOOST_AUTO_TEST_CASE(a_version_is_tried_once_more_and_not_a_third_time)
{
    // The conformance suite's request-metadata refuses the first request with the version it asked
    // for.
    const std::string refusal = error_body(
        -32022, "v", R"(,"data":{"supported":["2026-07-28"],"requested":"2026-07-28"})");
    BOOST_TEST(judge(probe, head(400), refusal).verdict.type == verdict::modern_retry);
    http_sent corrected = probe;
    corrected.corrected = true;
    const http_answer answer = judge(corrected, head(400), refusal);
    BOOST_TEST(answer.type == kind::failed);
    BOOST_TEST(answer.code == errc::unsupported_version);
    BOOST_TEST(answer.status == 400U);
    BOOST_TEST(has(answer.text, "2026-07-28"));
    check_text(answer);
    // Other answers are judged as the first time.
    BOOST_TEST(
        judge(corrected, head(200), R"({"id":7,"result":{"supportedVersions":["2026-07-28"]}})")
            .verdict.type
        == verdict::modern);
    BOOST_TEST(judge(corrected, head(404)).verdict.type == verdict::legacy);
}

BOOST_AUTO_TEST_CASE(an_answer_in_an_event_stream_is_judged_as_one_in_a_body)
{
    const auto message = [](const std::string& text) { return rpc::classify(json::parse(text)); };
    http_answer answer = judge_streamed(
        probe, message(R"({"id":7,"result":{"supportedVersions":["2026-07-28"]}})"));
    BOOST_TEST(answer.type == kind::era);
    BOOST_TEST(answer.verdict.type == verdict::modern);
    answer = judge_streamed(probe, message(error_body(-32601, "m")));
    BOOST_TEST(answer.verdict.type == verdict::legacy);
    answer = judge_streamed(modern, message(result));
    BOOST_TEST(answer.type == kind::messages);
    answer = judge_streamed(modern, message(R"({"id":8,"result":{}})"));
    BOOST_TEST(answer.type == kind::failed);
    BOOST_TEST(answer.code == errc::protocol_error);
    answer = judge_streamed(modern, message(R"({"id":null,"error":{"code":-32700}})"));
    BOOST_TEST(answer.type == kind::messages);
    BOOST_TEST((answer.messages.at(0).id == json::value(7)));
}

BOOST_AUTO_TEST_SUITE_END()
