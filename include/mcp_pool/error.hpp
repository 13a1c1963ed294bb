// What can go wrong: error codes, the exception that the awaitable forms throw, and its details.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <memory>
#include <optional>
#include <string>

namespace mcp_pool {

using boost::system::error_code;

// Errors of this library. Cancellation is asio::error::operation_aborted, an error answer of the
// peer carries rpc_category(); a tool's `isError` result is a result and no error.
enum class errc {
    // The acquire's own deadline passed before a session was free.
    acquire_timeout = 1,
    // The pool already has `max_waiters` waiters, or `max_waiters_per_key` with this isolation key.
    too_many_waiters,
    // The pool is closed or closing, or its execution context has ended.
    pool_closed,
    // A session could not be started; the diagnostics hold the cause.
    start_failed,
    // Starts have failed repeatedly and no session is alive; no new start is tried at present.
    circuit_open,
    // This host has run out of descriptors, processes or memory; the server is not to blame.
    resource_exhausted,
    // The session ended while the request was under way: whether it was executed is unknown.
    session_closed,
    // The session ended before a byte of the request was written: repeating it is safe.
    not_sent,
    // The request got no answer in time; the peer was told that it is cancelled, unless it was
    // never sent, which the message says.
    call_timeout,
    // The lease through which the operation was started has ended.
    lease_released,
    // The peer broke the protocol.
    protocol_error,
    // A message exceeds `max_message_bytes`.
    message_too_large,
    // No protocol version in common.
    unsupported_version,
    // The method does not exist in the era of the session; the message says what there is instead.
    method_not_supported,
    // A configuration value is impossible; the message names it and what is allowed.
    invalid_config,
    // No server of that name is configured.
    unknown_server,
    // The call would wait for itself.
    would_deadlock,
    // The HTTP server refused the credentials.
    unauthorized,
    // The HTTP server answered with an unexpected status.
    http_error,
};

// The category of errc.
const boost::system::error_category& pool_category() noexcept;

// The category of JSON-RPC errors sent by the peer; the value is the JSON-RPC code. Every value,
// 0 included, is a failure.
const boost::system::error_category& rpc_category() noexcept;

error_code make_error_code(errc value) noexcept;

// Whether repeating the operation that completed with `code` cannot execute anything twice: nothing
// of it reached the peer.
bool is_safe_to_retry(const error_code& code) noexcept;

// A JSON-RPC error object. Source: JSON-RPC 2.0, section 5.1.
struct rpc_error
{
    int code = 0;
    std::string message;
    json::value data;

    rpc_error() = default;
};

// How a server process ended.
struct exit_status
{
    enum class kind {
        // It called exit; `value` is the status.
        exited,
        // A signal ended it; `value` is the signal number.
        signalled,
        // The host application took the status (it waits for every child or ignores SIGCHLD).
        taken_by_host,
    };

    kind how = kind::exited;
    int value = 0;
    // What else is known of it, for people: that a SIGKILL was not sent by the pool, and whether the
    // kernel has killed for want of memory meanwhile. Often empty.
    std::string note;

    exit_status() = default;
    exit_status(kind how_it_ended, int status_or_signal)
        : how(how_it_ended)
        , value(status_or_signal)
    {}

    // For people: "exit status 1", "signal 9 (SIGKILL), not sent by this pool", ….
    [[nodiscard]] std::string text() const;
};

// The circumstances of a failure. Texts that a server produced are escaped and bounded.
struct diagnostics
{
    // Name of the server.
    std::string server;
    // What happened, the cause and the remedy, in one sentence or two.
    std::string message;
    // The most recent failure to start a session, empty if there was none.
    std::string last_start_error;
    // How the session's process ended, if it did.
    std::optional<mcp_pool::exit_status> exit_status;
    // The last lines the process wrote to stderr.
    std::string stderr_tail;
    // "size 10/10, idle 0, leased 10, starting 0, waiting 51": the pool at the moment of failure.
    std::string pool_state;
    // The peer's error object, as it came, where the code is in rpc_category().
    std::optional<rpc_error> rpc;

    diagnostics() = default;
};

// What the awaitable forms throw. Copying it does not throw.
class error : public boost::system::system_error
{
public:
    error(const error_code& code, mcp_pool::diagnostics details);
    // Precondition: `details` is not null.
    error(const error_code& code, std::shared_ptr<const mcp_pool::diagnostics> details);

    // The message of the diagnostics.
    [[nodiscard]] const char* what() const noexcept override;

    [[nodiscard]] const mcp_pool::diagnostics& diagnostics() const noexcept { return *details_; }

private:
    std::shared_ptr<const mcp_pool::diagnostics> details_;
};

} // namespace mcp_pool

template <>
struct boost::system::is_error_code_enum<mcp_pool::errc> : std::true_type
{};
