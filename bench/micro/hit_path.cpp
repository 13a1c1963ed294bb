// What it costs to acquire a session that is free, and to give it back.
//
// Default options, statistics on, a timeout, any_io_executor: what users write. Beside it, on the
// same context in the same binary, one bare hop through the executor: what any design that goes
// through a strand or posts its completion pays at least once.

#include "micro/allocations.hpp"
#include "micro/measure.hpp"
#include "support/processes.hpp"

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include <time.h>

namespace mcp_pool::bench {
namespace {

using namespace std::chrono_literals;

// CPU time of this thread: neither loop ever sleeps, and what else runs on the machine stays out.
std::chrono::nanoseconds cpu_time()
{
    timespec t{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

double nanoseconds_each(std::chrono::nanoseconds elapsed, std::size_t count)
{
    return static_cast<double>(elapsed.count()) / static_cast<double>(count);
}

asio::awaitable<double> hits(session_pool& pool, std::size_t count)
{
    const auto begin = cpu_time();
    for (std::size_t i = 0; i < count; ++i)
        lease session = co_await pool.acquire(30s);
    co_return nanoseconds_each(cpu_time() - begin, count);
}

asio::awaitable<double> hops(std::size_t count)
{
    const auto begin = cpu_time();
    for (std::size_t i = 0; i < count; ++i)
        co_await asio::post(asio::use_awaitable);
    co_return nanoseconds_each(cpu_time() - begin, count);
}

asio::awaitable<double> allocations_of_hits(session_pool& pool, std::size_t count)
{
    // The frames of the first rounds go to the thread's recycler.
    constexpr std::size_t unmeasured = 100;
    std::uint64_t before = 0;
    for (std::size_t i = 0; i < unmeasured + count; ++i) {
        if (i == unmeasured)
            before = allocations_of_this_thread().all();
        lease session = co_await pool.acquire(30s);
    }
    co_return static_cast<double>(allocations_of_this_thread().all() - before);
}

// Runs a coroutine on a context whose thread is the calling one.
double run_on(asio::io_context& context, asio::awaitable<double> coroutine)
{
    double result = 0;
    std::exception_ptr failure;
    const auto done = [&](const std::exception_ptr& e, double value) {
        failure = e;
        result = value;
        context.stop();
    };
    context.restart();
    asio::co_spawn(context, std::move(coroutine), done);
    context.run();
    if (failure)
        std::rethrow_exception(failure);
    return result;
}

server_config echo_server()
{
    stdio_server server;
    server.command = program_directory() + "/mcp-pool-echo-server";
    return server_config("echo", std::move(server));
}

asio::awaitable<double> warm_up(session_pool& pool)
{
    co_await pool.wait_ready(1, 30s);
    co_return 0;
}

asio::awaitable<double> close(session_pool& pool)
{
    co_await pool.close(5s);
    co_return 0;
}

// A counter that counts nothing would make every program pass.
void check_the_counter()
{
    const auto before = allocations_of_this_thread();
    void* volatile kept = std::malloc(1);
    std::free(kept);
    void* volatile aligned = std::aligned_alloc(64, 64);
    std::free(aligned);
    delete new volatile int(1);
    const auto after = allocations_of_this_thread();
    if (after.malloc != before.malloc + 1 || after.aligned_alloc != before.aligned_alloc + 1
        || after.operator_new != before.operator_new + 1)
        throw std::runtime_error("the allocation functions of this program are not interposed");
}

void measure(const std::string& name, double bound, const micro_options& asked,
    asio::io_context& users, session_pool& pool)
{
    const std::size_t count = asked.smoke ? 20'000 : 200'000;
    figure allocations;
    allocations.name = "allocations per acquire and release, " + name;
    allocations.bound_is = relation::never_more;
    allocations.unit = "allocations";
    allocations.measured = run_on(users, allocations_of_hits(pool, count))
        / static_cast<double>(count);
    allocations.detail["acquires"] = count;
    print(allocations);

    const auto values = interleave(asked.runs,
        {
            [&] { return run_on(users, hits(pool, count)); },
            [&] { return run_on(users, hops(count)); },
        });
    figure ratio;
    ratio.name = "acquire and release beside one post, " + name;
    ratio.bound = bound;
    ratio.unit = "ratio";
    ratio.judged = !asked.smoke;
    const double hit = median(values[0]), hop = median(values[1]);
    ratio.measured = hit / hop;
    ratio.detail["hit_ns"] = hit;
    ratio.detail["post_ns"] = hop;
    ratio.detail["hit_runs_ns"] = array_of(values[0]);
    ratio.detail["post_runs_ns"] = array_of(values[1]);
    print(ratio);
}

void without_reactor(const micro_options& asked)
{
    asio::io_context pool_context;
    auto guard = asio::make_work_guard(pool_context);
    session_pool pool(pool_context.get_executor(), echo_server());
    std::thread pool_thread([&] { pool_context.run(); });
    const auto end = [&] {
        pool.async_close(5s, asio::use_future).get();
        guard.reset();
        pool_thread.join();
    };
    try {
        pool.async_wait_ready(1, 30s, asio::use_future).get();
        // Nothing here ever waits for a descriptor or a timer, so this context makes no reactor.
        asio::io_context users;
        measure("no reactor", 0.5, asked, users, pool);
    } catch (...) {
        end();
        throw;
    }
    end();
}

void with_reactor(const micro_options& asked)
{
    // The pool's pipes and timer are on the users' context, as in most programs.
    asio::io_context context;
    session_pool pool(context.get_executor(), echo_server());
    run_on(context, warm_up(pool));
    measure("reactor", 0.25, asked, context, pool);
    run_on(context, close(pool));
}

} // namespace
} // namespace mcp_pool::bench

int main(int argc, char** argv)
{
    using namespace mcp_pool::bench;
    const micro_options asked = parse_micro_options(argc, argv,
        "hit_path: time and allocations of an acquire that finds a free session, and its release");
    return run_micro([&] {
        check_the_counter();
        without_reactor(asked);
        with_reactor(asked);
    });
}
