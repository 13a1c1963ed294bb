// What of a trace goes with a request.
#include "protocol/trace.hpp"

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <string>

using namespace mcp_pool;
using namespace mcp_pool::protocol;

namespace {

const std::string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

// A copy with one character replaced.
std::string with(std::string text, std::size_t at, char c)
{
    text[at] = c;
    return text;
}

std::string added(
    const trace_context& trace, json::object meta = {}, const json::object* own = nullptr)
{
    add_trace(trace, meta, own);
    return json::serialize(meta);
}

trace_context make(std::string of, std::string state = {}, std::string baggage = {})
{
    trace_context trace;
    trace.traceparent = std::move(of);
    trace.tracestate = std::move(state);
    trace.baggage = std::move(baggage);
    return trace;
}

} // namespace

BOOST_AUTO_TEST_SUITE(traces)

BOOST_AUTO_TEST_CASE(a_parent_has_its_one_form)
{
    BOOST_TEST(is_traceparent(parent));
    BOOST_TEST(is_traceparent(with(parent, 54, '0')));
    BOOST_TEST(is_traceparent(with(parent, 0, 'c')));
    BOOST_TEST(is_traceparent(with(parent, 1, '1') + "-more"));
    BOOST_TEST(is_traceparent(with(parent, 1, '1')));
    for (const std::string& wrong : {std::string(), parent.substr(1), parent.substr(0, 54),
             parent + "0", parent + "-more", with(parent, 1, '1') + "more", "ff" + parent.substr(2),
             with(parent, 2, '_'), with(parent, 35, '0'), with(parent, 52, '0'),
             with(parent, 10, 'A'), with(parent, 40, 'g'), with(parent, 53, 'x'),
             with(parent, 0, ' '), "00-" + std::string(32, '0') + parent.substr(35),
             parent.substr(0, 36) + std::string(16, '0') + "-01"})
        BOOST_TEST(!is_traceparent(wrong), wrong);
}

BOOST_AUTO_TEST_CASE(a_state_is_a_list_of_vendors)
{
    std::string most = "a0=1";
    for (int i = 1; i != 32; ++i)
        most += ",a" + std::to_string(i) + "=1";
    for (const std::string& right :
        {std::string("congo=t61rcWkgMzE"), std::string("rojo=00f067aa0ba902b7,congo=t61"),
            std::string("a=1 , b=2,,"), std::string("1a-_*/@b=x y!"), most})
        BOOST_TEST(is_tracestate(right), right);
    for (const std::string& wrong : {std::string(), std::string("congo"), std::string("=1"),
             std::string("a="), std::string("A=1"), std::string("-a=1"), std::string("a=1=2"),
             std::string("a@b@c=1"), std::string("a=1,a=2"), std::string("a=\x7f"),
             std::string("a=\n"), most + ",b=1", "a=" + std::string(600, 'x'),
             std::string(257, 'a') + "=1", "a=" + std::string(257, 'x')})
        BOOST_TEST(!is_tracestate(wrong), wrong);
}

BOOST_AUTO_TEST_CASE(baggage_is_a_list_of_members_with_properties)
{
    for (const std::string& right :
        {std::string("userId=alice"), std::string("a = 1 ; p ; q=2 , b="), std::string("k=%20x=y"),
            "k=" + std::string(8000, 'x')})
        BOOST_TEST(is_baggage(right), right);
    for (const std::string& wrong : {std::string(), std::string("a"), std::string("a=1,"),
             std::string("a=b c"), std::string("a=\"x\""), std::string("a b=1"),
             std::string("a=1;"), std::string("a=\x01"), "k=" + std::string(8192, 'x')})
        BOOST_TEST(!is_baggage(wrong), wrong);
}

BOOST_AUTO_TEST_CASE(what_is_malformed_is_left_out_and_the_rest_sent)
{
    BOOST_TEST(added(make(parent, "a=1", "k=v"))
        == R"({"traceparent":")" + parent + R"(","tracestate":"a=1","baggage":"k=v"})");
    BOOST_TEST(added(make(parent, "A=1", "k")) == R"({"traceparent":")" + parent + R"("})");
    BOOST_TEST(added(make("00-broken", "a=1", "k=v")) == R"({"baggage":"k=v"})");
    BOOST_TEST(added(make("")) == "{}");
    BOOST_TEST(make("").valid());
    BOOST_TEST(make(parent, "a=1", "k=v").valid());
    BOOST_TEST(make("", "", "k=v").valid());
    BOOST_TEST(!make("", "a=1").valid());
    BOOST_TEST(!make("00-broken").valid());
    BOOST_TEST(!make(parent, "A=1").valid());
    BOOST_TEST(!make(parent, "", "k").valid());
}

BOOST_AUTO_TEST_CASE(the_callers_own_members_win)
{
    json::object own;
    own["traceparent"] = "mine";
    BOOST_TEST(added(make(parent), own) == R"({"traceparent":"mine"})");
    BOOST_TEST(added(make(parent, "a=1"), {}, &own) == R"({"tracestate":"a=1"})");
}

BOOST_AUTO_TEST_SUITE_END()
