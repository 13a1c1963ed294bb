// Sessions over HTTP in a pool: shared by users, lost and found again, ended; and credentials that
// expire.
#include "http_servers/scene.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>

#include <set>

namespace data = boost::unit_test::data;
namespace ut = boost::unit_test;
using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

const std::vector<std::string> both_eras{"legacy over HTTP", "modern over HTTP"};

struct sessions_fixture : http_fixture
{
    // Calls one after the other, each through a lease of its own. Gives how many came out right.
    asio::awaitable<int> work(int number, int calls)
    {
        int right = 0;
        for (int i = 0; i != calls; ++i) {
            lease session = co_await pool->acquire(30s);
            std::string token = std::to_string(number);
            token += '.';
            token += std::to_string(i);
            json::object message = object("message", json::string(token));
            const tool_result answer = co_await session->call_tool("echo", std::move(message));
            right += answer.text().ends_with(token);
        }
        co_return right;
    }

    // The same until a number of calls came out right, whatever happens to the others meanwhile.
    asio::awaitable<int> persist(int calls, std::set<std::string>& failures)
    {
        int right = 0;
        while (right != calls) {
            try {
                lease session = co_await pool->acquire(30s);
                json::object message = object("message", "hi");
                const tool_result answer = co_await session->call_tool("echo", std::move(message));
                right += answer.text() == "hi";
            } catch (const mcp_pool::error& e) {
                failures.insert(e.code().message());
            }
        }
        co_return right;
    }

    void check_twenty_users()
    {
        const pool_stats before = pool->stats();
        std::vector<std::shared_ptr<outcome<int>>> users;
        for (int number = 0; number != 20; ++number)
            users.push_back(spawn(work(number, 5)));
        for (const auto& one : users) {
            until([&] { return one->done; });
            BOOST_REQUIRE_MESSAGE(!one->failure, why(one));
            BOOST_TEST(*one->value == 5);
        }
        const pool_stats stats = pool->stats();
        BOOST_TEST(stats.created <= 3u);
        BOOST_TEST(stats.total_requests - before.total_requests == 100u);
        BOOST_TEST(stats.reused == stats.total_requests - stats.created);
        BOOST_TEST(stats.start_failures == 0u);
    }

    // Also while the pool is closed.
    std::vector<credential_request> asked;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(http_sessions, sessions_fixture, *ut::precondition(node_is_installed))

BOOST_DATA_TEST_CASE(serve_twenty_users, data::make(both_eras))
{
    open_features(sample, at_most(3));
    check_twenty_users();
    BOOST_TEST(
        process->lines("opened ") == (sample.starts_with("legacy") ? pool->stats().created : 0u));
}

BOOST_AUTO_TEST_CASE(of_server_everything_serve_twenty_users)
{
    serve_everything();
    open_http(era_choice::auto_detect, at_most(3));
    check_twenty_users();
    BOOST_TEST(process->lines("Session initialized") == pool->stats().created);
    lease session = acquire();
    BOOST_TEST((session->era() == era::legacy));
}

BOOST_AUTO_TEST_CASE(are_ended_at_the_server_when_the_pool_closes)
{
    open_features("legacy over HTTP");
    {
        const lease first = acquire();
        const lease second = acquire();
    }
    BOOST_TEST(process->lines("opened ") == 2u);
    finish(pool->close(20s));
    until([&] { return process->lines("closed ") == 2; });
}

BOOST_AUTO_TEST_CASE(of_server_everything_are_ended_there_when_the_pool_closes)
{
    serve_everything();
    open_http();
    acquire().release();
    finish(pool->close(20s));
    until([&] { return process->lines("Received session termination request") == 1; });
}

BOOST_AUTO_TEST_CASE(that_nobody_wants_any_more_are_ended_at_the_server)
{
    open_features("legacy over HTTP", at_most(1));
    acquire().discard();
    until([&] { return process->lines("closed ") == 1; });
    // Two users that must not meet.
    for (const char* key : {"Ada", "Ben"}) {
        acquire_options options(30s);
        options.isolation_key = key;
        const auto session = finish(pool->acquire(std::move(options)));
        BOOST_REQUIRE_MESSAGE(session->value, why(session));
        BOOST_TEST(said(*session->value, "echo", object("message", key)) == key);
    }
    until([&] { return process->lines("closed ") == 2; });
    BOOST_TEST(process->lines("opened ") == 3u);
}

BOOST_DATA_TEST_CASE(do_not_keep_a_pool_from_closing, data::make(both_eras))
{
    open_features(sample, at_most(2));
    {
        const lease first = acquire();
        const lease second = acquire();
    }
    process->stand_still();
    const auto report = finish(pool->close(1s));
    BOOST_REQUIRE_MESSAGE(report->value, why(report));
    BOOST_TEST(report->value->forced == 0u);
}

BOOST_AUTO_TEST_CASE(that_are_idle_are_looked_after)
{
    pool_overrides options = at_most(1);
    options.min_size = 1;
    options.probe_interval = 50ms;
    options.backoff_initial = 10ms;
    open_features("legacy over HTTP", options);
    pool->start();
    until([&] { return pool->stats().probes >= 2; });
    BOOST_TEST(process->lines("opened ") == 1u);
    // Nobody asks for a session; the next one finds one that the server knows.
    const unsigned port = process->port();
    end_server();
    serve_features({}, port);
    until([&] { return process->lines("opened ") == 1 && pool->stats().available == 1; });
}

BOOST_AUTO_TEST_CASE(that_the_server_has_forgotten_are_opened_again_for_the_next_lease)
{
    open_features("legacy over HTTP", at_most(1));
    {
        lease session = acquire();
        BOOST_TEST(said(session, "echo", object("message", "hi")) == "hi");
    }
    const unsigned port = process->port();
    end_server();
    serve_features({}, port);
    lease session = acquire();
    BOOST_TEST(said(session, "echo", object("message", "again")) == "again");
    BOOST_TEST(process->lines("opened ") == 1u);
}

BOOST_AUTO_TEST_CASE(that_server_everything_has_forgotten_are_opened_again_for_the_next_lease)
{
    // It says so with 400.
    serve_everything();
    open_http(era_choice::auto_detect, at_most(1));
    {
        lease session = acquire();
        BOOST_TEST(said(session, "echo", object("message", "hi")) == "Echo: hi");
    }
    const unsigned port = process->port();
    end_server();
    serve_everything(port);
    lease session = acquire();
    BOOST_TEST(said(session, "echo", object("message", "again")) == "Echo: again");
}

BOOST_AUTO_TEST_CASE(that_are_forgotten_under_a_lease_that_has_used_them_are_replaced_after_it)
{
    open_features("legacy over HTTP", at_most(1));
    const unsigned port = process->port();
    {
        lease session = acquire();
        BOOST_TEST(said(session, "echo", object("message", "hi")) == "hi");
        end_server();
        serve_features({}, port);
        // Another session is not what the lease has worked with.
        check_failure(finish(session->call_tool("echo", object("message", "lost"))), errc::not_sent,
            {"tested", "does not know the session"});
    }
    lease session = acquire();
    BOOST_TEST(said(session, "echo", object("message", "again")) == "again");
    BOOST_TEST(pool->stats().created == 2u);
}

BOOST_AUTO_TEST_CASE(of_the_modern_era_do_not_notice_that_the_server_began_anew)
{
    open_features("modern over HTTP", at_most(1));
    lease session = acquire();
    BOOST_TEST(said(session, "echo", object("message", "hi")) == "hi");
    const unsigned port = process->port();
    end_server();
    serve_features({}, port);
    BOOST_TEST(said(session, "echo", object("message", "again")) == "again");
    BOOST_TEST(pool->stats().created == 1u);
}

BOOST_DATA_TEST_CASE(
    fail_while_the_server_is_down_and_work_when_it_is_up_again, data::make(both_eras))
{
    pool_overrides options = at_most(1);
    options.backoff_initial = 10ms;
    options.backoff_max = 20ms;
    open_features(sample, options);
    const unsigned port = process->port();
    {
        lease session = acquire();
        BOOST_TEST(said(session, "echo", object("message", "hi")) == "hi");
        end_server();
        const auto failed = finish(session->call_tool("echo", object("message", "lost")));
        BOOST_REQUIRE(failed->failure);
        BOOST_TEST((failed->code() == errc::session_closed || failed->code() == errc::not_sent),
            why(failed));
    }
    serve_features({}, port);
    lease session = acquire();
    BOOST_TEST(said(session, "echo", object("message", "again")) == "again");
}

BOOST_DATA_TEST_CASE(outlive_a_server_that_ends_while_twenty_users_call, data::make(both_eras))
{
    pool_overrides options = at_most(3);
    options.backoff_initial = 10ms;
    options.backoff_max = 50ms;
    open_features(sample, options);
    const unsigned port = process->port();
    std::set<std::string> failures;
    std::vector<std::shared_ptr<outcome<int>>> users;
    for (int number = 0; number != 20; ++number)
        users.push_back(spawn(persist(50, failures)));
    for (const std::uint64_t leases : {200, 400}) {
        until([&] { return pool->stats().total_requests >= leases; });
        end_server();
        serve_features({}, port);
    }
    for (const auto& one : users) {
        until([&] { return one->done; });
        BOOST_REQUIRE_MESSAGE(!one->failure, why(one));
    }
    // What was under way when the server ended, and what came while it was away.
    const std::set<std::string> expected{make_error_code(errc::circuit_open).message(),
        make_error_code(errc::http_error).message(), make_error_code(errc::not_sent).message(),
        make_error_code(errc::session_closed).message()};
    for (const std::string& failure : failures)
        BOOST_TEST(expected.contains(failure), failure);
}

BOOST_AUTO_TEST_CASE(cannot_be_started_where_nobody_listens)
{
    serve_features();
    pool_overrides options;
    options.breaker_threshold = 2;
    options.backoff_initial = 10ms;
    open_http(era_choice::auto_detect, options);
    end_server();
    check_failure(
        finish(pool->acquire(30s)), errc::circuit_open, {"tested", "127.0.0.1", "refused"});
}

BOOST_DATA_TEST_CASE(ask_for_credentials_again_when_they_have_expired, data::make(both_eras))
{
    // More than the other sessions can use up between the asking of one and its second try, which is its
    // last.
    constexpr std::size_t uses = 25;
    serve_features({"--uses-of-token", std::to_string(uses)});
    http_server at;
    at.credentials = [this](credential_request of) -> asio::awaitable<std::string> {
        asked.push_back(std::move(of));
        co_return "Bearer token-" + std::to_string(asked.size());
    };
    pool_overrides options = at_most(3);
    open_http(sample.starts_with("legacy") ? era_choice::legacy : era_choice::modern, options, at);
    // Sessions that start side by side would each ask for the first ones.
    acquire().release();
    check_twenty_users();
    BOOST_TEST(asked.size() >= 100u / uses);
    BOOST_TEST(!asked.front().refused);
    BOOST_TEST(asked.front().server == "tested");
    BOOST_TEST((process->url().starts_with(asked.front().origin)), asked.front().origin);
    BOOST_TEST(asked[1].refused);
    BOOST_TEST(asked[1].previous == "Bearer token-1");
    BOOST_TEST((asked[1].challenge.find("invalid_token") != std::string::npos));
}

BOOST_AUTO_TEST_CASE(are_not_opened_with_credentials_that_are_refused)
{
    serve_features({"--uses-of-token", "1000"});
    http_server at;
    at.headers["Authorization"] = "Bearer something-else";
    pool_overrides options;
    options.breaker_threshold = 1;
    open_http(era_choice::auto_detect, options, at);
    const auto refused = finish(pool->acquire(30s));
    BOOST_REQUIRE(refused->failure);
    const std::string what = refused->failure->what();
    BOOST_TEST((what.find("401") != std::string::npos), what);
    BOOST_TEST((what.find("something-else") == std::string::npos), what);
}

BOOST_AUTO_TEST_CASE(carry_the_header_fields_of_the_configuration)
{
    serve_features({"--uses-of-token", "1000"});
    http_server at;
    at.headers["Authorization"] = "Bearer token-fixed";
    open_http(era_choice::auto_detect, {}, at);
    lease session = acquire();
    BOOST_TEST(said(session, "echo", object("message", "hi")) == "hi");
}

BOOST_AUTO_TEST_SUITE_END()
