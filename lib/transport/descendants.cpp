#include "transport/descendants.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <sys/resource.h>

namespace mcp_pool::transport {

namespace {

// The living children of `parent`.
template <class Use>
void for_each_child(pid_t parent, Use use)
{
    for (const pid_t pid : children_of(parent)) {
        const auto entry = read_process(pid);
        if (entry && entry->alive() && entry->parent == parent)
            use(*entry);
    }
}

} // namespace

std::vector<process_entry> find_descendants(pid_t leader)
{
    std::vector<process_entry> found;
    const auto add = [&found](const process_entry& child) { found.push_back(child); };
    for_each_child(leader, add);
    // Breadth first; the bound also ends a walk that reused pids have led in a circle.
    for (std::size_t next = 0; next < found.size() && found.size() < max_descendants; ++next)
        for_each_child(found[next].pid, add);
    return found;
}

void freeze_with_descendants(std::vector<process_entry>& roots)
{
    for (std::size_t next = 0; next < roots.size() && roots.size() < max_descendants; ++next) {
        const pid_t parent = roots[next].pid;
        if (!signal_process(roots[next], SIGSTOP))
            continue;
        for_each_child(parent, [&](const process_entry& child) {
            if (std::ranges::find(roots, child.pid, &process_entry::pid) == roots.end())
                roots.push_back(child);
        });
    }
}

std::vector<process_entry> find_group_members(pid_t leader)
{
    std::vector<process_entry> members = list_processes();
    std::erase_if(members, [leader](const process_entry& entry) {
        return entry.group != leader || entry.session != leader || !entry.alive();
    });
    return members;
}

bool is_group_empty(pid_t leader) noexcept
{
    // Not kill(-leader, 0), which wants a permission that members with other ids refuse.
    errno = 0;
    return ::getpriority(PRIO_PGRP, static_cast<id_t>(leader)) == -1 && errno == ESRCH;
}

} // namespace mcp_pool::transport
