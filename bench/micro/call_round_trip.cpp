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
#include "support/program.hpp"

#include <boost/json/parse.hpp>
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

// What a program of the reference prints.
json::object run_reference(const std::vector<std::string>& words)
{
    const program_result result = run_program(words);
    if (result.status != 0)
        throw std::runtime_error(
            words.front() + " failed with status " + std::to_string(result.status));
    return json::parse(result.output).as_object();
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
    const json::object printed = run_reference({"node", script, "--count", std::to_string(count),
        "--message-bytes", std::to_string(message_of_a_full_line().size()), "--", null_server()});
    call_costs result;
    result.p50_us = printed.at("p50_us").to_number<double>();
    result.calls_per_second = printed.at("calls_per_second").to_number<double>();
    result.cpu_us_per_call = printed.at("cpu_us_per_call").to_number<double>();
    return result;
}

// The runs of one kind at one place.
struct series
{
    std::vector<double> p50_us, calls_per_second, cpu_us_per_call, allocations_per_call;

    double add(const call_costs& run)
    {
        p50_us.push_back(run.p50_us);
        calls_per_second.push_back(run.calls_per_second);
        cpu_us_per_call.push_back(run.cpu_us_per_call);
        allocations_per_call.push_back(run.allocations_per_call);
        return run.p50_us;
    }

    // The first run was for warming up.
    void end()
    {
        for (auto* values : {&p50_us, &calls_per_second, &cpu_us_per_call, &allocations_per_call})
            if (!values->empty())
                values->erase(values->begin());
    }
};

void print_ratio(std::string name, double bound, relation sense, bool pinned, bool smoke,
    const std::vector<double>& ours, const std::vector<double>& theirs, const char* unit,
    const char* reference)
{
    figure f;
    f.name = std::move(name);
    f.name += pinned ? ", pinned to one CPU" : ", unpinned";
    f.bound_is = pinned ? sense : relation::shown;
    f.bound = pinned ? bound : 0;
    f.unit = "ratio";
    f.judged = pinned && !smoke;
    f.measured = median(ours) / median(theirs);
    f.detail[std::string("call_") + unit] = median(ours);
    f.detail[std::string(reference) + "_" + unit] = median(theirs);
    f.detail[std::string("call_runs_") + unit] = array_of(ours);
    f.detail[std::string(reference) + "_runs_" + unit] = array_of(theirs);
    print(f);
}

void measure(const micro_options& asked, int cpu, const std::optional<std::string>& node_client)
{
    const bool pinned = cpu >= 0;
    const std::size_t count = asked.smoke ? 500 : pinned ? 20'000 : 5'000;
    const std::size_t node_count = asked.smoke ? 500 : 6'000;
    // The programs of the reference are started by this thread and keep its affinity.
    if (!pin_all_threads(cpu))
        throw std::runtime_error("the system refuses to set the CPU affinity");
    series ours, node;
    std::vector<std::function<double()>> measured{
        [&] { return ours.add(run_library(count)); }, [&] { return run_pingpong(count); }};
    if (node_client)
        measured.emplace_back([&] { return node.add(run_node(*node_client, node_count)); });
    const auto values = interleave(asked.runs, measured);
    ours.end();
    node.end();
    print_ratio("call round trip beside a pipe ping-pong", 2.1, relation::at_most, pinned,
        asked.smoke, ours.p50_us, values[1], "us", "pingpong");
    if (node_client) {
        print_ratio("calls per second beside the TypeScript client", 3, relation::at_least, pinned,
            asked.smoke, ours.calls_per_second, node.calls_per_second, "per_second", "node");
        print_ratio("client CPU time of a call beside the TypeScript client", 0.28,
            relation::at_most, pinned, asked.smoke, ours.cpu_us_per_call, node.cpu_us_per_call,
            "cpu_us", "node");
    }
    if (pinned) {
        figure f;
        f.name = "allocations of a call over stdio";
        f.bound_is = relation::shown;
        f.unit = "allocations";
        f.judged = false;
        f.measured = median(ours.allocations_per_call);
        f.detail["runs"] = array_of(ours.allocations_per_call);
        print(f);
    }
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
