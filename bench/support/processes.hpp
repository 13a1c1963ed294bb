// What this process and its descendants cost, as the kernel counts it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace mcp_pool::bench {

// One line of /proc/<pid>/stat.
struct process
{
    int pid = 0;
    int parent = 0;
    // 'R', 'S', 'Z', …
    char state = '?';
    // User and system time, that of its own reaped children included.
    double cpu_seconds = 0;
    double rss_mb = 0;
};

// Living descendants of this process, zombies included.
std::vector<process> descendants();

// Direct children by their ids; cheaper than descendants().
std::vector<int> children();

struct usage
{
    double cpu_seconds = 0;
    double rss_mb = 0;
    std::size_t processes = 0;
};

usage usage_of_self();

// CPU time of the descendants since this process began, dead or alive: RUSAGE_CHILDREN knows only
// those that were reaped. Memory of those alive.
usage usage_of_descendants();

// Open descriptors of this process, without the one that counting needs.
std::size_t open_descriptors();

// Resident anonymous memory of this process in MiB: what a fork would have to copy page tables for.
double resident_anonymous_mib();

// The most that this process ever had resident, in MiB.
double peak_resident_mib();

// Pins every thread of this process to one CPU, or lets all of them run wherever they were allowed
// to at the first call (`cpu` < 0). Children inherit it from the thread that starts them. False if
// the system refuses.
bool pin_all_threads(int cpu);

// The first CPU that this process may use.
int some_cpu();

// The directory of the running program.
std::string program_directory();

} // namespace mcp_pool::bench
