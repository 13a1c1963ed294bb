#include "protocol/leftovers.hpp"

#include <boost/test/unit_test.hpp>

using namespace mcp_pool;
using namespace mcp_pool::protocol;

namespace {

detail::request about(std::string method, std::string_view uri)
{
    json::object params;
    params["uri"] = json::string_view(uri.data(), uri.size());
    return {std::move(method), std::move(params), call_options()};
}

detail::request subscribe(std::string_view uri)
{
    return about("resources/subscribe", uri);
}

detail::request unsubscribe(std::string_view uri)
{
    return about("resources/unsubscribe", uri);
}

detail::request set_level()
{
    json::object params;
    params["level"] = "debug";
    return {"logging/setLevel", std::move(params), call_options()};
}

} // namespace

BOOST_AUTO_TEST_SUITE(leftovers_of_a_lease)

BOOST_AUTO_TEST_CASE(a_change_is_remembered_from_the_moment_it_is_written)
{
    leftovers left;
    BOOST_TEST(left.empty());
    left.written(1, subscribe("file:///a"));
    BOOST_TEST(!left.empty());
    BOOST_TEST(left.has_subscription("file:///a"));
    BOOST_TEST(!left.has_level());
    left.written(2, set_level());
    BOOST_TEST(left.has_level());
    left.answered(1, subscribe("file:///a"), true);
    left.answered(2, set_level(), true);
    std::string seen;
    left.each_subscription([&](std::string_view uri) { seen += uri; });
    BOOST_TEST(seen == "file:///a");
    BOOST_TEST(left.has_level());
}

BOOST_AUTO_TEST_CASE(what_the_server_refused_is_forgotten)
{
    leftovers left;
    left.written(1, subscribe("a"));
    left.written(2, set_level());
    left.answered(1, subscribe("a"), false);
    BOOST_TEST(!left.has_subscription("a"));
    BOOST_TEST(left.has_level());
    left.answered(2, set_level(), false);
    BOOST_TEST(left.empty());
}

BOOST_AUTO_TEST_CASE(a_refusal_does_not_undo_an_earlier_success)
{
    leftovers left;
    left.written(1, subscribe("a"));
    left.written(2, subscribe("a"));
    left.answered(2, subscribe("a"), false);
    BOOST_TEST(left.has_subscription("a"));
    left.answered(1, subscribe("a"), true);
    left.written(3, subscribe("a"));
    left.answered(3, subscribe("a"), false);
    BOOST_TEST(left.has_subscription("a"));
}

BOOST_AUTO_TEST_CASE(what_was_given_up_may_have_happened)
{
    leftovers left;
    left.written(1, subscribe("a"));
    left.given_up(subscribe("a"));
    left.written(2, subscribe("a"));
    left.answered(2, subscribe("a"), false);
    BOOST_TEST(left.has_subscription("a"));
    left.written(3, unsubscribe("a"));
    left.given_up(unsubscribe("a"));
    BOOST_TEST(left.has_subscription("a"));
}

BOOST_AUTO_TEST_CASE(a_subscription_that_the_lease_ended_itself_is_gone)
{
    leftovers left;
    left.written(1, subscribe("a"));
    left.written(2, subscribe("b"));
    left.answered(1, subscribe("a"), true);
    left.answered(2, subscribe("b"), true);
    left.written(3, unsubscribe("a"));
    BOOST_TEST(left.has_subscription("a"));
    left.answered(3, unsubscribe("a"), true);
    BOOST_TEST(!left.has_subscription("a"));
    BOOST_TEST(left.has_subscription("b"));
    left.written(4, unsubscribe("b"));
    left.answered(4, unsubscribe("b"), false);
    BOOST_TEST(left.has_subscription("b"));
}

BOOST_AUTO_TEST_CASE(a_subscription_that_may_have_come_after_its_end_is_remembered)
{
    leftovers behind;
    behind.written(1, subscribe("a"));
    behind.answered(1, subscribe("a"), true);
    behind.written(2, unsubscribe("a"));
    behind.written(3, subscribe("a"));
    behind.answered(3, subscribe("a"), true);
    behind.answered(2, unsubscribe("a"), true);
    BOOST_TEST(behind.has_subscription("a"));

    leftovers overtaken;
    overtaken.written(1, subscribe("a"));
    overtaken.written(2, unsubscribe("a"));
    overtaken.answered(2, unsubscribe("a"), true);
    overtaken.answered(1, subscribe("a"), true);
    BOOST_TEST(overtaken.has_subscription("a"));
}

BOOST_AUTO_TEST_CASE(requests_that_name_nothing_change_nothing)
{
    leftovers left;
    left.written(1, {"resources/subscribe", json::object(), call_options()});
    left.written(2, subscribe(""));
    json::object number;
    number["uri"] = 7;
    left.written(3, {"resources/subscribe", std::move(number), call_options()});
    left.written(4, unsubscribe("a"));
    left.answered(4, unsubscribe("a"), true);
    BOOST_TEST(left.empty());
    BOOST_TEST(!leftovers::concern("tools/call"));
}

BOOST_AUTO_TEST_CASE(what_is_remembered_is_bounded)
{
    leftovers left;
    left.written(1, set_level());
    for (std::size_t i = 0; i < leftovers::max_subscriptions; ++i)
        left.written(2, subscribe("file:///" + std::to_string(i)));
    BOOST_TEST(left.undoable());
    left.written(3, subscribe("file:///0"));
    BOOST_TEST(left.undoable());
    left.written(4, subscribe("one too many"));
    BOOST_TEST(!left.undoable());

    leftovers large;
    large.written(1, subscribe(std::string(leftovers::max_uri_bytes, 'x')));
    BOOST_TEST(large.undoable());
    large.written(2, subscribe(std::string(leftovers::max_uri_bytes + 1, 'x')));
    BOOST_TEST(!large.undoable());
    BOOST_TEST(!large.empty());
}

BOOST_AUTO_TEST_SUITE_END()
