// Random runs of the model: drawn from a seed, written down step by step, played again, made small.
#pragma once

#include "core_model.hpp"

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace mcp_pool::test {

// One step of a run. Where it makes no sense any more, because steps before it have been left out,
// it does nothing.
struct sim_step
{
    enum class kind : std::uint8_t {
        acquire,
        try_acquire,
        await_ready,
        await_closed,
        cancel,
        release,
        detach,
        ready,
        fail,
        broken,
        reset_done,
        probe_done,
        measured,
        ended,
        late,
        take_job,
        permit,
        pass,
        stall,
        change,
        evict_all,
        start,
        era,
        close,
        abandon,
        heal,
        finish,
    };
    kind what = kind::pass;
    // Bits of meaning, see apply().
    std::uint8_t flags = 0, slot = 0, place = 0;
    // A key, a count, a waiter, an epoch back, a seed.
    std::uint32_t number = 0;
    duration span{};
};

struct sim_run
{
    model_settings settings;
    std::vector<sim_step> steps;
};

// What runs came to, over many of them.
struct sim_totals
{
    coverage met{};
    std::uint64_t runs = 0, events = 0;
    pooling::core_counters sums;
    std::uint64_t finished = 0, forced = 0, killed = 0, survivors = 0;

    void add(const core_model& model);
    void add(const sim_totals& other);
};

// Draws and plays the run of a seed. Throws violation; `run` then holds the steps up to it.
void simulate(std::uint64_t seed, sim_run& run, sim_totals& totals);

// Plays a run again; what is violated, empty if nothing is.
std::string replay(const sim_run& run, std::ostream* trace = nullptr);

// Leaves out steps for as long as the same is violated.
sim_run minimised(sim_run run, const std::string& what);

// What went wrong with a seed, and the shortest trace to it.
std::string report(std::uint64_t seed, const sim_run& run, const std::string& what);

// The table of states and events, and the smallest number in it.
std::uint64_t print(std::ostream& out, const sim_totals& totals);

} // namespace mcp_pool::test
