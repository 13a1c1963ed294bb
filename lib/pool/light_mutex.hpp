// The mutex of the hit path.
#pragma once

#include <atomic>

namespace mcp_pool::detail {

// What std::mutex does, inline: taken and left uncontended, it costs two atomic operations and no
// call. A thread that finds it held spins for a moment and then sleeps until it is woken.
//
// The algorithm is the third mutex of U. Drepper, "Futexes are tricky", 2011.
class light_mutex
{
public:
    light_mutex() = default;
    light_mutex(const light_mutex&) = delete;
    light_mutex& operator=(const light_mutex&) = delete;

    void lock() noexcept
    {
        int expected = free;
        if (!state_.compare_exchange_strong(
                expected, held, std::memory_order_acquire, std::memory_order_relaxed))
            wait();
    }

    void unlock() noexcept
    {
        if (state_.exchange(free, std::memory_order_release) == contended)
            state_.notify_one();
    }

private:
    static constexpr int free = 0;
    static constexpr int held = 1;
    // Held, and somebody may be asleep.
    static constexpr int contended = 2;

    [[gnu::noinline]] void wait() noexcept
    {
        while (state_.exchange(contended, std::memory_order_acquire) != free)
            state_.wait(contended, std::memory_order_relaxed);
    }

    std::atomic<int> state_{free};
};

} // namespace mcp_pool::detail
