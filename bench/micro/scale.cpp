// Whether what a pool does costs more where there are many sessions and many waiters.
//
// Scripted sessions in this process, the whole pool with its driver, through its interface. Each kind
// is timed in short batches at its own level of waiters, whose patience is drawn at random, and the
// median batch counts: whoever is interrupted does not. What the completion costs is inside.

#include "micro/crowd.hpp"
#include "micro/holds.hpp"
#include "micro/measure.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mcp_pool::bench {
namespace {

// One size of pool, kept for all runs.
struct place
{
    std::size_t sessions;
    std::unique_ptr<crowd> users;
};

// What one kind costs, by sessions and waiters: the value of each run.
using cells = std::map<std::pair<std::size_t, std::size_t>, std::vector<double>>;

struct kinds
{
    cells hit, hit_in_turn, enqueue, hand_over, cancel, expire;
};

void measure_level(place& where, std::size_t waiters, bool keep, kinds& results)
{
    const auto note = [&](cells& to, double value) {
        if (keep)
            to[{where.sessions, waiters}].push_back(value);
    };
    crowd& users = *where.users;
    if (waiters == 0) {
        note(results.hit, users.time_of_hits());
        note(results.hit_in_turn, users.time_of_hits_in_turn());
    }
    users.take_every_session();
    users.gather(waiters);
    const crowd::queue_times queued = users.time_of_queueing();
    note(results.enqueue, queued.enqueue);
    note(results.cancel, queued.cancel);
    note(results.expire, users.time_of_expiry());
    if (waiters != 0)
        note(results.hand_over, users.time_of_hand_overs());
    users.go_home();
}

void print(const std::string& kind, const cells& measured, bool bounded, const micro_options& asked)
{
    figure f;
    f.name = kind
        + ": largest cost beside the smallest, 10 to 10,000 sessions, 0 to 100,000 waiters";
    f.bound_is = bounded ? relation::at_most : relation::shown;
    f.bound = 3;
    f.unit = "ratio";
    f.judged = !asked.smoke;
    double least = 0, most = 0;
    for (const auto& [at, values] : measured) {
        const double value = median(values);
        least = least == 0 ? value : std::min(least, value);
        most = std::max(most, value);
        f.detail[std::to_string(at.first) + " sessions, " + std::to_string(at.second)
            + " waiters"] = value;
    }
    f.measured = least == 0 ? 0 : most / least;
    print(f);
}

void measure(const micro_options& asked)
{
    const std::vector<std::size_t> sizes = asked.smoke
        ? std::vector<std::size_t>{10, 100}
        : std::vector<std::size_t>{10, 100, 1'000, 10'000};
    const std::vector<std::size_t> levels = asked.smoke
        ? std::vector<std::size_t>{0, 100}
        : std::vector<std::size_t>{0, 100, 10'000, 100'000};
    std::vector<place> places;
    for (const std::size_t sessions : sizes)
        places.push_back({sessions, std::make_unique<crowd>(sessions)});
    kinds results;
    for (std::size_t run = 0; run <= asked.runs; ++run)
        for (place& where : places)
            for (const std::size_t waiters : levels)
                measure_level(where, waiters, run > 0, results);
    print("hit", results.hit, true, asked);
    print("hit of each session in turn", results.hit_in_turn, false, asked);
    print("enqueue", results.enqueue, true, asked);
    print("hand-over", results.hand_over, true, asked);
    print("cancel", results.cancel, true, asked);
    print("expire", results.expire, true, asked);
}

void measure_holds(const micro_options& asked)
{
    const std::size_t waiters = asked.smoke ? 1'000 : 100'000;
    std::vector<double> high, longest;
    for (std::size_t run = 0; run <= asked.runs; ++run) {
        std::vector<double> holds = times_of_holds(waiters);
        std::sort(holds.begin(), holds.end());
        if (run == 0)
            continue;
        high.push_back(holds[(holds.size() - 1) * 999 / 1000]);
        longest.push_back(holds.back());
    }
    figure f;
    f.name = "one hold of the mutex while 100,000 waiters expire, p99.9";
    f.bound = 50;
    f.unit = "µs";
    f.judged = !asked.smoke;
    f.measured = median(high);
    f.detail["p999_runs_us"] = array_of(high);
    f.detail["longest_runs_us"] = array_of(longest);
    print(f);
}

} // namespace
} // namespace mcp_pool::bench

int main(int argc, char** argv)
{
    using namespace mcp_pool::bench;
    const micro_options asked = parse_micro_options(
        argc, argv, "scale: what each kind of event costs with many sessions and many waiters");
    return run_micro([&] {
        measure(asked);
        measure_holds(asked);
    });
}
