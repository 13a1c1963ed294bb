// sharing = multiplexed: one session in the hands of several leases.
#include "support/pool_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>

#include <set>

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

struct shared_session : pool_fixture
{
    explicit shared_session(personality p = personality::modern)
        : pool_fixture(p)
    {}

    // A pool of one session that up to three leases share.
    void open_shared(const std::function<void(pool_overrides&)>& change = {})
    {
        pool_overrides options;
        options.max_size = 1;
        options.sharing = sharing_policy::multiplexed;
        options.max_leases_per_session = 3;
        if (change)
            change(options);
        open(options);
    }
    std::vector<lease> three_leases()
    {
        std::vector<lease> leases;
        while (leases.size() != 3)
            leases.push_back(acquire());
        return leases;
    }
    // Calls the tool `echo`, with a text that tells whose call it is.
    std::shared_ptr<outcome<tool_result>> call_of(
        lease& mine, std::string text, call_options options = {})
    {
        return spawn(mine->call_tool("echo", object("message", json::value(text)), options));
    }
    // The request of the server's `tools/call` with this text.
    call received_call(std::string_view text)
    {
        for (const call& c : server.received()) {
            if (c.method == "tools/call"
                && c.params.at("arguments").at("message").as_string() == json::string_view(text))
                return c;
        }
        BOOST_FAIL("the server has received no call " << text);
        return {};
    }
};

struct shared_legacy_session : shared_session
{
    shared_legacy_session()
        : shared_session(personality::legacy)
    {}
};

// Each tool call is answered with its own text, at release().
std::optional<reply> hold_calls(const call& c)
{
    if (c.method != "tools/call")
        return std::nullopt;
    json::object block;
    block["type"] = "text";
    block["text"] = c.params.at("arguments").at("message");
    json::object result;
    result["resultType"] = "complete";
    result["content"] = json::array(1, json::value(std::move(block)));
    return reply::result(std::move(result)).held();
}

std::string progress_line(const json::value& token, int value)
{
    json::object params;
    params["progressToken"] = token;
    params["progress"] = value;
    json::object note;
    note["jsonrpc"] = "2.0";
    note["method"] = "notifications/progress";
    note["params"] = std::move(params);
    return json::serialize(note);
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(pool_sharing, shared_session)

BOOST_AUTO_TEST_CASE(one_session_serves_several_leases_and_the_next_waits_for_a_place)
{
    open_shared();
    std::vector<lease> leases = three_leases();
    BOOST_TEST(server.sessions_started() == 1u);
    BOOST_TEST(leases[0]->id() == leases[2]->id());
    BOOST_TEST(&*leases[0] != &*leases[2]);
    BOOST_TEST(pool->stats().in_use == 3u);
    BOOST_TEST(pool->stats().available == 0u);
    BOOST_TEST(!pool->try_acquire());
    auto fourth = spawn(pool->acquire(30s));
    until([&] { return pool->stats().waiting == 1; });
    leases[1].release();
    until([&] { return fourth->done; });
    BOOST_TEST(fourth->value.has_value());
    BOOST_TEST(server.sessions_started() == 1u);
}

BOOST_AUTO_TEST_CASE(ids_never_collide_and_each_lease_gets_its_own_answers)
{
    server.on_request(hold_calls);
    open_shared();
    std::vector<lease> leases = three_leases();
    std::vector<std::shared_ptr<outcome<tool_result>>> calls;
    for (int i = 0; i != 30; ++i)
        calls.push_back(call_of(leases[static_cast<std::size_t>(i % 3)], std::to_string(i)));
    until([&] { return server.held() == 30; });
    std::set<std::int64_t> ids;
    for (int i = 0; i != 30; ++i)
        ids.insert(received_call(std::to_string(i)).id.as_int64());
    BOOST_TEST(ids.size() == 30u);
    server.release();
    for (std::size_t i = 0; i != calls.size(); ++i) {
        until([&] { return calls[i]->done; });
        BOOST_REQUIRE(calls[i]->value);
        BOOST_TEST(calls[i]->value->text() == std::to_string(i));
    }
}

BOOST_AUTO_TEST_CASE(each_lease_sees_only_its_own_progress)
{
    server.on_request(hold_calls);
    open_shared();
    std::vector<lease> leases = three_leases();
    std::vector<std::vector<double>> seen(3);
    std::vector<std::shared_ptr<outcome<tool_result>>> calls;
    for (std::size_t i = 0; i != 3; ++i) {
        call_options options;
        options.progress = [&seen, i](const progress& p) { seen[i].push_back(p.value); };
        calls.push_back(call_of(leases[i], std::to_string(i), std::move(options)));
    }
    until([&] { return server.held() == 3; });
    for (const int value : {1, 2}) {
        for (const int of : {2, 0, 1}) {
            const json::value token =
                received_call(std::to_string(of)).params.at("_meta").at("progressToken");
            server.emit(1, progress_line(token, 10 * of + value));
        }
    }
    until([&] { return seen[0].size() + seen[1].size() + seen[2].size() == 6; });
    BOOST_TEST(seen[0] == (std::vector<double>{1, 2}));
    BOOST_TEST(seen[1] == (std::vector<double>{11, 12}));
    BOOST_TEST(seen[2] == (std::vector<double>{21, 22}));
    server.release();
    until([&] { return calls[0]->done && calls[1]->done && calls[2]->done; });
}

BOOST_AUTO_TEST_CASE(what_one_lease_cancels_or_leaves_behind_touches_no_other)
{
    server.on_request(hold_calls);
    open_shared();
    std::vector<lease> leases = three_leases();
    auto first = call_of(leases[0], "first");
    auto left_behind = call_of(leases[1], "left behind");
    asio::cancellation_signal signal;
    error_code code;
    bool done = false;
    json::object arguments = object("message", "cancelled");
    leases[2]->async_call_tool("echo", std::move(arguments), {},
        asio::bind_cancellation_slot(signal.slot(), [&](error_code e, tool_result) {
            code = e;
            done = true;
        }));
    until([&] { return server.held() == 3; });
    signal.emit(asio::cancellation_type::terminal);
    leases[1].release();
    until([&] { return done && left_behind->done; });
    BOOST_TEST(code == asio::error::operation_aborted);
    BOOST_TEST(left_behind->code() == asio::error::operation_aborted);
    until([&] { return server.count("notifications/cancelled") == 2; });
    for (const call& c : server.received()) {
        if (c.method == "notifications/cancelled")
            BOOST_TEST((c.params.at("requestId") != received_call("first").id));
    }
    BOOST_TEST(!first->done);
    server.release();
    until([&] { return first->done; });
    BOOST_REQUIRE(first->value);
    BOOST_TEST(first->value->text() == "first");
    // The place that had something to undo is lent again, of the same session.
    until([&] { return pool->stats().available == 1; });
    lease next = acquire();
    BOOST_TEST(next->id() == leases[0]->id());
    BOOST_TEST(server.sessions_started() == 1u);
}

BOOST_AUTO_TEST_CASE(a_dying_session_fails_all_its_leases_with_the_cause)
{
    server.on_request(hold_calls);
    open_shared();
    std::vector<lease> leases = three_leases();
    std::vector<std::shared_ptr<outcome<tool_result>>> calls;
    for (std::size_t i = 0; i != 3; ++i)
        calls.push_back(call_of(leases[i], std::to_string(i)));
    until([&] { return server.held() == 3; });
    auto waiter = spawn(pool->acquire(30s));
    until([&] { return pool->stats().waiting == 1; });
    server.write_stderr(1, "out of memory\n");
    server.kill(1);
    for (const auto& call : calls) {
        until([&] { return call->done; });
        BOOST_TEST(call->code() == errc::session_closed);
        BOOST_REQUIRE(call->failure);
        const std::string what = call->failure->what();
        BOOST_TEST(what.find("SIGKILL") != std::string::npos, what);
        BOOST_TEST(
            call->failure->diagnostics().stderr_tail.find("out of memory") != std::string::npos);
    }
    // Its place in the pool is free when all have given it back.
    leases[0].release();
    leases[1].release();
    context.restart();
    context.poll();
    BOOST_TEST(!waiter->done);
    BOOST_TEST(pool->stats().starting == 0u);
    leases.clear();
    until([&] { return waiter->done; });
    BOOST_REQUIRE(waiter->value);
    BOOST_TEST((*waiter->value)->id() != 1u);
    BOOST_TEST(pool->stats().replaced.died == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_legacy_server_is_refused_with_the_reason, shared_legacy_session)
{
    open_shared();
    const auto refused = finish(pool->acquire(30s));
    BOOST_TEST(refused->code() == errc::invalid_config);
    const std::string what = refused->failure->what();
    for (const char* part : {"server \"scripted\"", "sharing=multiplexed", "2025-11-25",
             "lose each other's updates", "force=true"})
        BOOST_TEST(what.find(part) != std::string::npos, part << " in: " << what);
    until([&] { return server.sessions_alive() == 0; });
}

BOOST_FIXTURE_TEST_CASE(
    who_waits_for_sessions_at_boot_learns_that_reason_too, shared_legacy_session)
{
    open_shared();
    const auto refused = finish(pool->wait_ready(1, 30s));
    BOOST_TEST(refused->code() == errc::invalid_config);
    const std::string what = refused->failure->what();
    BOOST_TEST(what.find("lose each other's updates") != std::string::npos, what);
}

BOOST_AUTO_TEST_CASE(a_process_for_each_lease_cannot_be_shared)
{
    BOOST_CHECK_EXCEPTION(open_shared([](pool_overrides& o) { o.reset = reset_policy::respawn; }),
        mcp_pool::error, [](const mcp_pool::error& e) {
            return std::string_view(e.what()).find("reset=respawn") != std::string_view::npos;
        });
}

BOOST_FIXTURE_TEST_CASE(a_legacy_server_is_shared_where_the_user_insists, shared_legacy_session)
{
    open_shared([](pool_overrides& options) { options.force = true; });
    std::vector<lease> leases = three_leases();
    BOOST_TEST(server.sessions_started() == 1u);
    for (lease& mine : leases) {
        auto call = call_of(mine, "hello");
        until([&] { return call->done; });
        BOOST_REQUIRE(call->value);
        BOOST_TEST(call->value->text() == "hello");
    }
}

BOOST_FIXTURE_TEST_CASE(two_keys_never_share_a_legacy_session, shared_legacy_session)
{
    open_shared([](pool_overrides& options) {
        options.force = true;
        options.max_size = 2;
    });
    const auto for_key = [](std::string key) {
        acquire_options options(30s);
        options.isolation_key = std::move(key);
        return options;
    };
    const auto a = finish(pool->acquire(for_key("a")));
    const auto b = finish(pool->acquire(for_key("b")));
    const auto more_of_a = finish(pool->acquire(for_key("a")));
    BOOST_REQUIRE((a->value && b->value && more_of_a->value));
    BOOST_TEST((*a->value)->id() == (*more_of_a->value)->id());
    BOOST_TEST((*a->value)->id() != (*b->value)->id());
}

BOOST_AUTO_TEST_SUITE_END()
