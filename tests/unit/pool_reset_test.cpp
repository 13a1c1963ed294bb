// Sessions between two leases of a pool.
#include "support/pool_fixture.hpp"
#include "support/talk.hpp"

using namespace mcp_pool;
using namespace mcp_pool::testing;
using mcp_pool::test::logging_server;

namespace {

pool_overrides one_session()
{
    pool_overrides options;
    options.max_size = 1;
    return options;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(pool_reset, pool_fixture)

BOOST_AUTO_TEST_CASE(the_next_lease_finds_no_subscription_and_the_usual_log_level)
{
    server.on_request(logging_server);
    open(one_session());
    lease former = acquire();
    BOOST_REQUIRE(
        finish(former->request("resources/subscribe", object("uri", "file:///a")))->value);
    BOOST_REQUIRE(finish(former->request("logging/setLevel", object("level", "debug")))->value);
    former.release();
    lease next = acquire();
    BOOST_TEST(next.reused());
    BOOST_TEST(server.sessions_started() == 1u);
    BOOST_TEST(server.count("resources/unsubscribe") == 1u);
    BOOST_TEST(server.received().back().method == "logging/setLevel");
    BOOST_TEST(server.received().back().params.at("level").as_string() == "info");
    // The next release finds nothing to undo.
    next.release();
    const lease free = pool->try_acquire();
    BOOST_TEST(bool(free));
}

BOOST_AUTO_TEST_CASE(a_session_that_cannot_be_set_back_is_replaced)
{
    server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method == "resources/unsubscribe")
            return reply::error(-32603, "no way back");
        return logging_server(c);
    });
    open(one_session());
    lease former = acquire();
    const auto altered = former->id();
    BOOST_REQUIRE(
        finish(former->request("resources/subscribe", object("uri", "file:///a")))->value);
    former.release();
    lease next = acquire();
    BOOST_TEST(next->id() != altered);
    BOOST_TEST(pool->stats().replaced.reset == 1u);
    BOOST_TEST(pool->stats().start_failures == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
