// Interposes the allocation functions of the C library: definitions in the program win over those of
// the shared library, also for calls from within other shared libraries.
#include "unit/shutdown/live_blocks.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

std::int64_t mcp_pool::test::live_blocks() noexcept
{
    return 0;
}

#else

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

// The C library's own entry points, which it exports for this purpose.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
}

namespace {

// Constant-initialised, so that it counts before any constructor runs.
constinit std::atomic<std::int64_t> blocks = 0;

void* counted(void* memory) noexcept
{
    if (memory != nullptr)
        blocks.fetch_add(1, std::memory_order_relaxed);
    return memory;
}

} // namespace

std::int64_t mcp_pool::test::live_blocks() noexcept
{
    return blocks.load(std::memory_order_relaxed);
}

extern "C" {

void* malloc(std::size_t size)
{
    return counted(__libc_malloc(size));
}

void* calloc(std::size_t number, std::size_t size)
{
    return counted(__libc_calloc(number, size));
}

void* realloc(void* memory, std::size_t size)
{
    // Nothing becomes one block, one block stays one, unless it is freed this way.
    if (memory == nullptr)
        return counted(__libc_realloc(memory, size));
    if (size == 0)
        blocks.fetch_sub(1, std::memory_order_relaxed);
    return __libc_realloc(memory, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size)
{
    return counted(__libc_memalign(alignment, size));
}

void* memalign(std::size_t alignment, std::size_t size)
{
    return counted(__libc_memalign(alignment, size));
}

int posix_memalign(void** result, std::size_t alignment, std::size_t size)
{
    *result = counted(__libc_memalign(alignment, size));
    return *result != nullptr ? 0 : ENOMEM;
}

void free(void* memory)
{
    if (memory != nullptr)
        blocks.fetch_sub(1, std::memory_order_relaxed);
    __libc_free(memory);
}

} // extern "C"

#endif
