#include "support/processes.hpp"

#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

namespace mcp_pool::bench {
namespace {

// Files in /proc that are read here are short; a longer one is cut.
std::string read_short_file(const std::string& path)
{
    std::string content;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return content;
    std::array<char, 4096> buffer;
    ssize_t n = 0;
    while (content.size() < 65536 && (n = ::read(fd, buffer.data(), buffer.size())) > 0)
        content.append(buffer.data(), static_cast<std::size_t>(n));
    ::close(fd);
    return content;
}

// Calls f(number) for every entry of `directory` that is a number.
template <class F>
void for_each_number(const char* directory, F f)
{
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory), &::closedir);
    if (!dir)
        return;
    while (const dirent* entry = ::readdir(dir.get())) {
        const std::string_view name = entry->d_name;
        int number = 0;
        const auto [end, ec] = std::from_chars(name.data(), name.data() + name.size(), number);
        if (ec == std::errc() && end == name.data() + name.size())
            f(number);
    }
}

// Splits off the next word.
std::string_view word(std::string_view& text)
{
    const auto begin = text.find_first_not_of(" \n");
    if (begin == std::string_view::npos) {
        text = {};
        return {};
    }
    text.remove_prefix(begin);
    const auto end = std::min(text.find_first_of(" \n"), text.size());
    const std::string_view result = text.substr(0, end);
    text.remove_prefix(end);
    return result;
}

template <class T>
T to_number(std::string_view text)
{
    T value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::optional<process> read_process(int pid)
{
    const std::string stat = read_short_file("/proc/" + std::to_string(pid) + "/stat");
    // The name stands in parentheses and may hold any character, parentheses too.
    const auto name_end = stat.rfind(')');
    if (name_end == std::string::npos)
        return std::nullopt;
    std::string_view rest = std::string_view(stat).substr(name_end + 1);
    process result;
    result.pid = pid;
    long ticks = 0;
    // Field 3 of proc(5) is the state, 4 the parent, 14 to 17 the times, 24 the resident pages.
    for (int field = 3; field <= 24; ++field) {
        const std::string_view value = word(rest);
        if (field == 3 && !value.empty())
            result.state = value.front();
        else if (field == 4)
            result.parent = to_number<int>(value);
        else if (field >= 14 && field <= 17)
            ticks += to_number<long>(value);
        else if (field == 24)
            result.rss_mb = static_cast<double>(to_number<long>(value) * ::sysconf(_SC_PAGESIZE))
                / 1e6;
    }
    result.cpu_seconds = static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    return result;
}

double seconds(const timeval& t)
{
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

double cpu_seconds(int who)
{
    rusage r{};
    ::getrusage(who, &r);
    return seconds(r.ru_utime) + seconds(r.ru_stime);
}

// A size in /proc/self/status; 0 if there is none of this name.
double mib_in_status(std::string_view name)
{
    const std::string status = read_short_file("/proc/self/status");
    const auto at = status.find(name);
    if (at == std::string::npos)
        return 0;
    std::string_view rest = std::string_view(status).substr(at + name.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    return static_cast<double>(to_number<long>(word(rest))) / 1024.0;
}

} // namespace

std::vector<process> descendants()
{
    std::unordered_multimap<int, process> by_parent;
    for_each_number("/proc", [&](int pid) {
        if (auto p = read_process(pid))
            by_parent.emplace(p->parent, *p);
    });
    std::vector<process> result;
    std::vector<int> parents{::getpid()};
    while (!parents.empty()) {
        const auto [begin, end] = by_parent.equal_range(parents.back());
        parents.pop_back();
        for (auto i = begin; i != end; ++i) {
            result.push_back(i->second);
            parents.push_back(i->second.pid);
        }
    }
    return result;
}

std::vector<int> children()
{
    // A child is listed with the thread that started it.
    std::vector<int> result;
    bool listed = false;
    for_each_number("/proc/self/task", [&](int thread) {
        const std::string path = "/proc/self/task/" + std::to_string(thread) + "/children";
        listed = listed || ::access(path.c_str(), R_OK) == 0;
        const std::string line = read_short_file(path);
        std::string_view rest = line;
        for (std::string_view pid = word(rest); !pid.empty(); pid = word(rest))
            result.push_back(to_number<int>(pid));
    });
    if (listed)
        return result;
    // A kernel without CONFIG_PROC_CHILDREN.
    for (const process& p : descendants())
        if (p.parent == ::getpid())
            result.push_back(p.pid);
    return result;
}

usage usage_of_self()
{
    usage result;
    result.cpu_seconds = cpu_seconds(RUSAGE_SELF);
    if (const auto self = read_process(::getpid()))
        result.rss_mb = self->rss_mb;
    result.processes = 1;
    return result;
}

usage usage_of_descendants()
{
    usage result;
    for (const process& p : descendants()) {
        result.cpu_seconds += p.cpu_seconds;
        result.rss_mb += p.rss_mb;
        ++result.processes;
    }
    result.cpu_seconds += cpu_seconds(RUSAGE_CHILDREN);
    return result;
}

std::size_t open_descriptors()
{
    std::size_t count = 0;
    for_each_number("/proc/self/fd", [&](int) { ++count; });
    return count > 0 ? count - 1 : 0;
}

double resident_anonymous_mib()
{
    return mib_in_status("RssAnon:");
}

double peak_resident_mib()
{
    return mib_in_status("VmHWM:");
}

bool pin_all_threads(int cpu)
{
    static const cpu_set_t allowed = [] {
        cpu_set_t set;
        CPU_ZERO(&set);
        ::sched_getaffinity(0, sizeof set, &set);
        return set;
    }();
    cpu_set_t wanted = allowed;
    if (cpu >= 0) {
        CPU_ZERO(&wanted);
        CPU_SET(static_cast<std::size_t>(cpu), &wanted);
    }
    bool done = true;
    for_each_number("/proc/self/task", [&](int thread) {
        done = ::sched_setaffinity(thread, sizeof wanted, &wanted) == 0 && done;
    });
    return done;
}

int some_cpu()
{
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    ::sched_getaffinity(0, sizeof allowed, &allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(static_cast<std::size_t>(cpu), &allowed))
            return cpu;
    return 0;
}

std::string program_directory()
{
    std::array<char, 4096> buffer;
    const ssize_t n = ::readlink("/proc/self/exe", buffer.data(), buffer.size());
    const std::string path(buffer.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? std::string(".") : path.substr(0, slash);
}

} // namespace mcp_pool::bench
