// Starts of several pools in one process: single_writer, and the pause when the host is short.
#include "support/pool_fixture.hpp"

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

struct two_pools : pool_fixture
{
    // Another pool; of the same server unless `configured` says otherwise.
    std::optional<session_pool> other;
    scripted_server others_server;

    void open_other(server_config configured)
    {
        other.emplace(context.get_executor(), std::move(configured), others_server.source());
    }
};

pool_overrides writer()
{
    pool_overrides options;
    options.single_writer = true;
    return options;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(pool_permits, two_pools)

BOOST_AUTO_TEST_CASE(a_single_writer_has_one_session_over_all_pools_of_its_command)
{
    open(writer());
    open_other(config(writer()));
    BOOST_TEST(pool->options().max_size == 1u);
    lease mine = acquire();
    auto waiter = spawn(other->acquire(30s));
    until([&] { return other->stats().waiting == 1; });
    // As long as the one is out, not even an idle one of the other pool is started.
    BOOST_TEST(finish(mine->ping())->value.has_value());
    mine.release();
    BOOST_TEST(finish(acquire()->ping())->value.has_value());
    BOOST_TEST(!waiter->done);
    BOOST_TEST(others_server.sessions_started() == 0u);
    // With the end of the first pool its permit goes to the second.
    BOOST_REQUIRE(finish(pool->close(30s))->value);
    until([&] { return waiter->done; });
    BOOST_TEST(waiter->value.has_value());
    BOOST_TEST(server.sessions_alive() == 0u);
    BOOST_TEST(others_server.sessions_alive() == 1u);
}

BOOST_AUTO_TEST_CASE(the_permit_of_a_pool_that_is_destroyed_is_not_lost)
{
    open(writer());
    open_other(config(writer()));
    lease mine = acquire();
    auto waiter = spawn(other->acquire(30s));
    until([&] { return other->stats().waiting == 1; });
    pool.reset();
    mine.release();
    until([&] { return waiter->done; });
    BOOST_TEST(waiter->value.has_value());
}

BOOST_AUTO_TEST_CASE(single_writers_of_different_commands_and_other_pools_do_not_wait)
{
    open(writer());
    lease mine = acquire();
    server_config different = config(writer());
    std::get<stdio_server>(different.transport).env["FILE"] = "another";
    open_other(std::move(different));
    BOOST_TEST(finish(other->acquire(30s))->value.has_value());
    other.reset();
    open_other(config());
    BOOST_TEST(finish(other->acquire(30s))->value.has_value());
}

BOOST_AUTO_TEST_CASE(a_single_writer_cannot_be_given_more_sessions)
{
    pool_overrides options = writer();
    options.max_size = 5;
    options.min_size = 3;
    open(options);
    BOOST_TEST(pool->options().max_size == 1u);
    BOOST_TEST(pool->options().min_size == 1u);
    lease mine = acquire();
    BOOST_TEST(finish(pool->acquire(1ms))->code() == errc::acquire_timeout);
    BOOST_TEST(server.sessions_started() == 1u);
}

BOOST_AUTO_TEST_CASE(a_single_writer_that_runs_cannot_be_given_more_sessions_either)
{
    open(writer());
    pool_limits more;
    more.max_size = 5;
    BOOST_CHECK_EXCEPTION(pool->resize(more), mcp_pool::error, [](const mcp_pool::error& e) {
        return std::string_view(e.what()).find("single_writer") != std::string_view::npos;
    });
    BOOST_TEST(pool->options().max_size == 1u);
}

BOOST_AUTO_TEST_CASE(
    when_the_host_is_short_of_something_all_pools_pause_their_starts_and_leases_go_on)
{
    open();
    open_other(config());
    lease working = acquire();
    // The pause lasts for a tenth of a second: on a machine that was busy elsewhere meanwhile, another
    // try must show it.
    bool shown = false;
    for (int tries = 0; !shown && tries != 100; ++tries) {
        server.fail_starts(1, errc::resource_exhausted, "too many open files (limit 256)");
        const auto before = std::chrono::steady_clock::now();
        const std::uint64_t failures = pool->stats().start_failures;
        auto hungry = spawn(pool->acquire(30s));
        until([&] { return pool->stats().start_failures > failures; });
        const std::size_t starts = others_server.sessions_started();
        auto waiter = spawn(other->acquire(30s));
        until([&] { return other->stats().waiting == 1; });
        context.restart();
        context.poll();
        const bool paused = others_server.sessions_started() == starts;
        shown = paused && std::chrono::steady_clock::now() < before + 100ms;
        BOOST_TEST(finish(working->ping())->value.has_value());
        // Both go on by themselves after it.
        until([&] { return waiter->done && hungry->done; });
        BOOST_TEST(waiter->value.has_value());
        BOOST_TEST(hungry->value.has_value());
        waiter->value->discard();
        hungry->value->discard();
        until([&] { return others_server.sessions_alive() == 0; });
    }
    BOOST_TEST(shown);
}

BOOST_AUTO_TEST_SUITE_END()
