#include "micro/loop.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <utility>

#include <time.h>

namespace mcp_pool::bench {

std::chrono::nanoseconds cpu_time()
{
    timespec t{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

double nanoseconds_each(std::chrono::nanoseconds elapsed, std::size_t count)
{
    return static_cast<double>(elapsed.count()) / static_cast<double>(count);
}

double run_on(asio::io_context& context, asio::awaitable<double> coroutine)
{
    double result = 0;
    std::exception_ptr failure;
    const auto done = [&](const std::exception_ptr& e, double value) {
        failure = e;
        result = value;
        context.stop();
    };
    context.restart();
    asio::co_spawn(context, std::move(coroutine), done);
    context.run();
    if (failure)
        std::rethrow_exception(failure);
    return result;
}

asio::awaitable<double> hops(std::size_t count)
{
    const auto begin = cpu_time();
    for (std::size_t i = 0; i < count; ++i)
        co_await asio::post(asio::use_awaitable);
    co_return nanoseconds_each(cpu_time() - begin, count);
}

background::background()
    : work_(asio::make_work_guard(context))
    , thread_([this] { context.run(); })
{}

background::~background()
{
    context.stop();
    thread_.join();
}

server_config scripted_sessions(std::size_t size)
{
    stdio_server process;
    process.command = "scripted";
    server_config config("scripted", std::move(process));
    config.pool.max_size = size;
    config.pool.max_starting = size;
    config.pool.probe_interval = duration::zero();
    config.pool.idle_timeout = duration::zero();
    return config;
}

} // namespace mcp_pool::bench
