// What a call through a lease costs: beside the cheapest round trip that two processes can make, and
// beside the official TypeScript client.
//
// nullserver answers with canned text; pingpong sends a line of the same length to a child that
// sends it back; node_client.mjs calls the same nullserver. All run pinned to one CPU, where a round
// trip is two context switches, and unpinned, where the wake-up of another CPU outweighs everything
// else.

#include "micro/allocations.hpp"
#include "micro/calls.hpp"
#include "micro/measure.hpp"
#include "micro/servers.hpp"
#include "support/processes.hpp"

#include <boost/json/serialize.hpp>

#include <optional>
#include <stdexcept>

namespace mcp_pool::bench {
namespace {

constexpr std::size_t line_bytes = 120;

// Of a request with a six-digit id that fills line_bytes, its line end included. The legacy era has
// the shorter envelope; a modern request of this length has no room for arguments.
std::string message_of_a_full_line()
{
    json::object arguments, params, line;
    arguments["message"] = "";
    params["name"] = "null";
    params["arguments"] = arguments;
    line["jsonrpc"] = "2.0";
    line["id"] = 100'000;
    line["method"] = "tools/call";
    line["params"] = params;
    const std::size_t empty = json::serialize(line).size() + 1;
    if (empty >= line_bytes)
        throw std::runtime_error("a request does not fit into 120 bytes");
    return std::string(line_bytes - empty, 'x');
}

std::string null_server()
{
    return program_directory() + "/nullserver";
}

call_costs run_library(std::size_t count)
{
    stdio_server server;
    server.command = null_server();
    server_config config("nullserver", std::move(server));
    config.era = era_choice::legacy;
    tool_call what;
    what.tool = "null";
    what.arguments["message"] = message_of_a_full_line();
    what.answer = "ok";
    return sequential_calls(std::move(config), what, count);
}

// Median of one run, in microseconds.
double run_pingpong(std::size_t count)
{
    return run_reference({program_directory() + "/pingpong", "--bytes", std::to_string(line_bytes),
                             "--count", std::to_string(count)})
               .at("p50_ns")
               .to_number<double>()
        / 1e3;
}

call_costs run_node(const std::string& script, std::size_t count)
{
    return costs_in(run_reference({"node", script, "--count", std::to_string(count),
        "--message-bytes", std::to_string(message_of_a_full_line().size()), "--", null_server()}));
}

void measure(const micro_options& asked, int cpu, const std::optional<std::string>& node_client)
{
    const bool pinned = cpu >= 0;
    const std::size_t count = asked.smoke ? 500 : pinned ? 20'000 : 5'000;
    const std::size_t node_count = asked.smoke ? 500 : 6'000;
    // The programs of the reference are started by this thread and keep its affinity.
    if (!pin_all_threads(cpu))
        throw std::runtime_error("the system refuses to set the CPU affinity");
    call_series ours, node;
    std::vector<std::function<double()>> measured{
        [&] { return ours.add(run_library(count)); }, [&] { return run_pingpong(count); }};
    if (node_client)
        measured.emplace_back([&] { return node.add(run_node(*node_client, node_count)); });
    const auto values = interleave(asked.runs, measured);
    ours.leave_out_the_first();
    node.leave_out_the_first();

    beside("pingpong", pinned, asked.smoke)
        .print_ratio("call round trip beside a pipe ping-pong", relation::at_most, 2.1, ours.p50_us,
            values[1], "us");
    if (node_client) {
        const beside typescript("node", pinned, asked.smoke);
        typescript.print_ratio("calls per second beside the TypeScript client", relation::at_least,
            3, ours.calls_per_second, node.calls_per_second, "per_second");
        typescript.print_ratio("client CPU time of a call beside the TypeScript client",
            relation::at_most, 0.28, ours.cpu_us_per_call, node.cpu_us_per_call, "cpu_us");
    }
    if (pinned)
        print_allocations("allocations of a call over stdio", ours.allocations_per_call);
}

} // namespace
} // namespace mcp_pool::bench

int main(int argc, char** argv)
{
    using namespace mcp_pool::bench;
    const micro_options asked = parse_micro_options(argc, argv,
        "call_round_trip: a call through a lease beside a ping-pong through two pipes and beside "
        "the "
        "TypeScript client");
    return run_micro([&] {
        check_the_allocation_counter();
        const auto node_client = node_client_script();
        measure(asked, some_cpu(), node_client);
        measure(asked, -1, node_client);
    });
}
