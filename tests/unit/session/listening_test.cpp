// Subscriptions of the modern era: what is sent for them, and who is told.
#include "support/asking.hpp"
#include "support/await.hpp"

using namespace mcp_pool;
using namespace mcp_pool::test;
using mcp_pool::testing::call;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

namespace {

using strings = std::vector<std::string>;

constexpr auto listen_method = "subscriptions/listen";

std::string updated(std::int64_t id, std::string_view uri)
{
    return report("resources/updated",
        R"({"uri":")" + std::string(uri) + R"(","_meta":{"io.modelcontextprotocol/subscriptionId":)"
            + std::to_string(id) + "}}");
}

std::string changed(std::int64_t id, std::string_view list)
{
    return report(std::string(list) + "/list_changed",
        R"({"_meta":{"io.modelcontextprotocol/subscriptionId":)" + std::to_string(id) + "}}");
}

std::string acknowledged(std::int64_t id, std::string_view filter)
{
    return report("subscriptions/acknowledged",
        R"({"_meta":{"io.modelcontextprotocol/subscriptionId":)" + std::to_string(id)
            + R"(},"notifications":)" + std::string(filter) + "}");
}

std::string ended_by_notice(std::int64_t id)
{
    return report("cancelled", R"({"requestId":)" + std::to_string(id) + "}");
}

std::string ended_by_result(std::int64_t id)
{
    return answer_line(id,
        R"({"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":)"
            + std::to_string(id) + "}}");
}

// Declares that its lists change.
std::optional<reply> changing_server(const call& c)
{
    if (c.method != "server/discover")
        return std::nullopt;
    return reply::result(parsed(R"({"resultType":"complete","supportedVersions":["2026-07-28"],
        "capabilities":{"tools":{"listChanged":true},"prompts":{"listChanged":false},
            "resources":{"listChanged":true,"subscribe":true}}})"));
}

struct scene : rig
{
    explicit scene(std::size_t leases = 1, pool_options options = patient(),
        std::optional<testing::script> script = std::nullopt)
        : scene(std::make_shared<client_handlers>(), leases, std::move(options), std::move(script))
    {}

    void say(const std::string& line) { server.emit(1, line); }

    // Everything that was said before has been read, and told to whom it concerns.
    void heard()
    {
        const int before = told->probe_done;
        io->probe();
        until([&] { return told->probe_done == before + 1; });
        settle();
    }

    answer<bool> subscribe(std::string uri, std::size_t grant = 0)
    {
        return await(*this, view(grant).subscribe(std::move(uri)));
    }
    answer<bool> unsubscribe(std::string uri, std::size_t grant = 0)
    {
        return await(*this, view(grant).unsubscribe(std::move(uri)));
    }

    // The filters that the server was asked for, as text.
    [[nodiscard]] strings filters() const
    {
        strings found;
        for (const testing::call& c : all(*this, listen_method))
            found.push_back(json::serialize(c.params.at("notifications")));
        return found;
    }
    [[nodiscard]] std::int64_t last_listen() const { return id_of(last(*this, listen_method)); }

    strings updates, lists;

private:
    scene(std::shared_ptr<client_handlers> h, std::size_t leases, pool_options options,
        std::optional<testing::script> script)
        : rig(personality::modern, options, era_choice::auto_detect, leases, h)
    {
        h->resource_updated = [this](const request_context& of, const json::object& params) {
            updates.push_back(name_in(of) + ": " + std::string(params.at("uri").as_string()));
        };
        h->list_changed = [this](const request_context& of, list_kind which) {
            lists.push_back(name_in(of) + ": " + std::to_string(static_cast<int>(which)));
        };
        if (script)
            server.on_request(*script);
        start();
    }
};

std::string wants(std::string_view uris)
{
    return R"({"resourceSubscriptions":[)" + std::string(uris) + "]}";
}

} // namespace

BOOST_AUTO_TEST_SUITE(listening_in_the_modern_era)

BOOST_AUTO_TEST_CASE(a_lease_is_told_of_what_it_subscribed_to_and_of_nothing_else)
{
    scene s;
    lend_to(s, "Ada");
    BOOST_TEST(s.subscribe("test:a").value.has_value());
    BOOST_TEST(s.unanswered() == 0u);
    BOOST_TEST(s.state->grant(0).dirty());
    const std::int64_t id = s.last_listen();
    s.say(updated(id, "test:a"));
    s.say(updated(id, "test:a/part"));
    s.say(updated(id, "test:b"));
    s.say(updated(id + 100, "test:a"));
    s.say(report("resources/updated", R"({"uri":"test:a"})"));
    s.say(report("resources/updated",
        R"({"_meta":{"io.modelcontextprotocol/subscriptionId":)" + std::to_string(id) + "}}"));
    s.heard();
    BOOST_TEST(s.updates == (strings{"Ada: test:a", "Ada: test:a/part"}),
        boost::test_tools::per_element());
    BOOST_TEST(s.filters() == strings{wants(R"("test:a")")}, boost::test_tools::per_element());
    // A second time there is nothing to do.
    BOOST_TEST(s.subscribe("test:a").value.has_value());
    BOOST_TEST(s.server.count(listen_method) == 1u);
}

BOOST_AUTO_TEST_CASE(each_change_is_one_more_request_and_the_end_of_the_former_one)
{
    scene s;
    lend_to(s, "Ada");
    BOOST_TEST(s.subscribe("test:a").value.has_value());
    const std::int64_t first = s.last_listen();
    BOOST_TEST(s.subscribe("test:b").value.has_value());
    const std::int64_t second = s.last_listen();
    BOOST_TEST(s.unsubscribe("test:a").value.has_value());
    s.until([&] { return cancelled(s).size() == 2; });
    BOOST_TEST(s.filters()
            == (strings{wants(R"("test:a")"), wants(R"("test:a","test:b")"), wants(R"("test:b")")}),
        boost::test_tools::per_element());
    BOOST_TEST(cancelled(s) == (std::vector<std::int64_t>{first, second}),
        boost::test_tools::per_element());
    s.say(updated(first, "test:b"));
    s.say(updated(second, "test:b"));
    s.say(updated(s.last_listen(), "test:b"));
    s.heard();
    BOOST_TEST(s.updates == strings{"Ada: test:b"}, boost::test_tools::per_element());
    // The last one ends what there is.
    BOOST_TEST(s.unsubscribe("test:b").value.has_value());
    BOOST_TEST(!s.state->grant(0).dirty());
    s.until([&] { return cancelled(s).size() == 3; });
    BOOST_TEST(s.server.count(listen_method) == 3u);
    // What was never subscribed to need not be ended.
    BOOST_TEST(s.unsubscribe("test:c").value.has_value());
    s.heard();
    BOOST_TEST(s.server.count(listen_method) == 3u);
}

BOOST_AUTO_TEST_CASE(subscriptions_made_together_are_one_request)
{
    scene s;
    lend_to(s, "Ada");
    const auto a = s.call("resources/subscribe", one("uri", "test:a"));
    const auto b = s.call("resources/subscribe", one("uri", "test:b"));
    const auto again = s.call("resources/subscribe", one("uri", "test:a"));
    for (const auto& o : {a, b, again}) {
        s.finish(o);
        BOOST_TEST(!o->code, o->details.message);
    }
    BOOST_TEST(
        s.filters() == strings{wants(R"("test:a","test:b")")}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_the_server_does_not_honour_fails_and_the_rest_goes_on)
{
    scene s(1, patient(), [](const call& c) -> std::optional<reply> {
        if (c.method != listen_method)
            return std::nullopt;
        return reply::silence().before(acknowledged(id_of(c), wants(R"("test:a")")));
    });
    lend_to(s, "Ada");
    BOOST_TEST(s.subscribe("test:a").value.has_value());
    const auto refused = s.subscribe("test:b\x1b");
    BOOST_TEST((refused.code == errc::method_not_supported));
    BOOST_TEST(contains(refused.details.message, "test:b\\x1b"), refused.details.message);
    BOOST_TEST(s.unanswered() == 0u);
    s.say(updated(s.last_listen(), "test:a"));
    s.say(updated(s.last_listen(), "test:b"));
    s.heard();
    BOOST_TEST(s.updates == strings{"Ada: test:a"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_server_that_knows_no_subscriptions_says_so)
{
    scene s(1, patient(), answering(listen_method, reply::error(-32601, "Method not found")));
    lend_to(s, "Ada");
    const auto refused = s.subscribe("test:a");
    BOOST_TEST((refused.code == error_code(-32601, rpc_category())));
    BOOST_TEST(refused.details.rpc->message == "Method not found");
    BOOST_TEST(contains(refused.details.message, listen_method), refused.details.message);
    BOOST_TEST(!s.state->grant(0).dirty());
    s.settle();
    BOOST_TEST(s.server.count(listen_method) == 1u);
}

BOOST_AUTO_TEST_CASE(a_subscription_that_ends_unacknowledged_fails)
{
    scene s(1, patient(), answering(listen_method, reply::result(json::object())));
    lend_to(s, "Ada");
    const auto refused = s.subscribe("test:a");
    BOOST_TEST((refused.code == errc::protocol_error));
    BOOST_TEST(!s.state->grant(0).dirty());
}

BOOST_AUTO_TEST_CASE(silence_ends_with_the_timeout_of_the_call)
{
    scene s(1, patient(), answering(listen_method, reply::silence()));
    lend_to(s, "Ada");
    const auto late = await(s, s.view().subscribe("test:a", call_options(20ms)));
    BOOST_TEST((late.code == errc::call_timeout));
    BOOST_TEST(contains(late.details.message, "20 ms"), late.details.message);
    s.until([&] { return cancelled(s).size() == 1; });
    BOOST_TEST(cancelled(s).front() == s.last_listen());
    BOOST_TEST(!s.state->grant(0).dirty());
    // The acknowledgement that comes after it is for nobody.
    s.say(acknowledged(s.last_listen(), wants(R"("test:a")")));
    s.say(updated(s.last_listen(), "test:a"));
    s.heard();
    BOOST_TEST(s.updates.empty());
}

BOOST_AUTO_TEST_CASE(a_cancelled_subscription_is_no_subscription)
{
    scene s(1, patient(), answering(listen_method, reply::silence()));
    lend_to(s, "Ada");
    asio::cancellation_signal signal;
    const auto out = s.call("resources/subscribe", one("uri", "test:a"), {}, signal.slot());
    const auto other = s.call("resources/subscribe", one("uri", "test:b"));
    s.until([&] { return s.server.count(listen_method) == 1; });
    signal.emit(asio::cancellation_type::total);
    s.finish(out);
    BOOST_TEST((out->code == asio::error::operation_aborted));
    // The other one is asked for anew.
    s.until([&] { return s.server.count(listen_method) == 2; });
    BOOST_TEST(s.filters().back() == wants(R"("test:b")"));
    s.say(acknowledged(s.last_listen(), wants(R"("test:b")")));
    s.finish(other);
    BOOST_TEST(!other->code);
}

BOOST_AUTO_TEST_CASE(who_unsubscribes_meanwhile_aborts_the_subscription)
{
    scene s(1, patient(), answering(listen_method, reply::silence()));
    lend_to(s, "Ada");
    const auto out = s.call("resources/subscribe", one("uri", "test:a"));
    s.until([&] { return s.server.count(listen_method) == 1; });
    BOOST_TEST(s.unsubscribe("test:a").value.has_value());
    s.finish(out);
    BOOST_TEST((out->code == asio::error::operation_aborted));
    BOOST_TEST(!s.state->grant(0).dirty());
}

BOOST_AUTO_TEST_CASE(leases_listen_for_themselves)
{
    scene s(2);
    lend_to(s, "Ada", 0);
    lend_to(s, "Ben", 1);
    BOOST_TEST(s.subscribe("test:a", 0).value.has_value());
    const std::int64_t of_ada = s.last_listen();
    BOOST_TEST(s.subscribe("test:a", 1).value.has_value());
    const std::int64_t of_ben = s.last_listen();
    s.say(updated(of_ben, "test:a"));
    s.heard();
    BOOST_TEST(s.updates == strings{"Ben: test:a"}, boost::test_tools::per_element());
    // The end of one lease is no business of the other.
    BOOST_TEST(give_back(s, 0));
    s.until([&] { return s.told->reset_done == 1; });
    s.heard();
    BOOST_TEST(cancelled(s) == std::vector<std::int64_t>{of_ada}, boost::test_tools::per_element());
    s.say(updated(of_ada, "test:a"));
    s.say(updated(of_ben, "test:a"));
    s.heard();
    BOOST_TEST(
        s.updates == (strings{"Ben: test:a", "Ben: test:a"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_lease_that_listens_ends_without_a_question_to_the_server)
{
    for (const reset_policy policy : {reset_policy::protocol, reset_policy::none}) {
        pool_options options = patient();
        options.reset = policy;
        scene s(1, options);
        lend_to(s, "Ada");
        BOOST_TEST(s.subscribe("test:a").value.has_value());
        const std::size_t probes = s.server.count("server/discover");
        BOOST_TEST(give_back(s));
        s.until([&] { return s.told->reset_done == 1; });
        BOOST_TEST(!s.state->grant(0).dirty());
        s.until([&] { return cancelled(s).size() == 1; });
        BOOST_TEST(s.server.count("server/discover") == probes);
        // What comes late is for nobody, the next lease included.
        lend_to(s, "Ben");
        s.finish(s.call("tools/list"));
        s.say(updated(s.last_listen(), "test:a"));
        s.say(ended_by_result(s.last_listen()));
        s.heard();
        BOOST_TEST(s.updates.empty());
        BOOST_TEST(s.shared->unknown_answers == 0u);
    }
}

BOOST_AUTO_TEST_CASE(a_lease_that_ends_before_the_acknowledgement_aborts_it)
{
    scene s(1, patient(), answering(listen_method, reply::silence()));
    lend_to(s, "Ada");
    const auto out = s.call("resources/subscribe", one("uri", "test:a"));
    s.until([&] { return s.server.count(listen_method) == 1; });
    BOOST_TEST(give_back(s));
    s.finish(out);
    BOOST_TEST((out->code == asio::error::operation_aborted));
    s.until([&] { return s.told->reset_done == 1; });
    BOOST_TEST(!s.state->grant(0).dirty());
    s.heard();
    BOOST_TEST(s.server.count("notifications/cancelled") == 1u);
}

BOOST_AUTO_TEST_CASE(what_the_server_ends_is_asked_for_anew_and_the_lease_told_to_look)
{
    for (const bool by_result : {true, false}) {
        scene s;
        lend_to(s, "Ada");
        BOOST_TEST(s.subscribe("test:a").value.has_value());
        const std::int64_t first = s.last_listen();
        // Both of them, in either order, are one end.
        s.say(by_result ? ended_by_result(first) : ended_by_notice(first));
        s.say(by_result ? ended_by_notice(first) : ended_by_result(first));
        s.heard();
        BOOST_TEST(s.updates.empty());
        s.until([&] { return s.server.count(listen_method) == 2; });
        s.heard();
        BOOST_TEST(s.updates == strings{"Ada: test:a"}, boost::test_tools::per_element());
        BOOST_TEST(s.server.count("notifications/cancelled") == 0u);
        BOOST_TEST(s.shared->unknown_answers == 0u);
        s.say(updated(s.last_listen(), "test:a"));
        s.heard();
        BOOST_TEST(s.updates.size() == 2u);
    }
}

BOOST_AUTO_TEST_CASE(subscriptions_take_no_place_among_the_requests_under_way)
{
    pool_options options = patient();
    options.max_requests_in_flight = 1;
    scene s(1, options);
    lend_to(s, "Ada");
    BOOST_TEST(s.subscribe("test:a").value.has_value());
    s.finish(s.call("tools/call", with_message("x")));
    s.server.on_request(answering("tools/call", reply::silence().held()));
    const auto busy = held_call(s);
    BOOST_TEST(s.subscribe("test:b").value.has_value());
    BOOST_TEST(!busy->done);
}

BOOST_AUTO_TEST_CASE(a_subscription_has_no_request_timeout)
{
    pool_options options = patient();
    options.call_timeout = 30ms;
    scene s(1, options);
    lend_to(s, "Ada");
    BOOST_TEST(s.subscribe("test:a").value.has_value());
    // A call that takes all of its time says that the subscription could have.
    s.server.on_request(answering("tools/call", reply::silence()));
    const auto late = s.call("tools/call", with_message("x"), call_options(90ms));
    s.finish(late);
    BOOST_TEST((late->code == errc::call_timeout));
    s.say(updated(s.last_listen(), "test:a"));
    s.until([&] { return !s.updates.empty(); });
    BOOST_TEST(s.server.count(listen_method) == 1u);
}

BOOST_AUTO_TEST_CASE(subscriptions_are_bounded)
{
    scene s;
    lend_to(s, "Ada");
    std::vector<std::shared_ptr<outcome>> all;
    for (int i = 0; i != 256; ++i)
        all.push_back(
            s.call("resources/subscribe", one("uri", "test:" + std::to_string(1000 + i))));
    for (const auto& o : all) {
        s.finish(o);
        BOOST_TEST(!o->code, o->details.message);
    }
    const auto too_many = s.subscribe("test:more");
    BOOST_TEST((too_many.code == errc::resource_exhausted));
    BOOST_TEST(contains(too_many.details.message, "256"), too_many.details.message);
    BOOST_TEST(s.unsubscribe("test:1000").value.has_value());
    BOOST_TEST(s.subscribe("test:more").value.has_value());
    BOOST_TEST((s.subscribe(std::string(5000, 'x')).code == errc::message_too_large));
    BOOST_TEST((s.subscribe("").code == errc::method_not_supported));
    BOOST_TEST(s.unanswered() == 0u);
}

BOOST_AUTO_TEST_CASE(a_session_that_dies_fails_what_is_not_acknowledged)
{
    scene s(1, patient(), answering(listen_method, reply::silence()));
    lend_to(s, "Ada");
    const auto out = s.call("resources/subscribe", one("uri", "test:a"));
    s.until([&] { return s.server.count(listen_method) == 1; });
    s.server.kill(1);
    s.finish(out);
    BOOST_TEST((out->code == errc::session_closed), out->details.message);
    BOOST_TEST(s.unanswered() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(listening_to_lists)

BOOST_AUTO_TEST_CASE(lists_are_listened_to_where_there_is_a_handler_and_they_change)
{
    scene s(1, patient(), changing_server);
    s.until([&] { return s.server.count(listen_method) > 0; });
    s.heard();
    const std::int64_t id = s.last_listen();
    BOOST_TEST(s.filters().back() == R"({"toolsListChanged":true,"resourcesListChanged":true})");
    for (const auto list : {"tools", "prompts", "resources"})
        s.say(changed(id, list));
    s.heard();
    BOOST_TEST(s.lists == (strings{"nobody: 0", "nobody: 2"}), boost::test_tools::per_element());
    BOOST_TEST(!s.state->grant(0).dirty());
    // After an end something may have been missed.
    s.say(ended_by_result(id));
    s.until([&] { return s.last_listen() != id; });
    s.heard();
    BOOST_TEST(s.lists.size() == 4u);
}

BOOST_AUTO_TEST_CASE(nobody_listens_without_a_handler_or_where_nothing_changes)
{
    rig unheard(personality::modern);
    unheard.server.on_request(changing_server);
    unheard.lease();
    scene constant;
    lend_to(constant, "Ada");
    for (rig* const r : {&unheard, static_cast<rig*>(&constant)}) {
        r->finish(r->call("tools/call", with_message("x")));
        BOOST_TEST(r->server.count(listen_method) == 0u);
    }
}

BOOST_AUTO_TEST_CASE(requests_to_listen_by_hand_are_told_as_before)
{
    scene s(1, patient(), changing_server);
    lend_to(s, "Ada");
    const auto by_hand = s.call(listen_method, one("notifications", "as you like"));
    s.until([&] { return s.filters().size() > 0 && s.filters().back() == R"("as you like")"; });
    s.say(changed(s.last_listen(), "tools"));
    s.say(updated(s.last_listen(), "test:a"));
    s.heard();
    BOOST_TEST(s.lists == strings{"nobody: 0"}, boost::test_tools::per_element());
    BOOST_TEST(s.updates == strings{"Ada: test:a"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
