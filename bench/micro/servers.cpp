#include "micro/servers.hpp"

#include "support/processes.hpp"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>

#include <unistd.h>

namespace mcp_pool::bench {
namespace {

const std::filesystem::path fixtures = std::filesystem::path(MCP_POOL_SOURCE_DIR) / "tests"
    / "fixtures" / "node";

const std::filesystem::path packages = fixtures / "node_modules" / "@modelcontextprotocol";

std::filesystem::path everything_script()
{
    return packages / "server-everything" / "dist" / "index.js";
}

bool is_installed(const std::filesystem::path& file, const std::string& package)
{
    if (std::filesystem::exists(file))
        return true;
    std::cerr << "SKIPPED: " << package << " is not installed: run `npm ci --ignore-scripts` in "
              << fixtures.string() << "\n";
    return false;
}

bool has_everything()
{
    return is_installed(everything_script(), "server-everything");
}

} // namespace

server_config embedded_server(const std::string& token_log)
{
    stdio_server server;
    server.command = program_directory() + "/mcp-pool-echo-server";
    server.args.emplace_back("--write-pid");
    if (!token_log.empty()) {
        server.args.emplace_back("--token-log");
        server.args.push_back(token_log);
    }
    return server_config("mcp-pool-echo-server", std::move(server));
}

std::optional<server_config> everything_server(const std::string& token_log)
{
    if (!has_everything())
        return std::nullopt;
    stdio_server server;
    server.command = "node";
    server.args = {
        "--import", (fixtures / "witness.mjs").string(), everything_script().string(), "stdio"};
    if (!token_log.empty())
        server.env["MCP_POOL_WITNESS"] = token_log;
    return server_config("server-everything", std::move(server));
}

std::optional<std::vector<std::string>> everything_command()
{
    if (!has_everything())
        return std::nullopt;
    return std::vector<std::string>{"node", everything_script().string(), "stdio"};
}

std::optional<std::string> node_client_script()
{
    if (!is_installed(packages / "sdk" / "package.json", "@modelcontextprotocol/sdk"))
        return std::nullopt;
    const std::filesystem::path source(MCP_POOL_SOURCE_DIR);
    return (source / "bench" / "reference" / "node_client.mjs").string();
}

int reported_pid(std::string_view answer)
{
    // The last block; the message before it is the client's own.
    constexpr std::string_view mark = "pid ";
    const auto at = answer.rfind(mark);
    if (at == std::string_view::npos)
        return 0;
    answer.remove_prefix(at + mark.size());
    int pid = 0;
    std::from_chars(answer.data(), answer.data() + answer.size(), pid);
    return pid;
}

temporary_file::temporary_file()
    : name_((std::filesystem::temp_directory_path() / "mcp-pool-XXXXXX").string())
{
    const int fd = ::mkstemp(name_.data());
    if (fd < 0)
        throw std::runtime_error(
            "cannot make a temporary file in " + std::filesystem::temp_directory_path().string());
    ::close(fd);
}

temporary_file::~temporary_file()
{
    ::unlink(name_.c_str());
}

std::vector<std::string> temporary_file::lines() const
{
    std::vector<std::string> result;
    std::ifstream file(name_);
    for (std::string line; std::getline(file, line);)
        result.push_back(std::move(line));
    return result;
}

} // namespace mcp_pool::bench
