// Threads that run a context, and how a test waits for what happens on them.
#pragma once

#include "support/print.hpp"

#include <mcp_pool/session_pool.hpp>

#include <boost/asio.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstddef>
#include <future>
#include <source_location>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mcp_pool::testing {

// A context that runs on threads of its own until it is stopped or its scope ends.
class crew
{
public:
    explicit crew(std::size_t threads)
        : work_(asio::make_work_guard(context))
    {
        for (std::size_t i = 0; i != threads; ++i)
            threads_.emplace_back([this] { context.run(); });
    }
    crew(const crew&) = delete;
    crew& operator=(const crew&) = delete;
    ~crew() { stop(); }

    // What is queued stays queued.
    void stop()
    {
        context.stop();
        for (std::thread& t : threads_)
            t.join();
        threads_.clear();
    }

    [[nodiscard]] asio::io_context::executor_type executor() { return context.get_executor(); }
    [[nodiscard]] bool runs_here() { return executor().running_in_this_thread(); }

    asio::io_context context;

private:
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::vector<std::thread> threads_;
};

// What the future brings; the end of the test if it brings nothing for 30 s.
template <class T>
T get(std::future<T> future, std::source_location where = std::source_location::current())
{
    BOOST_REQUIRE_MESSAGE(future.wait_for(std::chrono::seconds(30)) == std::future_status::ready,
        "nothing happened for 30 s at line " << where.line());
    return future.get();
}

// The code with which the operation behind the future failed; success if it did not.
template <class T>
error_code failure_of(
    std::future<T> future, std::source_location where = std::source_location::current())
{
    try {
        (void)get(std::move(future), where);
    } catch (const boost::system::system_error& e) {
        return e.code();
    }
    return {};
}

// Looks again and again: what is watched changes on threads that signal nobody.
template <class Done>
void eventually(Done done, std::source_location where = std::source_location::current())
{
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
        BOOST_REQUIRE_MESSAGE(std::chrono::steady_clock::now() < limit,
            "nothing happened for 30 s at line " << where.line());
        std::this_thread::yield();
    }
}

// How often a test repeats what can go wrong in a different way each time.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr int repetitions = 60;
#else
inline constexpr int repetitions = 300;
#endif

} // namespace mcp_pool::testing
