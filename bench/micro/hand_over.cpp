// What it costs to hand a session over from one who gives it back to one who waits.
//
// Two users and one session, scripted, on one context: each gives it back to the other and waits for it
// again. Beside it, on the same context in the same binary, one bare hop: whoever waits has to be
// resumed by one. And what a release allocates on a thread that does not run the context.

#include "micro/allocations.hpp"
#include "micro/loop.hpp"
#include "micro/measure.hpp"

#include <mcp_pool/mcp_pool.hpp>
#include <mcp_pool/testing/scripted_server.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <cstdint>
#include <future>
#include <stdexcept>
#include <utility>

namespace mcp_pool::bench {
namespace {

using namespace std::chrono_literals;

asio::awaitable<double> start(session_pool& pool)
{
    co_await pool.wait_ready(1, 30s);
    co_return 0;
}

struct turns
{
    std::size_t left = 0;
    int present = 0;
};

asio::awaitable<void> take_turns(session_pool& pool, turns& t)
{
    {
        // Long enough for the other one to wait.
        const lease mine = co_await pool.acquire(30s);
        co_await asio::post(asio::use_awaitable);
    }
    while (t.left != 0) {
        --t.left;
        const lease mine = co_await pool.acquire(30s);
    }
    --t.present;
}

struct measurement
{
    double ns = 0, allocations = 0;
};

measurement hand_overs(asio::io_context& context, session_pool& pool, std::size_t count)
{
    constexpr std::size_t unmeasured = 100;
    turns t;
    t.left = count + unmeasured;
    t.present = 2;
    asio::co_spawn(context, take_turns(pool, t), asio::detached);
    asio::co_spawn(context, take_turns(pool, t), asio::detached);
    context.restart();
    while (t.left > count)
        context.run_one();
    const std::uint64_t before = allocations_of_this_thread().all();
    const std::uint64_t waited = pool.stats().total_requests - pool.stats().hits;
    const auto begin = cpu_time();
    // The last turns are not like the others: nobody waits for them.
    constexpr std::size_t last = 2;
    while (t.left > last)
        context.run_one();
    const std::size_t done = count - last;
    measurement result;
    result.ns = nanoseconds_each(cpu_time() - begin, done);
    result.allocations = static_cast<double>(allocations_of_this_thread().all() - before)
        / static_cast<double>(done);
    // A turn is counted a little before the lease that it is about.
    if (pool.stats().total_requests - pool.stats().hits + 2 < waited + done)
        throw std::runtime_error("a session was found free: this is not the hand-over");
    while (t.present != 0)
        context.run_one();
    return result;
}

void on_the_context(const micro_options& asked, asio::io_context& context, session_pool& pool)
{
    const std::size_t count = asked.smoke ? 10'000 : 100'000;
    figure allocations;
    allocations.name = "allocations per hand-over, on the thread that runs the context";
    allocations.bound_is = relation::never_more;
    allocations.bound = 0;
    allocations.unit = "allocations";
    allocations.measured = hand_overs(context, pool, count).allocations;
    print(allocations);

    const auto values = interleave(asked.runs,
        {
            [&] { return hand_overs(context, pool, count).ns; },
            [&] { return run_on(context, hops(count)); },
        });
    figure ratio;
    ratio.name = "hand-over beside one post, reactor";
    ratio.bound = 2.5;
    ratio.unit = "ratio";
    ratio.judged = !asked.smoke;
    ratio.measured = median(values[0]) / median(values[1]);
    ratio.detail["hand_over_ns"] = median(values[0]);
    ratio.detail["post_ns"] = median(values[1]);
    ratio.detail["hand_over_runs_ns"] = array_of(values[0]);
    ratio.detail["post_runs_ns"] = array_of(values[1]);
    print(ratio);
}

void from_elsewhere(const micro_options& asked)
{
    const std::size_t count = asked.smoke ? 1'000 : 20'000;
    testing::scripted_server server;
    background pools;
    session_pool pool(pools.context.get_executor(), scripted_sessions(1), server.source());
    lease mine = pool.async_acquire(30s, asio::use_future).get();
    std::uint64_t allocated = 0;
    for (std::size_t i = 0; i != count; ++i) {
        std::future<lease> next = pool.async_acquire(30s, asio::use_future);
        const std::uint64_t before = allocations_of_this_thread().all();
        mine.release();
        allocated += allocations_of_this_thread().all() - before;
        mine = next.get();
    }
    figure f;
    f.name = "allocations per hand-over, on a thread that does not run the context";
    f.bound_is = relation::never_more;
    f.bound = 2;
    f.unit = "allocations";
    f.measured = static_cast<double>(allocated) / static_cast<double>(count);
    print(f);
}

} // namespace
} // namespace mcp_pool::bench

int main(int argc, char** argv)
{
    using namespace mcp_pool::bench;
    const micro_options asked = parse_micro_options(argc, argv,
        "hand_over: time and allocations of a session that goes from one user to the next");
    return run_micro([&] {
        check_the_allocation_counter();
        {
            mcp_pool::testing::scripted_server server;
            boost::asio::io_context context;
            mcp_pool::session_pool pool(
                context.get_executor(), scripted_sessions(1), server.source());
            run_on(context, start(pool));
            on_the_context(asked, context, pool);
        }
        from_elsewhere(asked);
    });
}
