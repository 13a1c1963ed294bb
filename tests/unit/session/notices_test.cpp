// What a server reports, and who is told.
#include "support/asking.hpp"

using namespace mcp_pool;
using namespace mcp_pool::test;
using mcp_pool::testing::call;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

namespace {

using strings = std::vector<std::string>;

// "Ada: text" for each notification that somebody was told of.
struct diary
{
    strings logged, updated, completed, lists;

    std::shared_ptr<client_handlers> handlers()
    {
        const auto into = [](strings& lines, const char* member) -> notification_handler {
            return [&lines, member](const request_context& of, const json::object& params) {
                lines.push_back(name_in(of) + ": " + std::string(params.at(member).as_string()));
            };
        };
        auto h = std::make_shared<client_handlers>();
        h->log_message = into(logged, "data");
        h->resource_updated = into(updated, "uri");
        h->elicitation_complete = into(completed, "elicitationId");
        h->list_changed = [this](const request_context& of, list_kind which) {
            lists.push_back(name_in(of) + ": " + std::to_string(static_cast<int>(which)));
        };
        return h;
    }
};

std::string log_line(std::string_view text)
{
    return report("message", R"({"level":"info","data":")" + std::string(text) + R"("})");
}

std::string updated(std::string_view uri)
{
    return report("resources/updated", R"({"uri":")" + std::string(uri) + R"("})");
}

struct scene : rig
{
    explicit scene(diary& d, personality p = personality::legacy, std::size_t leases = 1)
        : rig(p, patient(), era_choice::auto_detect, leases, d.handlers())
    {
        if (p == personality::legacy)
            server.on_request(logging_server);
        start();
    }

    void say(const std::string& line) { server.emit(1, line); }

    // Everything that was said before has been read, and told to whom it concerns.
    void heard()
    {
        const int before = told->probe_done;
        io->probe();
        until([&] { return told->probe_done == before + 1; });
        settle();
    }

    void request(std::string method, json::object params, std::size_t grant = 0)
    {
        const auto out = call_of(grant, std::move(method), std::move(params));
        finish(out);
        BOOST_TEST(!out->code, out->details.message);
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(who_is_told)

BOOST_AUTO_TEST_CASE(
    a_lease_is_told_in_order_of_what_the_server_logs_once_it_has_asked_for_anything)
{
    diary d;
    scene s(d);
    s.say(log_line("nobody's"));
    lend_to(s, "Ada");
    s.say(log_line("idle"));
    s.heard();
    BOOST_TEST(d.logged.empty());
    s.request("tools/list", {});
    for (const auto text : {"1", "2", "3"})
        s.say(log_line(text));
    s.say(report("elicitation/complete", R"({"elicitationId":"e"})"));
    s.say(report("no/such/thing"));
    s.heard();
    BOOST_TEST(
        d.logged == (strings{"Ada: 1", "Ada: 2", "Ada: 3"}), boost::test_tools::per_element());
    BOOST_TEST(d.completed == strings{"Ada: e"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_comes_late_for_a_former_lease_reaches_nobody)
{
    diary d;
    scene s(d);
    s.server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method == "ping")
            return reply::result(json::object()).before(log_line("late"));
        return logging_server(c);
    });
    lend_to(s, "Ada");
    s.request("tools/list", {});
    BOOST_TEST(give_back(s));
    s.until([&] { return s.told->reset_done == 1; });
    lend_to(s, "Ben");
    s.request("tools/list", {});
    s.settle();
    BOOST_TEST(d.logged.empty());
}

BOOST_AUTO_TEST_CASE(what_is_on_its_way_when_the_lease_ends_is_dropped)
{
    diary d;
    scene s(d);
    asio::io_context acquirers;
    s.state->grant(0).context = std::make_shared<detail::lessee>(
        acquirers.get_executor(), "Ada", std::make_shared<std::string>("Ada"));
    s.lend();
    s.request("tools/list", {});
    s.say(log_line("1"));
    s.heard();
    s.release();
    acquirers.poll();
    BOOST_TEST(d.logged.empty());
}

BOOST_AUTO_TEST_CASE(who_does_not_listen_fast_enough_misses_what_is_counted)
{
    diary d;
    scene s(d);
    asio::io_context acquirers;
    s.state->grant(0).context = std::make_shared<detail::lessee>(
        acquirers.get_executor(), "Ada", std::make_shared<std::string>("Ada"));
    s.lend();
    s.request("tools/list", {});
    for (int i = 0; i != 300; ++i)
        s.say(log_line(std::to_string(i)));
    s.heard();
    BOOST_TEST(s.shared->dropped_notices == 44u);
    acquirers.poll();
    BOOST_TEST_REQUIRE(d.logged.size() == 256u);
    BOOST_TEST(d.logged.back() == "Ada: 255");
    // Large ones are counted by their bytes; one of any size is taken alone.
    acquirers.restart();
    for (int i = 0; i != 3; ++i)
        s.say(log_line(std::string(std::size_t{2} << 20, 'x')));
    s.heard();
    BOOST_TEST(s.shared->dropped_notices == 46u);
    acquirers.poll();
    BOOST_TEST(d.logged.size() == 257u);
}

BOOST_AUTO_TEST_CASE(lists_are_the_servers_and_no_lease_is_needed)
{
    diary d;
    scene s(d);
    for (const auto which : {"tools", "prompts", "resources"})
        s.say(report(std::string(which) + "/list_changed"));
    s.heard();
    BOOST_TEST(d.lists == (strings{"nobody: 0", "nobody: 1", "nobody: 2"}),
        boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(updates_reach_the_leases_that_subscribed)
{
    diary d;
    scene s(d, personality::legacy, 2);
    lend_to(s, "Ada", 0);
    lend_to(s, "Ben", 1);
    s.request("resources/subscribe", one("uri", "file:///a"), 0);
    s.request("resources/subscribe", one("uri", "file:///b"), 1);
    for (const auto uri : {"file:///a", "file:///b/part", "file:///c"})
        s.say(updated(uri));
    s.say(report("resources/updated"));
    s.heard();
    BOOST_TEST(d.updated == (strings{"Ada: file:///a", "Ben: file:///b/part"}),
        boost::test_tools::per_element());
    BOOST_TEST(give_back(s, 0));
    s.say(updated("file:///a"));
    s.heard();
    BOOST_TEST(d.updated.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_server_of_the_modern_era_reports_to_the_request_that_is_under_way)
{
    diary d;
    scene s(d, personality::modern, 2);
    s.server.on_request(answering("subscriptions/listen", reply::silence()));
    lend_to(s, "Ada", 0);
    lend_to(s, "Ben", 1);
    s.request("tools/list", {}, 0);
    s.say(log_line("between"));
    s.heard();
    const auto listening = s.call_of(1, "subscriptions/listen", {});
    s.until([&] { return s.server.count("subscriptions/listen") == 1; });
    const std::string id = std::to_string(id_of(last(s, "subscriptions/listen")));
    s.say(log_line("while"));
    s.say(report("resources/updated",
        R"({"uri":"file:///a","_meta":{"io.modelcontextprotocol/subscriptionId":)" + id + "}}"));
    s.say(updated("file:///b"));
    s.heard();
    BOOST_TEST(d.logged == strings{"Ben: while"}, boost::test_tools::per_element());
    BOOST_TEST(d.updated == strings{"Ben: file:///a"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
