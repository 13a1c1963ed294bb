// Recycling of sessions in a running pool: idle time, age, uses, memory; and leases that stay out.
#include "support/pool_fixture.hpp"
#include "support/witness.hpp"

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

struct recycling_pool : pool_fixture
{
    std::shared_ptr<witness> told = std::make_shared<witness>();

    void open_observed(const pool_overrides& options)
    {
        open(options);
        pool->set_observer(told);
    }
    seen await_retirement(std::source_location where = std::source_location::current())
    {
        until([&] { return told->count("retired") != 0; }, where);
        return told->first("retired");
    }
};

constexpr std::size_t megabyte = std::size_t{1} << 20;

} // namespace

BOOST_FIXTURE_TEST_SUITE(pool_recycle, recycling_pool)

BOOST_AUTO_TEST_CASE(idle_sessions_end_down_to_min_size)
{
    pool_overrides options = at_most(4);
    options.min_size = 1;
    options.idle_timeout = 2ms;
    open_observed(options);
    std::vector<lease> four;
    while (four.size() != 4)
        four.push_back(acquire());
    four.clear();
    until([&] { return pool->stats().replaced.idle == 3; });
    until([&] { return server.sessions_alive() == 1; });
    BOOST_TEST((await_retirement().reason == session_end::idle));
    // The last one stays, however long it is idle: it is there for who comes next.
    lease next = pool->try_acquire();
    BOOST_REQUIRE(next);
    BOOST_TEST(next.reused());
    BOOST_TEST(pool->stats().created == 4u);
}

BOOST_AUTO_TEST_CASE(a_session_that_is_too_old_is_replaced_before_it_is_retired)
{
    pool_overrides options = at_most(2);
    options.min_size = 1;
    options.max_lifetime = 30ms;
    open_observed(options);
    BOOST_REQUIRE(finish(pool->wait_ready(1, 30s))->value);
    const seen retired = await_retirement();
    BOOST_TEST((retired.reason == session_end::lifetime));
    BOOST_TEST(retired.session == 1u);
    // Up to a tenth less, drawn at its birth.
    BOOST_TEST((retired.took >= 27ms));
    const auto starts = told->all("started");
    BOOST_REQUIRE(starts.size() >= 2u);
    BOOST_TEST(starts[1].sequence < retired.sequence);
}

BOOST_AUTO_TEST_CASE(a_session_that_is_never_idle_is_retired_at_its_age_all_the_same)
{
    pool_overrides options = at_most(1);
    options.max_lifetime = 20ms;
    open_observed(options);
    std::size_t leases = 0;
    while (pool->stats().replaced.lifetime == 0) {
        acquire().release();
        BOOST_REQUIRE(++leases < 10'000'000u);
    }
    BOOST_TEST(await_retirement().session == 1u);
    BOOST_TEST(acquire()->id() != 1u);
}

BOOST_AUTO_TEST_CASE(a_session_serves_max_uses_leases_and_no_more)
{
    pool_overrides options = at_most(1);
    options.max_uses = 3;
    open_observed(options);
    std::vector<std::uint64_t> ids;
    for (int i = 0; i != 7; ++i) {
        lease mine = acquire();
        BOOST_TEST(mine.reused() == (i % 3 != 0));
        ids.push_back(mine->id());
    }
    BOOST_TEST(ids == (std::vector<std::uint64_t>{1, 1, 1, 2, 2, 2, 3}));
    BOOST_TEST(pool->stats().replaced.uses == 2u);
    BOOST_TEST((told->first("retired").reason == session_end::uses));
}

BOOST_AUTO_TEST_CASE(a_session_above_max_rss_is_retired_between_two_leases_and_one_at_it_stays)
{
    pool_overrides options = at_most(2);
    options.max_rss = 100 * megabyte;
    open_observed(options);
    lease first = acquire(), second = acquire();
    BOOST_REQUIRE(first->id() == 1u);
    server.occupy(1, 100 * megabyte);
    server.occupy(2, 100 * megabyte + 1);
    BOOST_TEST(finish(second->ping())->value.has_value());
    // Their memory is looked at when they come back, once in a second: of the first no later.
    until([&] {
        first.release();
        second.release();
        first = acquire();
        second = acquire();
        return told->count("retired") != 0;
    });
    BOOST_TEST((told->first("retired").reason == session_end::memory));
    BOOST_TEST(told->first("retired").session == 2u);
    BOOST_TEST((first->id() == 1u || second->id() == 1u));
    BOOST_TEST(pool->stats().replaced.memory == 1u);
    BOOST_TEST(told->count("retired") == 1u);
}

BOOST_AUTO_TEST_CASE(sessions_of_one_age_are_not_all_retired_at_once)
{
    pool_overrides options = at_most(8);
    options.min_size = 4;
    options.max_starting = 8;
    options.max_lifetime = 400ms;
    open_observed(options);
    BOOST_REQUIRE(finish(pool->wait_ready(4, 30s))->value);
    until([&] { return told->count("retired") >= 4; });
    // One at a time, and each had its replacement first.
    const std::vector<seen> retired = told->all("retired");
    for (std::size_t i = 0; i != 4; ++i) {
        std::size_t ready = 0;
        for (const seen& e : told->all("started"))
            ready += e.sequence < retired[i].sequence ? 1 : 0;
        BOOST_TEST(ready >= 5 + i);
    }
    until([&] { return pool->stats().pool_size >= 4; });
}

BOOST_AUTO_TEST_CASE(zero_is_never_for_each_reason_to_recycle)
{
    pool_overrides options = at_most(1);
    options.idle_timeout = options.max_lifetime = options.overdue_after = duration::zero();
    options.probe_interval = options.validate_after = duration::zero();
    options.max_uses = options.max_rss = 0;
    open_observed(options);
    for (int i = 0; i != 100; ++i) {
        lease mine = acquire();
        server.occupy(1, 1000 * megabyte);
        BOOST_TEST(finish(mine->ping())->value.has_value());
    }
    BOOST_TEST(pool->stats().created == 1u);
    // Nothing but what was done to it has happened: no timer runs that could do something later.
    context.restart();
    context.poll();
    BOOST_TEST(context.poll() == 0u);
    BOOST_TEST(server.count("ping") == 100u);
    BOOST_TEST(told->count("overdue") + told->count("probed") + told->count("retired") == 0u);
}

BOOST_AUTO_TEST_CASE(a_session_that_was_silent_for_long_is_asked_before_it_is_lent)
{
    pool_overrides options = at_most(1);
    options.validate_after = 1ms;
    open_observed(options);
    acquire().release();
    BOOST_TEST(server.count("ping") == 0u);
    const auto silent_until = std::chrono::steady_clock::now() + 20ms;
    until([&] { return std::chrono::steady_clock::now() > silent_until; });
    lease next = acquire();
    BOOST_TEST(server.count("ping") == 1u);
    BOOST_TEST(next.reused());
    until([&] { return told->count("probed") == 1; });
    BOOST_TEST(told->first("probed").good);
}

BOOST_AUTO_TEST_SUITE_END()
