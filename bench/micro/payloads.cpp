// Large payloads through a lease: how the time of an echo grows with its size, and how much memory the
// client takes for it at its worst.
//
// The kernel remembers the most that a process ever had resident, so that every measurement is a
// process of its own: this program, started with --echo.

#include "micro/loop.hpp"
#include "micro/measure.hpp"
#include "micro/servers.hpp"
#include "support/processes.hpp"
#include "support/program.hpp"

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <array>
#include <charconv>
#include <chrono>
#include <iostream>
#include <stdexcept>

namespace mcp_pool::bench {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr std::size_t mib = std::size_t{1} << 20;
constexpr std::array<std::size_t, 3> sizes_mib = {1, 5, 50};

// Text as base64 has it: nothing to escape, and no two places alike for long.
char letter(std::size_t at) noexcept
{
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return alphabet[(at * 7 + at / 61) % alphabet.size()];
}

json::string text_of(std::size_t bytes)
{
    json::string text;
    text.resize(bytes);
    for (std::size_t i = 0; i < bytes; ++i)
        text[i] = letter(i);
    return text;
}

// Without a second copy, which would count as memory of the client.
bool is_text_of(std::size_t bytes, std::string_view text)
{
    if (text.size() != bytes)
        return false;
    for (std::size_t i = 0; i < bytes; ++i)
        if (text[i] != letter(i))
            return false;
    return true;
}

// One echo in this process; prints its time and the growth of the largest resident size.
asio::awaitable<double> measure_echo(session_pool& pool, std::size_t bytes)
{
    lease session = co_await pool.acquire(30s);
    // What every call needs is there before it counts.
    json::object few;
    few["message"] = text_of(100);
    co_await session->call_tool("echo", std::move(few));
    json::object arguments;
    arguments["message"] = text_of(bytes);
    const double before_mib = peak_resident_mib() - static_cast<double>(bytes) / mib;
    const auto begin = clock::now();
    const tool_result answer = co_await session->call_tool("echo", std::move(arguments));
    const std::chrono::duration<double, std::milli> elapsed = clock::now() - begin;
    const double peak_mib = peak_resident_mib();
    const auto blocks = answer.blocks();
    if (answer.is_error() || blocks.size() != 1 || !is_text_of(bytes, (*blocks.begin()).text()))
        throw std::runtime_error("the echo is not what was sent");
    json::object result;
    result["ms"] = elapsed.count();
    result["growth_mib"] = peak_mib - before_mib;
    result["peak_mib"] = peak_mib;
    std::cout << json::serialize(result) << std::endl;
    session.release();
    co_await pool.close(5s);
    co_return 0;
}

void run_echo(std::size_t bytes)
{
    asio::io_context context{1};
    stdio_server server;
    server.command = program_directory() + "/mcp-pool-echo-server";
    session_pool pool(context.get_executor(), server_config("echo", std::move(server)));
    run_on(context, measure_echo(pool, bytes));
}

struct echo_runs
{
    std::size_t size_mib = 0;
    std::vector<double> ms, growth_mib, peak_mib;

    // One more of them; returns its time.
    double run()
    {
        const program_result printed = run_program(
            {program_directory() + "/payloads", "--echo", std::to_string(size_mib * mib)});
        if (printed.status != 0)
            throw std::runtime_error("the echo of " + std::to_string(size_mib)
                + " MiB failed with status " + std::to_string(printed.status));
        const json::value result = json::parse(printed.output);
        ms.push_back(result.at("ms").to_number<double>());
        growth_mib.push_back(result.at("growth_mib").to_number<double>());
        peak_mib.push_back(result.at("peak_mib").to_number<double>());
        return ms.back();
    }
};

void measure(const micro_options& asked)
{
    std::array<echo_runs, sizes_mib.size()> runs;
    std::vector<std::function<double()>> measured;
    for (std::size_t i = 0; i < sizes_mib.size(); ++i) {
        runs[i].size_mib = sizes_mib[i];
        measured.emplace_back([&kind = runs[i]] { return kind.run(); });
    }
    const auto times = interleave(asked.runs, measured);

    figure linear;
    linear.name = "echo of 50 MiB beside ten of 5 MiB";
    linear.bound_is = relation::at_most;
    linear.bound = 1.3;
    linear.unit = "ratio";
    linear.judged = !asked.smoke;
    linear.measured = median(times[2]) / (10 * median(times[1]));
    for (std::size_t i = 0; i < sizes_mib.size(); ++i)
        linear.detail["ms_of_" + std::to_string(sizes_mib[i]) + "_mib"] = array_of(times[i]);
    print(linear);

    for (const echo_runs& kind : runs) {
        figure memory;
        memory.name = "client's peak memory for an echo of " + std::to_string(kind.size_mib)
            + " MiB, in payloads";
        memory.bound_is = relation::at_most;
        memory.bound = 4;
        memory.unit = "ratio";
        memory.measured = median(kind.growth_mib) / static_cast<double>(kind.size_mib);
        memory.detail["peak_mib_of_the_process"] = median(kind.peak_mib);
        memory.detail["growth_runs_mib"] = array_of(kind.growth_mib);
        print(memory);
    }
}

std::size_t bytes_from(std::string_view text)
{
    std::size_t bytes = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), bytes);
    if (failure != std::errc() || end != text.data() + text.size())
        throw std::runtime_error("--echo needs a number of bytes");
    return bytes;
}

} // namespace
} // namespace mcp_pool::bench

int main(int argc, char** argv)
{
    using namespace mcp_pool::bench;
    if (argc == 3 && std::string_view(argv[1]) == "--echo")
        return run_micro([&] { run_echo(bytes_from(argv[2])); });
    const micro_options asked = parse_micro_options(argc, argv,
        "payloads: echoes of 1, 5 and 50 MiB, their time and the client's memory\n"
        "(--echo BYTES: one echo in this process)");
    return run_micro([&] { measure(asked); });
}
