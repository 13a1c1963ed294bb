// What becomes of sessions, leases and waiters: death, reset, close, destruction.
#include "support/pool_fixture.hpp"

#include <mcp_pool/mcp_pool.hpp>

#include <boost/test/unit_test.hpp>

#include <optional>
#include <thread>
#include <vector>

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

// Tool calls wait for release(); everything else as the personality does.
std::optional<reply> hold_tool_calls(const call& c)
{
    if (c.method == "tools/call")
        return reply::result(json::object()).held();
    return std::nullopt;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(pool_lifecycle, pool_fixture)

BOOST_AUTO_TEST_CASE(a_session_that_dies_while_idle_is_never_lent_and_not_missed)
{
    open();
    lease first = acquire();
    const auto dead = first->id();
    BOOST_TEST(finish(first->ping())->value.has_value());
    first.release();
    server.kill(1);
    until([&] { return pool->stats().pool_size == 0; });
    BOOST_TEST(!pool->try_acquire());
    lease second = acquire();
    BOOST_TEST(second->id() != dead);
    BOOST_TEST(pool->stats().replaced.died == 1u);
}

BOOST_AUTO_TEST_CASE(a_session_that_dies_during_a_call_fails_it_with_the_cause)
{
    server.on_request(hold_tool_calls);
    open();
    lease mine = acquire();
    auto call = spawn(mine->call_tool("echo", {}, {}));
    until([&] { return server.held() == 1; });
    server.write_stderr(1, "out of memory\n");
    server.kill(1, 9);
    until([&] { return call->done; });
    BOOST_TEST(call->code() == errc::session_closed);
    BOOST_TEST(!is_safe_to_retry(call->code()));
    const std::string what = call->failure->what();
    BOOST_TEST_CONTEXT(what)
    {
        BOOST_TEST(what.find("scripted") != std::string::npos);
        BOOST_TEST(what.find("SIGKILL") != std::string::npos);
    }
    BOOST_TEST(call->failure->diagnostics().stderr_tail.find("out of memory") != std::string::npos);
    mine.release();
    lease next = acquire();
    BOOST_TEST(server.sessions_started() == 2u);
}

BOOST_AUTO_TEST_CASE(a_call_through_the_lease_of_a_dead_session_tells_the_cause_where_the_pool_runs)
{
    open();
    lease mine = acquire();
    server.write_stderr(1, "out of memory\n");
    server.kill(1, 9);
    until([&] { return pool->stats().replaced.died == 1 && pool->stats().stopping == 0; });
    until([&] { return server.sessions_alive() == 0; });
    context.restart();
    context.poll();
    bool done = false;
    diagnostics why;
    call_options options;
    options.diagnostics = &why;
    std::thread::id where;
    mine->async_ping(options, [&](error_code code) {
        BOOST_TEST(code == errc::not_sent);
        where = std::this_thread::get_id();
        done = true;
    });
    until([&] { return done; });
    BOOST_TEST((where == std::this_thread::get_id()));
    BOOST_TEST(why.message.find("server \"scripted\"") == 0u, why.message);
    BOOST_TEST(why.message.find("SIGKILL") != std::string::npos, why.message);
    BOOST_TEST(why.stderr_tail.find("out of memory") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(without_reset_an_unanswered_call_delays_nobody)
{
    server.on_request(hold_tool_calls);
    pool_overrides options;
    options.max_size = 1;
    options.reset = reset_policy::none;
    open(options);
    lease mine = acquire();
    auto call = spawn(mine->call_tool("echo", {}, {}));
    until([&] { return server.held() == 1; });
    mine.release();
    lease next = acquire();
    BOOST_TEST(next.reused());
    until([&] { return call->done; });
    BOOST_TEST(call->code() == asio::error::operation_aborted);
    BOOST_TEST(server.count("ping") == 0u);
    until([&] { return server.count("notifications/cancelled") == 1; });
    // The answer of the former lease's call reaches nobody.
    BOOST_TEST(server.release() == 1u);
    BOOST_REQUIRE(finish(next->ping())->value);
}

BOOST_AUTO_TEST_CASE(a_verdict_about_the_era_that_has_expired_is_asked_for_by_one_start_alone)
{
    pool_overrides options;
    options.max_size = 4;
    options.max_starting = 4;
    options.era_ttl = 1ms;
    open(options);
    lease first = acquire();
    const auto learnt = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() < learnt + 2ms)
        ;
    std::vector<std::shared_ptr<outcome<lease>>> more;
    for (int i = 0; i != 3; ++i)
        more.push_back(spawn(pool->acquire(30s)));
    until([&] { return server.sessions_started() == 2; });
    BOOST_TEST(pool->stats().starting == 1u);
    until([&] { return more.back()->done; });
}

BOOST_AUTO_TEST_CASE(a_waiter_gets_the_replacement_of_a_dead_session)
{
    pool_overrides one;
    one.max_size = 1;
    open(one);
    lease mine = acquire();
    BOOST_TEST(finish(mine->ping())->value.has_value());
    auto waiter = spawn(pool->acquire(30s));
    until([&] { return pool->stats().waiting == 1; });
    server.kill(1);
    until([&] { return pool->stats().replaced.died == 1; });
    mine.release();
    until([&] { return waiter->done; });
    BOOST_TEST(waiter->value.has_value());
    BOOST_TEST(pool->stats().created == 2u);
}

BOOST_AUTO_TEST_CASE(an_operation_through_an_ended_lease_is_refused)
{
    open();
    lease mine = acquire();
    auto late = mine->ping();
    mine.release();
    BOOST_TEST(finish(std::move(late))->code() == errc::lease_released);

    // Also when the session has been lent again meanwhile.
    lease other = acquire();
    auto later = other->ping();
    other.release();
    lease third = acquire();
    BOOST_TEST(finish(std::move(later))->code() == errc::lease_released);
    BOOST_TEST(finish(third->ping())->value.has_value());
}

BOOST_AUTO_TEST_CASE(
    a_call_in_flight_is_aborted_by_the_end_of_its_lease_though_the_session_goes_too)
{
    server.on_request(hold_tool_calls);
    open();
    lease mine = acquire();
    auto call = spawn(mine->call_tool("echo", {}, {}));
    until([&] { return server.held() == 1; });
    mine.discard();
    mine.release();
    until([&] { return call->done; });
    BOOST_TEST(call->code() == asio::error::operation_aborted);
    until([&] { return server.sessions_alive() == 0; });
}

BOOST_AUTO_TEST_CASE(a_release_with_a_call_in_flight_aborts_and_cancels_it)
{
    server.on_request(hold_tool_calls);
    open();
    lease mine = acquire();
    auto call = spawn(mine->call_tool("echo", {}, {}));
    until([&] { return server.held() == 1; });
    mine.release();
    BOOST_TEST(pool->stats().resetting == 1u);
    until([&] { return call->done && pool->stats().available == 1; });
    BOOST_TEST(call->code() == asio::error::operation_aborted);
    BOOST_TEST(server.count("notifications/cancelled") == 1u);
    BOOST_TEST(server.sessions_started() == 1u);
    // The late answer reaches nobody.
    lease next = acquire();
    server.release();
    BOOST_TEST(finish(next->ping())->value.has_value());
}

BOOST_AUTO_TEST_CASE(a_session_that_cannot_be_reset_is_replaced)
{
    server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method == "tools/call" || c.method == "ping")
            return reply::silence();
        return std::nullopt;
    });
    pool_overrides o;
    o.max_size = 1;
    o.reset_timeout = 20ms;
    open(o);
    lease mine = acquire();
    auto call = spawn(mine->call_tool("echo", {}, {}));
    until([&] { return server.count("tools/call") == 1; });
    mine.release();
    lease next = acquire();
    BOOST_TEST(server.sessions_started() == 2u);
    BOOST_TEST(pool->stats().replaced.reset == 1u);
}

BOOST_AUTO_TEST_CASE(a_discarded_session_is_replaced_and_a_suspect_one_probed)
{
    open();
    lease mine = acquire();
    const auto id = mine->id();
    mine.mark_dirty(dirt::probe);
    mine.release();
    until([&] { return pool->stats().available == 1; });
    BOOST_TEST(server.count("ping") == 1u);
    lease again = acquire();
    BOOST_TEST(again->id() == id);
    again.discard();
    BOOST_TEST(!again);
    lease fresh = acquire();
    BOOST_TEST(fresh->id() != id);
    BOOST_TEST(pool->stats().replaced.discarded == 1u);
}

BOOST_AUTO_TEST_CASE(an_idle_session_that_does_not_answer_its_probe_is_replaced)
{
    server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method == "ping")
            return reply::silence();
        return std::nullopt;
    });
    pool_overrides o;
    o.probe_interval = 5ms;
    o.probe_timeout = 10ms;
    open(o);
    acquire().release();
    until([&] { return pool->stats().replaced.probe >= 1; });
    BOOST_TEST(pool->stats().probes >= 1u);
}

BOOST_AUTO_TEST_CASE(a_command_that_cannot_run_fails_at_once_with_the_cause)
{
    server.fail_starts(1000, errc::start_failed, "command not found: nonsense", true);
    open();
    auto result = finish(pool->acquire(30s));
    BOOST_TEST(result->code() == errc::circuit_open);
    BOOST_TEST(std::string(result->failure->what()).find("command not found") != std::string::npos);
    auto boot = finish(pool->wait_ready(1, 30s));
    BOOST_TEST(boot->code() == errc::start_failed);
}

BOOST_AUTO_TEST_CASE(starts_are_tried_again_until_they_succeed)
{
    server.fail_starts(3, errc::start_failed, "not yet");
    pool_overrides o;
    o.backoff_initial = 1ms;
    open(o);
    lease mine = acquire();
    BOOST_TEST(pool->stats().start_failures == 3u);
    BOOST_TEST(pool->stats().created == 1u);
}

BOOST_AUTO_TEST_CASE(a_short_host_is_not_the_servers_failure)
{
    server.fail_starts(1000, errc::resource_exhausted, "too many open files (limit 1024)");
    open();
    auto result = finish(pool->acquire(30s));
    BOOST_TEST(result->code() == errc::resource_exhausted);
    BOOST_TEST(std::string(result->failure->what()).find("limit 1024") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_start_that_takes_too_long_says_how_far_it_came)
{
    server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method == "initialize")
            return reply::silence();
        return std::nullopt;
    });
    pool_overrides o;
    o.start_timeout = 30ms;
    o.breaker_threshold = 1;
    open(o);
    auto result = finish(pool->acquire(30s));
    BOOST_TEST(result->code() == errc::circuit_open);
    BOOST_TEST_CONTEXT(result->failure->what())
    {
        BOOST_TEST(std::string(result->failure->what()).find("initialize") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(min_size_is_kept_and_can_be_waited_for)
{
    pool_overrides o;
    o.min_size = 3;
    open(o);
    BOOST_TEST(server.sessions_started() == 0u);
    pool->start();
    BOOST_TEST(finish(pool->wait_ready(3, 30s))->value.has_value());
    BOOST_TEST(pool->stats().pool_size == 3u);
    server.kill(2);
    until([&] { return server.sessions_started() == 4 && pool->stats().pool_size == 3; });
    BOOST_TEST(finish(pool->wait_ready(11, 30s))->code() == errc::invalid_config);
}

BOOST_AUTO_TEST_CASE(the_pool_shrinks_and_grows_at_run_time)
{
    pool_overrides o;
    o.max_size = 3;
    open(o);
    lease a = acquire(), b = acquire(), c = acquire();
    a.release();
    pool_limits one;
    one.max_size = 1;
    pool->resize(one);
    b.release();
    until([&] { return server.sessions_alive() == 1; });
    BOOST_TEST(pool->stats().pool_size == 1u);
    pool_limits twenty;
    twenty.max_size = 20;
    pool->resize(twenty);
    lease d = acquire();
    BOOST_TEST(pool->stats().max_size == 20u);
    pool_limits wrong;
    wrong.min_size = 21;
    BOOST_CHECK_EXCEPTION(pool->resize(wrong), mcp_pool::error, [](const mcp_pool::error& e) {
        return e.code() == errc::invalid_config
            && std::string(e.what()).find("min_size") != std::string::npos;
    });
}

BOOST_AUTO_TEST_CASE(evicted_sessions_are_replaced_when_they_come_back)
{
    open();
    lease a = acquire();
    lease b = acquire();
    a.release();
    pool->evict_all();
    until([&] { return server.sessions_alive() == 1; });
    b.release();
    until([&] { return server.sessions_alive() == 0; });
    BOOST_TEST(pool->stats().replaced.evicted == 2u);
}

BOOST_AUTO_TEST_CASE(close_waits_for_leases_and_fails_waiters)
{
    pool_overrides one;
    one.max_size = 1;
    open(one);
    lease held = acquire();
    auto waiter = spawn(pool->acquire(30s));
    until([&] { return pool->stats().waiting == 1; });
    auto closed = spawn(pool->close(60s));
    until([&] { return waiter->done; });
    BOOST_TEST(waiter->code() == errc::pool_closed);
    BOOST_TEST(!closed->done);
    BOOST_TEST(finish(held->ping())->value.has_value());
    held.release();
    until([&] { return closed->done; });
    BOOST_REQUIRE(closed->value);
    BOOST_TEST(closed->value->finished == 1u);
    BOOST_TEST(closed->value->forced == 0u);
    BOOST_TEST(closed->value->waiters_failed == 1u);
    BOOST_TEST(server.sessions_alive() == 0u);
    BOOST_TEST(finish(pool->acquire(30s))->code() == errc::pool_closed);
    BOOST_TEST(!pool->try_acquire());
}

BOOST_AUTO_TEST_CASE(close_cuts_off_a_lease_that_does_not_come_back)
{
    server.on_request(hold_tool_calls);
    server.ignore_stop(true, true);
    open();
    lease held = acquire();
    auto call = spawn(held->call_tool("echo", {}, {}));
    until([&] { return server.held() == 1; });
    auto closed = finish(pool->close(60ms));
    BOOST_REQUIRE(closed->value);
    BOOST_TEST(closed->value->forced == 1u);
    BOOST_TEST(closed->value->killed == 1u);
    until([&] { return call->done; });
    BOOST_TEST(call->code() == errc::session_closed);
    held.release();
    // A second close joins the first.
    BOOST_TEST(finish(pool->close(60s))->value->forced == 1u);
}

BOOST_AUTO_TEST_CASE(an_earlier_deadline_of_a_second_close_wins)
{
    open();
    lease held = acquire();
    auto slow = spawn(pool->close(1h));
    until([&] { return !pool->try_acquire() && pool->stats().in_use == 1; });
    auto quick = finish(pool->close(20ms));
    BOOST_TEST(quick->value->forced == 1u);
    until([&] { return slow->done; });
    BOOST_TEST(slow->value.has_value());
}

BOOST_AUTO_TEST_CASE(cancelling_a_close_abandons_the_waiting_alone)
{
    open();
    lease held = acquire();
    for (const auto kind : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
             asio::cancellation_type::total}) {
        asio::cancellation_signal signal;
        error_code seen;
        bool done = false;
        pool->async_close(
            1h, asio::bind_cancellation_slot(signal.slot(), [&](error_code code, close_report) {
                seen = code;
                done = true;
            }));
        until([&] { return finish(pool->acquire(0s))->code() == errc::pool_closed; });
        signal.emit(kind);
        until([&] { return done; });
        BOOST_TEST(seen == asio::error::operation_aborted);
    }
    held.release();
    until([&] { return server.sessions_alive() == 0; });
}

BOOST_AUTO_TEST_CASE(destroying_the_pool_waits_for_nothing)
{
    server.on_request(hold_tool_calls);
    pool_overrides one;
    one.max_size = 1;
    open(one);
    lease held = acquire();
    auto call = spawn(held->call_tool("echo", {}, {}));
    auto waiter = spawn(pool->acquire(30s));
    until([&] { return server.held() == 1 && pool->stats().waiting == 1; });
    auto late = pool->acquire(30s);
    pool.reset();
    until([&] { return call->done && waiter->done; });
    BOOST_TEST(waiter->code() == errc::pool_closed);
    BOOST_TEST(call->code() == errc::session_closed);
    BOOST_TEST(finish(std::move(late))->code() == errc::pool_closed);
    BOOST_TEST(finish(held->ping())->failure.has_value());
    held.release();
    until([&] { return server.sessions_alive() == 0; });
}

BOOST_AUTO_TEST_CASE(a_lease_outlives_pool_and_context_on_any_thread)
{
    lease survivor;
    {
        asio::io_context inner;
        session_pool short_lived(inner.get_executor(), config(), server.source());
        short_lived.async_acquire(30s, [&](error_code code, lease l) {
            BOOST_TEST(!code);
            survivor = std::move(l);
        });
        while (!survivor)
            inner.run_one_for(30s);
    }
    BOOST_TEST(survivor->uses() == 1u);
    std::thread([&] {
        BOOST_TEST(!survivor.reused());
        survivor.release();
    }).join();
    BOOST_TEST(!survivor);
}

BOOST_AUTO_TEST_CASE(a_context_that_ends_early_takes_everything_along)
{
    server.on_request(hold_tool_calls);
    auto inner = std::make_unique<asio::io_context>();
    auto owner = std::make_shared<session_pool>(inner->get_executor(), config(), server.source());
    lease held;
    owner->async_acquire(30s, [&](error_code, lease l) { held = std::move(l); });
    while (!held)
        inner->run_one_for(30s);

    // A call in flight, a coroutine that holds a lease, a waiter, and a start that hangs.
    held->async_call_tool("echo", {}, {}, [](error_code, tool_result) { BOOST_FAIL("called"); });
    auto user = [](std::shared_ptr<session_pool> p) -> asio::awaitable<void> {
        lease mine = co_await p->acquire(30s);
        co_await mine->call_tool("echo", {}, {});
    };
    asio::co_spawn(*inner, user(owner), asio::detached);
    while (server.held() != 2)
        inner->run_one_for(30s);
    bool elsewhere_done = false;
    pool_limits two;
    two.max_size = 2;
    owner->resize(two);
    owner->async_acquire(
        30s, asio::bind_executor(context.get_executor(), [&](error_code code, lease) {
            BOOST_TEST(code == errc::pool_closed);
            elsewhere_done = true;
        }));
    inner.reset();
    // A handler on a living context is told, those of the dead one are gone.
    until([&] { return elsewhere_done; });
    held.release();
    BOOST_TEST(!owner->try_acquire());
    BOOST_TEST(owner->stats().in_use == 0u);
    owner.reset();
}

BOOST_AUTO_TEST_CASE(many_users_and_random_deaths_lose_nothing)
{
    pool_overrides o;
    o.max_size = 4;
    o.backoff_initial = 1ms;
    open(o);
    struct tally
    {
        int served = 0, failed = 0, refused = 0;
    } total;
    auto user = [](session_pool& p, tally& t) -> asio::awaitable<void> {
        for (int i = 0; i != 40; ++i) {
            lease mine;
            try {
                mine = co_await p.acquire(30s);
            } catch (const mcp_pool::error&) {
                ++t.refused;
                continue;
            }
            try {
                co_await mine->ping();
                ++t.served;
            } catch (const mcp_pool::error&) {
                ++t.failed;
            }
        }
    };
    std::vector<std::shared_ptr<outcome<bool>>> users;
    for (int i = 0; i != 20; ++i)
        users.push_back(spawn(user(*pool, total)));
    std::size_t next = 1;
    until([&] {
        if (total.served > static_cast<int>(next) * 40 && next <= server.sessions_started())
            server.kill(next++);
        return std::all_of(users.begin(), users.end(), [](const auto& u) { return u->done; });
    });
    BOOST_TEST(total.served + total.failed + total.refused == 20 * 40);
    BOOST_TEST(next > 5u);
    BOOST_TEST(pool->stats().in_use == 0u);
    BOOST_TEST(pool->stats().waiting == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
