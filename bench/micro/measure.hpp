// What the microbenchmarks share: interleaved runs, medians, and figures with their bounds.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/object.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_pool::bench {

// How a figure stands to its bound.
enum class relation {
    at_most,
    at_least,
    // At most, and a little more is as wrong as much more: counts that must be 0.
    never_more,
    // Equal.
    exactly,
    // No bound: printed beside the others.
    shown,
};

struct figure
{
    std::string name;
    relation bound_is = relation::at_most;
    double bound = 0;
    double measured = 0;
    std::string unit;
    // False in a smoke run for everything that depends on the machine's load.
    bool judged = true;
    // What it was computed from.
    json::object detail;

    figure() = default;
};

struct micro_options
{
    // Few and short runs that show that everything still works.
    bool smoke = false;
    std::size_t runs = 9;
    // Of programs that take time instead of runs.
    double seconds = 20;

    micro_options() = default;
};

// Reads --smoke, --runs N, --seconds S; prints `what` and the options for --help. Ends the process
// with status 0 after the help and 2 on wrong usage.
micro_options parse_micro_options(int argc, char** argv, std::string_view what);

// Prints the figure as one line of JSON on standard output.
void print(const figure& f);

double median(std::vector<double> values);

// Runs every function once for warming up, then all of them in turn, `runs` times: whatever
// disturbs the machine disturbs all of them. Returns the values of each.
std::vector<std::vector<double>> interleave(
    std::size_t runs, const std::vector<std::function<double()>>& measured);

// "a, b, c" as JSON numbers, for details.
json::array array_of(const std::vector<double>& values);

// main() of a microbenchmark: prints exceptions. Returns the exit status.
int run_micro(const std::function<void()>& body);

} // namespace mcp_pool::bench
