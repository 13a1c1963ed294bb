#include "transport/resident.hpp"

#include "transport/cgroup.hpp"
#include "transport/descendants.hpp"

#include <cstdio>

#include <unistd.h>

namespace mcp_pool::transport {

namespace {

// Source: proc(5), statm.
std::size_t resident_pages(pid_t pid)
{
    constexpr std::size_t line = 256;
    const std::string text = read_text("/proc/" + std::to_string(pid) + "/statm", line);
    unsigned long long pages = 0;
    return std::sscanf(text.c_str(), "%*u %llu", &pages) == 1 ? pages : 0;
}

} // namespace

std::size_t resident_bytes_of(pid_t leader)
{
    std::size_t pages = resident_pages(leader);
    // The tree of a process that is gone is that of its number's next owner.
    if (pages == 0)
        return 0;
    for (const process_entry& entry : find_descendants(leader))
        pages += resident_pages(entry.pid);
    return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

} // namespace mcp_pool::transport
