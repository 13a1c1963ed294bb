// What the answer of an HTTP server means for the message that was sent to it.
#pragma once

#include "protocol/auth_challenge.hpp"
#include "protocol/era.hpp"
#include "protocol/redirect.hpp"
#include "rpc/message.hpp"

#include <mcp_pool/error.hpp>
#include <mcp_pool/types.hpp>

#include <boost/json/value.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_pool::protocol {

// What was sent.
struct http_sent
{
    enum class purpose {
        // POST of a request.
        request,
        // POST of a notification, or of an answer to a request of the server.
        notification,
        // POST of `server/discover`, when the era of the server is not known yet.
        probe,
        // GET that opens the stream of a legacy session.
        listening,
        // GET with Last-Event-ID.
        resuming,
        // DELETE that ends a legacy session.
        ending,
    };

    purpose what = purpose::request;
    mcp_pool::era era = era::legacy;
    // A session id was sent.
    bool in_session = false;
    // The probe repeats one that was refused; there is no third one.
    bool corrected = false;
    // Of the request, or of the one whose stream is resumed.
    json::value id;
    // Of the body that was sent.
    std::size_t bytes = 0;
    // How many redirects led here.
    unsigned redirects = 0;
    http_origin origin;
    // Path and query.
    std::string target;

    http_sent() = default;
};

// Status line and header fields of an answer. Foreign text, valid during the call.
struct http_head
{
    unsigned status = 0;
    std::string_view content_type;
    std::string_view location;
    // Several fields joined by commas.
    std::string_view www_authenticate;

    http_head() = default;
};

// What to do with the body of an answer before it is judged.
enum class body_use {
    // It is an event stream: judge_http() without a body, then read events.
    stream,
    // Read it whole, up to the limit for messages.
    message,
    // It explains a refusal: read at most max_explanation_bytes and leave the rest.
    explanation,
};

inline constexpr std::size_t max_explanation_bytes = std::size_t{64} << 10;
// A batch of more is refused: its messages would take many times the memory of their text.
inline constexpr std::size_t max_batch = 1000;

body_use use_of_body(const http_sent& sent, const http_head& head);

struct http_answer
{
    enum class kind {
        // `messages` came in the body, in order; one of them answers the request and has its id.
        messages,
        // The head of an event stream.
        event_stream,
        // Taken; nothing follows.
        accepted,
        // The server offers no stream, or does not let clients end sessions: no failure.
        not_offered,
        // Send the same, method and body too, to `target` at the same origin.
        redirect,
        // Of a probe: see `verdict`. A DiscoverResult is in `messages`.
        era,
        // The server does not know the session any more: a new `initialize` is needed.
        session_lost,
        // The credentials are refused: see `status` and `challenge`.
        unauthorized,
        // See `code` and `text`.
        failed,
    };

    kind type = kind::failed;
    std::vector<rpc::message> messages;
    era_verdict verdict;
    std::string target;
    auth_challenge challenge;
    unsigned status = 0;
    // Of failed, session_lost and unauthorized: the error of the request, and what happened, to
    // follow "server "x": ". Foreign text in it is escaped and bounded.
    errc code = errc::http_error;
    std::string text;

    http_answer() = default;
};

// Judges an answer. `body` is what use_of_body() asked for. `reader` counts what it repairs.
//
// An answer to the probe is evidence for the modern era only if it is a DiscoverResult or -32022 with
// the versions that the server speaks; for the legacy era if it is another refusal of the request as
// such. Refused credentials, failures of the server, too many requests and a success that says nothing
// are no evidence at all. In the modern era a refusal with a JSON-RPC error is that error; in the
// legacy one the codes mean nothing, and it is told with the status.
//
// An error is the answer to the request whatever its id: servers that could not read the id, or do not
// care, send null or a word. A result has to have the right one.
//
// Source: MCP 2026-07-28, basic/transports/streamable-http, "Sending Messages", "Backward
// Compatibility"; MCP 2025-11-25, basic/transports, "Session Management".
http_answer judge_http(
    const http_sent& sent, const http_head& head, std::string_view body, rpc::reader& reader);

// Judges the answer to a request or to the probe that came in an event stream.
//
// Preconditions: `answer` is a result or an error.
http_answer judge_streamed(const http_sent& sent, rpc::message&& answer);

} // namespace mcp_pool::protocol
