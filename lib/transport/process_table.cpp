#include "transport/process_table.hpp"

#include "transport/descriptor.hpp"
#include "transport/test_seams.hpp"

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>

namespace mcp_pool::transport {

namespace {

struct close_directory
{
    void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};
using directory_handle = std::unique_ptr<DIR, close_directory>;

std::optional<pid_t> parse_pid(std::string_view text) noexcept
{
    pid_t result = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
    if (error != std::errc() || end != text.data() + text.size() || result <= 0)
        return std::nullopt;
    return result;
}

template <class Use>
void for_each_number_in(const char* directory_path, Use use)
{
    const directory_handle directory(::opendir(directory_path));
    if (!directory)
        return;
    while (const dirent* entry = ::readdir(directory.get())) {
        if (const auto number = parse_pid(entry->d_name))
            use(*number);
    }
}

// False: the kernel has no such file.
bool read_children_file(const char* path, std::vector<pid_t>& children)
{
    const descriptor file(::open(path, O_RDONLY | O_CLOEXEC));
    if (!file)
        return false;
    std::string text;
    char buffer[1024];
    for (ssize_t size; (size = ::read(file.get(), buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<std::size_t>(size));
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::size_t end = rest.find(' ');
        if (const auto pid = parse_pid(rest.substr(0, end)))
            children.push_back(*pid);
        rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    }
    return true;
}

} // namespace

std::optional<process_entry> read_process(pid_t pid) noexcept
{
    char path[32];
    std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
    const descriptor file(::open(path, O_RDONLY | O_CLOEXEC));
    char text[1024];
    const ssize_t size = file ? ::read(file.get(), text, sizeof text - 1) : -1;
    if (size <= 0)
        return std::nullopt;
    text[size] = '\0';
    // The name in parentheses may hold anything, parentheses too: the last one ends it.
    const char* const after_name = std::strrchr(text, ')');
    process_entry entry;
    entry.pid = pid;
    if (after_name == nullptr
        || std::sscanf(after_name,
               ") %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &entry.state, &entry.parent, &entry.group, &entry.session, &entry.started)
            != 5)
        return std::nullopt;
    return entry;
}

std::vector<process_entry> list_processes()
{
    std::vector<process_entry> result;
    for_each_number_in("/proc", [&](pid_t pid) {
        if (const auto entry = read_process(pid))
            result.push_back(*entry);
    });
    return result;
}

std::vector<pid_t> children_of(pid_t pid)
{
    std::vector<pid_t> result;
    bool has_files = false;
    if (!seams().no_children_files.load()) {
        char path[64];
        std::snprintf(path, sizeof path, "/proc/%d/task", pid);
        for_each_number_in(path, [&](pid_t thread) {
            std::snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, thread);
            has_files = read_children_file(path, result) || has_files;
        });
    }
    if (!has_files && read_process(pid)) {
        for (const process_entry& entry : list_processes()) {
            if (entry.parent == pid)
                result.push_back(entry.pid);
        }
    }
    return result;
}

bool signal_process(const process_entry& entry, int signal) noexcept
{
    // The pidfd holds the process fast; that it is the right one is seen after that.
    const descriptor handle(
        seams().no_pidfd.load() ? -1 : static_cast<int>(::syscall(SYS_pidfd_open, entry.pid, 0)));
    const auto now = read_process(entry.pid);
    if (!now || now->started != entry.started || !now->alive())
        return false;
    if (seams().out_of_reach.load())
        return false;
    if (handle)
        return ::syscall(SYS_pidfd_send_signal, handle.get(), signal, nullptr, 0) == 0;
    return ::kill(entry.pid, signal) == 0;
}

void signal_group(pid_t group, int signal) noexcept
{
    if (!seams().out_of_reach.load())
        ::kill(-group, signal);
}

} // namespace mcp_pool::transport
