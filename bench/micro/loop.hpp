// What the microbenchmarks of the pool's paths share: the thread that measures runs the context.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>
#include <mcp_pool/server.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <thread>

namespace mcp_pool::bench {

// CPU time of the calling thread: for loops that never sleep. What else runs on the machine stays out.
std::chrono::nanoseconds cpu_time();

double nanoseconds_each(std::chrono::nanoseconds elapsed, std::size_t count);

// Runs a coroutine to its end on a context whose thread is the calling one; throws what it throws.
double run_on(asio::io_context& context, asio::awaitable<double> coroutine);

// Time of one `co_await asio::post`: what any design that goes through a strand or posts its
// completion pays at least once.
asio::awaitable<double> hops(std::size_t count);

// A context that a thread of its own runs until the end of the object. A pool on it leaves a context
// of its users without a reactor.
class background
{
public:
    background();
    background(const background&) = delete;
    background& operator=(const background&) = delete;
    ~background();

    asio::io_context context;

private:
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::thread thread_;
};

// Of a pool whose sessions are scripted, in this process, `size` of them at most. Nothing happens to
// them that nobody asked for: no probe, no end for want of use.
server_config scripted_sessions(std::size_t size);

} // namespace mcp_pool::bench
