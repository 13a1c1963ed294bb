// 50 users on a pool of 10 sessions of server-everything, beside one process per call.
//
// One process per call is measured by a program of its own, which does nothing else: posix_spawn,
// pipes, handshake, call, orderly end, `node` started directly, at the concurrency that suits it
// best. Starts of the pool are inside its measured time.

#include "load/run.hpp"
#include "micro/measure.hpp"
#include "micro/servers.hpp"
#include "support/processes.hpp"
#include "support/program.hpp"

#include <mcp_pool/session.hpp>

#include <boost/json/parse.hpp>

#include <algorithm>
#include <chrono>
#include <set>
#include <stdexcept>

namespace mcp_pool::bench {
namespace {

constexpr std::size_t size = 10;

// Calls per second.
double run_process_per_call(
    const std::vector<std::string>& command, std::size_t concurrency, double seconds)
{
    std::vector<std::string> words{program_directory() + "/spawn_reference", "--concurrency",
        std::to_string(concurrency), "--seconds", std::to_string(seconds), "--"};
    words.insert(words.end(), command.begin(), command.end());
    const program_result result = run_program(words);
    if (result.status != 0)
        throw std::runtime_error(
            "spawn_reference failed with status " + std::to_string(result.status));
    return json::parse(result.output).at("calls_per_second").to_number<double>();
}

// What must be the same in every run of the pool; the worst run counts.
struct worst
{
    std::uint64_t not_reused = 0;
    std::uint64_t fewest_started = size, most_started = size;
    std::uint64_t errors = 0;
    std::size_t fewest_pids = size, most_pids = size;

    worst() = default;
};

double run_pool(const server_config& server, double seconds, worst& seen)
{
    workload work;
    work.server = server;
    work.users = 50;
    work.size = size;
    work.length = std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
    std::set<int> pids;
    work.inspect = [&pids](const session&, const tool_result& answer) {
        pids.insert(reported_pid(answer.text()));
    };
    const outcome result = run(mode::pool, work, nullptr);
    seen.not_reused = std::max(seen.not_reused, result.stats.total_requests - result.stats.reused);
    seen.fewest_started = std::min(seen.fewest_started, result.sessions_started);
    seen.most_started = std::max(seen.most_started, result.sessions_started);
    seen.fewest_pids = std::min(seen.fewest_pids, pids.size());
    seen.most_pids = std::max(seen.most_pids, pids.size());
    seen.errors += result.errors;
    return result.calls_per_second();
}

void print_exact(
    const std::string& name, double measured, relation bound_is, double bound, bool judged = true)
{
    figure f;
    f.name = "50 users, pool of 10, server-everything: " + name;
    f.bound_is = bound_is;
    f.bound = bound;
    f.measured = measured;
    f.unit = "count";
    f.judged = judged;
    print(f);
}

// The one of two values that is farther from what it should be.
double farther(double least, double most, double wanted)
{
    return wanted - least > most - wanted ? least : most;
}

void measure(const server_config& server, const std::vector<std::string>& command,
    const micro_options& asked)
{
    json::object tried;
    std::size_t best = 1;
    double best_rate = 0;
    for (const std::size_t concurrency : {1, 2, 4, 8, 50}) {
        const double rate = run_process_per_call(command, concurrency, asked.seconds / 4);
        tried[std::to_string(concurrency)] = rate;
        if (rate > best_rate) {
            best_rate = rate;
            best = concurrency;
        }
    }
    if (best_rate == 0)
        throw std::runtime_error("one process per call: no call was answered in time");

    worst seen;
    std::vector<double> pool, spawn;
    for (std::size_t i = 0; i < asked.runs; ++i) {
        pool.push_back(run_pool(server, asked.seconds, seen));
        spawn.push_back(run_process_per_call(command, best, asked.seconds / 2));
    }

    figure ratio;
    ratio.name = "50 users, pool of 10, server-everything: calls per second beside one process per "
                 "call at its best";
    ratio.bound_is = relation::at_least;
    ratio.bound = 300;
    ratio.unit = "ratio";
    ratio.judged = !asked.smoke;
    // The search may have been luckier than the runs beside the pool.
    const double denominator = std::max(median(spawn), best_rate);
    ratio.measured = median(pool) / denominator;
    ratio.detail["pool_calls_per_second"] = median(pool);
    ratio.detail["process_per_call_calls_per_second"] = denominator;
    ratio.detail["best_concurrency"] = best;
    ratio.detail["tried"] = std::move(tried);
    ratio.detail["pool_runs"] = array_of(pool);
    ratio.detail["process_per_call_runs"] = array_of(spawn);
    print(ratio);
    print_exact("total_requests - reused", static_cast<double>(seen.not_reused),
        relation::never_more, size);
    print_exact("sessions started",
        farther(
            static_cast<double>(seen.fewest_started), static_cast<double>(seen.most_started), size),
        relation::exactly, size);
    print_exact("process ids in the answers",
        farther(static_cast<double>(seen.fewest_pids), static_cast<double>(seen.most_pids), size),
        relation::exactly, size);
    print_exact("errors", static_cast<double>(seen.errors), relation::never_more, 0);
}

} // namespace
} // namespace mcp_pool::bench

int main(int argc, char** argv)
{
    using namespace mcp_pool::bench;
    const micro_options asked = parse_micro_options(argc, argv,
        "everything: 50 users on a pool of 10 sessions of server-everything, beside one process "
        "per "
        "call");
    return run_micro([&] {
        const auto server = everything_server("");
        const auto command = everything_command();
        // Ten starts of node take longer than a smoke run may.
        if (!asked.smoke && server && command)
            measure(*server, *command, asked);
    });
}
