// Sequential calls through one lease, what each of them costs the process that makes them, and the
// same beside somebody else's client. For programs that are linked with allocations.cpp.
#pragma once

#include "micro/measure.hpp"

#include <mcp_pool/server.hpp>

#include <boost/json/object.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace mcp_pool::bench {

// What to call, and what has to come of it.
struct tool_call
{
    std::string tool;
    json::object arguments;
    // The text of each answer.
    std::string answer;

    tool_call() = default;
};

// Of one run.
struct call_costs
{
    // From the call to its answer.
    double p50_us = 0;
    double calls_per_second = 0;
    // Of the client's process alone.
    double cpu_us_per_call = 0;
    double allocations_per_call = 0;

    call_costs() = default;
};

// Makes `count` calls, one after the other, behind a tenth as many that are not measured. Default
// options but for what `config` says; context and pool are made for it and live as long as it takes.
// Throws if an answer is wrong.
call_costs sequential_calls(server_config config, const tool_call& what, std::size_t count);

// The one line of JSON that a program of the reference prints. Throws if it fails.
json::object run_reference(const std::vector<std::string>& words);

// The costs in such a line; those that it does not have are 0.
call_costs costs_in(const json::object& printed);

// The runs of one client.
struct call_series
{
    std::vector<double> p50_us, calls_per_second, cpu_us_per_call, allocations_per_call;

    // Returns the latency.
    double add(const call_costs& run);
    // It was for warming up.
    void leave_out_the_first();
};

// Prints the ratio of two medians, and what it was computed from. Without a bound where it is not
// pinned to one CPU, not judged in a smoke run.
class beside
{
public:
    // `reference` names the other client in the details.
    beside(std::string reference, bool pinned, bool smoke);

    void print_ratio(const std::string& name, relation sense, double bound,
        const std::vector<double>& ours, const std::vector<double>& theirs,
        const std::string& unit) const;

private:
    std::string reference_;
    bool pinned_;
    bool smoke_;
};

void print_allocations(const std::string& name, const std::vector<double>& runs);

} // namespace mcp_pool::bench
