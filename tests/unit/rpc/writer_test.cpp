#include "rpc/writer.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <limits>
#include <string>

using namespace mcp_pool;

namespace {

std::string written(const json::value& v)
{
    rpc::writer w;
    w.begin();
    w.value(v);
    std::string line = w.finish();
    line.pop_back();
    return line;
}

json::value nested(std::size_t levels, bool in_arrays)
{
    json::value v = "the innermost";
    for (std::size_t i = 0; i < levels; ++i) {
        json::value outer;
        if (in_arrays)
            outer.emplace_array().push_back(std::move(v));
        else
            outer.emplace_object().emplace("inner", std::move(v));
        v = std::move(outer);
    }
    return v;
}

} // namespace

BOOST_AUTO_TEST_SUITE(writing_json)

BOOST_AUTO_TEST_CASE(values_are_written_as_the_serializer_writes_them)
{
    const char* const texts[] = {"null", "true", "false", "0", "-1", "-9223372036854775808",
        "18446744073709551615", "0.1", "1e300", "\"\"", "\"text\"", "{}", "[]", "[[]]", "[{}]",
        R"({"a":1})", R"({"a":1,"b":[1,2,{"c":null}],"":"","d":{"e":{}}})",
        R"(["a",["b"],[],true])", R"("é 😀 \ud83d\ude00 \u0000 \u001f \u007f \" \\ \/ \b\f\n\r\t")"};
    for (const char* const text : texts) {
        const json::value v = json::parse(text);
        BOOST_TEST(written(v) == json::serialize(v));
    }
    json::value infinite = std::numeric_limits<double>::infinity();
    BOOST_TEST(written(infinite) == json::serialize(infinite));
}

BOOST_AUTO_TEST_CASE(every_byte_of_a_string_is_escaped_as_the_serializer_does_wherever_it_stands)
{
    // On both sides of the length up to which strings are looked at here.
    for (const std::size_t length : {1U, 2U, 255U, 256U, 257U, 5000U}) {
        for (int byte = 0; byte < 256; ++byte) {
            for (const std::size_t place : {std::size_t{0}, length / 2, length - 1}) {
                std::string text(length, 'x');
                text[place] = static_cast<char>(byte);
                const json::value v{json::string_view(text)};
                BOOST_REQUIRE_EQUAL(written(v), json::serialize(v));
                json::value as_key;
                as_key.emplace_object().emplace(text, 1);
                BOOST_REQUIRE_EQUAL(written(as_key), json::serialize(as_key));
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(nesting_of_any_depth_is_written)
{
    for (const std::size_t levels : {1U, 15U, 16U, 17U, 40U, 10'000U})
        for (const bool in_arrays : {false, true}) {
            const json::value v = nested(levels, in_arrays);
            BOOST_TEST((written(v) == json::serialize(v)), levels << " levels");
        }
}

BOOST_AUTO_TEST_CASE(a_member_is_its_key_and_its_value_without_a_comma)
{
    rpc::writer w;
    w.begin();
    w.member("a \"key\"", json::parse("[1]"));
    BOOST_TEST(w.finish() == "\"a \\\"key\\\"\":[1]\n");
}

BOOST_AUTO_TEST_SUITE_END()
