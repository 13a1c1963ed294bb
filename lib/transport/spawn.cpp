#include "transport/spawn.hpp"

#include "transport/child_main.hpp"
#include "transport/test_seams.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#if defined(__SANITIZE_THREAD__)
#define MCP_POOL_THREAD_SANITIZER
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MCP_POOL_THREAD_SANITIZER
#endif
#endif

#ifdef MCP_POOL_THREAD_SANITIZER
extern "C" int __clone(int (*)(void*), void*, int, void*, ...) noexcept;
#endif

namespace mcp_pool::transport {

namespace {

#ifdef MCP_POOL_THREAD_SANITIZER
// The sanitizer takes every clone() for a fork and then regards this process, whose memory the child
// shares, as the child. It does not replace the C library's other name for the same function.
constexpr auto make_process = &::__clone;
#else
constexpr auto make_process = &::clone;
#endif

constexpr std::size_t stack_bytes = std::size_t{128} << 10;
constexpr std::size_t guard_bytes = std::size_t{64} << 10;

struct pipe_ends
{
    descriptor read;
    descriptor write;
};

int make_pipe(pipe_ends& ends) noexcept
{
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0)
        return errno;
    ends.read.reset(lifted(fds[0]));
    ends.write.reset(lifted(fds[1]));
    return ends.read && ends.write ? 0 : errno;
}

// On our end only: the flag belongs to the open file, and the ends of a pipe are two.
void never_block(const descriptor& end) noexcept
{
    ::fcntl(end.get(), F_SETFL, ::fcntl(end.get(), F_GETFL) | O_NONBLOCK);
}

// The host's stderr, or /dev/null if it has none.
int duplicate_stderr(descriptor& result) noexcept
{
    result.reset(::fcntl(2, F_DUPFD_CLOEXEC, 3));
    // A plug stands there where the host has no stderr; it is no stream.
    if (result && (::fcntl(result.get(), F_GETFL) & O_PATH) == 0)
        return 0;
    result.reset(lifted(::open("/dev/null", O_WRONLY | O_CLOEXEC)));
    return result ? 0 : errno;
}

// Servers die before the host that lends them out, unless the host is among the first itself.
int badness_of_children()
{
    constexpr int preferred = 500;
    int own = 0;
    std::ifstream("/proc/self/oom_score_adj") >> own;
    return std::max(own, preferred);
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts)
{
    std::vector<char*> result;
    result.reserve(texts.size() + 1);
    for (const std::string& text : texts)
        result.push_back(const_cast<char*>(text.c_str()));
    result.push_back(nullptr);
    return result;
}

// All signals, those included that the C library keeps for itself: a handler of the host must not
// run in the child, on the host's memory.
class all_signals_blocked
{
public:
    all_signals_blocked() noexcept
    {
        kernel_signal_set all;
        std::ranges::fill(all.words, ~0UL);
        ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, all.words, former_.words, sizeof all);
    }
    all_signals_blocked(const all_signals_blocked&) = delete;
    all_signals_blocked& operator=(const all_signals_blocked&) = delete;
    ~all_signals_blocked()
    {
        ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, former_.words, nullptr, sizeof former_);
    }

private:
    kernel_signal_set former_{};
};

pid_t clone_child(child_orders& orders, const child_stack& stack, int& pidfd) noexcept
{
    constexpr int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
    const all_signals_blocked guard;
    if (!seams().no_pidfd.load()) {
        // Together with the process: between clone() and pidfd_open() a host that waits for every
        // child could have freed the pid for somebody else.
        const pid_t pid = make_process(
            run_child, stack.top(), flags | CLONE_PIDFD, &orders, &pidfd, nullptr, nullptr);
        if (pid != -1 || errno != EINVAL)
            return pid;
    }
    pidfd = -1;
    return make_process(run_child, stack.top(), flags, &orders);
}

} // namespace

test_seams& seams() noexcept
{
    static test_seams instance;
    return instance;
}

child_stack::child_stack()
{
    void* const memory = ::mmap(nullptr, guard_bytes + stack_bytes, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        throw boost::system::system_error(errno, boost::system::system_category(), "child stack");
    ::mprotect(memory, guard_bytes, PROT_NONE);
    memory_ = static_cast<std::byte*>(memory);
}

child_stack::~child_stack()
{
    ::munmap(memory_, guard_bytes + stack_bytes);
}

void* child_stack::top() const noexcept
{
    return memory_ + guard_bytes + stack_bytes;
}

std::variant<spawned_process, spawn_failure> spawn(
    const launch_plan& plan, bool inherit_stderr, const child_stack& stack)
{
    pipe_ends input;
    pipe_ends output;
    pipe_ends errors;
    int error = make_pipe(input);
    if (error == 0)
        error = make_pipe(output);
    if (error == 0)
        error = inherit_stderr ? duplicate_stderr(errors.write) : make_pipe(errors);
    if (error != 0)
        return spawn_failure(launch_stage::create, error);
    never_block(input.write);
    never_block(output.read);
    if (errors.read)
        never_block(errors.read);

    const std::vector<char*> arguments = pointers_to(plan.arguments);
    const std::vector<char*> variables = pointers_to(plan.variables);
    child_orders orders;
    orders.path = plan.path.c_str();
    orders.arguments = arguments.data();
    orders.variables = variables.data();
    orders.directory = plan.directory.empty() ? nullptr : plan.directory.c_str();
    orders.streams[0] = input.read.get();
    orders.streams[1] = output.write.get();
    orders.streams[2] = errors.write.get();
    orders.parent = seams().parent_has_died.load() ? -1 : ::getpid();
    orders.badness_size = static_cast<std::size_t>(
        std::snprintf(orders.badness, sizeof orders.badness, "%d", badness_of_children()));
    orders.use_close_range = !seams().no_close_range.load();

    int pidfd = -1;
    const pid_t pid = clone_child(orders, stack, pidfd);
    if (pid == -1)
        return spawn_failure(launch_stage::create, errno);
    descriptor watch(lifted(pidfd));
    if (orders.error != 0) {
        // Never executed; a host that waits for every child may have been faster.
        siginfo_t info = {};
        ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED);
        return spawn_failure(orders.stage, orders.error);
    }

    spawned_process result;
    result.pid = pid;
    result.pidfd = std::move(watch);
    result.input = std::move(input.write);
    result.output = std::move(output.read);
    result.errors = std::move(errors.read);
    return result;
}

} // namespace mcp_pool::transport
