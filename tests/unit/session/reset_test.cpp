// What a connection undoes between two leases, and what of the former lease reaches the next one.
#include "protocol/leftovers.hpp"
#include "support/talk.hpp"

using namespace mcp_pool;
using namespace mcp_pool::test;
using mcp_pool::testing::call;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

namespace {

pool_options with(reset_policy policy)
{
    pool_options o = patient();
    o.reset = policy;
    return o;
}

// The logging server, with another answer to one method.
testing::script logging_server_except(std::string method, reply answer)
{
    return [method = std::move(method), answer](const call& c) {
        return c.method == method ? std::optional(answer) : logging_server(c);
    };
}

// Makes a request and waits for its success.
void done(rig& r, std::string method, json::object params, std::size_t grant = 0,
    std::source_location place = std::source_location::current())
{
    const auto out = r.call_of(grant, std::move(method), std::move(params));
    r.finish(out, place);
    BOOST_TEST(!out->code, out->details.message << " at line " << place.line());
}

std::vector<std::string> levels(const rig& r)
{
    std::vector<std::string> found;
    for (const call& c : all(r, "logging/setLevel"))
        found.emplace_back(c.params.at("level").as_string());
    return found;
}

std::vector<std::string> uris(const rig& r, std::string_view method)
{
    std::vector<std::string> found;
    for (const call& c : all(r, method))
        found.emplace_back(c.params.at("uri").as_string());
    return found;
}

void end_lease(rig& r, std::size_t grant = 0)
{
    r.release(grant);
    r.io->reset(grant);
}

using strings = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_SUITE(the_baseline)

BOOST_AUTO_TEST_CASE(a_server_that_logs_is_set_to_the_baseline_and_nobody_waits_for_it)
{
    rig r;
    r.server.on_request(logging_server_except("logging/setLevel", reply::silence()));
    r.lease();
    r.until([&] { return r.server.count("logging/setLevel") == 1; });
    BOOST_TEST(levels(r) == strings{"info"});
    done(r, "tools/list", {});
    const std::vector<call> heard = r.server.received();
    BOOST_TEST(heard[2].method == "notifications/initialized");
    BOOST_TEST(heard[3].method == "logging/setLevel");
    BOOST_TEST(!r.state->grant(0).dirty());
}

BOOST_AUTO_TEST_CASE(the_answer_to_the_baseline_is_no_service)
{
    rig r;
    r.server.on_request(
        logging_server_except("logging/setLevel", reply::result(json::object()).held()));
    r.lease();
    r.until([&] { return r.server.held() == 1; });
    r.server.release();
    // The answer to a later message says that the earlier one has been read.
    r.io->probe();
    r.until([&] { return r.told->probe_done == 1; });
    BOOST_TEST(!r.state->answered);
    BOOST_TEST(r.shared->unknown_answers == 0u);
    BOOST_TEST(r.shared->call_times.snapshot().count == 0u);
}

BOOST_AUTO_TEST_CASE(there_is_no_baseline_where_it_cannot_be_set_or_is_not_returned_to)
{
    rig silent;
    silent.lease();
    rig modern(personality::modern);
    modern.lease();
    rig untouched(personality::legacy, with(reset_policy::none));
    untouched.server.on_request(logging_server);
    untouched.lease();
    for (rig* const r : {&silent, &modern, &untouched}) {
        done(*r, "tools/list", {});
        BOOST_TEST(r->server.count("logging/setLevel") == 0u);
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(undoing)

BOOST_AUTO_TEST_CASE(a_reset_ends_subscriptions_and_sets_the_log_level_back)
{
    rig r;
    r.server.on_request(logging_server);
    r.lease();
    done(r, "resources/subscribe", one("uri", "file:///a"));
    done(r, "resources/subscribe", one("uri", "file:///b"));
    done(r, "resources/unsubscribe", one("uri", "file:///a"));
    done(r, "logging/setLevel", one("level", "debug"));
    BOOST_TEST(r.unanswered() == 0u);
    BOOST_TEST(r.state->grant(0).dirty());
    end_lease(r);
    r.until([&] { return r.told->reset_done == 1; });
    BOOST_TEST(uris(r, "resources/unsubscribe") == (strings{"file:///a", "file:///b"}));
    BOOST_TEST(levels(r) == (strings{"info", "debug", "info"}));
    BOOST_TEST(!r.state->grant(0).dirty());
    // Their answers show that the server lives: no ping besides.
    BOOST_TEST(r.server.count("ping") == 0u);
    // The next lease begins with nothing to undo.
    r.lend();
    done(r, "tools/list", {});
    BOOST_TEST(!r.state->grant(0).dirty());
}

BOOST_AUTO_TEST_CASE(a_reset_is_done_when_every_answer_has_come)
{
    rig r;
    r.server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method == "resources/unsubscribe")
            return reply::result(json::object()).held();
        return logging_server(c);
    });
    r.lease();
    done(r, "resources/subscribe", one("uri", "file:///a"));
    done(r, "logging/setLevel", one("level", "debug"));
    end_lease(r);
    r.until([&] { return r.server.held() == 1 && r.server.count("logging/setLevel") == 3; });
    r.settle();
    BOOST_TEST(r.told->reset_done == 0);
    r.server.release();
    r.until([&] { return r.told->reset_done == 1; });
}

BOOST_AUTO_TEST_CASE(a_lease_that_changed_nothing_is_clean)
{
    rig r;
    r.server.on_request(logging_server);
    r.lease();
    done(r, "tools/list", {});
    done(r, "resources/subscribe", one("uri", "file:///a"));
    BOOST_TEST(r.state->grant(0).dirty());
    done(r, "resources/unsubscribe", one("uri", "file:///a"));
    BOOST_TEST(!r.state->grant(0).dirty());
}

BOOST_AUTO_TEST_CASE(what_the_server_refused_needs_no_undoing)
{
    rig r;
    r.lease();
    for (const char* method : {"resources/subscribe", "logging/setLevel"}) {
        const auto out = r.call(method, one("uri", "file:///a"));
        r.finish(out);
        BOOST_TEST((out->code == error_code(-32601, rpc_category())));
        BOOST_TEST(!r.state->grant(0).dirty());
    }
}

BOOST_AUTO_TEST_CASE(a_subscription_that_was_cancelled_on_its_way_is_ended_all_the_same)
{
    rig r;
    r.server.on_request(logging_server_except("resources/subscribe", reply::silence()));
    r.lease();
    const auto subscribing = r.call("resources/subscribe", one("uri", "file:///a"));
    r.until([&] { return r.server.count("resources/subscribe") == 1; });
    BOOST_TEST(r.state->grant(0).dirty());
    end_lease(r);
    r.finish(subscribing);
    r.until([&] { return r.told->reset_done == 1; });
    BOOST_TEST(cancelled(r).size() == 1u);
    BOOST_TEST(uris(r, "resources/unsubscribe") == strings{"file:///a"});
    BOOST_TEST(!r.state->grant(0).dirty());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_undone_is_told)
{
    const std::vector<std::pair<std::string, json::object>> changes = {
        {"resources/subscribe", one("uri", "file:///a")},
        {"logging/setLevel", one("level", "debug")},
    };
    for (const auto& [method, params] : changes) {
        rig r;
        r.server.on_request(logging_server);
        r.lease();
        done(r, method, params);
        r.server.on_request([](const call& c) -> std::optional<reply> {
            if (c.method == "resources/unsubscribe" || c.method == "logging/setLevel")
                return reply::error(-32603, "no \x1b way back");
            return logging_server(c);
        });
        end_lease(r);
        r.until([&] { return !r.told->failed_resets.empty(); });
        BOOST_TEST(r.told->reset_failure->message.find("server \"scripted\"") == 0u);
        BOOST_TEST(
            contains(r.told->reset_failure->message,
                "cannot be undone: the server answered with error -32603: no \\x1b way back"),
            r.told->reset_failure->message);
        r.settle();
        BOOST_TEST(r.told->reset_done == 0);
        BOOST_TEST(r.told->failed_resets.size() == 1u);
    }
}

BOOST_AUTO_TEST_CASE(more_subscriptions_than_are_remembered_cannot_be_undone)
{
    rig r;
    r.server.on_request(logging_server);
    r.lease();
    for (std::size_t i = 0; i <= protocol::leftovers::max_subscriptions; ++i)
        done(r, "resources/subscribe", one("uri", "file:///" + std::to_string(i)));
    end_lease(r);
    r.until([&] { return !r.told->failed_resets.empty(); });
    BOOST_TEST(contains(r.told->reset_failure->message, "more resources than are remembered (256"),
        r.told->reset_failure->message);
    BOOST_TEST(r.told->reset_done == 0);
}

BOOST_AUTO_TEST_CASE(without_reset_nothing_is_remembered_or_undone)
{
    rig r(personality::legacy, with(reset_policy::none));
    r.server.on_request(logging_server);
    r.lease();
    done(r, "resources/subscribe", one("uri", "file:///a"));
    done(r, "logging/setLevel", one("level", "debug"));
    BOOST_TEST(!r.state->grant(0).dirty());
    end_lease(r);
    r.until([&] { return r.told->reset_done == 1; });
    r.settle();
    BOOST_TEST(r.server.count("resources/unsubscribe") == 0u);
    BOOST_TEST(levels(r) == strings{"debug"});
}

BOOST_AUTO_TEST_CASE(what_another_lease_wants_too_is_undone_by_the_last_of_them)
{
    rig r(personality::legacy, patient(), era_choice::auto_detect, 2);
    r.server.on_request(logging_server);
    r.lease();
    for (const std::size_t lease : {0, 1}) {
        done(r, "resources/subscribe", one("uri", "file:///both"), lease);
        done(r, "logging/setLevel", one("level", "debug"), lease);
    }
    done(r, "resources/subscribe", one("uri", "file:///first"), 0);
    end_lease(r, 0);
    r.until([&] { return r.told->reset_done == 1; });
    BOOST_TEST(uris(r, "resources/unsubscribe") == strings{"file:///first"});
    BOOST_TEST(!r.state->grant(0).dirty());
    BOOST_TEST(r.state->grant(1).dirty());
    end_lease(r, 1);
    r.until([&] { return r.told->reset_done == 2; });
    BOOST_TEST(uris(r, "resources/unsubscribe") == (strings{"file:///first", "file:///both"}));
    BOOST_TEST(levels(r) == (strings{"info", "debug", "debug", "info"}));
}

BOOST_AUTO_TEST_CASE(leases_that_end_together_leave_nothing_to_each_other)
{
    rig r(personality::legacy, patient(), era_choice::auto_detect, 2);
    r.server.on_request(logging_server);
    r.lease();
    for (const std::size_t lease : {0, 1})
        done(r, "resources/subscribe", one("uri", "file:///both"), lease);
    r.release(0);
    r.release(1);
    r.io->reset(0);
    r.io->reset(1);
    r.until([&] { return r.told->reset_done == 2; });
    BOOST_TEST(uris(r, "resources/unsubscribe") == strings{"file:///both"});
}

BOOST_AUTO_TEST_CASE(an_open_listen_request_of_the_modern_era_ends_like_any_other)
{
    rig r(personality::modern);
    r.server.on_request(answering("subscriptions/listen", reply::silence()));
    r.lease();
    const auto listening = r.call("subscriptions/listen", json::object());
    r.until([&] { return r.server.count("subscriptions/listen") == 1; });
    BOOST_TEST(r.state->grant(0).dirty());
    const std::size_t probes = r.server.count("server/discover");
    end_lease(r);
    r.finish(listening);
    BOOST_TEST((listening->code == asio::error::operation_aborted));
    r.until([&] { return r.told->reset_done == 1; });
    BOOST_TEST(cancelled(r) == std::vector<std::int64_t>{id_of(last(r, "subscriptions/listen"))});
    BOOST_TEST(r.server.count("server/discover") == probes + 1);
    BOOST_TEST(!r.state->grant(0).dirty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(what_comes_late)

BOOST_AUTO_TEST_CASE(requests_of_the_server_for_a_former_lease_are_answered_and_shown_to_nobody)
{
    rig r;
    r.lease();
    done(r, "tools/list", {});
    end_lease(r);
    r.until([&] { return r.told->reset_done == 1; });
    const auto ask = [&](std::string_view id, std::string_view method) {
        r.server.emit(1,
            R"({"jsonrpc":"2.0","id":")" + std::string(id) + R"(","method":")" + std::string(method)
                + R"(","params":{}})");
    };
    // Between two leases, and while the next one is out.
    for (const std::string when : {"between ", "next "}) {
        ask(when + "sampling", "sampling/createMessage");
        ask(when + "roots", "roots/list");
        ask(when + "elicitation", "elicitation/create");
        ask(when + "ping", "ping");
        if (when == "between ")
            r.lend();
    }
    r.until([&] { return r.server.answers().size() == 8; });
    for (const json::object& answer : r.server.answers()) {
        const std::string id(answer.at("id").as_string());
        BOOST_TEST_CONTEXT(id)
        {
            if (id.ends_with("elicitation")) {
                BOOST_TEST((answer.at("result") == json::value(one("action", "cancel"))));
            } else if (id.ends_with("ping")) {
                BOOST_TEST(answer.at("result").as_object().empty());
            } else {
                BOOST_TEST(answer.at("error").at("code").as_int64() == -32601);
            }
        }
    }
    const auto next = r.call("tools/call", with_message("next"));
    r.finish(next);
    BOOST_TEST(text_in(next->result) == "next");
    BOOST_TEST(r.unanswered() == 0u);
}

BOOST_AUTO_TEST_CASE(notifications_for_a_former_lease_reach_no_call_of_the_next_one)
{
    rig r;
    r.server.on_request(answering("tools/call", reply::result(json::object()).held()));
    r.lease();
    call_options wants_progress;
    wants_progress.progress = [](const progress&) {};
    const auto former = r.call("tools/call", with_message("former"), wants_progress);
    r.until([&] { return r.server.held() == 1; });
    const auto tell = [&](std::int64_t id, int value) {
        r.server.emit(1,
            R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":)"
                + std::to_string(id) + R"(,"progress":)" + std::to_string(value) + "}}");
    };
    const std::int64_t old_id = id_of(last(r, "tools/call"));
    end_lease(r);
    r.finish(former);
    r.until([&] { return r.told->reset_done == 1; });
    r.lend();
    const auto next = r.call("tools/call", with_message("next"), wants_progress);
    r.until([&] { return r.server.held() == 2; });
    tell(old_id, 1);
    r.server.emit(
        1, R"({"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a"}})");
    r.server.emit(1, R"({"jsonrpc":"2.0","method":"notifications/message","params":{}})");
    tell(id_of(last(r, "tools/call")), 2);
    r.until([&] { return !next->progress.empty(); });
    r.server.release();
    r.finish(next);
    BOOST_TEST(next->progress == std::vector<double>{2});
    BOOST_TEST(former->progress.empty());
    // The answer to the former lease's call came too, and counted for nobody.
    BOOST_TEST(r.shared->late_answers == 1u);
    BOOST_TEST(r.unanswered() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
