#include "rpc/message.hpp"
#include "rpc/message_text.hpp"
#include "rpc/text.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace mcp_pool;
using rpc::message_parts;
using rpc::message_scanner;
using rpc::result_text;

BOOST_AUTO_TEST_SUITE(text_of_messages)

BOOST_AUTO_TEST_CASE(a_result_is_cut_out_as_it_was_written)
{
    const std::pair<const char*, const char*> table[] = {
        {R"({"jsonrpc":"2.0","id":7,"result":{"n": 1.10E+2 , "n":18446744073709551616}})",
            R"({"n": 1.10E+2 , "n":18446744073709551616})"},
        {"{\"result\" :\t[1 , 2 ] , \"id\": 7}", "[1 , 2 ]"},
        {R"({"id":7,"result":null})", "null"},
        {R"({"id":7,"result":-0.0})", "-0.0"},
        {R"({"id":7,"result":"}\"],{\\"})", R"("}\"],{\\")"},
        {R"({"id":7,"result":""})", R"("")"},
        {R"({"id":7.0,"result":1,"error":null})", "1"},
        {R"({"id":70e-1,"result":1})", "1"},
        // The last of a name counts, for the parser too.
        {R"({"id":8,"result":1,"id":7,"result":2})", "2"},
        {R"({"\u0069d":7,"\u0072esult":3})", "3"},
        {R"({"id":7,"a":{"result":1,"id":9},"b":"\"result\":2","result":3})", "3"},
        {R"([{"id":6,"result":1},7,{"id":7,"method":"x","result":2},{"id":7,"error":{},"result":3},)"
         R"([{"id":7,"result":4}],{"id":7,"result":5},{"id":7,"result":6}])",
            "5"},
    };
    for (const auto& [line, expected] : table) {
        const auto found = result_text(line, 7);
        BOOST_TEST_CONTEXT(line)
        {
            BOOST_TEST_REQUIRE(found.has_value());
            BOOST_TEST(*found == expected);
        }
    }
}

BOOST_AUTO_TEST_CASE(where_there_is_no_such_answer_there_is_no_text)
{
    for (const char* line : {"", " ", "{", "[", "7", "{}", "[]", R"({"id":7})", R"({"result":7})",
             R"({"id":"7","result":1})", R"({"id":7,"result":})", R"({"id":7,"result")",
             R"({"id":7,"result":")", R"({"id":7,"result":"\")", R"({"id":7,"result":[})",
             R"({"id":7,"result":1)", R"({"id":7,"method":"x","result":1})",
             R"({"id":7,"error":{},"result":1})", R"({"id":77,"result":1})",
             R"({"id":[7],"result":1})", R"({"result_":1,"id":7})", "{\"id\":7,\"result\\\":1}"})
        BOOST_TEST(!result_text(line, 7).has_value(), line);
}

BOOST_AUTO_TEST_CASE(a_text_is_well_formed_where_it_ends_as_it_should)
{
    const auto messages = [](std::string_view text) {
        message_scanner scanner(text);
        int count = 0;
        while (scanner.next())
            ++count;
        BOOST_TEST(!scanner.next().has_value());
        return scanner.well_formed() ? count : -1;
    };
    BOOST_TEST(messages("[]") == 0);
    BOOST_TEST(messages(" [ ] ") == 0);
    BOOST_TEST(messages("{}") == 1);
    BOOST_TEST(messages("[{},{}]") == 2);
    BOOST_TEST(messages("[{},[[{]]]") == -1);
    BOOST_TEST(messages("[1,\"]\",null]") == 3);
    for (const char* text : {"", "[", "]", "{}{}", "[{}", "[{},]", "[,{}]", "{,}", "{\"a\"}",
             "{\"a\":1,}", "{\"a\":1 2}", "{} x", "{\"a\":\"}"})
        BOOST_TEST(messages(text) == -1, text);
}

BOOST_AUTO_TEST_CASE(depth_and_length_cost_neither_stack_nor_patience)
{
    constexpr std::size_t deep = 4'000'000;
    std::string line = R"({"id":7,"result":)";
    line.append(deep, '[');
    line.append(deep, ']');
    line += '}';
    BOOST_TEST(result_text(line, 7)->size() == 2 * deep);
    // Quotes and backslashes without end: each is looked at a few times only.
    line = R"({"id":7,"result":")";
    line.append(deep, '\\');
    for (std::size_t i = 0; i != deep / 4; ++i)
        line += R"(\\\")";
    line += "\"}";
    BOOST_TEST(result_text(line, 7)->size() == line.size() - 18);
}

BOOST_AUTO_TEST_CASE(utf8_is_told_from_what_is_not)
{
    using namespace std::string_literals;
    for (const std::string& good : {""s, "a"s, "12345678"s, "1234567\xc3\xa9"s, "a\0b"s,
             "\xf0\x9f\x98\x80 123456789 \xe6\xbc\xa2"s})
        BOOST_TEST(rpc::is_utf8(good), good);
    for (const std::string& bad : {"\xff"s, "12345678\x80"s, "1234567\xc3"s,
             "\xed\xa0\x80 12345678"s, "\xc0\x80"s, "12345678 12345678 12\xe6\xbc 12345678"s})
        BOOST_TEST(!rpc::is_utf8(bad), bad);
}

BOOST_AUTO_TEST_SUITE_END()
