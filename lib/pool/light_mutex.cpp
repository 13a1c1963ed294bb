#include "pool/light_mutex.hpp"

#include <cerrno>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mcp_pool::detail {

namespace {

// How often a thread looks before it sleeps, and for how many pauses it keeps away before the first
// look: looking means taking the cache line from whoever works with it, so it does twice as many
// after each.
constexpr int looks = 6;
constexpr int first_pauses = 4;

void pause() noexcept
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory");
#endif
}

} // namespace

void light_mutex::wait() noexcept
{
    for (int look = 0, pauses = first_pauses; look != looks; ++look, pauses *= 2) {
        for (int i = 0; i != pauses; ++i)
            pause();
        if (state_.load(std::memory_order_relaxed) == free
            && state_.exchange(held, std::memory_order_acquire) == free)
            return;
    }
    const int callers_errno = errno;
    const timespec moment{0, 1'000'000};
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    while (state_.exchange(held, std::memory_order_acquire) != free)
        ::syscall(SYS_futex, &state_, FUTEX_WAIT_PRIVATE, held, &moment, nullptr, 0);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
    errno = callers_errno;
}

void light_mutex::wake() noexcept
{
    const int callers_errno = errno;
    ::syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    errno = callers_errno;
}

} // namespace mcp_pool::detail
