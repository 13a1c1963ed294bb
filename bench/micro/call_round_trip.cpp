// What a call through a lease costs beside the cheapest round trip that two processes can make.
//
// nullserver answers with canned text; pingpong sends a line of the same length to a child that
// sends it back. Both pairs run pinned to one CPU, where a round trip is two context switches, and
// unpinned, where the wake-up of another CPU outweighs everything else.

#include "micro/measure.hpp"
#include "support/processes.hpp"
#include "support/program.hpp"
#include "support/recorder.hpp"

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <chrono>
#include <stdexcept>

#include <sched.h>

namespace mcp_pool::bench {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr std::size_t line_bytes = 120;

// Fills a request with a six-digit id up to line_bytes, its line end included. The legacy era has
// the shorter envelope; a modern request of this length has no room for arguments.
json::object arguments_of_a_full_line()
{
    json::object arguments, params, line;
    arguments["message"] = "";
    params["name"] = "null";
    params["arguments"] = arguments;
    line["jsonrpc"] = "2.0";
    line["id"] = 100'000;
    line["method"] = "tools/call";
    line["params"] = params;
    const std::size_t empty = json::serialize(line).size() + 1;
    if (empty >= line_bytes)
        throw std::runtime_error("a request does not fit into 120 bytes");
    arguments["message"] = std::string(line_bytes - empty, 'x');
    return arguments;
}

// One run through the library.
struct library_run
{
    double p50_us = 0;
    double cpu_us_per_call = 0;

    library_run() = default;
};

asio::awaitable<void> make_calls(session_pool& pool, std::size_t count, library_run& result)
{
    lease session = co_await pool.acquire(30s);
    const json::object pattern = arguments_of_a_full_line();
    recorder latencies;
    double cpu_before = 0;
    const std::size_t unmeasured = count / 10;
    for (std::size_t i = 0; i < unmeasured + count; ++i) {
        if (i == unmeasured)
            cpu_before = usage_of_self().cpu_seconds;
        json::object arguments(pattern);
        const auto begin = clock::now();
        const tool_result answer = co_await session->call_tool("null", std::move(arguments));
        const auto end = clock::now();
        if (answer.is_error())
            throw std::runtime_error("nullserver reported an error");
        if (i >= unmeasured)
            latencies.record(end - begin);
    }
    result.cpu_us_per_call = (usage_of_self().cpu_seconds - cpu_before) * 1e6
        / static_cast<double>(count);
    result.p50_us = latencies.quantile(0.5) * 1e3;
    session.release();
    co_await pool.close(5s);
}

library_run run_library(std::size_t count)
{
    asio::io_context context{1};
    stdio_server server;
    server.command = program_directory() + "/nullserver";
    server_config config("nullserver", std::move(server));
    config.era = era_choice::legacy;
    session_pool pool(context.get_executor(), std::move(config));
    library_run result;
    std::exception_ptr failure;
    const auto done = [&](const std::exception_ptr& e) {
        failure = e;
        context.stop();
    };
    asio::co_spawn(context, make_calls(pool, count, result), done);
    context.run();
    if (failure)
        std::rethrow_exception(failure);
    return result;
}

// Median of one run, in microseconds.
double run_pingpong(std::size_t count, int cpu)
{
    std::vector<std::string> words{program_directory() + "/pingpong", "--bytes",
        std::to_string(line_bytes), "--count", std::to_string(count)};
    if (cpu >= 0) {
        words.emplace_back("--cpu");
        words.push_back(std::to_string(cpu));
    }
    const program_result result = run_program(words);
    if (result.status != 0)
        throw std::runtime_error("pingpong failed with status " + std::to_string(result.status));
    return json::parse(result.output).at("p50_ns").to_number<double>() / 1e3;
}

void measure(const micro_options& asked, int cpu)
{
    const bool pinned = cpu >= 0;
    const std::size_t count = asked.smoke ? 500 : pinned ? 20'000 : 5'000;
    if (!pin_all_threads(cpu))
        throw std::runtime_error("the system refuses to set the CPU affinity");
    std::vector<double> cpu_per_call;
    const auto values = interleave(asked.runs,
        {
            [&] {
                const library_run run = run_library(count);
                cpu_per_call.push_back(run.cpu_us_per_call);
                return run.p50_us;
            },
            [&] { return run_pingpong(count, cpu); },
        });
    figure f;
    f.name = std::string("call round trip beside a pipe ping-pong, ")
        + (pinned ? "pinned to one CPU" : "unpinned");
    f.bound_is = pinned ? relation::at_most : relation::shown;
    f.bound = pinned ? 2.3 : 0;
    f.unit = "ratio";
    f.judged = pinned && !asked.smoke;
    const double call = median(values[0]), pipe = median(values[1]);
    f.measured = call / pipe;
    f.detail["call_us"] = call;
    f.detail["pingpong_us"] = pipe;
    f.detail["client_cpu_us_per_call"] = median(cpu_per_call);
    f.detail["call_runs_us"] = array_of(values[0]);
    f.detail["pingpong_runs_us"] = array_of(values[1]);
    print(f);
}

// The first CPU that this process may use.
int some_cpu()
{
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    ::sched_getaffinity(0, sizeof allowed, &allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(static_cast<std::size_t>(cpu), &allowed))
            return cpu;
    return 0;
}

} // namespace
} // namespace mcp_pool::bench

int main(int argc, char** argv)
{
    using namespace mcp_pool::bench;
    const micro_options asked = parse_micro_options(
        argc, argv, "call_round_trip: a call through a lease beside a ping-pong through two pipes");
    return run_micro([&] {
        measure(asked, some_cpu());
        measure(asked, -1);
    });
}
