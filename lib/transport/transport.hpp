// What carries the messages of one session: the interface between a connection and its process, its
// server over HTTP or a scripted peer.
#pragma once

#include "protocol/era.hpp"
#include "rpc/message.hpp"
#include "transport/descriptor.hpp"

#include <mcp_pool/error.hpp>
#include <mcp_pool/types.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/strand.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_pool::protocol {
class tool_headers;
}

namespace mcp_pool::transport {

// The strand that a connection and its transport share.
using connection_strand = asio::strand<asio::any_io_executor>;

// The rungs of the stop ladder, in order. Each may be asked for without the former ones.
enum class stop_step {
    // Close the server's stdin; a server should exit on it.
    close_input,
    // SIGTERM to the whole process group.
    terminate,
    // SIGKILL to the group and to descendants that left it.
    kill,
};

// Why a transport could not be started.
struct start_failure
{
    // start_failed or resource_exhausted.
    error_code code;
    // The whole story for people: what was tried, what is wrong, how to mend it.
    std::string message;
    // Trying again cannot help before somebody mends the configuration (command not found, …).
    bool permanent = false;

    start_failure() = default;
};

// The kernel has killed processes for want of memory while one of ours ran: how many it had in our
// control group before and after, and which file says so.
struct oom_kills
{
    std::uint64_t before = 0;
    std::uint64_t after = 0;
    std::string file;

    oom_kills() = default;
};

// How a transport ended.
struct end_report
{
    // Unset where there is no process.
    std::optional<exit_status> status;
    // We sent SIGKILL.
    bool killed = false;
    // Where a SIGKILL that is not ours has ended it.
    std::optional<oom_kills> out_of_memory;
    // Processes of the server that outlived SIGKILL (stuck in the kernel, or out of our reach).
    std::vector<int> survivors;

    end_report() = default;
};

// What a transport has to know of a message that it sends by itself, as over HTTP; streams of bytes need
// nothing of it.
struct message_facts
{
    // Empty of an answer to a request of the server.
    std::string_view method;
    // Null of a notification and of an answer.
    json::value id;
    // Null: none.
    const json::object* params = nullptr;
    mcp_pool::era era = era::legacy;
    // The revision of the protocol; empty with `initialize`, which asks for it.
    std::string_view version;
    // What is known of the tool that is called; null: nothing.
    const protocol::tool_headers* tool = nullptr;

    message_facts() = default;
};

// Why one request has failed while the session goes on, or not.
struct request_failure
{
    error_code code;
    // What happened, to follow "server "x": ". Foreign text in it is escaped and bounded.
    std::string text;
    // The server may have executed the request.
    bool sent = true;
    // The server has forgotten the session, and has executed nothing: a new `initialize` is needed.
    bool session_lost = false;
    // The server cannot be reached: what is sent next would fail in the same way.
    bool unreachable = false;

    request_failure() = default;
};

// What a transport tells its connection. All on the connection's strand; nothing after on_ended(),
// nothing after the transport is destroyed.
class transport_events
{
public:
    // The process exists; `pid` is 0 where there is none.
    virtual void on_started(int pid) = 0;
    // It could not be started. Last event.
    virtual void on_start_failed(start_failure why) = 0;
    // The first byte of output, on stdout or stderr. At most once, before on_line().
    virtual void on_first_output() = 0;
    // One line without its line end, valid during the call. May be any bytes; never empty.
    virtual void on_line(std::string_view line) = 0;
    // One line of stderr, escaped and bounded; only where it is to be logged, and only as many as a
    // log can bear: others are counted, and the number is a line of its own. Also after a stop().
    virtual void on_stderr_line(std::string line) = 0;
    // A line grew over max_message_bytes; reading has ended.
    virtual void on_oversized_line(std::size_t bytes_so_far) = 0;
    // stdout has ended: no more lines.
    virtual void on_end_of_output() = 0;
    // Bytes that had to wait have been taken by the peer; `left` are still waiting.
    virtual void on_write_progress(std::size_t left) = 0;
    // Writing failed, e.g. broken pipe; nothing more will be written.
    virtual void on_write_failed(error_code code) = 0;
    // The process has been reaped, its group is gone or reported, every descriptor is closed. Last
    // event.
    virtual void on_ended(end_report report) = 0;

    // Of transports that send each message by itself, in place of on_line() and on_write_failed():

    // A message, with its text, valid during the call. `about` is the id of the request in whose answer
    // it came; unset where it came unasked.
    virtual void on_message(
        rpc::message&& m, std::string_view text, std::optional<std::int64_t> about);
    // In what was read since the last time, so many byte sequences were no UTF-8. Before on_message().
    virtual void on_repaired(std::uint64_t sequences);
    // The answer to `server/discover` says this about the era and nothing more; `what` it was.
    virtual void on_verdict(const protocol::era_verdict& verdict, std::string_view what);
    // No answer will come to the request with this id; null: a notification or an answer of ours was
    // not taken.
    virtual void on_request_failed(const json::value& id, request_failure why);

protected:
    ~transport_events() = default;
};

// Messages in each direction. Used on the connection's strand only.
//
// Destruction gives everything up without waiting: descriptors are closed, the process group is
// killed and reaped in the background, no event comes any more.
class transport
{
public:
    transport() = default;
    transport(const transport&) = delete;
    transport& operator=(const transport&) = delete;
    virtual ~transport() = default;

    // Called once. on_started() or on_start_failed() follows, not before start() returns.
    virtual void start() = 0;

    // Sends the message in `line`, which ends with '\n'; in a stream of bytes after all former ones.
    // Returns the bytes of it and of former ones that have to wait for the peer; 0 is the common case.
    // Without effect after on_write_failed() and after stop().
    virtual std::size_t send(std::string line, const message_facts& facts = {}) = 0;

    // What is sent until end_burst() may wait for that, so that many small messages go out together.
    // False: this transport has no bursts, and end_burst() is not to be called. May be nested.
    [[nodiscard]] virtual bool begin_burst() { return false; }
    // Returns what send() returns.
    virtual std::size_t end_burst() { return 0; }

    // Nobody waits any more for the answer to the request with this id. True: the server is told so by
    // this alone, without a message.
    virtual bool cancel(std::int64_t id);

    // Goes on with the stop ladder; on_ended() follows sooner or later. stdout and stderr are drained
    // meanwhile, without on_line() events after the first stop().
    virtual void stop(stop_step step) = 0;

    // Kills at once what start() has begun, without the strand; empty where there is nothing to
    // kill. What it returns may be called on any thread at any time, after the transport is gone and
    // more than once. on_ended() follows if there is somebody to hear it.
    //
    // Precondition: start() was called.
    [[nodiscard]] virtual std::function<void()> kill_switch() const = 0;

    // Readable as soon as the process has exited, which may be before its end of output or on_ended()
    // are told. Null or empty where there is none. After on_started().
    [[nodiscard]] virtual std::shared_ptr<const descriptor> pidfd() const = 0;

    // The last bytes of stderr, as they came.
    [[nodiscard]] virtual std::string stderr_tail() const = 0;

    // Memory that the process and its descendants occupy at present; 0 where it cannot be known.
    //
    // Errors: throws std::bad_alloc.
    [[nodiscard]] virtual std::size_t resident_bytes() const = 0;

    // What a person should know when the start failed or took too long, e.g. which proxy variables
    // the host has and the child did not get. Empty if nothing.
    [[nodiscard]] virtual std::string start_hints() const = 0;
};

inline bool transport::cancel(std::int64_t)
{
    return false;
}

inline void transport_events::on_message(
    rpc::message&&, std::string_view, std::optional<std::int64_t>)
{}
inline void transport_events::on_repaired(std::uint64_t) {}
inline void transport_events::on_verdict(const protocol::era_verdict&, std::string_view) {}
inline void transport_events::on_request_failed(const json::value&, request_failure) {}

// Makes the transport of one process. `events` outlives the transport.
using transport_factory =
    std::function<std::unique_ptr<transport>(connection_strand strand, transport_events& events)>;

} // namespace mcp_pool::transport
