#include "transport/cgroup.hpp"

#include "transport/descriptor.hpp"
#include "transport/test_seams.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <vector>

#include <fcntl.h>

namespace mcp_pool::transport {

namespace {

// Hosts of many containers have thousands of mounts.
constexpr std::size_t largest_mountinfo = std::size_t{4} << 20;
constexpr std::size_t largest_counters = 4096;

// Calls use(part) for each part of `text` until it returns true; whether it did.
template <class Use>
bool any_part(std::string_view text, char separator, Use use)
{
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(separator), text.size());
        if (use(text.substr(0, end)))
            return true;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return false;
}

bool has_word(std::string_view list, char separator, std::string_view word)
{
    return any_part(list, separator, [word](std::string_view part) { return part == word; });
}

std::vector<std::string_view> fields(std::string_view line)
{
    std::vector<std::string_view> found;
    any_part(line, ' ', [&found](std::string_view part) {
        found.push_back(part);
        return false;
    });
    return found;
}

// The kernel writes spaces and the like in names as \ and three octal digits.
std::string unescaped(std::string_view text)
{
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        int code = 0;
        if (text[i] == '\\' && text.size() - i >= 4
            && std::from_chars(text.data() + i + 1, text.data() + i + 4, code, 8).ptr
                == text.data() + i + 4) {
            result += static_cast<char>(code);
            i += 3;
        } else {
            result += text[i];
        }
    }
    return result;
}

// Where our group stands below a mount that shows the groups from `root` on.
std::string below(std::string_view root, std::string_view path)
{
    if (root == "/")
        return std::string(path == "/" ? std::string_view() : path);
    if (path.starts_with(root) && path.size() > root.size() && path[root.size()] == '/')
        return std::string(path.substr(root.size()));
    // The same, or out of sight: what is visible holds for us too.
    return {};
}

std::optional<std::uint64_t> number_in(std::string_view text) noexcept
{
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end == text.data())
        return std::nullopt;
    return value;
}

std::string find_oom_file()
{
    const auto place = own_cgroup("memory");
    if (!place)
        return {};
    const std::string name = place->unified ? "/memory.events" : "/memory.oom_control";
    for (const std::string& directory : {place->directory, place->top})
        if (oom_kills_in(read_text(directory + name, largest_counters)))
            return directory + name;
    return {};
}

} // namespace

std::string read_text(const std::string& path, std::size_t at_most)
{
    std::string text;
    const descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 4096> buffer;
    while (file && text.size() < at_most) {
        const ssize_t size = ::read(
            file.get(), buffer.data(), std::min(buffer.size(), at_most - text.size()));
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            break;
        text.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return text;
}

std::optional<cgroup_place> find_cgroup(
    std::string_view controller, std::string_view cgroups, std::string_view mounts)
{
    // Lines of "hierarchy:controllers:path". A controller that has a hierarchy of version 1 of its own
    // is absent from the unified one.
    std::string_view path, unified_path;
    any_part(cgroups, '\n', [&](std::string_view line) {
        const std::size_t first = line.find(':');
        const std::size_t second = first == line.npos ? first : line.find(':', first + 1);
        if (second == line.npos)
            return false;
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        if (has_word(controllers, ',', controller))
            path = line.substr(second + 1);
        else if (controllers.empty())
            unified_path = line.substr(second + 1);
        return false;
    });
    const bool unified = path.empty();
    if (unified)
        path = unified_path;
    if (path.empty())
        return std::nullopt;

    std::optional<cgroup_place> place;
    any_part(mounts, '\n', [&](std::string_view line) {
        // "id parent device root mount-point options [tags] - type source super-options"
        const std::vector<std::string_view> all = fields(line);
        const auto dash = std::find(all.begin(), all.end(), "-");
        if (dash - all.begin() < 6 || all.end() - dash < 4)
            return false;
        const bool wanted = unified ? dash[1] == "cgroup2"
                                    : dash[1] == "cgroup" && has_word(dash[3], ',', controller);
        if (!wanted)
            return false;
        place.emplace();
        place->unified = unified;
        place->top = unescaped(all[4]);
        place->directory = place->top + below(unescaped(all[3]), path);
        return true;
    });
    return place;
}

std::optional<cgroup_place> own_cgroup(std::string_view controller)
{
    return find_cgroup(controller, read_text("/proc/self/cgroup", largest_mountinfo),
        read_text("/proc/self/mountinfo", largest_mountinfo));
}

std::optional<std::uint64_t> oom_kills_in(std::string_view text) noexcept
{
    constexpr std::string_view name = "oom_kill ";
    std::optional<std::uint64_t> found;
    any_part(text, '\n', [&](std::string_view line) {
        if (line.starts_with(name))
            found = number_in(line.substr(name.size()));
        return found.has_value();
    });
    return found;
}

std::string oom_file()
{
    static const std::string path = find_oom_file();
    const char* const instead = seams().oom_file.load();
    return instead ? instead : path;
}

std::optional<std::uint64_t> count_oom_kills()
{
    const std::string path = oom_file();
    return path.empty() ? std::nullopt : oom_kills_in(read_text(path, largest_counters));
}

std::optional<std::uint64_t> most_tasks(const cgroup_place& place)
{
    std::optional<std::uint64_t> least;
    for (std::string at = place.directory;; at.erase(at.rfind('/'))) {
        const auto here = number_in(read_text(at + "/pids.max", largest_counters));
        if (here && (!least || *here < *least))
            least = here;
        // Below the top each step ends in a name.
        if (at.size() <= place.top.size())
            return least;
    }
}

} // namespace mcp_pool::transport
