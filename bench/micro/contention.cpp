// What a hit costs while another thread hits the same pool all the time.
//
// Two threads, a context each, one pool with sessions for both: every acquire finds one, and every
// acquire and release meets the other thread at the pool. Beside it, in the same binary, what a pool
// that keeps its state on a strand would pay for each acquire, alone: into the strand and back, in a
// process with a reactor.

#include "micro/loop.hpp"
#include "micro/measure.hpp"

#include <mcp_pool/mcp_pool.hpp>
#include <mcp_pool/testing/scripted_server.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <thread>
#include <vector>

namespace mcp_pool::bench {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr std::size_t threads = 2;

// Where all threads are.
struct progress_of_all
{
    std::atomic<std::size_t> begun{0}, finished{0};
};

struct cost
{
    // Of one acquire and release: what passed on the wall, and what this thread computed meanwhile.
    double elapsed_ns = 0, cpu_ns = 0;
};

asio::awaitable<double> contending_hits(
    session_pool& pool, std::size_t count, progress_of_all& progress, cost& result)
{
    ++progress.begun;
    while (progress.begun != threads)
        lease session = co_await pool.acquire(30s);
    const auto begin = steady_clock::now();
    const auto computed = cpu_time();
    for (std::size_t i = 0; i < count; ++i)
        lease session = co_await pool.acquire(30s);
    result.elapsed_ns = nanoseconds_each(steady_clock::now() - begin, count);
    result.cpu_ns = nanoseconds_each(cpu_time() - computed, count);
    // The other one must not be alone for the rest of its way.
    ++progress.finished;
    while (progress.finished != threads)
        lease session = co_await pool.acquire(30s);
    co_return 0;
}

cost contending(session_pool& pool, std::size_t count)
{
    progress_of_all progress;
    std::array<cost, threads> costs;
    std::array<std::exception_ptr, threads> failures;
    std::array<std::thread, threads> running;
    for (std::size_t i = 0; i < threads; ++i) {
        running[i] = std::thread([&, i] {
            try {
                asio::io_context context;
                run_on(context, contending_hits(pool, count, progress, costs[i]));
            } catch (...) {
                failures[i] = std::current_exception();
                // Nobody waits for a thread that has given up.
                progress.begun = progress.finished = threads;
            }
        });
    }
    for (std::thread& t : running)
        t.join();
    for (const std::exception_ptr& failure : failures)
        if (failure)
            std::rethrow_exception(failure);
    cost mean;
    for (const cost& c : costs) {
        mean.elapsed_ns += c.elapsed_ns / threads;
        mean.cpu_ns += c.cpu_ns / threads;
    }
    return mean;
}

asio::awaitable<double> round_trips(std::size_t count)
{
    const auto executor = co_await asio::this_coro::executor;
    // It never fires: its presence gives the context a reactor, as any socket or pipe does.
    asio::steady_timer timer(executor, std::chrono::hours(1));
    timer.async_wait([](const error_code&) {});
    auto strand = asio::make_strand(executor);
    auto into = asio::bind_executor(strand, asio::use_awaitable);
    const auto begin = steady_clock::now();
    for (std::size_t i = 0; i < count; ++i) {
        co_await asio::dispatch(into);
        co_await asio::post(asio::use_awaitable);
    }
    co_return nanoseconds_each(steady_clock::now() - begin, count);
}

void measure(const micro_options& asked)
{
    const std::size_t count = asked.smoke ? 20'000 : 200'000;
    testing::scripted_server server;
    background pools;
    session_pool pool(
        pools.context.get_executor(), scripted_sessions(2 * threads), server.source());
    pool.async_wait_ready(2 * threads, 30s, asio::use_future).get();

    std::vector<double> computed;
    const std::uint64_t waited = pool.stats().total_requests - pool.stats().hits;
    const auto values = interleave(asked.runs,
        {
            [&] {
                const cost c = contending(pool, count);
                computed.push_back(c.cpu_ns);
                return c.elapsed_ns;
            },
            [&] {
                asio::io_context context;
                return run_on(context, round_trips(count));
            },
        });
    if (pool.stats().total_requests - pool.stats().hits != waited)
        throw std::runtime_error("an acquire had to wait: this is not the hit");
    figure f;
    f.name = "acquire and release, two threads contending, beside a strand round trip";
    f.bound = 0.35;
    f.unit = "ratio";
    f.judged = !asked.smoke;
    f.measured = median(values[0]) / median(values[1]);
    f.detail["hit_ns"] = median(values[0]);
    f.detail["hit_cpu_ns"] = median(computed);
    f.detail["round_trip_ns"] = median(values[1]);
    f.detail["hit_runs_ns"] = array_of(values[0]);
    f.detail["round_trip_runs_ns"] = array_of(values[1]);
    print(f);
}

} // namespace
} // namespace mcp_pool::bench

int main(int argc, char** argv)
{
    using namespace mcp_pool::bench;
    const micro_options asked = parse_micro_options(
        argc, argv, "contention: a hit while another thread hits the same pool all the time");
    return run_micro([&] { measure(asked); });
}
