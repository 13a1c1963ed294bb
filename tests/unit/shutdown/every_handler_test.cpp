// The world ends after any number of handlers, in any order, and nothing is left of it.
#include "support/print.hpp"
#include "unit/shutdown/live_blocks.hpp"
#include "unit/shutdown/scene.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdlib>
#include <new>

using namespace mcp_pool;
using namespace mcp_pool::test;
using mcp_pool::testing::personality;

namespace {

constexpr std::size_t all = static_cast<std::size_t>(-1);

// With a sanitizer the orders share the places to stop among them.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::size_t stride = 6;
#else
constexpr std::size_t stride = 1;
#endif

// One life of the scene, cut off after `handlers`; true if it was complete.
bool live(personality manner, neighbours place, std::size_t handlers, std::string_view order)
{
    ledger books;
    bool complete = false;
    std::size_t sessions_left = 0;
    {
        scene world(books, manner, place);
        complete = world.run(handlers);
        world.destroy(order);
        sessions_left = world.server().sessions_alive();
    }
    BOOST_TEST(sessions_left == 0u);
    BOOST_TEST(books.frames() == 0);
    BOOST_TEST(books.called() + books.dropped() == books.begun());
    // Where the context lives on, whoever waits for a pool that is destroyed is told.
    if (complete || order.substr(0, 2) == "pr")
        BOOST_TEST(books.dropped() == 0);
    return complete;
}

template <std::size_t N>
void stop_after_each_handler(
    personality manner, neighbours place, const std::array<std::string_view, N>& orders)
{
    // What is allocated once and for all is allocated now.
    BOOST_TEST_REQUIRE(live(manner, place, all, orders.front()));
    std::size_t first = 0;
    for (const std::string_view order : orders) {
        bool complete = false;
        for (std::size_t handlers = first++ % stride; !complete; handlers += stride) {
            BOOST_TEST_INFO_SCOPE(
                "the end came after " << handlers << " handlers, in order " << order);
            const std::int64_t blocks = live_blocks();
            const std::size_t descriptors = open_descriptors();
            complete = live(manner, place, handlers, order);
            const std::int64_t blocks_left = live_blocks() - blocks;
            BOOST_TEST(blocks_left == 0);
            BOOST_TEST(open_descriptors() == descriptors);
        }
    }
}

// A context of their own for the users: it outlives the pool's, which their calls wait for.
constexpr std::array<std::string_view, 9> together{
    "pcl", "plc", "cpl", "clp", "lpc", "lcp", "prlc", "prcl", "lprc"};
constexpr std::array<std::string_view, 14> apart{"pcul", "pclu", "plcu", "cpul", "cplu", "cupl",
    "culp", "clpu", "clup", "lpcu", "lcpu", "lcup", "prcul", "prlcu"};

} // namespace

BOOST_AUTO_TEST_SUITE(every_handler)

BOOST_AUTO_TEST_CASE(what_is_allocated_is_counted_unless_a_sanitizer_looks)
{
    const std::int64_t before = live_blocks();
    void* const plain = ::operator new(64);
    void* volatile aligned = std::aligned_alloc(64, 64);
    const std::int64_t meanwhile = live_blocks() - before;
    std::free(aligned);
    ::operator delete(plain);
    BOOST_TEST(meanwhile == (stride == 1 ? 2 : 0));
    BOOST_TEST(live_blocks() - before == 0);
}

BOOST_AUTO_TEST_CASE(the_scene_has_everything_that_can_happen_to_a_pool)
{
    for (const personality manner : {personality::legacy, personality::modern}) {
        for (const neighbours place : {neighbours::together, neighbours::apart}) {
            ledger books;
            scene world(books, manner, place);
            BOOST_TEST_REQUIRE(world.run(all));
            BOOST_TEST(world.handlers_run() > 120u);
            const pool_stats& s = world.last_stats();
            BOOST_TEST(s.replaced.died == 1u);
            BOOST_TEST(s.replaced.evicted == 2u);
            BOOST_TEST(s.probes == 1u);
            BOOST_TEST(s.cancelled == 1u);
            BOOST_TEST(s.failed == 1u);
            BOOST_TEST(s.created >= 5u);
            BOOST_TEST(s.hits < s.total_requests);
            BOOST_TEST(s.timed_out == 0u);
            BOOST_TEST(world.server().count("notifications/cancelled") >= 1u);
            BOOST_TEST(world.report().waiters_failed == 1u);
            BOOST_TEST(world.report().finished == 2u);
            BOOST_TEST(world.report().forced == 0u);
            BOOST_TEST(world.server().sessions_alive() == 0u);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_legacy_pool_and_its_users_can_end_together_after_any_handler)
{
    stop_after_each_handler(personality::legacy, neighbours::together, together);
}

BOOST_AUTO_TEST_CASE(a_modern_pool_and_its_users_can_end_together_after_any_handler)
{
    stop_after_each_handler(personality::modern, neighbours::together, together);
}

BOOST_AUTO_TEST_CASE(a_pool_and_users_on_another_context_can_end_after_any_handler)
{
    stop_after_each_handler(personality::legacy, neighbours::apart, apart);
}

BOOST_AUTO_TEST_SUITE_END()
