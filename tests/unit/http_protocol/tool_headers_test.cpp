// Arguments of tools in header fields: which tools may ask for it, and what is sent.
#include "protocol/tool_headers.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <map>
#include <optional>
#include <string>

using namespace mcp_pool;
using namespace mcp_pool::protocol;

namespace {

json::value object_schema(const std::string& properties)
{
    return json::parse(R"({"type":"object","properties":{)" + properties + "}}");
}

tool_headers judged(const std::string& properties)
{
    return tool_headers(object_schema(properties));
}

std::map<std::string, std::string> sent(const tool_headers& tool, const json::value& arguments)
{
    header_fields fields;
    tool.add_to(fields, arguments);
    std::map<std::string, std::string> result;
    for (const header_field& f : fields)
        BOOST_TEST(result.emplace(f.name, f.value).second, f.name << " is there twice");
    return result;
}

void check_fault(const tool_headers& tool, std::string_view part)
{
    BOOST_TEST(!tool.valid());
    BOOST_TEST(tool.empty());
    BOOST_TEST(tool.fault().find(part) != std::string::npos,
        "\"" << tool.fault() << "\" says nothing of \"" << part << '"');
    BOOST_TEST(tool.fault().size() < 600U);
}

// A schema that is `depth` schemas deep, the innermost one of them `inner`.
json::value nested(std::size_t depth, json::value inner)
{
    for (std::size_t i = 1; i < depth; ++i) {
        json::object properties;
        properties["p"] = std::move(inner);
        json::object schema;
        schema["properties"] = std::move(properties);
        inner = std::move(schema);
    }
    return inner;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tool_header_annotations)

BOOST_AUTO_TEST_CASE(a_schema_without_annotations_is_valid_and_asks_for_nothing)
{
    for (const char* schema : {"{}", "true", "false", "null", "1", R"({"type":"object"})",
             R"({"properties":[]})", R"({"properties":{"a":true,"b":1,"c":{"properties":null}}})",
             R"({"$ref":"https://example.com/schema.json","allOf":[1,{"if":null}]})"}) {
        const tool_headers tool{json::parse(schema)};
        BOOST_TEST(tool.valid(), schema);
        BOOST_TEST(tool.empty(), schema);
    }
}

BOOST_AUTO_TEST_CASE(the_example_of_the_specification)
{
    const tool_headers tool = judged(
        R"("region":{"type":"string","description":"d","x-mcp-header":"Region"},
           "query":{"type":"string"})");
    BOOST_TEST(tool.valid());
    const auto fields = sent(
        tool, json::parse(R"({"region":"us-west1","query":"SELECT * FROM users"})"));
    BOOST_TEST(fields.size() == 1U);
    BOOST_TEST(fields.at("Mcp-Param-Region") == "us-west1");
}

BOOST_AUTO_TEST_CASE(the_invalid_tools_of_the_conformance_suite_are_refused_with_the_reason)
{
    // Scenario http-invalid-tool-headers of @modelcontextprotocol/conformance 0.2.0-alpha.12.
    struct invalid
    {
        const char* properties;
        const char* reason;
    };
    const invalid table[] = {
        {R"("value":{"type":"string","x-mcp-header":""})", "is empty, at /properties/value"},
        {R"("data":{"type":"object","x-mcp-header":"Data"})", "the type \"object\""},
        {R"("items":{"type":"array","items":{"type":"string"},"x-mcp-header":"Items"})",
            "the type \"array\""},
        {R"("nil":{"type":"null","x-mcp-header":"Nil"})", "the type \"null\""},
        {R"("score":{"type":"number","x-mcp-header":"Score"})", "the type \"number\""},
        {R"("field1":{"type":"string","x-mcp-header":"Region"},
            "field2":{"type":"string","x-mcp-header":"Region"})",
            "twice; upper and lower case are the same in header names, at /properties/field2"},
        {R"("field1":{"type":"string","x-mcp-header":"MyField"},
            "field2":{"type":"string","x-mcp-header":"myfield"})",
            "twice"},
        {R"("value":{"type":"string","x-mcp-header":"My Region"})", "characters"},
        {R"("value":{"type":"string","x-mcp-header":"Region:Primary"})", "characters"},
        {R"("value":{"type":"string","x-mcp-header":"Région"})", "characters"},
        {R"("value":{"type":"string","x-mcp-header":"Region\t1"})",
            "\"Region\\t1\" has characters"},
    };
    for (const invalid& tool : table)
        BOOST_TEST_CONTEXT(tool.properties)
    check_fault(judged(tool.properties), tool.reason);
    BOOST_TEST(judged(R"("region":{"type":"string","x-mcp-header":"Region"})").valid());
}

BOOST_AUTO_TEST_CASE(names_and_types_that_are_none)
{
    const std::map<std::string, std::string> table = {
        {R"("v":{"type":"string","x-mcp-header":1})", "no string"},
        {R"("v":{"type":"string","x-mcp-header":null})", "no string"},
        {R"("v":{"type":"string","x-mcp-header":["A"]})", "no string"},
        {R"("v":{"x-mcp-header":"A"})", "no type"},
        {R"("v":{"type":["string","null"],"x-mcp-header":"A"})", "several types"},
        {R"("v":{"type":"string","x-mcp-header":"A\r\nEvil: 1"})", "A\\r\\nEvil"},
        {R"("v":{"type":"string","x-mcp-header":"A\u0000"})", "A\\x00"},
        {R"("v":{"type":"string","x-mcp-header":"A(b"})", "characters"},
        {R"("v":{"type":"string","x-mcp-header":")" + std::string(129, 'x') + R"("})",
            "more than 128 bytes"},
    };
    for (const auto& [properties, reason] : table)
        BOOST_TEST_CONTEXT(properties)
    check_fault(judged(properties), reason);
    BOOST_TEST(judged(R"("v":{"type":"string","x-mcp-header":"!#$%&'*+-.^_`|~09AZaz"})").valid());
    BOOST_TEST(judged(R"("v":{"type":"string","x-mcp-header":")" + std::string(128, 'x') + R"("})")
                   .valid());
}

BOOST_AUTO_TEST_CASE(an_annotation_stands_on_a_plain_path_of_properties_or_the_tool_is_invalid)
{
    const std::string annotated = R"({"type":"string","x-mcp-header":"A"})";
    for (const std::string keyword : {"items", "not", "if", "then", "else", "contains",
             "additionalProperties", "additionalItems", "unevaluatedProperties", "unevaluatedItems",
             "propertyNames", "contentSchema"}) {
        check_fault(
            tool_headers{json::parse("{\"" + keyword + "\":" + annotated + "}")}, "at /" + keyword);
        check_fault(
            judged("\"a\":{\"" + keyword + "\":{\"properties\":{\"b\":" + annotated + "}}}"),
            "at /properties/a/" + keyword + "/properties/b");
    }
    for (const std::string keyword : {"oneOf", "anyOf", "allOf", "prefixItems", "items"})
        check_fault(tool_headers{json::parse("{\"" + keyword + "\":[true," + annotated + "]}")},
            "is not plain");
    for (const std::string keyword :
        {"$defs", "definitions", "patternProperties", "dependentSchemas", "dependencies"})
        check_fault(tool_headers{json::parse("{\"" + keyword + "\":{\"n\":" + annotated + "}}")},
            "at /" + keyword + "/n");
    check_fault(tool_headers{json::parse(annotated)}, "at the root");
}

BOOST_AUTO_TEST_CASE(what_only_looks_like_an_annotation_is_none)
{
    for (const char* properties : {
             // A property of that name.
             R"("x-mcp-header":{"type":"object"})",
             // Data.
             R"("a":{"default":{"x-mcp-header":"A"},"const":{"x-mcp-header":"A"}})",
             R"("a":{"enum":[{"x-mcp-header":"A"}],"examples":[{"x-mcp-header":"A"}]})",
             // No keyword of JSON Schema.
             R"("a":{"x-ui":{"x-mcp-header":"A"}})",
         }) {
        const tool_headers tool = judged(properties);
        BOOST_TEST(tool.valid(), properties);
        BOOST_TEST(tool.empty(), properties);
    }
    // And one that is, in a property with the name of a keyword.
    const tool_headers tool = judged(
        R"("items":{"properties":{"x-mcp-header":{"type":"string","x-mcp-header":"A"}}})");
    BOOST_TEST(tool.fault() == "");
    BOOST_TEST(
        sent(tool, json::parse(R"({"items":{"x-mcp-header":"v"}})")).at("Mcp-Param-A") == "v");
}

BOOST_AUTO_TEST_CASE(no_reference_is_followed)
{
    // The reference itself is no fault; what it refers to is not annotated by it.
    const tool_headers tool{json::parse(
        R"({"$defs":{"id":{"type":"string"}},"properties":{"id":{"$ref":"#/$defs/id"},
            "far":{"$ref":"http://127.0.0.1/canary"},"loop":{"$ref":"#"}}})")};
    BOOST_TEST(tool.valid());
    BOOST_TEST(tool.empty());
    check_fault(judged(R"("id":{"$ref":"#/$defs/id","x-mcp-header":"Id"})"), "no type");
}

BOOST_AUTO_TEST_CASE(a_schema_may_be_deep_and_large_but_not_without_end)
{
    const json::value annotated = json::parse(R"({"type":"string","x-mcp-header":"A"})");
    BOOST_TEST(tool_headers(nested(tool_headers::max_depth, annotated)).valid());
    check_fault(tool_headers(nested(tool_headers::max_depth + 1, annotated)), "deep");
    check_fault(tool_headers(nested(5000, annotated)), "deep");

    json::array many;
    many.resize(tool_headers::max_schemas - 1, json::object());
    json::object schema;
    schema["allOf"] = many;
    BOOST_TEST(tool_headers(schema).valid());
    many.push_back(json::object());
    schema["allOf"] = many;
    check_fault(tool_headers(schema), "parts");

    json::object properties;
    for (std::size_t i = 0; i < tool_headers::max_headers; ++i)
        properties[std::string("p").append(std::to_string(i))] = json::parse(
            R"({"type":"string","x-mcp-header":"H)" + std::to_string(i) + "\"}");
    schema.clear();
    schema["properties"] = properties;
    BOOST_TEST(tool_headers(schema).valid());
    properties["one more"] = annotated;
    schema["properties"] = properties;
    check_fault(tool_headers(schema), "annotations");
}

BOOST_AUTO_TEST_CASE(a_reason_shows_foreign_names_escaped_and_bounded)
{
    json::object properties;
    properties[std::string(10000, 'n') + "\n"] = json::parse(
        R"({"type":"string","x-mcp-header":""})");
    json::object schema;
    schema["properties"] = properties;
    check_fault(tool_headers(schema), "nnn...");
    check_fault(judged(R"("a\u001b[2J":{"type":"\n","x-mcp-header":"A"})"), "a\\x1b[2J");
}

BOOST_AUTO_TEST_CASE(the_18_checks_of_the_conformance_suite)
{
    // Scenario http-custom-headers of @modelcontextprotocol/conformance 0.2.0-alpha.12.
    const tool_headers tool = judged(R"(
        "region":{"type":"string","x-mcp-header":"Region"},
        "priority":{"type":"integer","x-mcp-header":"Priority"},
        "verbose":{"type":"boolean","x-mcp-header":"Verbose"},
        "debug":{"type":"boolean","x-mcp-header":"Debug"},
        "empty_val":{"type":"string","x-mcp-header":"EmptyVal"},
        "method_val":{"type":"string","x-mcp-header":"Method"},
        "float_val":{"type":"number"},
        "non_ascii_val":{"type":"string","x-mcp-header":"NonAscii"},
        "whitespace_val":{"type":"string","x-mcp-header":"Whitespace"},
        "leading_space_val":{"type":"string","x-mcp-header":"LeadingSpace"},
        "trailing_space_val":{"type":"string","x-mcp-header":"TrailingSpace"},
        "internal_space_val":{"type":"string","x-mcp-header":"InternalSpace"},
        "control_char_val":{"type":"string","x-mcp-header":"ControlChar"},
        "crlf_val":{"type":"string","x-mcp-header":"CrLf"},
        "tab_val":{"type":"string","x-mcp-header":"Tab"},
        "query":{"type":"string"})");
    BOOST_TEST_REQUIRE(tool.fault() == "");
    const auto fields = sent(tool, json::parse(R"({
        "region":"us-west1","priority":42,"verbose":false,"debug":true,"empty_val":"",
        "method_val":"test-method","float_val":3.14159,"non_ascii_val":"Hello, 世界",
        "whitespace_val":" padded ","leading_space_val":" us-west1",
        "trailing_space_val":"us-west1 ","internal_space_val":"us west 1",
        "control_char_val":"line1\nline2","crlf_val":"line1\r\nline2","tab_val":"\tindented",
        "query":"SELECT * FROM users"})"));
    const std::map<std::string, std::string> expected = {
        {"Mcp-Param-Region", "us-west1"},
        {"Mcp-Param-Priority", "42"},
        {"Mcp-Param-Verbose", "false"},
        {"Mcp-Param-Debug", "true"},
        {"Mcp-Param-EmptyVal", ""},
        {"Mcp-Param-Method", "test-method"},
        {"Mcp-Param-NonAscii", "=?base64?SGVsbG8sIOS4lueVjA==?="},
        {"Mcp-Param-Whitespace", "=?base64?IHBhZGRlZCA=?="},
        {"Mcp-Param-LeadingSpace", "=?base64?IHVzLXdlc3Qx?="},
        {"Mcp-Param-TrailingSpace", "=?base64?dXMtd2VzdDEg?="},
        {"Mcp-Param-InternalSpace", "us west 1"},
        {"Mcp-Param-ControlChar", "=?base64?bGluZTEKbGluZTI=?="},
        {"Mcp-Param-CrLf", "=?base64?bGluZTENCmxpbmUy?="},
        {"Mcp-Param-Tab", "=?base64?CWluZGVudGVk?="},
    };
    // Neither FloatVal nor Query among them.
    BOOST_TEST(fields.size() == expected.size());
    for (const auto& [name, value] : expected)
        BOOST_TEST((fields.count(name) == 1 && fields.at(name) == value), name);

    const auto without = sent(tool,
        json::parse(R"({"region":"us-east1","priority":1,"verbose":null,"query":"SELECT 1"})"));
    BOOST_TEST(without.size() == 2U);
    BOOST_TEST(without.count("Mcp-Param-Verbose") == 0U);
}

BOOST_AUTO_TEST_CASE(a_value_is_read_at_its_exact_path)
{
    const tool_headers tool = judged(R"("filter":{"properties":{"where":{"properties":{
            "region":{"type":"string","x-mcp-header":"Region"}}}}})");
    BOOST_TEST_REQUIRE(tool.fault() == "");
    BOOST_TEST(sent(tool, json::parse(R"({"filter":{"where":{"region":"x"}},"region":"y"})"))
                   .at("Mcp-Param-Region")
        == "x");
    for (const char* arguments : {"{}", "null", "[]", R"("filter")", R"({"filter":null})",
             R"({"filter":{"where":[{"region":"x"}]}})", R"({"filter":{"region":"x"}})",
             R"({"region":"x"})"})
        BOOST_TEST(sent(tool, json::parse(arguments)).empty(), arguments);
}

BOOST_AUTO_TEST_CASE(values_have_the_form_that_servers_compare_with)
{
    const tool_headers tool = judged(R"("v":{"type":"integer","x-mcp-header":"V"})");
    const auto form = [&](const std::string& value) -> std::string {
        const auto fields = sent(tool, json::parse("{\"v\":" + value + "}"));
        return fields.empty() ? "(none)" : fields.at("Mcp-Param-V");
    };
    const std::map<std::string, std::string> table = {
        {"0", "0"},
        {"-7", "-7"},
        {"42.0", "42"},
        {"1e3", "1000"},
        {"9007199254740991", "9007199254740991"},
        {"-9007199254740991", "-9007199254740991"},
        {"true", "true"},
        {"\"42\"", "42"},
        // Not exact in every peer, or no form at all.
        {"9007199254740992", "(none)"},
        {"-9007199254740992", "(none)"},
        {"9007199254740992.0", "(none)"},
        {"18446744073709551615", "(none)"},
        {"1e300", "(none)"},
        {"0.5", "(none)"},
        {"null", "(none)"},
        {"[1]", "(none)"},
        {"{}", "(none)"},
    };
    for (const auto& [value, expected] : table)
        BOOST_TEST(form(value) == expected, value);
    // The largest one as a double; the parser of Boost 1.81 rounds it up when it reads it.
    json::object arguments;
    arguments["v"] = 9007199254740991.0;
    BOOST_TEST(sent(tool, arguments).at("Mcp-Param-V") == "9007199254740991");
}

BOOST_AUTO_TEST_CASE(the_fields_of_a_tool_go_with_its_calls_and_nothing_else)
{
    const tool_headers tool = judged(R"("region":{"type":"string","x-mcp-header":"Region"})");
    http_session modern;
    modern.era = era::modern;
    modern.version = "2026-07-28";
    const json::object params =
        json::parse(R"({"name":"t","arguments":{"region":"us-west1"}})").as_object();
    BOOST_TEST(
        post_headers(modern, "tools/call", params, &tool).fields.back().name == "Mcp-Param-Region");
    BOOST_TEST(post_headers(modern, "prompts/get", params, &tool).fields.back().name == "Mcp-Name");
    BOOST_TEST(
        post_headers(http_session(), "tools/call", params, &tool).fields.back().name == "Accept");

    json::object large = params;
    large["arguments"].as_object()["region"] = std::string(max_header_value + 1, 'x');
    const header_result result = post_headers(modern, "tools/call", large, &tool);
    BOOST_TEST(result.fields.empty());
    BOOST_TEST(result.fault.find("Mcp-Param-Region") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
