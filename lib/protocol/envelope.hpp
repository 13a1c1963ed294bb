// What MCP adds to the JSON-RPC messages of a session once it is open.
#pragma once

#include "rpc/message.hpp"
#include "rpc/writer.hpp"

#include <mcp_pool/detail/request.hpp>
#include <mcp_pool/types.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_pool::protocol {

// How this library names itself to servers: {"name":"mcp-pool","version":…}.
std::string_view client_info_json() noexcept;

// Writes the messages of one session. Not thread-safe.
class envelope
{
public:
    // `capabilities`: what the client declares, as JSON text.
    envelope(mcp_pool::era of, std::string_view version, std::string_view capabilities = "{}");

    // A request. In the modern era `_meta` says version, capabilities and client, whatever the
    // caller put there; in both eras it holds `meta` and, if asked for, `id` as the progress token.
    // A progress token of the caller is dropped: it could not be told from one of ours.
    //
    // Source: MCP 2026-07-28, basic/index, "_meta"; basic/utilities/progress.
    [[nodiscard]] std::string request(std::int64_t id, std::string_view method,
        const json::object& params, const json::object& meta, bool wants_progress);
    [[nodiscard]] std::string notification(std::string_view method, const json::object& params);
    // notifications/cancelled. Source: MCP, basic/utilities/cancellation.
    [[nodiscard]] std::string cancelled(std::int64_t id, std::string_view reason);
    // A request that any living server answers: `ping`, or `server/discover` in the modern era,
    // which has no ping.
    [[nodiscard]] std::string probe(std::int64_t id);

    [[nodiscard]] mcp_pool::era speaks() const noexcept { return era_; }

private:
    void params_with_meta(const json::object& params, const json::object& meta,
        std::optional<std::int64_t> progress_token);

    mcp_pool::era era_;
    // Members that every request's `_meta` has in the modern era; empty in the legacy one.
    std::string fixed_meta_;
    rpc::writer writer_;
};

// Writes the first messages, when the era is not known yet. Each is a whole line. `capabilities` as
// above.
std::string discover_line(
    std::string_view id, std::string_view version, std::string_view capabilities);
std::string initialize_line(
    std::int64_t id, std::string_view version, std::string_view capabilities);
std::string_view initialized_line() noexcept;

// Whether a method exists in an era at all, so that a request that cannot be answered is refused
// before it is sent. Methods that the specification does not name may exist in both. `initialize`
// belongs to the handshake.
bool exists(std::string_view method, era in) noexcept;

// What to do instead where it does not exist; empty if there is nothing to say.
std::string_view remedy_for(std::string_view method, era in) noexcept;

// What to do with a result of the modern era by its `resultType`: absent means complete, an unknown
// one makes the result invalid. Empty: it is complete, else what is wrong with it.
//
// Source: MCP 2026-07-28, basic/index, "Result types".
std::string fault_of_result(const json::value& result, era in);

// The answer to a request of the server that nobody is asked, as a line; empty if none may be sent. `ping` is always
// answered, `elicitation/create` with `cancel`, anything else with -32601; in the modern era servers
// must not send requests and clients must not write answers.
//
// Source: MCP 2025-11-25, basic/utilities/ping, client/elicitation; MCP 2026-07-28,
// basic/transports/stdio.
std::string answer_to(const rpc::message& request, era in);

} // namespace mcp_pool::protocol
