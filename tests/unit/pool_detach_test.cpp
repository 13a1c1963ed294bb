// Sessions that leave their pool: detach(), evict_all(), discard(), mark_dirty().
#include "support/pool_fixture.hpp"
#include "support/witness.hpp"

using namespace mcp_pool;
using namespace mcp_pool::testing;

BOOST_FIXTURE_TEST_SUITE(pool_detach, pool_fixture)

BOOST_AUTO_TEST_CASE(a_detached_session_leaves_its_place_to_another_and_lives_with_its_lease)
{
    const auto told = std::make_shared<witness>();
    open(at_most(1));
    pool->set_observer(told);
    lease mine = acquire();
    const std::uint64_t id = mine->id();
    auto waiter = spawn(pool->acquire(30s));
    until([&] { return pool->stats().waiting == 1; });
    mine.detach();
    BOOST_TEST(pool->stats().in_use == 0u);
    BOOST_TEST(pool->stats().pool_size == 0u);
    until([&] { return waiter->done; });
    BOOST_REQUIRE(waiter->value);
    BOOST_TEST((*waiter->value)->id() != id);
    BOOST_TEST(server.sessions_alive() == 2u);
    BOOST_TEST(finish(mine->ping())->value.has_value());
    BOOST_TEST(mine->id() == id);
    mine.release();
    until([&] { return server.sessions_alive() == 1; });
    until([&] { return told->count("ended") == 1; });
    BOOST_TEST((told->first("retired").reason == session_end::detached));
    BOOST_TEST(told->first("retired").session == id);
    BOOST_TEST(pool->stats().replaced.detached == 1u);
    // It did not come back.
    waiter->value->release();
    BOOST_TEST(acquire()->id() != id);
}

BOOST_AUTO_TEST_CASE(
    neither_eviction_nor_recycling_nor_the_end_of_the_pool_touches_a_detached_session)
{
    pool_overrides options = at_most(1);
    options.overdue_after = 1ms;
    options.max_lifetime = 1ms;
    options.max_uses = 1;
    open(options);
    lease mine = acquire();
    mine.detach();
    pool->evict_all();
    acquire().release();
    BOOST_TEST(finish(mine->ping())->value.has_value());
    const auto closed = finish(pool->close(30s));
    BOOST_REQUIRE(closed->value);
    BOOST_TEST(closed->value->forced == 0u);
    BOOST_TEST(finish(mine->ping())->value.has_value());
    pool.reset();
    BOOST_TEST(finish(mine->ping())->value.has_value());
    mine.release();
    until([&] { return server.sessions_alive() == 0; });
}

BOOST_AUTO_TEST_CASE(what_cannot_be_detached_is_refused_and_stays_as_it_was)
{
    open(at_most(2));
    lease twice = acquire();
    BOOST_TEST(refusal_of([&] { twice.detach(); }) == "accepted");
    const std::string why = refusal_of([&] { twice.detach(); });
    BOOST_TEST(why.find("server \"scripted\": detach() needs a session that works") == 0u, why);
    BOOST_TEST(finish(twice->ping())->value.has_value());

    lease broken = acquire();
    server.kill(2);
    until([&] { return pool->stats().replaced.died == 1; });
    BOOST_TEST(refusal_of([&] { broken.detach(); }) == why);

    scripted_server modern(personality::modern);
    pool_overrides options = at_most(1);
    options.sharing = sharing_policy::multiplexed;
    options.max_leases_per_session = 2;
    pool.emplace(context.get_executor(), config(options), modern.source());
    lease shared = acquire();
    BOOST_TEST(refusal_of([&] { shared.detach(); }) == why);
    BOOST_TEST(pool->stats().in_use == 1u);
    BOOST_TEST(finish(shared->list_tools())->value.has_value());
}

BOOST_AUTO_TEST_CASE(an_eviction_ends_idle_sessions_at_once_and_lent_ones_when_they_come_back)
{
    pool_overrides options = at_most(4);
    options.min_size = 2;
    open(options);
    const auto told = std::make_shared<witness>();
    pool->set_observer(told);
    BOOST_REQUIRE(finish(pool->wait_ready(2, 30s))->value);
    lease held = acquire();
    const std::uint64_t old = held->id();
    pool->evict_all();
    until([&] { return told->count("replaced") == 1; });
    BOOST_TEST((told->first("replaced").reason == session_end::evicted));
    BOOST_TEST(told->first("replaced").session != old);
    // The lease goes on, and its session is lent to nobody after it.
    BOOST_TEST(finish(held->ping())->value.has_value());
    held.release();
    until([&] { return told->count("replaced") == 2; });
    BOOST_TEST(told->all("replaced")[1].session == old);
    // Who comes later is served by sessions that were born after it, and min_size is kept.
    until([&] { return pool->stats().available == 2; });
    lease young = pool->try_acquire();
    BOOST_REQUIRE(young);
    BOOST_TEST(young->id() > 2u);
    BOOST_TEST(pool->stats().replaced.evicted == 2u);
    // One eviction is enough for each.
    young.release();
    BOOST_TEST(pool->stats().available == 2u);
}

BOOST_AUTO_TEST_CASE(the_worse_of_two_marks_stays)
{
    open(at_most(1));
    lease mine = acquire();
    const std::uint64_t id = mine->id();
    mine.mark_dirty(dirt::respawn);
    mine.mark_dirty(dirt::probe);
    mine.release();
    lease next = acquire();
    BOOST_TEST(next->id() != id);
    BOOST_TEST(pool->stats().replaced.discarded == 1u);
    BOOST_TEST(server.count("ping") == 0u);
    // A mark ends with its lease.
    const std::uint64_t second = next->id();
    next.release();
    BOOST_TEST(acquire()->id() == second);
}

BOOST_AUTO_TEST_CASE(a_session_marked_for_a_probe_is_lent_when_it_answers_and_replaced_when_not)
{
    server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method == "ping")
            return reply::result(json::object()).held();
        return std::nullopt;
    });
    open(at_most(1));
    lease mine = acquire();
    mine.mark_dirty(dirt::probe);
    mine.release();
    auto waiter = spawn(pool->acquire(30s));
    until([&] { return server.held() == 1; });
    BOOST_TEST(!waiter->done);
    server.release();
    until([&] { return waiter->done; });
    BOOST_REQUIRE(waiter->value);
    const std::uint64_t id = (*waiter->value)->id();
    pool_overrides impatient;
    impatient.probe_timeout = 20ms;
    pool->change_options(impatient);
    waiter->value->mark_dirty(dirt::probe);
    waiter->value->release();
    lease next = acquire();
    BOOST_TEST(next->id() != id);
    BOOST_TEST(pool->stats().replaced.probe == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
