// Many calls at a time through one session, beside one call after the other through the same.
//
// 200 users have a lease each of the only session of a pool with `sharing = multiplexed`, in the modern
// era, and each has one call under way: what could be mixed up belongs to different leases. Of their
// 200 calls max_requests_in_flight, by default 64, are at the server; the others wait in the session.
// Every answer has to be that of its call.

#include "micro/loop.hpp"
#include "micro/measure.hpp"
#include "support/processes.hpp"

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>

namespace mcp_pool::bench {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr std::size_t users = 200;

server_config shared_session()
{
    stdio_server server;
    server.command = program_directory() + "/mcp-pool-echo-server";
    server_config config("echo", std::move(server));
    config.era = era_choice::modern;
    config.pool.max_size = 1;
    config.pool.sharing = sharing_policy::multiplexed;
    config.pool.max_leases_per_session = users;
    return config;
}

// What the users of one run have in common.
struct common
{
    session_pool& pool;
    // Calls that nobody has begun yet.
    std::size_t left = 0;
    std::uint64_t mixed_up = 0;

    explicit common(session_pool& p) noexcept
        : pool(p)
    {}
};

// One user: a lease, and calls through it until none is left to make.
asio::awaitable<void> use(common& run, std::size_t user)
{
    lease session = co_await run.pool.acquire(30s);
    const std::string prefix = "user " + std::to_string(user) + ", call ";
    while (run.left != 0) {
        const std::string message = prefix + std::to_string(--run.left);
        json::object arguments;
        arguments["message"] = message;
        const tool_result answer = co_await session->call_tool("echo", std::move(arguments));
        const auto blocks = answer.blocks();
        if (answer.is_error() || blocks.size() != 1 || (*blocks.begin()).text() != message)
            ++run.mixed_up;
    }
}

// Of one run.
struct rate_and_cost
{
    double per_second = 0;
    // Processor time per call, in microseconds.
    double client_us = 0;
    double server_us = 0;

    rate_and_cost() = default;
};

struct series
{
    std::vector<double> client_us, server_us;

    double add(const rate_and_cost& run)
    {
        client_us.push_back(run.client_us);
        server_us.push_back(run.server_us);
        return run.per_second;
    }

    void put_into(json::object& detail, const std::string& name) const
    {
        detail[name + "_client_cpu_us"] = median(client_us);
        detail[name + "_server_cpu_us"] = median(server_us);
    }
};

class bench_session
{
public:
    bench_session()
        : pool_(context_.get_executor(), shared_session())
    {
        run_on(context_, ready());
    }
    bench_session(const bench_session&) = delete;
    bench_session& operator=(const bench_session&) = delete;
    ~bench_session() { run_on(context_, close()); }

    // Makes so many calls by so many users at a time.
    rate_and_cost run(std::size_t how_many, std::size_t calls)
    {
        common run(pool_);
        run.left = calls;
        std::size_t busy = how_many;
        std::exception_ptr failure;
        const auto done = [&](const std::exception_ptr& e) {
            failure = failure ? failure : e;
            if (--busy == 0)
                context_.stop();
        };
        context_.restart();
        const double client_before = usage_of_self().cpu_seconds;
        const double server_before = usage_of_descendants().cpu_seconds;
        const auto begin = clock::now();
        for (std::size_t user = 0; user < how_many; ++user)
            asio::co_spawn(context_, use(run, user), done);
        context_.run();
        const std::chrono::duration<double> elapsed = clock::now() - begin;
        if (failure)
            std::rethrow_exception(failure);
        calls_ += calls;
        mixed_up_ += run.mixed_up;
        const auto n = static_cast<double>(calls);
        rate_and_cost result;
        result.per_second = n / elapsed.count();
        result.client_us = (usage_of_self().cpu_seconds - client_before) * 1e6 / n;
        result.server_us = (usage_of_descendants().cpu_seconds - server_before) * 1e6 / n;
        return result;
    }

    [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
    [[nodiscard]] std::uint64_t mixed_up() const noexcept { return mixed_up_; }
    [[nodiscard]] std::uint64_t sessions() const { return pool_.stats().created; }

private:
    asio::awaitable<double> ready()
    {
        co_await pool_.wait_ready(1, 30s);
        co_return 0;
    }
    asio::awaitable<double> close()
    {
        co_await pool_.close(5s);
        co_return 0;
    }

    asio::io_context context_{1};
    session_pool pool_;
    std::uint64_t calls_ = 0;
    std::uint64_t mixed_up_ = 0;
};

void measure(const micro_options& asked)
{
    const std::size_t together = asked.smoke ? 5'000 : 1'000'000 / asked.runs + 1;
    const std::size_t alone = asked.smoke ? 500 : 20'000;
    bench_session session;
    series many, one;
    const auto rates = interleave(asked.runs,
        {
            [&] { return many.add(session.run(users, together)); },
            [&] { return one.add(session.run(1, alone)); },
        });
    if (session.sessions() != 1)
        throw std::logic_error("the users did not share one session");

    figure throughput;
    throughput.name = "200 calls at a time through one session beside one after the other";
    throughput.bound_is = relation::at_least;
    throughput.bound = 3;
    throughput.unit = "ratio";
    throughput.judged = !asked.smoke;
    throughput.measured = median(rates[0]) / median(rates[1]);
    throughput.detail["together_per_second"] = median(rates[0]);
    throughput.detail["alone_per_second"] = median(rates[1]);
    many.put_into(throughput.detail, "together");
    one.put_into(throughput.detail, "alone");
    throughput.detail["together_runs_per_second"] = array_of(rates[0]);
    throughput.detail["alone_runs_per_second"] = array_of(rates[1]);
    print(throughput);

    figure answers;
    answers.name = "answers that were not those of their calls";
    answers.bound_is = relation::never_more;
    answers.unit = "count";
    answers.measured = static_cast<double>(session.mixed_up());
    answers.detail["calls"] = session.calls();
    print(answers);
}

} // namespace
} // namespace mcp_pool::bench

int main(int argc, char** argv)
{
    using namespace mcp_pool::bench;
    const micro_options asked = parse_micro_options(argc, argv,
        "multiplexed: 200 calls at a time through one session beside one after the other");
    return run_micro([&] { measure(asked); });
}
