#include "transport/launch_texts.hpp"

#include "rpc/text.hpp"
#include "transport/cgroup.hpp"
#include "transport/descriptor.hpp"
#include "transport/launch.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace mcp_pool::transport {

namespace {

std::string error_text(int error)
{
    return boost::system::error_code(error, boost::system::system_category()).message();
}

start_failure transient_failure(std::string message)
{
    start_failure result;
    result.code = errc::start_failed;
    result.message = std::move(message);
    return result;
}

// What the kernel starts to run a program: named by `#!`, or by an ELF file as its loader.
struct interpreter
{
    enum class kind { none, script, loader };

    kind what = kind::none;
    std::string path;
};

interpreter script_interpreter(std::string_view head)
{
    interpreter result;
    head.remove_prefix(2);
    head = head.substr(0, head.find('\n'));
    head.remove_prefix(std::min(head.find_first_not_of(" \t"), head.size()));
    result.what = interpreter::kind::script;
    result.path = head.substr(0, head.find_first_of(" \t"));
    return result;
}

// Source: elf(5), PT_INTERP.
interpreter elf_interpreter(int file, std::string_view head)
{
    interpreter result;
    ElfW(Ehdr) header;
    if (head.size() < sizeof header)
        return result;
    std::memcpy(&header, head.data(), sizeof header);
    constexpr int max_segments = 64;
    for (int i = 0; i < std::min<int>(header.e_phnum, max_segments); ++i) {
        ElfW(Phdr) segment;
        const auto place = static_cast<off_t>(
            header.e_phoff + static_cast<std::size_t>(i) * sizeof segment);
        if (::pread(file, &segment, sizeof segment, place) != sizeof segment)
            break;
        if (segment.p_type != PT_INTERP)
            continue;
        std::array<char, 256> path{};
        const std::size_t size = std::min<std::size_t>(segment.p_filesz, path.size() - 1);
        if (::pread(file, path.data(), size, static_cast<off_t>(segment.p_offset)) > 0) {
            result.what = interpreter::kind::loader;
            result.path = path.data();
        }
        break;
    }
    return result;
}

interpreter interpreter_of(const std::string& path)
{
    const descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    std::array<char, 256> buffer{};
    const ssize_t size = file ? ::read(file.get(), buffer.data(), buffer.size()) : -1;
    const std::string_view head(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    if (head.starts_with("#!"))
        return script_interpreter(head);
    if (head.starts_with(ELFMAG))
        return elf_interpreter(file.get(), head);
    return {};
}

std::string limit_text(int resource)
{
    rlimit limit = {};
    if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0)
        return "unknown";
    return limit.rlim_cur == RLIM_INFINITY ? "unlimited" : std::to_string(limit.rlim_cur);
}

std::string file_text(const char* path)
{
    std::ifstream file(path);
    std::string word;
    file >> word;
    return word.empty() ? "unknown" : word.substr(0, 32);
}

// What our control group, or what is visible of its ancestors, says in a file; the name differs
// between the versions.
std::string group_text(std::string_view controller, const char* unified, const char* old)
{
    const auto place = own_cgroup(controller);
    if (!place)
        return "unknown";
    const std::string name = std::string("/") + (place->unified ? unified : old);
    const std::string here = file_text((place->directory + name).c_str());
    return here == "unknown" ? file_text((place->top + name).c_str()) : here;
}

start_failure explain_missing(const launch_plan& plan)
{
    const std::string path = in_quotes(plan.path_from_here);
    struct stat info = {};
    if (::stat(plan.path_from_here.c_str(), &info) != 0)
        return permanent_failure("the program " + path + " has vanished");
    const interpreter needed = interpreter_of(plan.path_from_here);
    switch (needed.what) {
    case interpreter::kind::script:
        return permanent_failure("the interpreter " + in_quotes(needed.path) + " in the #! line of "
            + path
            + " does not exist; install it or correct the line (a carriage "
              "return at its end counts)");
    case interpreter::kind::loader:
        return permanent_failure("the program " + path + " needs the loader "
            + in_quotes(needed.path)
            + ", which does not exist; it was built for another system or C library");
    case interpreter::kind::none:
        break;
    }
    return permanent_failure("the program " + path
        + " cannot be executed: something it names does "
          "not exist");
}

start_failure explain_denied(const launch_plan& plan)
{
    const std::string path = in_quotes(plan.path_from_here);
    struct stat info = {};
    if (::stat(plan.path_from_here.c_str(), &info) == 0 && S_ISREG(info.st_mode)
        && ::faccessat(AT_FDCWD, plan.path_from_here.c_str(), X_OK, AT_EACCESS) == 0) {
        const interpreter needed = interpreter_of(plan.path_from_here);
        if (needed.what == interpreter::kind::script)
            return permanent_failure("the interpreter " + in_quotes(needed.path)
                + " in the #! line of " + path + " is not executable");
        return permanent_failure("the program " + path
            + " may not be executed here: its file system may be mounted noexec, or a security "
              "policy forbids it");
    }
    return permanent_failure("the program " + path
        + " is not executable for this user; set its execute permission (chmod +x), or give its "
          "interpreter as the command");
}

start_failure explain_too_big(const launch_plan& plan)
{
    std::size_t total = 0;
    std::size_t longest = 0;
    for (const auto* texts : {&plan.arguments, &plan.variables}) {
        for (const std::string& text : *texts) {
            total += text.size() + 1;
            longest = std::max(longest, text.size() + 1);
        }
    }
    return permanent_failure("arguments and environment of " + in_quotes(plan.path_from_here)
        + " are too big: " + std::to_string(total) + " bytes, the longest string "
        + std::to_string(longest)
        + "; the kernel takes 131072 bytes in one string and a quarter of the stack limit ("
        + limit_text(RLIMIT_STACK) + " bytes) in all");
}

} // namespace

std::string in_quotes(std::string_view text)
{
    constexpr std::size_t max_shown = 1000;
    return rpc::quote_foreign(text, max_shown);
}

start_failure permanent_failure(std::string message)
{
    start_failure result = transient_failure(std::move(message));
    result.permanent = true;
    return result;
}

start_failure missing_directory(std::string_view directory, int error)
{
    if (error == ENOENT)
        return permanent_failure(
            "the working directory " + in_quotes(directory) + " does not exist");
    return permanent_failure("the working directory " + in_quotes(directory)
        + " cannot be entered: " + error_text(error));
}

start_failure missing_file(std::string_view command, std::string_view directory)
{
    std::string message = "the command " + in_quotes(command) + " does not exist";
    if (!directory.empty() && !command.starts_with('/'))
        message += " in the working directory " + in_quotes(directory);
    return permanent_failure(std::move(message));
}

start_failure not_in_path(std::string_view command, std::string_view path_list, bool child_has_path)
{
    return permanent_failure("the command " + in_quotes(command) + " was not found in PATH "
        + in_quotes(path_list) + (child_has_path ? "" : " (the default: the server gets no PATH)")
        + "; install it, give its full path, or set PATH in env");
}

start_failure explain_failed_launch(
    const stdio_server& server, const launch_plan& plan, launch_stage stage, int error)
{
    const std::string path = in_quotes(plan.path_from_here);
    if (is_exhaustion(error))
        return explain_exhaustion(error, "starting " + in_quotes(server.command));
    switch (stage) {
    case launch_stage::create:
    case launch_stage::streams:
        return transient_failure("no process could be made for " + path + ": " + error_text(error));
    case launch_stage::parent_check:
        return transient_failure("the host process ended while " + path + " was being started");
    case launch_stage::directory:
        return missing_directory(plan.directory, error);
    case launch_stage::execute:
        break;
    }
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return explain_missing(plan);
    case EACCES:
    case EPERM:
        return explain_denied(plan);
    case EISDIR:
        return permanent_failure(path + " is a directory, not a program");
    case ENOEXEC:
        return permanent_failure(path
            + " has no format that this system can execute: a script needs a #! line (no shell is "
              "involved), a program must be built for this machine");
    case E2BIG:
        return explain_too_big(plan);
    case ETXTBSY:
        return transient_failure(path
            + " is being written to and could not be executed in "
              "several tries");
    case ELOOP:
    case ENAMETOOLONG:
    case ELIBBAD:
    case EINVAL:
        return permanent_failure(path + " cannot be executed: " + error_text(error));
    default:
        return transient_failure(path + " could not be executed: " + error_text(error));
    }
}

bool is_exhaustion(int error) noexcept
{
    return error == EMFILE || error == ENFILE || error == EAGAIN || error == ENOMEM
        || error == ENOSPC;
}

start_failure explain_exhaustion(int error, std::string_view doing)
{
    start_failure result;
    result.code = errc::resource_exhausted;
    result.message = "this host ran out of ";
    switch (error) {
    case EMFILE:
        result.message += "file descriptors: the limit RLIMIT_NOFILE is "
            + limit_text(RLIMIT_NOFILE) + "; raise it (ulimit -n, LimitNOFILE) or lower max_size";
        break;
    case ENFILE:
        result.message += "open files: the system's limit fs.file-max is "
            + file_text("/proc/sys/fs/file-max") + "; raise it";
        break;
    case EAGAIN:
        result.message += "processes: the limits are RLIMIT_NPROC " + limit_text(RLIMIT_NPROC)
            + " for the user, kernel.threads-max " + file_text("/proc/sys/kernel/threads-max")
            + ", cgroup pids.max " + group_text("pids", "pids.max", "pids.max")
            + "; raise what is reached or lower max_size";
        break;
    case ENOSPC:
        result.message += "watches: the limit fs.epoll.max_user_watches is "
            + file_text("/proc/sys/fs/epoll/max_user_watches") + "; raise it";
        break;
    default:
        result.message += "memory: the limit RLIMIT_AS is " + limit_text(RLIMIT_AS)
            + ", cgroup memory.max " + group_text("memory", "memory.max", "memory.limit_in_bytes");
        break;
    }
    result.message += " (" + std::string(doing) + ": " + error_text(error) + ")";
    return result;
}

} // namespace mcp_pool::transport
