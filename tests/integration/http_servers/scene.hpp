// MCP servers over HTTP, as processes of their own, and pools of sessions with them.
#pragma once

#include "support/node_servers.hpp"
#include "support/process_fixture.hpp"

#include <mcp_pool/handlers.hpp>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace mcp_pool::testing {

// A server on Node.js that listens on the loopback interface; see tests/fixtures/node/as-child.mjs. It
// ends with its object, and with the test if that is killed.
class http_server_process
{
public:
    // `args`: the script and its arguments. `port` 0: any.
    http_server_process(asio::io_context& context, const std::vector<std::string>& args,
        const std::map<std::string, std::string>& variables, unsigned port);
    http_server_process(const http_server_process&) = delete;
    http_server_process& operator=(const http_server_process&) = delete;
    ~http_server_process();

    // From now on it does nothing, and its connections stay, as by SIGSTOP.
    void stand_still();

    // Where it is; empty until it listens.
    [[nodiscard]] const std::string& url() const noexcept { return url_; }
    [[nodiscard]] unsigned port() const;

    // What it has printed so far, on stdout and stderr: how many lines begin so, and what follows in the first of them.
    [[nodiscard]] std::size_t lines(std::string_view prefix) const;
    [[nodiscard]] std::string after(std::string_view prefix) const;
    [[nodiscard]] bool has_printed(std::string_view line) const;

private:
    void read();
    void take(std::size_t bytes);

    pid_t pid_ = 0;
    int input_ = -1;
    asio::posix::stream_descriptor output_;
    std::array<char, 4096> buffer_{};
    std::string text_;
    std::string url_;
    std::vector<std::string> lines_;
};

// The four ways to speak to features-server.mjs.
inline const std::vector<std::string> every_way{
    "legacy over HTTP", "legacy over stdio", "modern over HTTP", "modern over stdio"};

// Whose lease it is, as the context of an acquire.
struct user
{
    std::string name;
};

// Handlers that answer for the user of the lease, and write down who was asked and what was reported.
struct answering
{
    std::vector<std::string> asked, logged, updated;
    std::vector<list_kind> changed;

    [[nodiscard]] std::shared_ptr<client_handlers> handlers();
};

struct http_fixture : process_fixture
{
    // Starts tests/fixtures/node/features-server.mjs and waits until it listens.
    http_server_process& serve_features(std::vector<std::string> args = {}, unsigned port = 0);
    // The same with @modelcontextprotocol/server-everything.
    http_server_process& serve_everything(unsigned port = 0);
    // Ends the server as by SIGKILL.
    void end_server() { process.reset(); }

    // A pool of sessions with the server that is up. What `config` has besides the URL stays.
    session_pool& open_http(era_choice era = era_choice::auto_detect,
        const pool_overrides& options = {}, http_server at = {});

    // A pool of sessions with features-server.mjs as `way` says: "legacy over HTTP", "modern over
    // stdio", …
    session_pool& open_features(const std::string& way, const pool_overrides& options = {});

    // Who holds the lease is told to the handlers.
    asio::awaitable<lease> acquire_as(std::string name);
    lease acquired_as(
        std::string name, std::source_location where = std::source_location::current());

    tool_result call(lease& session, std::string tool, json::object arguments = {},
        std::source_location where = std::source_location::current());
    std::string said(lease& session, std::string tool, json::object arguments = {},
        std::source_location where = std::source_location::current());

    // Closes the pool and ends the server; nothing may be alive afterwards.
    void teardown();

    std::optional<http_server_process> process;
    answering answers;
    // Null: no handlers.
    std::shared_ptr<const client_handlers> handlers;

private:
    session_pool& open(server_config config, era_choice era, const pool_overrides& options);
    http_server_process& serve(const std::vector<std::string>& args, unsigned port);
};

} // namespace mcp_pool::testing
