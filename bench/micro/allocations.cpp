// Interposes the allocation functions of the C library: definitions in the program win over those of
// the shared library, also for calls from within other shared libraries.
#include "micro/allocations.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <stdexcept>

// The C library's own entry points, which it exports for this purpose.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
}

namespace {

// Constant-initialised, so that reading it allocates nothing.
constinit thread_local mcp_pool::bench::allocation_counts counts;

void* checked(void* memory)
{
    if (memory == nullptr)
        throw std::bad_alloc();
    return memory;
}

} // namespace

namespace mcp_pool::bench {

allocation_counts allocations_of_this_thread() noexcept
{
    return counts;
}

void check_the_allocation_counter()
{
    const auto before = allocations_of_this_thread();
    void* volatile kept = std::malloc(1);
    std::free(kept);
    void* volatile aligned = std::aligned_alloc(64, 64);
    std::free(aligned);
    delete new volatile int(1);
    const auto after = allocations_of_this_thread();
    if (after.malloc != before.malloc + 1 || after.aligned_alloc != before.aligned_alloc + 1
        || after.operator_new != before.operator_new + 1)
        throw std::runtime_error("the allocation functions of this program are not interposed");
}

} // namespace mcp_pool::bench

extern "C" {

void* malloc(std::size_t size)
{
    ++counts.malloc;
    return __libc_malloc(size);
}

void* calloc(std::size_t number, std::size_t size)
{
    ++counts.malloc;
    return __libc_calloc(number, size);
}

void* realloc(void* memory, std::size_t size)
{
    ++counts.malloc;
    return __libc_realloc(memory, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size)
{
    ++counts.aligned_alloc;
    return __libc_memalign(alignment, size);
}

void* memalign(std::size_t alignment, std::size_t size)
{
    ++counts.aligned_alloc;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void** result, std::size_t alignment, std::size_t size)
{
    ++counts.aligned_alloc;
    *result = __libc_memalign(alignment, size);
    return *result != nullptr ? 0 : ENOMEM;
}

void free(void* memory)
{
    __libc_free(memory);
}

} // extern "C"

void* operator new(std::size_t size)
{
    ++counts.operator_new;
    return checked(__libc_malloc(size));
}

void* operator new(std::size_t size, std::align_val_t alignment)
{
    ++counts.operator_new;
    return checked(__libc_memalign(static_cast<std::size_t>(alignment), size));
}

void operator delete(void* memory) noexcept
{
    __libc_free(memory);
}

void operator delete(void* memory, std::size_t) noexcept
{
    __libc_free(memory);
}

void operator delete(void* memory, std::align_val_t) noexcept
{
    __libc_free(memory);
}

void operator delete(void* memory, std::size_t, std::align_val_t) noexcept
{
    __libc_free(memory);
}
