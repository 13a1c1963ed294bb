// What it means when an HTTP server does not do what it was asked for.
#include "unit/http_protocol/answers.hpp"

using namespace http_answers_test;

BOOST_AUTO_TEST_SUITE(http_refusals)

BOOST_AUTO_TEST_CASE(a_refusal_of_the_modern_era_with_a_json_rpc_error_is_that_error)
{
    for (const unsigned status : {400U, 404U, 406U, 422U, 500U, 503U}) {
        const http_answer answer = judge(
            modern, head(status), error_body(-32601, "m", R"(,"data":{"k":1})"));
        BOOST_TEST_REQUIRE((answer.type == kind::messages));
        BOOST_TEST(answer.status == status);
        BOOST_TEST(answer.messages.at(0).error.code == -32601);
        BOOST_TEST((answer.messages.at(0).error.data == json::parse(R"({"k":1})")));
    }
    // Whatever the id, and whatever the type is said to be.
    for (const char* id : {"", R"("id":null,)", R"("id":"x",)"})
        BOOST_TEST(
            judge(modern, head(400, "text/plain"),
                "{" + std::string(id) + R"("jsonrpc":"2.0","error":{"code":-32020,"message":"m"}})")
                .type
            == kind::messages);
}

BOOST_AUTO_TEST_CASE(other_refusals_are_told_with_status_and_body)
{
    struct example
    {
        unsigned status;
        std::string body;
        const char* text;
    };
    const example table[] = {
        {503, "", "the server answered with HTTP 503 (Service Unavailable)"},
        {503, "\r\n  try later\n",
            "the server answered with HTTP 503 (Service Unavailable): "
            "\"try later\\n\""},
        {418, "\x1b[2J", "the server answered with HTTP 418: \"\\x1b[2J\""},
        {304, "", "the server answered with HTTP 304 (Not Modified)"},
        // An error of a gateway is no JSON-RPC.
        {400, R"({"error":{"code":400,"message":"bad"}})",
            "the server answered with HTTP 400 (Bad Request): "
            "\"{\"error\":{\"code\":400,\"message\":\"bad\"}}\""},
        {500, R"({"jsonrpc":"2.0","id":7,"result":{}})",
            "the server answered with HTTP 500 (Internal Server Error): "
            "\"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\""},
    };
    for (const example& e : table) {
        const http_answer answer = judge(modern, head(e.status), e.body);
        BOOST_TEST(answer.type == kind::failed);
        BOOST_TEST(answer.code == errc::http_error);
        BOOST_TEST(answer.status == e.status);
        BOOST_TEST(answer.text == e.text);
    }
    BOOST_TEST(has(judge(modern, head(404)).text, "is this the URL of its MCP endpoint?"));
    BOOST_TEST(has(judge(legacy, head(405)).text, "HTTP+SSE"));
    // Codes of the legacy era mean nothing.
    const http_answer old = judge(legacy, head(400), error_body(-32600, "Invalid"));
    BOOST_TEST(old.type == kind::failed);
    BOOST_TEST(old.text
        == "the server answered with HTTP 400 (Bad Request): JSON-RPC error -32600 \"Invalid\"");
}

BOOST_AUTO_TEST_CASE(messages_stay_on_one_short_line_whatever_the_server_sends)
{
    std::string bytes;
    for (int i = 0; i < 200000; ++i)
        bytes += static_cast<char>(i * 7 % 256);
    for (const http_sent& exchange : {modern, legacy, in_session, probe,
             sent(purpose::listening, era::legacy), sent(purpose::notification, era::modern)})
        for (const unsigned status :
            {0U, 100U, 200U, 301U, 307U, 400U, 401U, 403U, 413U, 500U, 999U}) {
            http_head h = head(status, bytes);
            h.location = bytes;
            h.www_authenticate = bytes;
            const http_answer answer = judge(exchange, h, bytes);
            if (answer.type == kind::failed || answer.type == kind::unauthorized)
                check_text(answer);
        }
    http_head h = head(401);
    std::string challenge = "Bearer error=\"";
    challenge.append(2000, '\x01');
    challenge += "\", scope=\"";
    challenge.append(2000, 's');
    challenge += '"';
    h.www_authenticate = challenge;
    check_text(judge(modern, h));
    check_text(judge(legacy, head(400), error_body(-32000, std::string(5000, 'x'))));
}

BOOST_AUTO_TEST_CASE(a_session_is_lost_by_404_whatever_the_body)
{
    for (const std::string& body :
        {std::string(), error_body(-32600, "Session not found"), std::string("<html>")}) {
        for (const purpose what : {purpose::request, purpose::notification, purpose::resuming}) {
            const http_answer answer = judge(sent(what, era::legacy, true), head(404), body);
            BOOST_TEST(answer.type == kind::session_lost);
            BOOST_TEST(answer.code == errc::session_closed);
            check_text(answer);
        }
    }
    // Without a session there is none to lose, and the modern era has none.
    BOOST_TEST(judge(legacy, head(404)).type == kind::failed);
    http_sent odd = modern;
    odd.in_session = true;
    BOOST_TEST(judge(odd, head(404)).type == kind::failed);
}

BOOST_AUTO_TEST_CASE(a_session_is_lost_by_400_where_the_server_says_so)
{
    for (const char* text : {"Bad Request: No valid session ID provided",
             "Bad Request: Server not initialized", "Session not found", "Invalid session ID",
             "Invalid or expired session ID", "Session has expired", "Unknown session: abc"}) {
        for (const int code : {-32000, -32001, -32600, -32603})
            BOOST_TEST(
                judge(in_session, head(400), error_body(code, text)).type == kind::session_lost,
                text);
        BOOST_TEST(
            judge(in_session, head(400, "text/plain"), text).type == kind::session_lost, text);
        BOOST_TEST(judge(legacy, head(400), error_body(-32000, text)).type == kind::failed, text);
        BOOST_TEST(
            judge(in_session, head(500), error_body(-32000, text)).type == kind::failed, text);
        BOOST_TEST(judge(modern, head(400), error_body(-32000, text)).type == kind::messages, text);
    }
    for (const char* text : {"Parse error", "Invalid params", "session", "Unsupported version"})
        BOOST_TEST(
            judge(in_session, head(400), error_body(-32000, text)).type == kind::failed, text);
    BOOST_TEST(judge(in_session, head(400)).type == kind::failed);
    // Not read to its end.
    std::string far(2000, '.');
    far += "session not found";
    BOOST_TEST(judge(in_session, head(400, "text/plain"), far).type == kind::failed);
}

BOOST_AUTO_TEST_CASE(a_server_need_not_offer_a_stream)
{
    const http_sent listening = sent(purpose::listening, era::legacy, true);
    for (const unsigned status : {404U, 405U, 501U})
        BOOST_TEST(judge(listening, head(status), error_body(-32000, "Method not allowed.")).type
            == kind::not_offered);
    BOOST_TEST(judge(listening, head(400), error_body(-32000, "No valid session ID provided")).type
        == kind::session_lost);
    BOOST_TEST(judge(listening, head(500)).type == kind::failed);
    const http_answer json = judge(listening, head(200), result);
    BOOST_TEST(json.type == kind::failed);
    BOOST_TEST(json.code == errc::protocol_error);
    BOOST_TEST(judge(sent(purpose::resuming, era::legacy, true), head(405)).type == kind::failed);
}

BOOST_AUTO_TEST_CASE(a_session_that_is_gone_has_ended_as_well)
{
    const http_sent ending = sent(purpose::ending, era::legacy, true);
    for (const unsigned status : {200U, 202U, 204U, 404U})
        BOOST_TEST(judge(ending, head(status)).type == kind::accepted);
    BOOST_TEST(judge(ending, head(400), error_body(-32000, "No valid session ID provided")).type
        == kind::accepted);
    BOOST_TEST(judge(ending, head(405)).type == kind::not_offered);
    BOOST_TEST(judge(ending, head(500)).type == kind::failed);
}

BOOST_AUTO_TEST_CASE(refused_credentials_come_with_what_the_server_wants)
{
    http_head h = head(401, "text/plain");
    h.www_authenticate =
        R"(Bearer error="invalid_token", error_description="expired
", scope="files:read", resource_metadata="https://a.example/.well-known/oauth-protected-resource")";
    for (const http_sent& exchange :
        {modern, legacy, in_session, probe, sent(purpose::listening, era::legacy, true),
            sent(purpose::ending, era::legacy, true)}) {
        const http_answer answer = judge(exchange, h, "no");
        BOOST_TEST(answer.type == kind::unauthorized);
        BOOST_TEST(answer.code == errc::unauthorized);
        BOOST_TEST(answer.status == 401U);
        BOOST_TEST(answer.challenge.find("resource_metadata")
            == "https://a.example/.well-known/oauth-protected-resource");
        BOOST_TEST(answer.text
            == "the server answered with HTTP 401 (Unauthorized), error \"invalid_token\", "
               "error_description \"expired\\n\", scope \"files:read\": \"no\"; configure "
               "credentials that it takes");
    }
    const http_answer origin = judge(modern, head(403), error_body(-32000, "Invalid Origin"));
    BOOST_TEST(origin.type == kind::unauthorized);
    BOOST_TEST(origin.challenge.scheme.empty());
    BOOST_TEST(
        has(origin.text, "HTTP 403 (Forbidden): JSON-RPC error -32000 \"Invalid Origin\"; "));
    check_text(origin);
}

BOOST_AUTO_TEST_CASE(a_request_that_is_too_large_for_the_server_says_how_large_it_was)
{
    for (const http_sent& exchange : {modern, in_session, probe}) {
        const http_answer answer = judge(exchange, head(413), error_body(-32000, "m"));
        BOOST_TEST(answer.type == kind::failed);
        BOOST_TEST(answer.code == errc::message_too_large);
        BOOST_TEST(answer.text
            == "the server takes no request of 5000000 bytes: HTTP 413 (Content Too Large): "
               "JSON-RPC error -32000 \"m\"");
    }
}

BOOST_AUTO_TEST_CASE(redirects_that_keep_the_request_are_followed_in_the_origin)
{
    http_head h = head(307);
    h.location = "/mcp/";
    for (const unsigned status : {307U, 308U})
        for (const http_sent& exchange :
            {modern, in_session, probe, sent(purpose::listening, era::legacy)}) {
            h.status = status;
            const http_answer answer = judge(exchange, h, "moved");
            BOOST_TEST(answer.type == kind::redirect);
            BOOST_TEST(answer.target == "/mcp/");
        }
    h.location = "https://b.example/mcp";
    const http_answer away = judge(modern, h);
    BOOST_TEST(away.type == kind::failed);
    BOOST_TEST(away.code == errc::http_error);
    BOOST_TEST(away.text
        == "the server answered with HTTP 308 (Permanent Redirect): the redirect to "
           "\"https://b.example/mcp\" is not followed: it leads to another origin; if the server "
           "may "
           "have what is sent, configure that URL");
}

BOOST_AUTO_TEST_CASE(redirects_that_would_turn_a_post_into_a_get_are_refused)
{
    http_head h = head(301);
    h.location = "/mcp/";
    for (const unsigned status : {301U, 302U, 303U}) {
        h.status = status;
        for (const http_sent& exchange :
            {modern, in_session, probe, sent(purpose::ending, era::legacy, true)}) {
            const http_answer answer = judge(exchange, h);
            BOOST_TEST(answer.type == kind::failed);
            BOOST_TEST(answer.code == errc::http_error);
            BOOST_TEST(has(answer.text, "to \"/mcp/\", which is not followed"));
        }
        BOOST_TEST(judge(sent(purpose::listening, era::legacy, true), h).type == kind::redirect);
        BOOST_TEST(judge(sent(purpose::resuming, era::legacy, true), h).target == "/mcp/");
    }
}

BOOST_AUTO_TEST_CASE(a_chain_of_redirects_ends)
{
    http_head h = head(307);
    h.location = "/mcp";
    http_sent exchange = modern;
    for (exchange.redirects = 0; exchange.redirects < max_redirects; ++exchange.redirects)
        BOOST_TEST(judge(exchange, h).type == kind::redirect);
    const http_answer answer = judge(exchange, h);
    BOOST_TEST(answer.type == kind::failed);
    BOOST_TEST(
        answer.text == "the server answered with HTTP 307 (Temporary Redirect) after 5 redirects");
}

BOOST_AUTO_TEST_CASE(an_explanation_that_is_deep_or_cut_off_is_only_text)
{
    const std::string deep = R"({"jsonrpc":"2.0","error":{"code":-1,"data":)"
        + std::string(200, '[') + std::string(200, ']') + "}}";
    BOOST_TEST(judge(modern, head(400), deep).type == kind::failed);
    const std::string large = error_body(-32602, std::string(max_explanation_bytes, 'x'));
    const http_answer answer = judge(modern, head(400), large);
    BOOST_TEST(answer.type == kind::failed);
    check_text(answer);
}

BOOST_AUTO_TEST_SUITE_END()
