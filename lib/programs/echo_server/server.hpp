// The protocol side of mcp-pool-echo-server: lines in, lines out, no I/O and no clock of its own.
#pragma once

#include "programs/echo_server/options.hpp"
#include "programs/echo_server/tools.hpp"

#include <boost/json/parser.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_pool::echo_server {

// A server for one client. Requests of both eras may be mixed on one connection: each is judged by
// its own `_meta`. Source: MCP 2026-07-28, basic/versioning.
class server
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    server(options configured, std::function<void(std::string_view)> on_token);

    // Takes one line without its line end and appends what there is to answer to output().
    void receive(std::string_view line, time_point now);

    // When advance() has something to do.
    [[nodiscard]] std::optional<time_point> next_event() const;
    void advance(time_point now);

    // Lines that are ready to be written; the caller removes what it has written.
    [[nodiscard]] std::string& output() noexcept { return output_; }

private:
    // The answers to a JSON-RPC batch, collected. Source: MCP 2025-03-26, basic.
    struct batch
    {
        std::size_t unanswered = 0;
        std::string answers;
    };

    // Where an answer goes.
    struct return_address
    {
        // The request's id as JSON text.
        std::string id;
        bool modern = false;
        // Null for a request that came alone.
        std::shared_ptr<batch> group;
    };

    // A call that takes time.
    struct running_call
    {
        return_address from;
        timed_call what;
        // As JSON text; empty if no progress is wanted.
        std::string progress_token;
        std::size_t steps_done = 0;
        time_point due;
    };

    void receive_batch(const boost::json::array& messages, time_point now);
    void receive_message(
        const boost::json::value& message, std::shared_ptr<batch> group, time_point now);
    void handle_request(std::string_view method, const boost::json::object& params,
        return_address from, time_point now);
    void handle_legacy(std::string_view method, const boost::json::object& params,
        return_address from, time_point now);
    void handle_modern(std::string_view method, const boost::json::object& params,
        return_address from, time_point now);
    void initialize(const boost::json::object& params, const return_address& from);
    void list_tools(const boost::json::object& params, const return_address& from);
    void call_tool(const boost::json::object& params, return_address from, time_point now);
    void cancel(const boost::json::object& params);

    void finish(const return_address& to, const outcome& what);
    void succeed(const return_address& to, std::string_view members);
    void fail(
        const return_address& to, int code, std::string_view message, std::string_view data = {});
    void send_answer(const return_address& to, std::string line);
    void close_batch(batch& group);

    const options options_;
    const toolbox tools_;
    // Negotiated by initialize; empty before.
    std::string legacy_version_;
    // Ordered by `due`.
    std::list<running_call> running_;
    // Kept so that a message costs no allocation once they have grown.
    boost::json::parser parser_;
    unsigned char parse_memory_[4096];
    std::string output_;
};

} // namespace mcp_pool::echo_server
