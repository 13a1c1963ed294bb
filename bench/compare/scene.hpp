// A pool of each kind with a context of its own, and users of it: everything on the calling thread.
#pragma once

#include "compare/our_pool.hpp"
#include "micro/loop.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <type_traits>

namespace mcp_pool::bench {

using namespace std::chrono_literals;

template <class Pool>
struct scene
{
    // Outlive the operations that they cancel.
    std::deque<asio::cancellation_signal> signals;
    asio::io_context context;
    Pool pool;

    explicit scene(std::size_t sessions)
        : pool(context.get_executor(), sessions)
    {
        if constexpr (std::is_same_v<Pool, our_pool>)
            run_on(context, pool.start());
    }

    // Runs what can run now; timers that are due included.
    void settle()
    {
        context.restart();
        context.poll();
    }

    // Runs until `done`.
    template <class Done>
    void run_until(Done done)
    {
        context.restart();
        while (!done())
            context.run_one();
    }
};

// Somebody who acquires once and keeps what it gets.
template <class Pool>
class visitor
{
public:
    explicit visitor(scene<Pool>& where, duration patience = 1h)
        : where_(where)
        , signal_(where.signals.emplace_back())
    {
        asio::co_spawn(where.context, visit(patience),
            asio::bind_cancellation_slot(signal_.slot(), asio::detached));
    }
    visitor(const visitor&) = delete;
    visitor& operator=(const visitor&) = delete;

    [[nodiscard]] bool served() const { return static_cast<bool>(held_); }
    void cancel() { signal_.emit(asio::cancellation_type::terminal); }
    void leave() { held_.release(); }
    // Gives back what it has and asks for another in the same breath.
    void come_again() { asio::co_spawn(where_.context, leave_and_visit(), asio::detached); }

private:
    asio::awaitable<void> leave_and_visit()
    {
        leave();
        co_await visit(1h);
    }

    asio::awaitable<void> visit(duration patience)
    {
        try {
            held_ = co_await where_.pool.acquire(patience);
        } catch (const boost::system::system_error&) {
            // Nobody is served; the case asks.
        }
    }

    scene<Pool>& where_;
    asio::cancellation_signal& signal_;
    typename Pool::lease held_;
};

} // namespace mcp_pool::bench
