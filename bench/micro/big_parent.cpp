// Starting sessions from a process with much memory.
//
// fork() copies the page tables, 26 ms of blocked loop per GiB; the library starts processes on a
// thread of its own and shares the memory with the child until it executes the server.

#include "micro/measure.hpp"
#include "support/processes.hpp"
#include "transport/process_thread.hpp"

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include <sys/mman.h>
#include <unistd.h>

namespace mcp_pool::bench {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

// Touched memory in pages of 4 KiB: huge ones would make a fork look cheap.
class ballast
{
public:
    explicit ballast(std::size_t mib)
        : size_(mib << 20)
        , data_(::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
    {
        if (data_ == MAP_FAILED)
            throw std::runtime_error("not enough memory for " + std::to_string(mib) + " MiB");
        ::madvise(data_, size_, MADV_NOHUGEPAGE);
        auto* const bytes = static_cast<volatile char*>(data_);
        const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        for (std::size_t at = 0; at < size_; at += page)
            bytes[at] = 1;
    }
    ballast(const ballast&) = delete;
    ballast& operator=(const ballast&) = delete;
    ~ballast() { ::munmap(data_, size_); }

private:
    std::size_t size_;
    void* data_;
};

struct start_run
{
    double longest_stall_ms = 0;
    double spawning_us_each = 0;
    double rss_anon_mib = 0;

    start_run() = default;
};

// Ticks on the loop until `stop`; a tick that comes late was kept waiting by somebody.
asio::awaitable<void> watch_the_loop(const bool& stop, clock::duration& longest)
{
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor);
    while (!stop) {
        timer.expires_after(200us);
        co_await timer.async_wait(asio::use_awaitable);
        longest = std::max(longest, clock::now() - timer.expiry());
    }
}

asio::awaitable<void> start_sessions(session_pool& pool, std::size_t count, bool& stop)
{
    co_await pool.wait_ready(count, 30s);
    stop = true;
    co_await pool.close(5s);
}

start_run start_ten(std::size_t parent_mib)
{
    constexpr std::size_t sessions = 10;
    const ballast memory(parent_mib);
    auto& thread = transport::process_thread::instance();
    const auto spent_before = thread.time_spawning();
    const auto spawns_before = thread.spawns();

    asio::io_context context{1};
    stdio_server server;
    server.command = program_directory() + "/nullserver";
    server_config config("nullserver", std::move(server));
    config.pool.max_size = sessions;
    session_pool pool(context.get_executor(), std::move(config));
    bool stop = false;
    clock::duration longest{};
    std::exception_ptr failure;
    const auto watched = [](const std::exception_ptr&) {};
    const auto done = [&](const std::exception_ptr& e) {
        failure = e;
        context.stop();
    };
    asio::co_spawn(context, watch_the_loop(stop, longest), watched);
    asio::co_spawn(context, start_sessions(pool, sessions, stop), done);
    context.run();
    if (failure)
        std::rethrow_exception(failure);

    start_run result;
    result.longest_stall_ms = std::chrono::duration<double, std::milli>(longest).count();
    result.rss_anon_mib = resident_anonymous_mib();
    const auto spawns = thread.spawns() - spawns_before;
    if (spawns < sessions)
        throw std::runtime_error("the process thread has not counted its starts");
    result.spawning_us_each =
        std::chrono::duration<double, std::micro>(thread.time_spawning() - spent_before).count()
        / static_cast<double>(spawns);
    return result;
}

void measure(const micro_options& asked)
{
    const std::size_t big_mib = asked.smoke ? 256 : 2048;
    constexpr std::size_t small_mib = 50;
    std::vector<double> big_spawning, small_spawning, rss;
    const auto stalls = interleave(asked.runs,
        {
            [&] {
                const start_run run = start_ten(big_mib);
                big_spawning.push_back(run.spawning_us_each);
                rss.push_back(run.rss_anon_mib);
                return run.longest_stall_ms;
            },
            [&] {
                const start_run run = start_ten(small_mib);
                small_spawning.push_back(run.spawning_us_each);
                return run.longest_stall_ms;
            },
        });

    figure stall;
    stall.name = "longest stall of the loop while 10 sessions start, parent of "
        + std::to_string(big_mib) + " MiB";
    stall.bound = 1;
    stall.unit = "ms";
    stall.judged = !asked.smoke;
    stall.measured = median(stalls[0]);
    stall.detail["rss_anon_mib"] = median(rss);
    stall.detail["runs_ms"] = array_of(stalls[0]);
    stall.detail["parent_of_50_mib_ms"] = median(stalls[1]);
    print(stall);

    figure spawning;
    spawning.name = "time on the process thread per start, parent of " + std::to_string(big_mib)
        + " MiB beside one of 50 MiB";
    spawning.bound = 1.5;
    spawning.unit = "ratio";
    spawning.judged = !asked.smoke;
    const double big = median(big_spawning), small = median(small_spawning);
    spawning.measured = big / small;
    spawning.detail["big_us"] = big;
    spawning.detail["small_us"] = small;
    spawning.detail["rss_anon_mib"] = median(rss);
    print(spawning);
}

} // namespace
} // namespace mcp_pool::bench

int main(int argc, char** argv)
{
    using namespace mcp_pool::bench;
    const micro_options asked = parse_micro_options(
        argc, argv, "big_parent: starting sessions from a process with 2 GiB of touched memory");
    return run_micro([&] { measure(asked); });
}
