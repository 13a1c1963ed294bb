// How a connection tells people what went wrong.
#pragma once

#include "transport/transport.hpp"

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/error.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_pool::detail {

// The remedy where only the session is lost.
inline constexpr std::string_view acquire_again = "acquire a new lease";

// "server \"name\"", with what stands in the name escaped.
std::string server_title(std::string_view name);

// "60 s", "250 ms", "1.5 s".
std::string text_of(duration d);

// The last lines that a server wrote to stdout and that were no JSON-RPC, escaped and bounded.
class garbage_log
{
public:
    void add(std::string_view line);
    // Empty, or the lines in quotes.
    [[nodiscard]] std::string text() const;

private:
    std::deque<std::string> lines_;
};

// Says in the exit status of `report` what is known of a SIGKILL that was not ours.
void note_foreign_kill(transport::end_report& report);

// What is known about a session when it fails. Texts of the server are as they came.
struct circumstances
{
    std::string server;
    std::optional<mcp_pool::exit_status> exit_status;
    std::string stderr_tail;

    circumstances() = default;
};

// "server \"name\": what", with exit status, the end of stderr and `remedy`.
diagnostics describe(
    const circumstances& known, std::string_view what, std::string_view remedy = {});

// The same for a failed start, with the garbage on stdout and what the transport knows about the
// environment.
diagnostics describe_start(const circumstances& known, std::string_view what,
    const garbage_log& garbage, std::string_view hints);

} // namespace mcp_pool::detail
