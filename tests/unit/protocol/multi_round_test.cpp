// A request that the server answers with questions: the machine alone.
#include "protocol/multi_round.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

using namespace mcp_pool::protocol;
using mcp_pool::era;
namespace json = boost::json;

namespace {

json::value parsed(std::string_view text)
{
    return json::parse(json::string_view(text.data(), text.size()));
}

client_abilities roots_only()
{
    client_abilities able;
    able.roots = true;
    return able;
}

// What is wrong with a result whose members are these; empty if nothing is.
std::string fault_of(std::string_view members, const client_abilities& able = roots_only())
{
    multi_round m;
    return m.take(parsed(R"({"resultType":"input_required")" + std::string(members) + "}"), able);
}

constexpr std::string_view two_questions =
    R"({"resultType":"input_required","requestState":"s\u00e9\n\"1",)"
    R"("inputRequests":{"b":{"method":"roots/list"},"a":{"method":"roots/list","params":{}}}})";

} // namespace

BOOST_AUTO_TEST_SUITE(rounds_of_a_request)

BOOST_AUTO_TEST_CASE(answers_go_back_under_the_keys_of_their_questions_with_the_exact_state)
{
    multi_round m;
    BOOST_TEST_REQUIRE(m.take(parsed(two_questions), roots_only()) == "");
    BOOST_TEST_REQUIRE(m.questions().size() == 2u);
    BOOST_TEST(!m.complete());
    // In any order; a second answer to the same question changes nothing.
    BOOST_TEST(m.answer(1, parsed(R"({"roots":[{"uri":"file:///a"}]})")) == "");
    BOOST_TEST(m.answer(1, parsed(R"({"roots":[]})")) == "");
    BOOST_TEST(!m.complete());
    BOOST_TEST(m.answer(0, parsed(R"({"roots":[]})")) == "");
    BOOST_TEST(m.complete());
    json::object params = parsed(R"({"name":"t","arguments":{"x":1}})").as_object();
    m.write_into(params);
    BOOST_TEST(json::value(params)
        == parsed(R"({"name":"t","arguments":{"x":1},"requestState":"s\u00e9\n\"1",)"
                  R"("inputResponses":{"b":{"roots":[]},"a":{"roots":[{"uri":"file:///a"}]}}})"));
}

BOOST_AUTO_TEST_CASE(each_round_says_only_what_belongs_to_it)
{
    multi_round m;
    json::object params = parsed(R"({"name":"t"})").as_object();
    BOOST_TEST_REQUIRE(m.take(parsed(two_questions), roots_only()) == "");
    for (std::size_t i = 0; i != 2; ++i)
        BOOST_TEST(m.answer(i, parsed(R"({"roots":[]})")) == "");
    m.write_into(params);
    // Without a state: neither the former one nor any.
    BOOST_TEST_REQUIRE(
        m.take(
            parsed(
                R"({"resultType":"input_required","inputRequests":{"c":{"method":"roots/list"}}})"),
            roots_only())
        == "");
    BOOST_TEST(m.answer(0, parsed(R"({"roots":[]})")) == "");
    m.write_into(params);
    BOOST_TEST(
        json::value(params) == parsed(R"({"name":"t","inputResponses":{"c":{"roots":[]}}})"));
    // With nothing but a state: no answers.
    BOOST_TEST_REQUIRE(
        m.take(parsed(R"({"resultType":"input_required","requestState":""})"), client_abilities())
        == "");
    BOOST_TEST(m.complete());
    m.write_into(params);
    BOOST_TEST(json::value(params) == parsed(R"({"name":"t","requestState":""})"));
}

BOOST_AUTO_TEST_CASE(there_are_ten_rounds_at_most)
{
    multi_round m;
    for (int round = 0; round != 10; ++round)
        BOOST_TEST(m.take(parsed(R"({"resultType":"input_required","requestState":"s"})"),
                       client_abilities())
            == "");
    BOOST_TEST(
        m.take(parsed(R"({"resultType":"input_required","requestState":"s"})"), client_abilities())
        == "the server asks for input in more than 10 rounds");
}

BOOST_AUTO_TEST_CASE(what_is_malformed_is_said_in_words)
{
    BOOST_TEST(fault_of("") == "it has neither inputRequests nor requestState");
    BOOST_TEST(fault_of(R"(,"requestState":7)") == "its requestState is no string");
    BOOST_TEST(fault_of(R"(,"inputRequests":[])") == "its inputRequests is no object");
    for (const auto request : {"7", "{}", R"({"method":null})"})
        BOOST_TEST(fault_of(R"(,"inputRequests":{"k\n":)" + std::string(request) + "}")
            == "its input request \"k\\n\" has no method");
    BOOST_TEST(fault_of(R"(,"inputRequests":{"k":{"method":"roots/list","params":[]}})")
        == "its input request \"k\" has params that are no object");
    BOOST_TEST(fault_of(R"(,"inputRequests":{"k":{"method":"ping"}})")
        == "its input request \"k\" (ping) asks for what was not declared");
    BOOST_TEST(fault_of(R"(,"inputRequests":{"k":{"method":"elicitation/create"}})")
        == "its input request \"k\" (elicitation/create) asks for what was not declared");
    client_abilities able;
    able.elicit_form = true;
    BOOST_TEST(fault_of(R"(,"inputRequests":{"k":{"method":"elicitation/create"}})", able)
        == "its input request \"k\" (elicitation/create) cannot be asked: message is no string");
    std::string many;
    for (int i = 0; i != 17; ++i)
        many += (i ? "," : "") + ('"' + std::to_string(i) + R"(":{"method":"roots/list"})");
    BOOST_TEST(
        fault_of(R"(,"inputRequests":{)" + many + "}") == "it has more than 16 inputRequests");
}

BOOST_AUTO_TEST_CASE(an_answer_that_cannot_be_sent_is_a_fault)
{
    multi_round m;
    BOOST_TEST_REQUIRE(m.take(parsed(two_questions), roots_only()) == "");
    BOOST_TEST(m.answer(0, parsed("7")) == "it is no JSON object");
}

BOOST_AUTO_TEST_CASE(only_three_methods_of_the_modern_era_have_rounds)
{
    BOOST_TEST(asks_for_input(parsed(two_questions), era::modern));
    BOOST_TEST(!asks_for_input(parsed(two_questions), era::legacy));
    BOOST_TEST(!asks_for_input(parsed(R"({"resultType":"complete"})"), era::modern));
    BOOST_TEST(!asks_for_input(parsed(R"({"resultType":7})"), era::modern));
    BOOST_TEST(!asks_for_input(parsed("[]"), era::modern));
    for (const auto method : {"tools/call", "prompts/get", "resources/read"})
        BOOST_TEST(multi_round::allowed(method));
    for (const auto method : {"tools/list", "server/discover", ""})
        BOOST_TEST(!multi_round::allowed(method));
}

BOOST_AUTO_TEST_SUITE_END()
