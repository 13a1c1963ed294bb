#include "transport/limits.hpp"

#include "transport/cgroup.hpp"

#include <filesystem>
#include <system_error>

#include <sys/resource.h>
#include <unistd.h>

namespace mcp_pool::transport {

namespace {

std::optional<std::uint64_t> soft_limit(__rlimit_resource resource) noexcept
{
    rlimit limit = {};
    if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return std::nullopt;
    return limit.rlim_cur;
}

std::uint64_t count_open_descriptors()
{
    std::uint64_t count = 0;
    std::error_code failure;
    for (std::filesystem::directory_iterator at("/proc/self/fd", failure), end;
         !failure && at != end; at.increment(failure))
        ++count;
    // One of them reads the directory.
    return count > 0 ? count - 1 : 0;
}

} // namespace

host_limits limits_of_this_process()
{
    host_limits now;
    now.descriptors = soft_limit(RLIMIT_NOFILE);
    now.open_descriptors = count_open_descriptors();
    if (::getuid() != 0 && ::geteuid() != 0)
        now.user_tasks = soft_limit(RLIMIT_NPROC);
    if (const auto place = own_cgroup("pids"))
        now.group_tasks = most_tasks(*place);
    return now;
}

std::vector<std::string> limit_warnings(std::size_t max_size, const host_limits& limits)
{
    std::vector<std::string> warnings;
    const auto warn = [&](std::uint64_t needed, const std::string& of_what,
                          const std::optional<std::uint64_t>& limit, const char* name,
                          const char* remedy) {
        if (limit && needed > *limit)
            warnings.push_back("max_size=" + std::to_string(max_size) + " may need "
                + std::to_string(needed) + " " + of_what + ", and " + name + " is "
                + std::to_string(*limit) + "; raise it (" + remedy + ") or lower max_size");
    };
    warn(max_size * descriptors_of_a_session + limits.open_descriptors,
        "file descriptors (" + std::to_string(descriptors_of_a_session) + " for each session, "
            + std::to_string(limits.open_descriptors) + " are open now)",
        limits.descriptors, "the limit RLIMIT_NOFILE", "ulimit -n, LimitNOFILE");
    const std::uint64_t tasks = max_size * tasks_of_a_session;
    const std::string processes = "processes and threads (" + std::to_string(tasks_of_a_session)
        + " for each session)";
    warn(tasks, processes, limits.user_tasks, "the limit RLIMIT_NPROC of this user",
        "ulimit -u, LimitNPROC");
    warn(tasks, processes, limits.group_tasks, "pids.max of the control group",
        "TasksMax, --pids-limit");
    return warnings;
}

std::vector<std::string> limit_warnings(std::size_t max_size)
{
    return limit_warnings(max_size, limits_of_this_process());
}

} // namespace mcp_pool::transport
