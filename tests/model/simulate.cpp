// pool-simulate: the simulator for as long as one likes.
#include "simulator.hpp"

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string_view>

using namespace mcp_pool::test;

namespace {

constexpr const char* usage =
    "usage: pool-simulate [--events N] [--minutes N] [--seed N]\n"
    "Plays random runs of a pool in virtual time, from the run with that seed on (default 1),\n"
    "until there were that many events (default 10000000) or so many minutes have passed.\n"
    "Prints how often each event met each state; on a violation the shortest trace to it.\n"
    "Exit status: 0 nothing was violated, 1 something was, 2 wrong usage.\n";

struct limits
{
    std::uint64_t events = 10'000'000, seed = 1;
    std::uint64_t minutes = 0;
};

bool read(int argc, char** argv, limits& to)
{
    bool counted = false;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view option = argv[i], value = argv[i + 1];
        std::uint64_t* const number = option == "--events" ? &to.events
            : option == "--seed"                           ? &to.seed
            : option == "--minutes"                        ? &to.minutes
                                                           : nullptr;
        if (!number)
            return false;
        const auto [end, failure] = std::from_chars(
            value.data(), value.data() + value.size(), *number);
        if (failure != std::errc() || end != value.data() + value.size() || *number == 0)
            return false;
        counted = counted || number == &to.events;
    }
    if (to.minutes != 0 && !counted)
        to.events = static_cast<std::uint64_t>(-1);
    return argc % 2 == 1;
}

} // namespace

int main(int argc, char** argv)
{
    limits until;
    if (!read(argc, argv, until)) {
        std::cerr << usage;
        return 2;
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(until.minutes);
    sim_totals totals;
    sim_run run;
    std::uint64_t seed = until.seed;
    try {
        for (; totals.events < until.events; ++seed) {
            simulate(seed, run, totals);
            if (until.minutes != 0 && totals.runs % 1000 == 0
                && std::chrono::steady_clock::now() >= end)
                break;
        }
    } catch (const violation& v) {
        std::cout << report(seed, run, v.what);
        return 1;
    }
    print(std::cout, totals);
    return 0;
}
