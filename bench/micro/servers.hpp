// The servers that the figures are measured with, and what they testify.
#pragma once

#include <mcp_pool/server.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_pool::bench {

// A server that writes its process id into each answer and, if `token_log` is not empty, the message
// of each call that it executed into that file.
server_config embedded_server(const std::string& token_log);

// The same of @modelcontextprotocol/server-everything, run by node; nothing if it is not installed
// (`npm ci --ignore-scripts` in tests/fixtures/node), which is then said on stderr.
std::optional<server_config> everything_server(const std::string& token_log);

// How server-everything is started by somebody who needs no testimony.
std::optional<std::vector<std::string>> everything_command();

// The client on @modelcontextprotocol/sdk that calls are compared with; nothing if the package is not
// installed, which is then said on stderr.
std::optional<std::string> node_client_script();

// The process id that an answer of one of these servers names; 0 if it names none.
int reported_pid(std::string_view answer);

// A file name in the system's directory for temporary files; the file is removed in the end.
class temporary_file
{
public:
    temporary_file();
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;
    ~temporary_file();

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] std::vector<std::string> lines() const;

private:
    std::string name_;
};

} // namespace mcp_pool::bench
