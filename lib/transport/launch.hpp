// From a configured command to everything that execve() needs, and from its failures to words.
#pragma once

#include "transport/environment.hpp"
#include "transport/transport.hpp"

#include <mcp_pool/server.hpp>

#include <string>
#include <variant>
#include <vector>

namespace mcp_pool::transport {

// Prepared whole in the parent: the child allocates nothing.
struct launch_plan
{
    // What execve() gets; a relative path counts from `directory`.
    std::string path;
    // The same file seen from the host's working directory.
    std::string path_from_here;
    // Where the child changes to; empty: it stays.
    std::string directory;
    std::vector<std::string> arguments;
    std::vector<std::string> variables;

    launch_plan() = default;
};

// How far a child came before it failed.
enum class launch_stage {
    // Pipes and the process itself.
    create,
    // The parent has died meanwhile.
    parent_check,
    // Its standard streams.
    streams,
    // Its working directory.
    directory,
    // The program.
    execute,
};

// Finds the program of `server` as its process would: by the PATH of `child`, from its directory.
// Looks at the file system.
//
// Errors: start_failed, permanent.
std::variant<launch_plan, start_failure> plan_launch(
    const stdio_server& server, const environment& child);

// The story of a launch that failed with `error` (an errno value).
start_failure explain_failed_launch(
    const stdio_server& server, const launch_plan& plan, launch_stage stage, int error);

// Whether `error` says that this host has run out of something.
bool is_exhaustion(int error) noexcept;

// The story of `error`, for which is_exhaustion(), with the limit and its value.
start_failure explain_exhaustion(int error, std::string_view doing);

} // namespace mcp_pool::transport
