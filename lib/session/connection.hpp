// One connection: a transport, the protocol machines above it, and the requests under way, on a
// strand of its own. The private interface between the pool and a session's I/O.
#pragma once

#include "session/server_state.hpp"
#include "session/session_state.hpp"
#include "transport/transport.hpp"

#include <mcp_pool/detail/request_op.hpp>
#include <mcp_pool/error.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace mcp_pool::detail {

struct handler_outcome;

// Why a session is no good any more.
enum class broken_cause {
    // The process exited or closed its output.
    died,
    // It broke the protocol, sent an oversized message or stopped reading.
    protocol,
};

// A start that did not reach an initialised session.
struct failed_start
{
    // start_failed, resource_exhausted or unsupported_version.
    error_code code;
    // Cause, exit status, stderr tail.
    mcp_pool::diagnostics details;
    // Trying again cannot help before somebody mends the configuration.
    bool permanent = false;

    failed_start() = default;
};

// What a connection tells the pool. Always on the connection's strand, with no lock held. Late
// events are harmless: the receiver checks slot and epoch of `state`.
class connection_events
{
public:
    // Initialised; state.info is set. Once, unless on_failed() came.
    virtual void on_ready(session_state& state) = 0;
    // The start failed. The pool answers with stop(); on_ended() follows.
    virtual void on_failed(session_state& state, failed_start why) = 0;
    // Not to be lent any more. The pool answers with stop(); on_ended() follows. At most once, only
    // after on_ready(). `details` says what happened, without the exit status if it is not known
    // yet.
    virtual void on_broken(session_state& state, broken_cause cause,
        std::shared_ptr<const mcp_pool::diagnostics> details) = 0;
    // The answers to reset() and probe(). None comes for a peer that stays mute: deadlines are the
    // pool's.
    virtual void on_reset_done(session_state& state, std::size_t grant) = 0;
    // What the lease of the grant has left behind cannot be undone: the session is to be replaced.
    // Instead of on_reset_done(); other grants go on until the pool's stop().
    virtual void on_reset_failed(session_state& state, std::size_t grant,
        std::shared_ptr<const mcp_pool::diagnostics> details) = 0;
    virtual void on_probe_done(session_state& state) = 0;
    // The answer to measure(): resident bytes of the process and its descendants, 0 where they cannot
    // be known.
    virtual void on_measured(session_state& state, std::size_t bytes) = 0;
    // One line of the server's stderr, escaped and bounded, where stderr = log.
    virtual void on_stderr_line(session_state& state, std::string line) = 0;
    // Something about the server that a person should know.
    virtual void on_warning(session_state& state, std::string text) = 0;
    // Nothing is left of the process. Last event; may come before the pool's stop() does.
    virtual void on_ended(session_state& state, const transport::end_report& report) = 0;

protected:
    ~connection_events() = default;
};

// Lifetime: the session_state and posted work share ownership; `events` is called as long as it
// exists. Its end is on the strand, by let_go(), or when no thread runs the context any more. The
// process is then killed and reaped in the background, pending operations are destroyed without being
// completed.
//
// Thread safety: every member may be called from any thread; work is posted to the strand, so that
// no call but kill() has an effect before it returns.
class connection : public std::enable_shared_from_this<connection>
{
public:
    // `state` gets to know this connection by set_io(), done by the caller.
    static std::shared_ptr<connection> make(asio::any_io_executor pool_executor,
        std::shared_ptr<server_state> server, std::shared_ptr<session_state> state,
        std::weak_ptr<connection_events> events);

    virtual ~connection() = default;

    // Starts the process and the handshake. Called once.
    virtual void start() = 0;
    // The pool's start deadline has passed: on_failed() follows at once, saying how far it came.
    virtual void expire_start() = 0;
    // Sends a probe; on_probe_done() follows any JSON-RPC answer to it.
    virtual void probe() = 0;
    // Asks how much memory the session takes; on_measured() follows.
    virtual void measure() = 0;
    // Undoes what the ended lease of a grant left behind: its unanswered requests are aborted and
    // cancelled at the peer; its subscriptions are ended and the log level goes back to the baseline
    // where no other grant wants them. If a request that was cancelled after it was written is still
    // unanswered, life is confirmed by the answers to that, or to a probe. on_reset_done() follows,
    // with nothing of the grant counting as unanswered or altered, or on_reset_failed(). Other grants
    // go on meanwhile; several may be in reset at the same time.
    virtual void reset(std::size_t grant) = 0;
    // Goes on with the stop ladder. Unanswered requests complete with `session_closed` (or
    // `not_sent`) and `why`, which reads like "the pool is closed". on_ended() follows.
    virtual void stop(transport::stop_step step, std::string why) = 0;

    // The same with stop_step::kill, but the process dies even if nobody runs the context any more.
    virtual void kill(std::string why) = 0;

    // Gives up a share of the ownership of *this, on the strand.
    virtual void let_go(std::shared_ptr<connection> last) noexcept = 0;

    // Takes a request over; see start_request().
    virtual void submit(request_op* op) = 0;
    // See cancel_request().
    virtual void cancel(std::int64_t id) = 0;
    // The handler of the request of the server that has this number has come to an end. Late and
    // unknown ones are dropped.
    virtual void handler_done(std::uint64_t number, handler_outcome outcome) = 0;

    [[nodiscard]] virtual asio::any_io_executor pool_executor() const = 0;
};

} // namespace mcp_pool::detail
