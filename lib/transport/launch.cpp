#include "transport/launch.hpp"

#include "transport/launch_texts.hpp"

#include <algorithm>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mcp_pool::transport {

namespace {

std::string from_here(const std::string& directory, const std::string& path)
{
    if (directory.empty() || path.starts_with('/'))
        return path;
    return directory + "/" + path;
}

std::optional<start_failure> check_texts(const stdio_server& server, const environment& child)
{
    const auto has_nul = [](const std::string& text) { return text.find('\0') != text.npos; };
    if (server.command.empty())
        return permanent_failure("the command is empty");
    if (has_nul(server.command) || has_nul(server.cwd.native()))
        return permanent_failure("the command or its directory contains a NUL character");
    for (const std::string& argument : server.args) {
        if (has_nul(argument))
            return permanent_failure("an argument of " + in_quotes(server.command)
                + " contains a NUL character, which no process can receive");
    }
    for (const auto& [name, value] : child) {
        if (name.empty() || has_nul(name) || has_nul(value) || name.find('=', 1) != name.npos)
            return permanent_failure("the environment variable " + in_quotes(name)
                + " cannot be set: names need a character and no '=', names and values no NUL");
    }
    return std::nullopt;
}

std::optional<start_failure> check_directory(const std::string& directory)
{
    if (directory.empty())
        return std::nullopt;
    struct stat info = {};
    if (::stat(directory.c_str(), &info) != 0)
        return missing_directory(directory, errno);
    if (!S_ISDIR(info.st_mode))
        return missing_directory(directory, ENOTDIR);
    return std::nullopt;
}

struct found_program
{
    std::string path;
    // What stands in the way of executing it, 0 if nothing.
    int obstacle = ENOENT;
};

// As execve() would judge it; who may execute is asked with the effective ids.
int obstacle_of(const std::string& path_from_here)
{
    struct stat info = {};
    if (::stat(path_from_here.c_str(), &info) != 0)
        return errno;
    if (S_ISDIR(info.st_mode))
        return EISDIR;
    if (!S_ISREG(info.st_mode))
        return EACCES;
    return ::faccessat(AT_FDCWD, path_from_here.c_str(), X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

// The first executable file of that name; failing that, the first file that cannot be executed.
found_program search_path(
    const std::string& command, std::string_view path_list, const std::string& directory)
{
    found_program first_obstructed;
    for (std::size_t begin = 0; begin <= path_list.size();) {
        const std::size_t end = std::min(path_list.find(':', begin), path_list.size());
        const std::string_view entry = path_list.substr(begin, end - begin);
        begin = end + 1;
        // POSIX: an empty entry is the current directory.
        std::string candidate = entry.empty() ? "./" : std::string(entry) + "/";
        candidate += command;
        const int obstacle = obstacle_of(from_here(directory, candidate));
        if (obstacle == 0)
            return {std::move(candidate), 0};
        if (obstacle != ENOENT && obstacle != ENOTDIR && first_obstructed.obstacle == ENOENT)
            first_obstructed = {std::move(candidate), obstacle};
    }
    return first_obstructed;
}

} // namespace

std::variant<launch_plan, start_failure> plan_launch(
    const stdio_server& server, const environment& child)
{
    if (auto failure = check_texts(server, child))
        return *std::move(failure);
    launch_plan plan;
    plan.directory = server.cwd.native();
    if (auto failure = check_directory(plan.directory))
        return *std::move(failure);

    const bool is_path = server.command.find('/') != std::string::npos;
    found_program program;
    if (is_path) {
        program.path = server.command;
        program.obstacle = obstacle_of(from_here(plan.directory, server.command));
        if (program.obstacle == ENOENT || program.obstacle == ENOTDIR)
            return missing_file(server.command, plan.directory);
    } else {
        // The default of execvp(), for a child that gets no PATH.
        const auto path_variable = child.find("PATH");
        const bool has_path = path_variable != child.end();
        const std::string path_list = has_path ? path_variable->second : "/bin:/usr/bin";
        program = search_path(server.command, path_list, plan.directory);
        if (program.path.empty())
            return not_in_path(server.command, path_list, has_path);
    }
    plan.path = std::move(program.path);
    plan.path_from_here = from_here(plan.directory, plan.path);
    if (program.obstacle != 0)
        return explain_failed_launch(server, plan, launch_stage::execute, program.obstacle);

    plan.arguments.reserve(server.args.size() + 1);
    plan.arguments.push_back(server.command);
    plan.arguments.insert(plan.arguments.end(), server.args.begin(), server.args.end());
    plan.variables.reserve(child.size());
    for (const auto& [name, value] : child)
        plan.variables.push_back(name + "=" + value);
    return plan;
}

} // namespace mcp_pool::transport
