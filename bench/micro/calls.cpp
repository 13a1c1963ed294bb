#include "micro/calls.hpp"

#include "micro/allocations.hpp"
#include "micro/loop.hpp"
#include "support/processes.hpp"
#include "support/program.hpp"

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>

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

json::object run_reference(const std::vector<std::string>& words)
{
    const program_result result = run_program(words);
    if (result.status != 0)
        throw std::runtime_error(
            words.front() + " failed with status " + std::to_string(result.status));
    return json::parse(result.output).as_object();
}

call_costs costs_in(const json::object& printed)
{
    const auto number = [&](const char* name) {
        const json::value* const found = printed.if_contains(name);
        return found ? found->to_number<double>() : 0;
    };
    call_costs result;
    result.p50_us = number("p50_us");
    result.calls_per_second = number("calls_per_second");
    result.cpu_us_per_call = number("cpu_us_per_call");
    result.allocations_per_call = number("allocations_per_call");
    return result;
}

double call_series::add(const call_costs& run)
{
    p50_us.push_back(run.p50_us);
    calls_per_second.push_back(run.calls_per_second);
    cpu_us_per_call.push_back(run.cpu_us_per_call);
    allocations_per_call.push_back(run.allocations_per_call);
    return run.p50_us;
}

void call_series::leave_out_the_first()
{
    for (auto* values : {&p50_us, &calls_per_second, &cpu_us_per_call, &allocations_per_call})
        if (!values->empty())
            values->erase(values->begin());
}

beside::beside(std::string reference, bool pinned, bool smoke)
    : reference_(std::move(reference))
    , pinned_(pinned)
    , smoke_(smoke)
{}

void beside::print_ratio(const std::string& name, relation sense, double bound,
    const std::vector<double>& ours, const std::vector<double>& theirs,
    const std::string& unit) const
{
    figure f;
    f.name = name + (pinned_ ? ", pinned to one CPU" : ", unpinned");
    f.bound_is = pinned_ ? sense : relation::shown;
    f.bound = pinned_ ? bound : 0;
    f.unit = "ratio";
    f.judged = pinned_ && !smoke_;
    f.measured = median(ours) / median(theirs);
    f.detail["call_" + unit] = median(ours);
    f.detail[reference_ + "_" + unit] = median(theirs);
    f.detail["call_runs_" + unit] = array_of(ours);
    f.detail[reference_ + "_runs_" + unit] = array_of(theirs);
    print(f);
}

void print_allocations(const std::string& name, const std::vector<double>& runs)
{
    figure f;
    f.name = name;
    f.bound_is = relation::shown;
    f.unit = "allocations";
    f.judged = false;
    f.measured = median(runs);
    f.detail["runs"] = array_of(runs);
    print(f);
}

} // namespace mcp_pool::bench
