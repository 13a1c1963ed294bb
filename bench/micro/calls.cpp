#include "micro/calls.hpp"

#include "micro/allocations.hpp"
#include "micro/loop.hpp"
#include "micro/measure.hpp"
#include "support/processes.hpp"

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>
#include <vector>

namespace mcp_pool::bench {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

double microseconds(clock::duration d)
{
    return std::chrono::duration<double, std::micro>(d).count();
}

asio::awaitable<double> make_calls(
    session_pool& pool, const tool_call& what, std::size_t count, call_costs& result)
{
    lease session = co_await pool.acquire(30s);
    const std::size_t unmeasured = count / 10;
    std::vector<double> latencies(count);
    double cpu_before = 0;
    clock::time_point begin;
    std::uint64_t allocations_before = 0;
    for (std::size_t i = 0; i < unmeasured + count; ++i) {
        if (i == unmeasured) {
            cpu_before = usage_of_self().cpu_seconds;
            allocations_before = allocations_of_this_thread().all();
            begin = clock::now();
        }
        json::object arguments(what.arguments);
        const auto sent = clock::now();
        const tool_result answer = co_await session->call_tool(what.tool, std::move(arguments));
        if (i >= unmeasured)
            latencies[i - unmeasured] = microseconds(clock::now() - sent);
        if (answer.is_error() || answer.text() != what.answer)
            throw std::runtime_error(what.tool + " was answered wrongly");
    }
    const auto calls = static_cast<double>(count);
    result.calls_per_second = calls * 1e6 / microseconds(clock::now() - begin);
    result.allocations_per_call = static_cast<double>(
                                      allocations_of_this_thread().all() - allocations_before)
        / calls;
    result.cpu_us_per_call = (usage_of_self().cpu_seconds - cpu_before) * 1e6 / calls;
    result.p50_us = median(std::move(latencies));
    session.release();
    co_await pool.close(5s);
    co_return 0;
}

} // namespace

call_costs sequential_calls(server_config config, const tool_call& what, std::size_t count)
{
    asio::io_context context{1};
    session_pool pool(context.get_executor(), std::move(config));
    call_costs result;
    run_on(context, make_calls(pool, what, count, result));
    return result;
}

} // namespace mcp_pool::bench
