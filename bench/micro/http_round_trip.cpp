// What a call over HTTP costs beside a minimal client on the same library, Boost.Beast.
//
// Both call the same do-nothing server over a connection on loopback that is kept alive, one call after
// the other, with bodies of the same text and the same header fields. Pinned to one CPU, where a round
// trip is two context switches, and unpinned.

#include "micro/allocations.hpp"
#include "micro/calls.hpp"
#include "micro/measure.hpp"
#include "support/processes.hpp"
#include "support/program.hpp"

#include <stdexcept>

namespace mcp_pool::bench {
namespace {

constexpr std::size_t message_bytes = 24;

call_costs run_library(const std::string& port, std::size_t count)
{
    server_config config("nullserver", http_server("http://127.0.0.1:" + port + "/mcp"));
    tool_call what;
    what.tool = "echo";
    what.answer = std::string(message_bytes, 'x');
    what.arguments["message"] = what.answer;
    return sequential_calls(std::move(config), what, count);
}

call_costs run_beast(const std::string& port, std::size_t count)
{
    return costs_in(run_reference({program_directory() + "/beast_client", "--port", port, "--count",
        std::to_string(count), "--message-bytes", std::to_string(message_bytes)}));
}

void measure(const micro_options& asked, int cpu)
{
    const bool pinned = cpu >= 0;
    const std::size_t count = asked.smoke ? 500 : 10'000;
    // The programs of the reference are started by this thread and keep its affinity.
    if (!pin_all_threads(cpu))
        throw std::runtime_error("the system refuses to set the CPU affinity");
    const background_program server({program_directory() + "/http_nullserver"});
    call_series ours, beast;
    interleave(asked.runs,
        {
            [&] { return ours.add(run_library(server.first_line(), count)); },
            [&] { return beast.add(run_beast(server.first_line(), count)); },
        });
    ours.leave_out_the_first();
    beast.leave_out_the_first();

    const beside minimal("beast", pinned, asked.smoke);
    minimal.print_ratio("call over HTTP beside a minimal Beast client", relation::at_most, 1.5,
        ours.p50_us, beast.p50_us, "us");
    minimal.print_ratio("client CPU time of a call over HTTP beside the Beast client",
        relation::shown, 0, ours.cpu_us_per_call, beast.cpu_us_per_call, "cpu_us");
    if (pinned) {
        print_allocations("allocations of a call over HTTP", ours.allocations_per_call);
        print_allocations("allocations of a call by the Beast client", beast.allocations_per_call);
    }
}

} // namespace
} // namespace mcp_pool::bench

int main(int argc, char** argv)
{
    using namespace mcp_pool::bench;
    const micro_options asked = parse_micro_options(
        argc, argv, "http_round_trip: a call over HTTP beside a minimal client on Boost.Beast");
    return run_micro([&] {
        check_the_allocation_counter();
        measure(asked, some_cpu());
        measure(asked, -1);
    });
}
