// Runs one workload in one mode.
#pragma once

#include "load/outcome.hpp"
#include "load/workload.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace mcp_pool::bench {

// Where a run stands; told about five times a second, on the thread that runs.
struct progress_report
{
    mode how = mode::pool;
    std::size_t size = 0;
    double seconds = 0, of_seconds = 0;
    std::uint64_t calls = 0, errors = 0;
    // A short try that looks for the best concurrency.
    bool is_attempt = false;

    progress_report() = default;
};

using progress_sink = std::function<void(const progress_report&)>;

// Runs the workload on a context and a thread of its own; returns when every user has finished and
// every process has ended. Failing calls and acquires are counted in the outcome.
//
// In mode::spawn the pool of the library is what starts and ends the processes, one lease each
// (lease::discard): vfork-like starts off the loop, the era remembered from the first process, the
// next start under way while the former process ends. `work.size` processes at the same time.
//
// Errors: throws error(errc::invalid_config); std::runtime_error if users do not finish.
outcome run(mode how, const workload& work, const progress_sink& progress);

// Tries mode::spawn with each of `concurrencies` for `attempt_length`, longer where that is too short
// for two calls each but not longer than the run, and runs it with the best; with the first of them if
// no attempt had a call.
//
// Preconditions: `concurrencies` is not empty.
outcome run_best_spawn(workload work, const std::vector<std::size_t>& concurrencies,
    duration attempt_length, const progress_sink& progress);

} // namespace mcp_pool::bench
