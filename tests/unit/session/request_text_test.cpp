// Results as text, answers that cannot be read, and messages that are no UTF-8.
#include "support/asking.hpp"
#include "support/await.hpp"
#include "support/talk.hpp"

using namespace mcp_pool;
using namespace mcp_pool::test;
using mcp_pool::testing::call;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

namespace {

// Answers a request with this method by the line that is made of its id.
testing::script writing(std::string method, std::function<std::string(std::int64_t)> line)
{
    return [method = std::move(method), line = std::move(line)](
               const call& c) -> std::optional<reply> {
        if (c.method != method)
            return std::nullopt;
        std::vector<std::string> lines(1, line(id_of(c)));
        return reply::raw(std::move(lines));
    };
}

// An answer whose result is an object with arrays in it, `levels` levels with the message.
std::string deep_answer(std::int64_t id, std::size_t levels)
{
    std::string body = R"({"a":)";
    body.append(levels - 2, '[');
    body.append(levels - 2, ']');
    body += '}';
    return answer_line(id, body);
}

} // namespace

BOOST_AUTO_TEST_SUITE(results_as_text)

BOOST_AUTO_TEST_CASE(are_what_the_server_wrote)
{
    const std::string written =
        R"({ "big":123456789012345678901234567890, "n":1.10E+2, "n":-0.0, "s":"\u00e9\/" })";
    for (const personality p : {personality::legacy, personality::modern}) {
        rig r(p);
        r.server.on_request(
            writing("x/y", [&](std::int64_t id) { return answer_line(id, written); }));
        r.lease();
        const auto text = await(r, r.view().request_text("x/y", {}));
        BOOST_TEST_REQUIRE(text.value.has_value(), text.details.message);
        BOOST_TEST(*text.value == written);
        std::string twin;
        r.view().async_request_text(
            "x/y", {}, {}, asio::bind_executor(r.context, [&](error_code code, std::string t) {
                BOOST_TEST(!code);
                twin = std::move(t);
            }));
        r.until([&] { return !twin.empty(); });
        BOOST_TEST(twin == written);
        // As a value it is another one.
        const auto value = await(r, r.view().request("x/y", {}));
        BOOST_TEST(value.value->at("big").is_double());
        BOOST_TEST(value.value->as_object().size() == 3u);
    }
}

BOOST_AUTO_TEST_CASE(are_found_in_a_batch)
{
    rig r;
    r.server.on_request(writing("x/y", [](std::int64_t id) {
        return R"([{"jsonrpc":"2.0","method":"notifications/message","params":{}},)"
            + answer_line(id + 1, "{\"other\":1}") + ", " + answer_line(id, "{\"mine\": 1.0}")
            + "]";
    }));
    r.lease();
    BOOST_TEST(await(r, r.view().request_text("x/y", {})).value.value_or("") == "{\"mine\": 1.0}");
}

BOOST_AUTO_TEST_CASE(are_repaired_where_they_are_no_utf8)
{
    rig r;
    r.server.on_request(writing("x/y",
        [](std::int64_t id) { return answer_line(id, "{\"t\": \"\xe6\xbc \xc3\xa9 \xff\"}"); }));
    r.lease();
    BOOST_TEST(await(r, r.view().request_text("x/y", {})).value.value_or("")
        == "{\"t\": \"\xef\xbf\xbd \xc3\xa9 \xef\xbf\xbd\"}");
    BOOST_TEST(r.shared->replaced_sequences == 2u);
}

BOOST_AUTO_TEST_CASE(fail_like_any_other_request)
{
    rig r(personality::modern);
    r.server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method == "x/error")
            return reply::error(-32602, "no");
        if (c.method == "x/type")
            return reply::result(json::parse(R"({"resultType":"new"})"));
        return std::nullopt;
    });
    r.lease();
    const auto refused = await(r, r.view().request_text("x/error", {}));
    BOOST_TEST(refused.code.value() == -32602);
    const auto unusable = await(r, r.view().request_text("x/type", {}));
    BOOST_TEST((unusable.code == errc::protocol_error));
}

BOOST_AUTO_TEST_CASE(are_neither_kept_nor_taken_from_what_is_kept)
{
    rig r(personality::modern);
    const std::string written =
        R"({"resultType":"complete","prompts":[ ],"ttlMs":3600000,"cacheScope":"public"})";
    r.server.on_request(
        writing("prompts/list", [&](std::int64_t id) { return answer_line(id, written); }));
    r.lease();
    const auto ask = [&] {
        return await(r, r.view().request_text("prompts/list", {})).value.value_or("");
    };
    BOOST_TEST(ask() == written);
    BOOST_TEST(await(r, r.view().list_prompts()).value->empty());
    BOOST_TEST(ask() == written);
    BOOST_TEST(r.server.count("prompts/list") == 3u);
    BOOST_TEST(await(r, r.view().list_prompts()).value->empty());
    BOOST_TEST(r.server.count("prompts/list") == 3u);
}

BOOST_AUTO_TEST_CASE(come_after_the_rounds_in_which_the_server_asks)
{
    witness seen;
    rig r(personality::modern, patient(), era_choice::auto_detect, 1, all_handlers(seen));
    const std::string last = R"({"resultType":"complete", "content":[],"n":1e2})";
    r.server.on_request([&](const call& c) -> std::optional<reply> {
        if (c.method != "tools/call")
            return std::nullopt;
        const bool again = c.params.contains("inputResponses");
        std::vector<std::string> lines(1,
            answer_line(id_of(c),
                again ? last
                      : R"({"resultType":"input_required","inputRequests":)"
                        R"({"where":{"method":"roots/list"}}})"));
        return reply::raw(std::move(lines));
    });
    r.start();
    lend_to(r, "Ada");
    const auto text = await(r, r.view().request_text("tools/call", with_message("hi")));
    BOOST_TEST_REQUIRE(text.value.has_value(), text.details.message);
    BOOST_TEST(*text.value == last);
    BOOST_TEST(r.unanswered() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(answers_that_cannot_be_read)

BOOST_AUTO_TEST_CASE(are_errors_of_their_requests_and_of_nothing_else)
{
    rig r(personality::modern);
    std::size_t levels = 256;
    r.server.on_request(
        writing("x/deep", [&](std::int64_t id) { return deep_answer(id, levels); }));
    r.lease();
    BOOST_TEST(await(r, r.view().request("x/deep", {})).value.has_value());
    levels = 257;
    const auto deep = await(r, r.view().request("x/deep", {}));
    BOOST_TEST((deep.code == errc::protocol_error));
    BOOST_TEST(deep.details.message
        == "server \"scripted\": the answer to x/deep cannot be read: it is nested deeper than 256 "
           "levels");
    BOOST_TEST(!deep.details.rpc.has_value());
    BOOST_TEST(!is_safe_to_retry(deep.code));
    const auto text = await(r, r.view().request_text("x/deep", {}));
    BOOST_TEST((text.code == errc::protocol_error));
    BOOST_TEST(await(r, r.view().ping()).value.has_value());
    BOOST_TEST(r.unanswered() == 0u);
    BOOST_TEST(r.shared->garbage_lines == 0u);
    BOOST_TEST(!r.told->broken);
}

BOOST_AUTO_TEST_CASE(of_any_kind_leave_nobody_waiting)
{
    using namespace std::string_literals;
    for (const std::string& body :
        {"{\"n\":1e9999999999}"s, "{\"t\":\"a\0b\"}"s, "{\"t\":\"\x1b\"}"s, "{\"t\":NaN}"s,
            "{\"t\":01}"s, "{\"t\":\"\\ud800\"}"s, "{'t':1}"s}) {
        rig r;
        r.server.on_request(
            writing("tools/call", [&](std::int64_t id) { return answer_line(id, body); }));
        r.lease();
        const auto out = r.call();
        r.finish(out);
        BOOST_TEST((out->code == errc::protocol_error), body);
        BOOST_TEST(contains(out->details.message, "cannot be read"), out->details.message);
        BOOST_TEST(r.unanswered() == 0u);
        BOOST_TEST(!r.told->broken);
    }
}

BOOST_AUTO_TEST_CASE(to_nothing_that_was_asked_are_counted)
{
    rig r;
    r.lease();
    r.server.emit(1, deep_answer(4711, 300));
    r.until([&] { return r.shared->unknown_answers == 1; });
    std::string unclear = R"({"jsonrpc":"2.0","id":null,"error":)";
    unclear.append(300, '[');
    unclear.append(300, ']');
    unclear += '}';
    r.server.emit(1, unclear);
    r.until([&] { return r.shared->garbage_lines == 1; });
    BOOST_TEST(!r.told->broken);
}

BOOST_AUTO_TEST_CASE(end_a_start_with_what_is_wrong_with_them)
{
    rig r;
    r.server.on_request(
        writing("initialize", [](std::int64_t id) { return deep_answer(id, 300); }));
    r.start();
    BOOST_TEST_REQUIRE(r.told->failed.has_value());
    BOOST_TEST(contains(r.told->failed->details.message, "nested deeper than 256 levels"),
        r.told->failed->details.message);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(messages_that_are_no_utf8)

BOOST_AUTO_TEST_CASE(end_the_session_where_the_pool_wants_it)
{
    pool_options o = patient();
    o.invalid_utf8 = invalid_utf8_policy::reject;
    rig r(personality::legacy, o);
    r.server.on_request(
        writing("tools/call", [](std::int64_t id) { return answer_line(id, "{\"t\":\"\xff\"}"); }));
    r.lease();
    // No message, and harmless.
    r.server.emit(1, "[INFO] d\xe9marr\xe9");
    const auto out = r.call();
    r.finish(out);
    BOOST_TEST((out->code == errc::protocol_error));
    BOOST_TEST(contains(out->details.message, "no UTF-8"), out->details.message);
    BOOST_TEST(contains(out->details.message, "invalid_utf8"), out->details.message);
    BOOST_TEST((r.told->broken == detail::broken_cause::protocol));
    BOOST_TEST(r.shared->replaced_sequences == 0u);
    BOOST_TEST(r.shared->garbage_lines == 1u);
}

BOOST_AUTO_TEST_CASE(end_a_start_where_the_pool_wants_it)
{
    pool_options o = patient();
    o.invalid_utf8 = invalid_utf8_policy::reject;
    rig r(personality::legacy, o);
    r.server.on_request(
        writing("initialize", [](std::int64_t id) { return answer_line(id, "\"\xff\""); }));
    r.start();
    BOOST_TEST_REQUIRE(r.told->failed.has_value());
    BOOST_TEST(contains(r.told->failed->details.message, "no UTF-8"));
}

BOOST_AUTO_TEST_SUITE_END()
