#include "transport/child_main.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// Instrumentation would report on, or write into, the state of the suspended parent.
#if defined(__clang__)
#define MCP_POOL_RUNS_IN_CHILD                                                                     \
    __attribute__((no_sanitize("address", "thread", "undefined"), noinline))
#else
#define MCP_POOL_RUNS_IN_CHILD                                                                     \
    __attribute__((no_sanitize_address, no_sanitize_thread, no_sanitize_undefined,                 \
        no_instrument_function, noinline))
#endif

namespace mcp_pool::transport {

namespace {

// SIG_DFL without flags in every layout that the kernel's struct sigaction has; no signals.
const unsigned long zeros[16] = {};

// As the kernel lays it out for getdents64().
struct kernel_dirent
{
    std::uint64_t inode;
    std::int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[1];
};

[[noreturn]] MCP_POOL_RUNS_IN_CHILD void give_up(
    child_orders& orders, launch_stage stage, int error) noexcept
{
    orders.stage = stage;
    orders.error = error;
    for (;;)
        ::syscall(SYS_exit_group, 127);
}

// -1 if `name` is no number ("." and "..").
MCP_POOL_RUNS_IN_CHILD int parse_number(const char* name) noexcept
{
    int result = 0;
    if (*name == '\0')
        return -1;
    for (; *name != '\0'; ++name) {
        if (*name < '0' || *name > '9' || result > (1 << 26))
            return -1;
        result = result * 10 + (*name - '0');
    }
    return result;
}

// Closes what /proc lists. Closing changes the directory that is being read: begun again until a
// pass finds nothing.
MCP_POOL_RUNS_IN_CHILD bool close_listed() noexcept
{
    alignas(kernel_dirent) char buffer[4096];
    const long directory = ::syscall(
        SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (directory < 0)
        return false;
    bool closed_some = true;
    while (closed_some) {
        closed_some = false;
        ::syscall(SYS_lseek, directory, 0L, SEEK_SET);
        for (;;) {
            const long size = ::syscall(SYS_getdents64, directory, buffer, sizeof buffer);
            if (size <= 0)
                break;
            for (long at = 0; at < size;) {
                const auto* const entry = reinterpret_cast<const kernel_dirent*>(buffer + at);
                const int fd = parse_number(entry->name);
                if (fd >= 3 && fd != directory) {
                    ::syscall(SYS_close, fd);
                    closed_some = true;
                }
                at += entry->size;
            }
        }
    }
    ::syscall(SYS_close, directory);
    return true;
}

MCP_POOL_RUNS_IN_CHILD void close_all_from_3(bool use_close_range) noexcept
{
    if (use_close_range && ::syscall(SYS_close_range, 3U, ~0U, 0U) == 0)
        return;
    if (close_listed())
        return;
    // Without /proc: the limit, which may be a thousand million, is not gone through whole.
    rlimit limit;
    limit.rlim_cur = 0;
    ::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit);
    const rlim_t most = limit.rlim_cur < (1 << 16) ? limit.rlim_cur : (1 << 16);
    for (rlim_t fd = 3; fd < most; ++fd)
        ::syscall(SYS_close, fd);
}

MCP_POOL_RUNS_IN_CHILD void reset_signals() noexcept
{
    for (int number = 1; number <= 64; ++number)
        ::syscall(SYS_rt_sigaction, number, zeros, nullptr, sizeof(kernel_signal_set));
}

MCP_POOL_RUNS_IN_CHILD void set_limits(const child_orders& orders) noexcept
{
    const rlimit no_core = {0, 0};
    ::syscall(SYS_prlimit64, 0, RLIMIT_CORE, &no_core, nullptr);
    // The kernel spares processes that share memory by vfork: the parent keeps its own value.
    const long file = ::syscall(
        SYS_openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
    if (file >= 0) {
        ::syscall(SYS_write, file, orders.badness, orders.badness_size);
        ::syscall(SYS_close, file);
    }
}

} // namespace

MCP_POOL_RUNS_IN_CHILD int run_child(void* argument) noexcept
{
    auto& orders = *static_cast<child_orders*>(argument);

    ::syscall(SYS_setsid);
    ::syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0L, 0L, 0L);
    // Too late for a parent that has died before: its children have another one now. 0 is a parent
    // outside of our pid namespace.
    const long parent = ::syscall(SYS_getppid);
    if (parent != orders.parent && (parent != 0 || orders.parent < 0))
        give_up(orders, launch_stage::parent_check, ESRCH);

    reset_signals();
    set_limits(orders);
    if (orders.directory != nullptr && ::syscall(SYS_chdir, orders.directory) != 0)
        give_up(orders, launch_stage::directory, errno);
    for (int fd = 0; fd < 3; ++fd) {
        // The sources are 3 or above: none is overwritten, and the copies lose close-on-exec.
        if (::syscall(SYS_dup3, orders.streams[fd], fd, 0) < 0)
            give_up(orders, launch_stage::streams, errno);
    }
    close_all_from_3(orders.use_close_range);

    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, zeros, nullptr, sizeof(kernel_signal_set));
    ::syscall(SYS_execve, orders.path, orders.arguments, orders.variables);
    give_up(orders, launch_stage::execute, errno);
}

} // namespace mcp_pool::transport
