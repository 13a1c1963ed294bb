// What a server may ask of its client, and what of an answer is sent.
#include "protocol/client_requests.hpp"
#include "protocol/elicitation_defaults.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

using namespace mcp_pool::protocol;
namespace json = boost::json;

namespace {

json::object object(std::string_view text)
{
    return json::parse(json::string_view(text.data(), text.size())).as_object();
}

client_abilities everything()
{
    client_abilities able;
    able.sampling = able.sampling_tools = able.elicit_form = able.elicit_url = able.roots = true;
    return able;
}

// "form" and so on, "no" for a method that nobody answers, else the fault.
std::string judged(
    std::string_view method, std::string_view params, const client_abilities& able = everything())
{
    const judged_question q = judge_question(method, object(params), able);
    if (!q.kind)
        return q.fault.empty() ? "no" : q.fault;
    switch (*q.kind) {
    case question_kind::sampling:
        return "sampling";
    case question_kind::elicit_form:
        return "form";
    case question_kind::elicit_url:
        return "url";
    case question_kind::roots:
        break;
    }
    return "roots";
}

// What becomes of an answer; its fault in parentheses.
std::string completed(question_kind kind, std::string_view answer, std::string_view form = "{}")
{
    json::value result = json::parse(json::string_view(answer.data(), answer.size()));
    const std::string fault = complete_answer(kind, object(form), result);
    return fault.empty() ? json::serialize(result) : "(" + fault + ")";
}

std::string filled(std::string_view properties, std::string_view content)
{
    json::object answers = object(content);
    fill_defaults(object(properties), answers);
    return json::serialize(answers);
}

constexpr std::string_view form_params =
    R"({"message":"who?","requestedSchema":{"type":"object","properties":{}}})";
constexpr std::string_view url_params =
    R"({"mode":"url","message":"go","url":"https://example.com/","elicitationId":"e"})";
constexpr std::string_view sampling_params = R"({"messages":[],"maxTokens":10})";

} // namespace

BOOST_AUTO_TEST_SUITE(what_a_server_may_ask)

BOOST_AUTO_TEST_CASE(only_what_somebody_answers_is_declared)
{
    client_abilities able;
    BOOST_TEST(capabilities_json(able) == "{}");
    BOOST_TEST(!able.any());
    able.elicit_form = true;
    BOOST_TEST(able.any());
    BOOST_TEST(capabilities_json(able) == R"({"elicitation":{"form":{}}})");
    able.elicit_url = true;
    BOOST_TEST(capabilities_json(able) == R"({"elicitation":{"form":{},"url":{}}})");
    able.elicit_form = false;
    able.sampling = true;
    BOOST_TEST(capabilities_json(able) == R"({"sampling":{},"elicitation":{"url":{}}})");
    BOOST_TEST(capabilities_json(everything())
        == R"({"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}},"roots":{}})");
}

BOOST_AUTO_TEST_CASE(a_request_that_keeps_to_what_is_declared_is_put_to_somebody)
{
    BOOST_TEST(judged("sampling/createMessage", sampling_params) == "sampling");
    BOOST_TEST(judged("elicitation/create", form_params) == "form");
    BOOST_TEST(judged("elicitation/create", url_params) == "url");
    BOOST_TEST(judged("roots/list", "{}") == "roots");
    BOOST_TEST(judged("tasks/list", "{}") == "no");
    for (const auto method : {"sampling/createMessage", "elicitation/create", "roots/list"})
        BOOST_TEST(judged(method, sampling_params, client_abilities()) == "no");
}

BOOST_AUTO_TEST_CASE(a_mode_that_was_not_declared_is_a_fault_and_no_unknown_method)
{
    client_abilities able;
    able.elicit_form = true;
    BOOST_TEST(
        judged("elicitation/create", url_params, able) == "the mode \"url\" was not declared");
    able.elicit_form = false;
    able.elicit_url = true;
    BOOST_TEST(
        judged("elicitation/create", form_params, able) == "the mode \"form\" was not declared");
    BOOST_TEST(judged("elicitation/create", R"({"mode":"smoke\n","message":"m"})")
        == "the mode \"smoke\\n\" was not declared");
    BOOST_TEST(judged("elicitation/create", R"({"mode":7,"message":"m"})") == "mode is no string");
}

BOOST_AUTO_TEST_CASE(sampling_with_tools_is_refused_where_the_handler_knows_none)
{
    client_abilities able = everything();
    able.sampling_tools = false;
    BOOST_TEST(judged("sampling/createMessage", sampling_params, able) == "sampling");
    for (const auto member : {"tools", "toolChoice"}) {
        const std::string params = R"({"messages":[],"maxTokens":1,")" + std::string(member)
            + R"(":[]})";
        BOOST_TEST(judged("sampling/createMessage", params, able)
            == "sampling with tools was not declared");
        BOOST_TEST(judged("sampling/createMessage", params) == "sampling");
    }
}

BOOST_AUTO_TEST_CASE(handlers_are_not_given_what_lacks_its_members)
{
    BOOST_TEST(judged("sampling/createMessage", R"({"maxTokens":1})") == "messages is no array");
    BOOST_TEST(judged("sampling/createMessage", R"({"messages":{},"maxTokens":1})")
        == "messages is no array");
    BOOST_TEST(judged("sampling/createMessage", R"({"messages":[],"maxTokens":"1"})")
        == "maxTokens is no number");
    BOOST_TEST(judged("elicitation/create", R"({"requestedSchema":{"properties":{}}})")
        == "message is no string");
    BOOST_TEST(
        judged("elicitation/create", R"({"mode":"url","message":"m"})") == "url is no string");
    for (const auto schema : {"7", "{}", R"({"properties":[]})"})
        BOOST_TEST(judged("elicitation/create",
                       R"({"message":"m","requestedSchema":)" + std::string(schema) + "}")
            == "requestedSchema is no schema of an object with properties");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(what_is_answered)

BOOST_AUTO_TEST_CASE(an_accepted_form_is_completed_with_its_defaults)
{
    constexpr std::string_view form = R"({"name":{"type":"string","default":"Ada"}})";
    const auto kind = question_kind::elicit_form;
    BOOST_TEST(completed(kind, R"({"action":"accept"})", form)
        == R"({"action":"accept","content":{"name":"Ada"}})");
    BOOST_TEST(completed(kind, R"({"action":"accept","content":{"name":"Ben"}})", form)
        == R"({"action":"accept","content":{"name":"Ben"}})");
    BOOST_TEST(completed(kind, R"({"action":"decline","content":{"name":"x"}})", form)
        == R"({"action":"decline"})");
    BOOST_TEST(completed(question_kind::elicit_url, R"({"action":"accept","content":{}})", form)
        == R"({"action":"accept"})");
}

BOOST_AUTO_TEST_CASE(what_is_no_answer_is_not_sent)
{
    const auto kind = question_kind::elicit_form;
    for (const auto answer : {"{}", R"({"action":"yes"})", R"({"action":1})"})
        BOOST_TEST(completed(kind, answer) == "(action is none of accept, decline and cancel)");
    BOOST_TEST(completed(kind, R"({"action":"accept","content":[]})") == "(content is no object)");
    BOOST_TEST(completed(kind, "null") == "(it is no JSON object)");
    BOOST_TEST(completed(question_kind::roots, "{}") == "(roots is no array)");
    BOOST_TEST(completed(question_kind::roots, R"({"roots":[]})") == R"({"roots":[]})");
    constexpr std::string_view sampled = R"({"role":"assistant","model":"m","content":{}})";
    BOOST_TEST(completed(question_kind::sampling, sampled) == sampled);
    BOOST_TEST(completed(question_kind::sampling, R"({"role":"assistant","model":"m"})")
        == "(role, content or model is missing)");
}

BOOST_AUTO_TEST_CASE(each_kind_of_field_has_its_default)
{
    BOOST_TEST(filled(R"({
        "name":{"type":"string","default":"John Doe"},
        "age":{"type":"integer","default":30},
        "score":{"type":"number","default":95.5},
        "status":{"type":"string","enum":["active","inactive"],"default":"active"},
        "titled":{"type":"string","oneOf":[{"const":"a","title":"A"}],"default":"a"},
        "many":{"type":"array","items":{"type":"string","enum":["x","y"]},"default":["y"]},
        "verified":{"type":"boolean","default":true},
        "none":{"type":"string"}})",
                   R"({"age":31})")
        == R"({"age":31,"name":"John Doe","score":9.55E1,"status":"active","titled":"a",)"
           R"("many":["y"],"verified":true})");
}

BOOST_AUTO_TEST_CASE(a_default_that_is_no_value_of_its_field_is_left_out)
{
    BOOST_TEST(filled(R"({
        "a":{"type":"string","default":1},
        "b":{"type":"integer","default":1.5},
        "c":{"type":"number","default":"1"},
        "d":{"type":"boolean","default":0},
        "e":{"type":"string","enum":["x"],"default":"y"},
        "f":{"type":"string","oneOf":[{"const":"x"},7,{}],"default":"y"},
        "g":{"type":"array","default":[1]},
        "h":{"type":"array","items":{"anyOf":[{"const":"x"}]},"default":["y"]},
        "i":{"type":"object","default":{}},
        "j":{"default":"x"},
        "k":7})",
                   "{}")
        == "{}");
}

BOOST_AUTO_TEST_SUITE_END()
