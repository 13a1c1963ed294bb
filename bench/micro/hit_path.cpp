// What it costs to acquire a session that is free, and to give it back.
//
// Default options, statistics on, an observer set, a timeout, any_io_executor: what users write. Beside it, on the
// same context in the same binary, one bare hop through the executor: what any design that goes
// through a strand or posts its completion pays at least once.

#include "micro/allocations.hpp"
#include "micro/loop.hpp"
#include "micro/measure.hpp"
#include "support/processes.hpp"

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <thread>

namespace mcp_pool::bench {
namespace {

using namespace std::chrono_literals;

// Told of every lease and every return, on the thread that measures.
class counting_observer final : public pool_observer
{
public:
    void leased(const pool_event&) noexcept override { ++leased_; }
    void returned(const pool_event&) noexcept override { ++returned_; }

    void check() const
    {
        if (leased_ == 0 || leased_ != returned_)
            throw std::logic_error("the observer was not told of every hit");
    }

private:
    std::uint64_t leased_ = 0, returned_ = 0;
};

asio::awaitable<double> hits(session_pool& pool, std::size_t count)
{
    const auto begin = cpu_time();
    for (std::size_t i = 0; i < count; ++i)
        lease session = co_await pool.acquire(30s);
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

void measure(const std::string& name, double bound, const micro_options& asked,
    asio::io_context& users, session_pool& pool)
{
    const std::size_t count = asked.smoke ? 20'000 : 200'000;
    const auto observer = std::make_shared<counting_observer>();
    pool.set_observer(observer);
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
    observer->check();
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
        check_the_allocation_counter();
        without_reactor(asked);
        with_reactor(asked);
    });
}
