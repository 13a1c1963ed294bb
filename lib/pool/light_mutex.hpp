// The mutex of the hit path.
#pragma once

#include <atomic>

namespace mcp_pool::detail {

// What std::mutex does, for holds of some ten nanoseconds: taken and left uncontended, it costs one
// atomic exchange, one store and no call. A thread that finds it held looks on for a moment, as long
// as an ordinary hold takes many times over, and then sleeps until it is woken.
//
// A release that must not miss a sleeper would have to store "free" before it looks for sleepers,
// which costs every release a full fence. Here it may miss one that falls asleep in the very
// nanoseconds in which its store is on the way to the other processors; whoever sleeps looks again by
// itself after a millisecond.
//
// Lifetime: the object must exist until unlock() has returned.
class light_mutex
{
public:
    light_mutex() noexcept = default;
    light_mutex(const light_mutex&) = delete;
    light_mutex& operator=(const light_mutex&) = delete;

    void lock() noexcept
    {
        if (state_.exchange(held, std::memory_order_acquire) != free) [[unlikely]]
            wait();
    }

    void unlock() noexcept
    {
        state_.store(free, std::memory_order_release);
        if (sleepers_.load(std::memory_order_relaxed) != 0) [[unlikely]]
            wake();
    }

private:
    static constexpr int free = 0;
    static constexpr int held = 1;

    void wait() noexcept;
    void wake() noexcept;

    std::atomic<int> state_{free};
    std::atomic<int> sleepers_{0};
};

} // namespace mcp_pool::detail
