// What is told of a result and of a schema, and that neither can cost more than it may.
#include "support/schema_library.hpp"

#include <mcp_pool/output_schema.hpp>

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <string>
#include <thread>
#include <vector>

using namespace mcp_pool;

namespace {

output_schema schema_in(const json::value& schema)
{
    json::object of;
    of["name"] = "t";
    of["outputSchema"] = schema;
    return output_schema(tool(json::value(std::move(of))));
}

output_schema schema_of(const std::string& text)
{
    return schema_in(json::parse(text));
}

std::vector<schema_problem> problems(const output_schema& schema, const json::value& content)
{
    json::object result;
    result["structuredContent"] = content;
    return schema.check(tool_result(json::value(std::move(result))));
}

std::string problem(const output_schema& schema, const json::value& content)
{
    const auto all = problems(schema, content);
    return all.empty() ? "none" : all[0].pointer + ": " + all[0].text;
}

bool contains(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

json::value nested_array(std::size_t depth)
{
    json::value inner = 1;
    for (; depth > 0; --depth) {
        json::array around;
        around.emplace_back(std::move(inner));
        inner = std::move(around);
    }
    return inner;
}

} // namespace

BOOST_AUTO_TEST_SUITE(output_schemas, *boost::unit_test::precondition(test::schemas_are_checked))

BOOST_AUTO_TEST_CASE(problems_have_their_place_and_their_number_is_bounded)
{
    const output_schema schema = schema_of(
        R"({"type":"object","required":["list"],"properties":{"list":{"type":"array",)"
        R"("items":{"$ref":"#/$defs/a~1b"}}},"additionalProperties":false,)"
        R"("$defs":{"a/b":{"type":"integer","minimum":0}}})");
    BOOST_TEST_REQUIRE(schema.checked(), schema.reason());
    BOOST_TEST(problem(schema, json::parse(R"({"list":[1,2.0,1e3]})")) == "none");
    BOOST_TEST(problem(schema, json::parse(R"({"list":[1,"x"]})"))
        == "/list/1: Type string in place of integer");
    BOOST_TEST(problem(schema, json::parse("{}")) == ": Missing required property 'list'");
    BOOST_TEST(
        contains(problem(schema, json::parse(R"({"list":[],"o\u001bther":1})")), "o\\x1bther"));
    json::array many;
    for (int i = 0; i != 1000; ++i)
        many.emplace_back("x");
    json::object content;
    content["list"] = many;
    const auto all = problems(schema, content);
    BOOST_TEST(all.size() == output_schema::max_problems);
    const output_schema slashes = schema_of(R"({"properties":{"a/b~c":{"type":"null"}}})");
    BOOST_TEST(problem(slashes, json::parse(R"({"a/b~c":1})")).starts_with("/a~1b~0c: "));
    const output_schema nothing = schema_of(R"({"properties":{"a":false}})");
    BOOST_TEST(problem(nothing, json::parse(R"({"a":1})")) != "none");
}

BOOST_AUTO_TEST_CASE(a_result_without_structured_content_is_wrong_unless_it_is_an_error)
{
    const output_schema schema = schema_of(R"({"type":["object","null"]})");
    const auto of = [&](const char* result) {
        return schema.check(tool_result(json::parse(result)));
    };
    BOOST_TEST_REQUIRE(of(R"({"content":[]})").size() == 1u);
    BOOST_TEST(of(R"({"content":[]})")[0].text == "there is no structuredContent");
    BOOST_TEST(of(R"({"structuredContent":null})").empty());
    BOOST_TEST(of(R"({"isError":true,"content":[]})").empty());
    BOOST_TEST(of(R"({"isError":true,"structuredContent":7})").empty());
    BOOST_TEST(of("7").size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_schema_that_is_not_checked_says_why)
{
    const std::pair<const char*, const char*> table[] = {
        {R"({"properties":{"a":{"$ref":"https://example.com/s.json"}}})",
            "refers to \"https://example.com/s.json\", which is not in it; nothing is fetched for "
            "a "
            "check, at /properties/a"},
        {R"({"$ref":"#/$defs/absent"})", "refers to \"#/$defs/absent\", which is not in it"},
        {R"({"$ref":"other.json#/a"})", "refers to \"other.json#/a\""},
        {R"({"$ref":7})", "has a value that the keyword $ref cannot have, at /$ref"},
        {R"({"allOf":[{}],"unevaluatedProperties":false})",
            "uses unevaluatedProperties beside allOf"},
        {R"({"contains":{},"unevaluatedItems":false})", "uses unevaluatedItems beside contains"},
        {R"({"items":{"$dynamicRef":"#x"}})",
            "uses $dynamicRef, which cannot be checked, at /items"},
        {R"({"contains":{},"minContains":2})", "uses minContains"},
        {R"({"$schema":"https://json-schema.org/draft/2019-09/schema"})", "is of the dialect"},
        {R"({"properties":{"a":{"$id":"x"}}})", "with an $id of its own (\"x\")"},
        {R"({"$defs":{"a":{"$anchor":"n"},"b":{"$anchor":"n"}}})", "has the anchor \"n\" twice"},
        {R"({"type":"any"})", "has a value that the keyword type cannot have, at /type"},
        {R"({"properties":[]})", "keyword properties"},
        {R"({"properties":{"a":7}})", "has something that is no schema, at /properties/a"},
        {R"({"minLength":-1})", "keyword minLength"},
        {R"({"multipleOf":0})", "keyword multipleOf"},
        {R"({"required":["a",7]})", "keyword required"},
        {R"({"pattern":"\\p{L}"})", "has the pattern \"\\\\p{L}\", which cannot be checked"},
        {R"({"pattern":"("})", "has a pattern that is no regular expression"},
        {R"({"patternProperties":{"(a+)+$":{}}})", "has patternProperties with the expression"},
        {R"({"$ref":"#"})", "refers to itself without end"},
        {R"({"$ref":"#/$defs/a","$defs":{"a":{"anyOf":[{"not":{"$ref":"#/$defs/b"}}]},)"
         R"("b":{"if":{},"else":{"$ref":"#/$defs/a"}}}})",
            "refers to itself without end"},
    };
    for (const auto& [text, why] : table) {
        const output_schema schema = schema_of(text);
        BOOST_TEST(!schema.checked(), text);
        BOOST_TEST(contains(schema.reason(), why), text << ": " << schema.reason());
        BOOST_TEST(problems(schema, 7).empty());
    }
    json::object untold;
    untold["name"] = "t";
    BOOST_TEST(output_schema(tool(json::value(untold))).reason() == "is not there");
}

BOOST_AUTO_TEST_CASE(a_schema_that_leads_back_to_itself_deeper_in_the_value_is_checked)
{
    const output_schema tree = schema_of(
        R"({"$id":"https://example.com/tree","type":"object","properties":{"value":{"type":"number"},)"
        R"("children":{"type":"array","items":{"$ref":"https://example.com/tree#"}},)"
        R"("next":{"$ref":"#node"}},"$defs":{"n":{"$anchor":"node","$ref":"#"}}})");
    BOOST_TEST_REQUIRE(tree.checked(), tree.reason());
    BOOST_TEST(
        problem(tree, json::parse(R"({"children":[{"children":[{"value":1}]}]})")) == "none");
    BOOST_TEST(problem(tree, json::parse(R"({"children":[{"children":[{"value":"1"}]}]})"))
        == "/children/0/children/0/value: Type string in place of number");
    BOOST_TEST(problem(tree, json::parse(R"({"next":{"next":7}})"))
        == "/next/next: Type integer in place of object");
}

BOOST_AUTO_TEST_CASE(numbers_are_compared_as_numbers)
{
    const output_schema integer = schema_of(R"({"type":"integer"})");
    BOOST_TEST(problem(integer, json::parse("18446744073709551615")) == "none");
    BOOST_TEST(problem(integer, json::parse("123456789012345678901234567890")) == "none");
    BOOST_TEST(problem(integer, json::parse("1.5")) != "none");
    const output_schema price = schema_of(R"({"multipleOf":0.01})");
    BOOST_TEST(problem(price, 4.35) == "none");
    BOOST_TEST(problem(price, 4.355) != "none");
    const output_schema one = schema_of(R"({"enum":[1,"a\u0000b"]})");
    BOOST_TEST(problem(one, 1.0) == "none");
    BOOST_TEST(problem(one, json::parse(R"("a\u0000b")")) == "none");
    BOOST_TEST(problem(one, "a") != "none");
}

BOOST_AUTO_TEST_CASE(text_is_matched_by_characters_and_lines)
{
    const output_schema short_name = schema_of(R"({"pattern":"^.{1,3}$","maxLength":3})");
    BOOST_TEST(problem(short_name, "\xc3\xa9\xf0\x9f\x98\x80z") == "none");
    BOOST_TEST(problem(short_name, "abcd") != "none");
    const output_schema line = schema_of(R"({"pattern":"^a$"})");
    BOOST_TEST(problem(line, "a\nb") != "none");
    BOOST_TEST(problem(line, "b\na") != "none");
    BOOST_TEST(problem(line, 7) == "none");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(hostile_schemas, *boost::unit_test::precondition(test::schemas_are_checked))

BOOST_AUTO_TEST_CASE(that_double_at_each_step_are_given_up)
{
    std::string text = R"({"$ref":"#/$defs/40","$defs":{"0":{"type":"string"})";
    for (int i = 1; i <= 40; ++i) {
        const std::string former = R"({"$ref":"#/$defs/)" + std::to_string(i - 1) + R"("})";
        text += ",\"" + std::to_string(i) + R"(":{"anyOf":[)" + former + ',' + former + "]}";
    }
    text += "}}";
    const output_schema schema = schema_of(text);
    BOOST_TEST_REQUIRE(schema.checked(), schema.reason());
    BOOST_TEST(problem(schema, 7) == ": checking it takes too long");
    BOOST_TEST(problem(schema, "right at once") == "none");
}

BOOST_AUTO_TEST_CASE(with_expressions_that_explode_are_given_up)
{
    const output_schema schema = schema_of(R"({"pattern":"^(a+)+$"})");
    BOOST_TEST_REQUIRE(schema.checked(), schema.reason());
    std::string text(2000, 'a');
    BOOST_TEST(problem(schema, json::string(text)) == "none");
    text += '!';
    BOOST_TEST(contains(problem(schema, json::string(text)), "too long"));
    BOOST_TEST(contains(problem(schema, json::string(std::string(100000, 'a'))), "too long"));
}

BOOST_AUTO_TEST_CASE(that_are_large_or_deep_are_not_checked)
{
    json::value deep = true;
    for (int i = 0; i != 70; ++i) {
        json::object around;
        around["not"] = std::move(deep);
        deep = std::move(around);
    }
    BOOST_TEST(contains(schema_in(deep).reason(), "nested deeper than 64"));
    json::object wide;
    for (int i = 0; i != 3000; ++i)
        wide[std::to_string(i)] = json::object();
    json::object schema;
    schema["properties"] = wide;
    BOOST_TEST(contains(schema_in(json::value(schema)).reason(), "more than 1000 parts"));
    json::array choices(30000);
    json::object chosen;
    chosen["enum"] = choices;
    BOOST_TEST(contains(schema_in(json::value(chosen)).reason(), "more than 20000 values"));
    std::string chain = R"({"$ref":"#/$defs/0","$defs":{)";
    for (int i = 0; i != 300; ++i)
        chain += '"' + std::to_string(i) + R"(":{"$ref":"#/$defs/)" + std::to_string(i + 1)
            + "\"},";
    chain += R"("300":{}}})";
    BOOST_TEST(contains(schema_of(chain).reason(), "references to more than 250 places"));
}

BOOST_AUTO_TEST_CASE(that_need_much_stack_are_given_up)
{
    // Short enough for the frames that the address sanitizer makes.
    std::string chain = R"({"$ref":"#/$defs/0","$defs":{)";
    for (int i = 0; i != 40; ++i)
        chain += '"' + std::to_string(i) + R"(":{"allOf":[{"not":{"not":{"$ref":"#/$defs/)"
            + std::to_string(i + 1) + "\"}}}]},";
    chain += R"("40":{"type":"integer"}}})";
    const output_schema schema = schema_of(chain);
    BOOST_TEST_REQUIRE(schema.checked(), schema.reason());
    BOOST_TEST(problem(schema, 7) == "none");
    // Each level of the value goes through the whole chain.
    chain.replace(chain.rfind(R"({"type":"integer"})"), 18, R"({"items":{"$ref":"#"}})");
    const output_schema both = schema_of(chain);
    BOOST_TEST_REQUIRE(both.checked(), both.reason());
    BOOST_TEST(contains(problem(both, nested_array(80)), "nested too deep"));
}

BOOST_AUTO_TEST_CASE(or_results_that_are_too_large_have_just_that_as_their_problem)
{
    const output_schema any = schema_of(R"({"uniqueItems":true,"items":{"$ref":"#"}})");
    BOOST_TEST_REQUIRE(any.checked(), any.reason());
    BOOST_TEST(problem(any, nested_array(90)) == "none");
    BOOST_TEST(problem(any, nested_array(200)) == ": it is too large to be checked");
    json::array many;
    for (int i = 0; i != 2000; ++i)
        many.emplace_back(i);
    BOOST_TEST(problem(any, many) == "none");
    many.resize(5000);
    BOOST_TEST(problem(any, many) == ": it is too large to be checked");
    BOOST_TEST(problem(schema_of("{}"), many) == "none");
    many.resize(300000);
    BOOST_TEST(problem(schema_of("{}"), many) == ": it is too large to be checked");
}

BOOST_AUTO_TEST_CASE(are_shared_by_threads)
{
    const output_schema schema = schema_of(
        R"({"properties":{"a":{"pattern":"^x+$"}},"patternProperties":{"^p":{"type":"null"}}})");
    const json::value right = json::parse(R"({"a":"xxx","p1":null})");
    const json::value wrong = json::parse(R"({"a":"y","p1":7})");
    std::vector<std::thread> threads;
    for (int i = 0; i != 4; ++i)
        threads.emplace_back([&] {
            const output_schema copy = schema;
            for (int n = 0; n != 200; ++n)
                if (!problems(copy, right).empty() || problems(copy, wrong).size() < 2)
                    std::abort();
        });
    for (std::thread& t : threads)
        t.join();
}

BOOST_AUTO_TEST_SUITE_END()
