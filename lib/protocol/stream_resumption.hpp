// When and how a client of the legacy era goes on with an event stream that has ended too early.
#pragma once

#include "rpc/event_stream.hpp"

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/types.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace mcp_pool::protocol {

// One stream, over all the connections that carry it. Every input returns what to do. Inputs in a
// state that does not expect them change nothing.
//
// A server that has given the stream an event id may close the connection and expects to be asked
// again: that is how it keeps long requests without a connection. It says how long to wait, and is
// obeyed to the millisecond; without its word the wait is 1 s, then 1.5 times as long, at most 30 s.
// Two tries in a row that fail are the end. Streams that are opened and end without a word are waited
// for longer from the second one on, however short a time the server names; they are no failures.
//
// Thread safety: none.
// Source: MCP 2025-11-25, basic/transports, "Resumability and Redelivery". MCP 2026-07-28 has no
// resumption: an answer whose stream breaks is lost.
class stream_resumption
{
public:
    enum class step {
        // Nothing new.
        none,
        // Call tick() at deadline(), not earlier; a timer that is late keeps the server waiting.
        wait,
        // Open the stream again by a GET, with last_event_id() if that is not empty.
        reconnect,
        // The stream is lost, with it the answer that it should have brought.
        give_up,
    };

    enum class purpose {
        // It brings the answer to one request. Without an event id it cannot be resumed: a GET would
        // open another stream.
        answer,
        // It brings what the server says unasked.
        listening,
    };

    static constexpr unsigned max_tries = 2;
    static constexpr duration first_delay = std::chrono::seconds(1);
    static constexpr duration longest_delay = std::chrono::seconds(30);

    stream_resumption(mcp_pool::era of, purpose what_for) noexcept
        : legacy_(of == era::legacy)
        , purpose_(what_for)
    {}

    // The connection that carried the stream has ended, well or badly; `seen` is what it brought.
    step ended(const rpc::event_stream& seen, time_point now);

    // The time to wait has passed, or not yet.
    step tick(time_point now);

    // The stream is open again.
    void opened() noexcept;

    // It could not be opened: the server was not reached, or answered with an error.
    step failed(time_point now);

    // The server does not know the stream any more, or offers none: trying again is in vain.
    step refused() noexcept;

    // The answer has come, or nobody waits for it any more: there is nothing left to resume.
    void finished() noexcept;

    // When to call tick(); time_point::max() for never.
    [[nodiscard]] time_point deadline() const noexcept { return due_; }

    // Behind which event the server shall go on.
    [[nodiscard]] const std::string& last_event_id() const noexcept { return last_event_id_; }

private:
    enum class state {
        // A connection carries the stream.
        open,
        // Until `due_`.
        waiting,
        // A GET is under way.
        reconnecting,
        // Finished, refused or given up.
        over,
    };

    step wait(unsigned tries, time_point now) noexcept;
    step give_up() noexcept;

    bool legacy_;
    purpose purpose_;
    state state_ = state::open;
    time_point due_ = time_point::max();
    std::string last_event_id_;
    std::optional<duration> retry_;
    // Tries in a row that failed.
    unsigned tries_ = 0;
    // Connections in a row that brought nothing.
    unsigned silent_ = 0;
};

} // namespace mcp_pool::protocol
