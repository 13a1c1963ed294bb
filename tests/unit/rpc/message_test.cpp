#include "rpc/message.hpp"
#include "rpc/writer.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace mcp_pool;
using rpc::message;
using kind = rpc::message::kind;

namespace {

std::vector<message> read(rpc::reader& r, std::string_view line)
{
    std::vector<message> all;
    r.read(line, [&](message&& m) { all.push_back(std::move(m)); });
    return all;
}

// An answer whose result is that many arrays.
std::string nested_answer(std::size_t depth, int id = 1)
{
    std::string line = R"({"id":)" + std::to_string(id) + R"(,"result":)";
    line.append(depth, '[');
    line.append(depth, ']');
    line += '}';
    return line;
}

struct line_and_kind
{
    const char* line;
    kind expected;
};

} // namespace

BOOST_AUTO_TEST_SUITE(incoming_messages)

BOOST_AUTO_TEST_CASE(messages_are_classified)
{
    const line_and_kind table[] = {
        {R"({"jsonrpc":"2.0","id":1,"method":"ping"})", kind::request},
        {R"({"jsonrpc":"2.0","id":"a","method":"ping","params":{"x":1}})", kind::request},
        {R"({"jsonrpc":"2.0","id":1,"method":"ping","result":{}})", kind::request},
        {R"({"jsonrpc":"2.0","method":"n"})", kind::notification},
        {R"({"jsonrpc":"2.0","method":"n","params":[1]})", kind::notification},
        {R"({"jsonrpc":"2.0","id":1,"result":null})", kind::result},
        {R"({"id":1.0,"result":{},"error":null})", kind::result},
        {R"({"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}})", kind::error},
        {R"({"jsonrpc":"2.0","id":null,"error":{"code":1}})", kind::error},
        {R"({"jsonrpc":"2.0","error":"text"})", kind::error},
        {R"({"jsonrpc":"2.0","id":null,"method":"ping"})", kind::invalid},
        {R"({"jsonrpc":"2.0","id":{},"method":"ping"})", kind::invalid},
        {R"({"jsonrpc":"2.0","method":1})", kind::invalid},
        {R"({"jsonrpc":"2.0","id":1})", kind::invalid},
        {R"({"jsonrpc":"2.0","result":1})", kind::invalid},
        {R"({"id":[],"result":1})", kind::invalid},
        {"[]", kind::invalid},
        {"1", kind::invalid},
        {"null", kind::invalid},
    };
    for (const auto& [line, expected] : table) {
        const message m = rpc::classify(json::parse(line));
        BOOST_TEST((m.type == expected), line);
    }
}

BOOST_AUTO_TEST_CASE(ids_of_ours_are_recognised_as_numbers_of_any_kind)
{
    rpc::reader r;
    const auto id = [&](const std::string& text) {
        const auto all = read(r, R"({"id":)" + text + R"(,"result":{}})");
        return all.empty() ? std::nullopt : all[0].integer_id();
    };
    BOOST_TEST((id("7") == 7));
    BOOST_TEST((id("7.0") == 7));
    BOOST_TEST((id("-1") == -1));
    BOOST_TEST(!id("7.5"));
    BOOST_TEST(!id("\"7\""));
    BOOST_TEST(!id("18446744073709551615"));
    BOOST_TEST(!id("1e300"));
}

BOOST_AUTO_TEST_CASE(error_objects_of_any_shape_are_read)
{
    const auto error = [](const char* text) {
        return rpc::classify(json::parse(std::string(R"({"id":1,"error":)") + text + "}")).error;
    };
    BOOST_TEST(error(R"({"code":-32601,"message":"m","data":[1]})").code == -32601);
    BOOST_TEST(error(R"({"code":-32601,"message":"m","data":[1]})").message == "m");
    BOOST_TEST(error(R"({"code":-32601,"message":"m","data":[1]})").data.is_array());
    BOOST_TEST(error(R"({"code":5.0})").code == 5);
    BOOST_TEST(error(R"({"code":1e30})").code == 0);
    BOOST_TEST(error(R"({"code":"x","message":7})").code == 0);
    BOOST_TEST(error(R"("text")").message.empty());
}

BOOST_AUTO_TEST_CASE(a_batch_is_taken_apart_and_its_bad_members_skipped)
{
    rpc::reader r;
    const auto all = read(
        r, R"([{"method":"a"},7,{"id":1,"result":2},[{"method":"nested"}],{"id":2,"method":"b"}])");
    BOOST_TEST_REQUIRE(all.size() == 3u);
    BOOST_TEST((all[0].type == kind::notification));
    BOOST_TEST((all[1].type == kind::result));
    BOOST_TEST((all[2].type == kind::request));
}

BOOST_AUTO_TEST_CASE(garbage_is_garbage_and_the_reader_goes_on)
{
    rpc::reader r;
    for (const char* line : {"Debugger attached.", "{", "{\"id\":1", "[1,2", "  ", "\xff\xfe",
             "{\"id\":1,\"result\":\"\xff\"", "nul", R"({"id":1,"result":01)",
             R"({"id":1,"result":{}} {})", R"({"method":"x","params":01})",
             R"({"id":01,"result":1})", R"([{"id":1,"result":01})", R"({"id":{},"result":01})"})
        BOOST_TEST(read(r, line).empty(), line);
    BOOST_TEST(read(r, R"( {"id":1,"result":{}} )").size() == 1u);
    BOOST_TEST(r.replaced_sequences() == 0u);
}

BOOST_AUTO_TEST_CASE(invalid_utf8_in_a_message_is_replaced_and_counted)
{
    rpc::reader r;
    const auto all = read(r,
        "{\"id\":1,\"result\":\"a\xff"
        "b\xe6\xbc\"}");
    BOOST_TEST_REQUIRE(all.size() == 1u);
    BOOST_TEST(all[0].content.as_string()
        == "a\xef\xbf\xbd"
           "b\xef\xbf\xbd");
    BOOST_TEST(r.replaced_sequences() == 2u);
}

BOOST_AUTO_TEST_CASE(depth_is_bounded_at_256_the_message_included)
{
    static_assert(rpc::reader::max_depth == 256);
    rpc::reader r;
    const std::vector<message> at = read(r, nested_answer(255));
    BOOST_TEST_REQUIRE(at.size() == 1u);
    BOOST_TEST((at[0].type == kind::result));
    const std::vector<message> above = read(r, nested_answer(256));
    BOOST_TEST_REQUIRE(above.size() == 1u);
    BOOST_TEST((above[0].type == kind::error));
    BOOST_TEST(above[0].unreadable);
    BOOST_TEST((above[0].integer_id() == 1));
    BOOST_TEST(above[0].error.code == -32700);
    BOOST_TEST(above[0].error.message == "it is nested deeper than 256 levels");
    BOOST_TEST(read(r, std::string(100000, '[')).empty());
    BOOST_TEST(read(r, nested_answer(1000000)).size() == 1u);
    BOOST_TEST(read(r, R"({"id":1,"result":1})").size() == 1u);
}

BOOST_AUTO_TEST_CASE(an_answer_that_cannot_be_parsed_is_one_all_the_same)
{
    rpc::reader r;
    using namespace std::string_literals;
    const std::pair<std::string, std::string> table[] = {
        {R"({"id":7,"result":01})", "syntax error at byte"},
        {R"({"id":7,"result":1e9999999999})", "exponent overflow at byte"},
        {R"({"id":7,"error":{"code":1e9999999999}})", "exponent overflow at byte"},
        {"{\"id\":7,\"result\":\"a\0b\"}"s, "at byte"},
        {"{\"id\":7,\"result\":\"\xff\",\"x\":\"\x01\"}", "at byte"},
        {R"({"\u0069d":7,"result":nothing})", "at byte"},
        {R"( { "id" : 7.0 , "a":"\\", "b":"\"}", "result" : [ tru ] } )", "at byte"},
    };
    for (const auto& [line, what] : table) {
        const auto all = read(r, line);
        BOOST_TEST_CONTEXT(line)
        {
            BOOST_TEST_REQUIRE(all.size() == 1u);
            BOOST_TEST(all[0].unreadable);
            BOOST_TEST((all[0].integer_id() == 7));
            BOOST_TEST(all[0].error.message.find(what) != std::string::npos, all[0].error.message);
        }
    }
    BOOST_TEST(r.replaced_sequences() == 0u);
}

BOOST_AUTO_TEST_CASE(the_rest_of_a_batch_is_read_where_one_of_it_cannot_be)
{
    rpc::reader r;
    const auto all = read(r,
        R"([{"id":1,"result":"a"},)" + nested_answer(256, 2)
            + R"(,7,{"method":"n","params":{"x":01}},{"id":3,"result":"b\ud83d\ude00)"
              "\xff"
              R"("}])");
    BOOST_TEST_REQUIRE(all.size() == 3u);
    BOOST_TEST(all[0].content.as_string() == "a");
    BOOST_TEST((all[1].unreadable && all[1].integer_id() == 2));
    BOOST_TEST(all[2].content.as_string()
        == "b\xf0\x9f\x98\x80"
           "\xef\xbf\xbd");
    BOOST_TEST(r.replaced_sequences() == 1u);
}

BOOST_AUTO_TEST_CASE(a_message_that_is_no_utf8_is_refused_by_who_wants_that)
{
    rpc::reader r(rpc::bad_utf8::refuse);
    BOOST_TEST(read(r, "{\"id\":1,\"result\":\"\xe6\xbc\"}").empty());
    BOOST_TEST(r.refused());
    BOOST_TEST(r.replaced_sequences() == 0u);
    // No message in either case.
    BOOST_TEST(read(r, "[INFO] d\xe9marr\xe9").empty());
    BOOST_TEST(!r.refused());
    BOOST_TEST(read(r, "{\"id\":1,\"result\":\"\xe6\xbc\xa2\"}").size() == 1u);
    BOOST_TEST(!r.refused());
}

BOOST_AUTO_TEST_CASE(a_large_line_is_read_and_the_next_one_too)
{
    rpc::reader r;
    const std::string large = R"({"id":1,"result":")" + std::string(3 << 20, 'x') + "\"}";
    BOOST_TEST_REQUIRE(read(r, large).size() == 1u);
    BOOST_TEST(read(r, R"({"id":2,"result":1})").size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(outgoing_messages)

BOOST_AUTO_TEST_CASE(a_message_is_one_line_whatever_it_contains)
{
    rpc::writer w;
    json::object params;
    params["text"] = "a\nb\r\n\x01\"\\";
    params["large"] = std::string(20000, 'x');
    w.begin();
    w.begin_request(7, "odd\n\"method");
    w.raw(",\"params\":");
    w.object(params);
    w.raw("}");
    const std::string line = w.finish();
    BOOST_TEST(line.find('\n') == line.size() - 1);
    const json::value back = json::parse(line);
    BOOST_TEST((back.at("params") == params));
    BOOST_TEST(back.at("method").as_string() == "odd\n\"method");
    BOOST_TEST(back.at("id").as_int64() == 7);
    BOOST_TEST(back.at("jsonrpc").as_string() == "2.0");
}

BOOST_AUTO_TEST_CASE(answers_carry_the_id_as_it_came)
{
    rpc::writer w;
    for (const char* id : {"1", "\"x\"", "1.5E0"}) {
        const json::value as_sent = json::parse(id);
        BOOST_TEST((json::parse(w.result(as_sent, json::object())).at("id") == as_sent));
        const json::value error = json::parse(w.error(as_sent, -32601, "no"));
        BOOST_TEST((error.at("id") == as_sent));
        BOOST_TEST(error.at("error").at("code").as_int64() == -32601);
    }
}

BOOST_AUTO_TEST_CASE(ids_are_written_exactly)
{
    rpc::writer w;
    for (const std::int64_t id : {std::int64_t{0}, std::int64_t{-1},
             std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
        w.begin();
        w.begin_request(id, "m");
        w.raw("}");
        BOOST_TEST(json::parse(w.finish()).at("id").as_int64() == id);
    }
}

BOOST_AUTO_TEST_SUITE_END()
