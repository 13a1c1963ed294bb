// Who is signalled when, and who is left.
#include "transport/descendants.hpp"
#include "transport/process.hpp"

#include <algorithm>
#include <csignal>
#include <new>

#include <sys/wait.h>
#include <unistd.h>

namespace mcp_pool::transport {

namespace {

// How long a killed leader may take to die before it is reported: freeing many GB takes a while.
constexpr auto patience_with_leader = std::chrono::seconds(2);

} // namespace

void process::terminate() noexcept
{
    // A daemon of the server that would lose its parent by this is not found afterwards.
    remember_descendants();
    if (check_exit() != exit_check::still_running)
        return;
    signal_group(pid_, SIGTERM);
    // A stopped process handles no signal but this one and SIGKILL.
    signal_group(pid_, SIGCONT);
}

void process::kill_everything() noexcept
{
    if (check_exit() != exit_check::still_running)
        return;
    // What is stopped starts no further process while the tree is searched.
    signal_group(pid_, SIGSTOP);
    remember_descendants();
    kill_descendants();
    signal_group(pid_, SIGKILL);
    if (!report_.killed) {
        report_.killed = true;
        patience_ = clock::now() + patience_with_leader;
    }
}

// The host has reaped the leader. While the group has members nobody else gets its number as a pid:
// if a process has it, the group had died out, and the number is a stranger's.
void process::kill_stranded_group() noexcept
try {
    if (!group_may_remain())
        return;
    for (const process_entry& member : find_group_members(pid_))
        signal_process(member, SIGKILL);
} catch (const std::bad_alloc&) {
    // They will be reported as survivors.
}

void process::remember_descendants() noexcept
try {
    for (const process_entry& found : find_descendants(pid_)) {
        const bool known = std::ranges::any_of(descendants_, [&found](const process_entry& entry) {
            return entry.pid == found.pid && entry.started == found.started;
        });
        if (!known && descendants_.size() < max_descendants)
            descendants_.push_back(found);
    }
} catch (const std::bad_alloc&) {
    // The group can still be signalled.
}

void process::kill_descendants() noexcept
{
    try {
        freeze_with_descendants(descendants_);
    } catch (const std::bad_alloc&) {
        // Those that are known already are killed.
    }
    for (const process_entry& entry : descendants_)
        signal_process(entry, SIGKILL);
}

// Where the host is init or a subreaper, orphans of the group have become our children.
void process::reap_adopted() noexcept
{
    siginfo_t info = {};
    while (group_may_remain()
        && ::waitid(P_PGID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG) == 0
        && info.si_pid != 0)
        info = {};
    for (const process_entry& entry : descendants_) {
        const auto now = read_process(entry.pid);
        if (now && now->started == entry.started && now->parent == ::getpid())
            ::waitid(P_PID, static_cast<id_t>(entry.pid), &info, WEXITED | WNOHANG);
    }
}

bool process::group_may_remain() const noexcept
{
    return !is_group_empty(pid_) && !read_process(pid_);
}

std::vector<process_entry> process::remaining() noexcept
{
    std::vector<process_entry> left;
    try {
        if (phase_ == phase::running || group_may_remain())
            left = find_group_members(pid_);
        for (const process_entry& entry : descendants_) {
            const auto now = read_process(entry.pid);
            if (now && now->started == entry.started && now->alive()
                && std::ranges::find(left, now->pid, &process_entry::pid) == left.end())
                left.push_back(*now);
        }
    } catch (const std::bad_alloc&) {
        // Fewer are named than are left.
    }
    return left;
}

} // namespace mcp_pool::transport
