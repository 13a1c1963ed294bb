// Sequential calls through one lease, and what each of them costs the process that makes them. For
// programs that are linked with allocations.cpp.
#pragma once

#include <mcp_pool/server.hpp>

#include <boost/json/object.hpp>

#include <cstddef>
#include <string>

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

struct call_costs
{
    // From the call to its answer.
    double p50_us = 0;
    double calls_per_second = 0;
    // Of this process alone.
    double cpu_us_per_call = 0;
    double allocations_per_call = 0;

    call_costs() = default;
};

// Makes `count` calls, one after the other, behind a tenth as many that are not measured. Default
// options but for what `config` says; context and pool are made for it and live as long as it takes.
// Throws if an answer is wrong.
call_costs sequential_calls(server_config config, const tool_call& what, std::size_t count);

} // namespace mcp_pool::bench
