// What a server may ask of its client, and who answers: sampling, elicitation, roots; and who is told
// what it reports.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>
#include <mcp_pool/error.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace mcp_pool {

// Whom a request or notification of a server concerns.
struct request_context
{
    // Name of the server and number of the session, as in server_config and session::id().
    std::string server;
    std::uint64_t session_id = 0;
    // As given to the acquire of the lease that it concerns; empty where it concerns no lease.
    std::string isolation_key;
    std::shared_ptr<void> context;
    // The server's id of its request, in the modern era the key in `inputRequests`; null for a
    // notification.
    json::value request_id;

    request_context() = default;
};

// Answers a request with the `result` that the server is to get. `params` are as the server sent them,
// with the members that the specification requires.
//
// Completion: runs on the executor of whoever acquired the lease, wrapped in a strand: that of the
// coroutine that awaited acquire(), the one associated with the handler of async_acquire(), the pool's
// for try_acquire(). Its execution context must exist as long as the lease.
//
// Cancellation: terminal, when the call that the request belongs to ends, its lease is given back, its
// session ends, or the server withdraws the request. An answer that comes after that is dropped.
//
// Errors: an exception becomes the error -32603 without a text of its own, `refusal` the error that it
// says. In the legacy era the server gets the error; in the modern one the call ends with it.
using request_handler = std::function<asio::awaitable<json::value>(request_context, json::object)>;

// Is told of a notification, with its `params`. Notifications for one lease come one after the other,
// in order, on the executor of its acquirer; if 256 or 1 MiB wait, further ones are dropped. Must not
// throw.
using notification_handler = std::function<void(const request_context&, const json::object&)>;

// Which of a server's lists has changed.
enum class list_kind {
    tools,
    prompts,
    resources,
};

// Who answers for the host. Shared by all sessions of a pool and never changed; a part of the pool's
// identity: configurations are equal only if they share this object. Functions that are not set are
// capabilities that are not declared.
//
// A request is put to a handler only if it can be tied to the lease that is out: a call of that lease
// is under way, and of no other lease of the session. Any other is shown to nobody; the server is told
// that there is no such method, or that the user has cancelled an elicitation. At most 16 requests of
// a session are answered at a time.
//
// Thread safety: functions may be called for several sessions at the same time.
struct client_handlers
{
    // `sampling/createMessage`. Throw user_rejected() for a user who does not want it.
    // Source: MCP, client/sampling.
    request_handler sampling;
    // Whether `sampling` understands `tools` and `toolChoice`; such requests are refused otherwise.
    bool sampling_tools = false;

    // `elicitation/create` with a form, and with a URL. The result has `action` (accept, decline,
    // cancel) and for an accepted form `content`, in which the defaults of the schema are filled in
    // for what is missing. Source: MCP, client/elicitation; SEP-1034.
    request_handler elicit_form;
    request_handler elicit_url;

    // `roots/list`; the result has `roots`. Source: MCP, client/roots.
    request_handler roots;

    // `notifications/message`, while the lease that it concerns is out. Source: MCP, server/utilities/
    // logging.
    notification_handler log_message;
    // `notifications/resources/updated` of a resource that the lease has subscribed to, or of a part of
    // one. In the modern era also, with the member `uri` alone, where a subscription was interrupted.
    // Source: MCP, server/resources, "Subscriptions".
    notification_handler resource_updated;
    // `notifications/elicitation/complete`: what a URL was opened for is done. Source: MCP 2025-11-25,
    // client/elicitation.
    notification_handler elicitation_complete;

    // `notifications/…/list_changed`. Concerns no lease; comes on the executor of the pool, those of
    // one session in order. In the modern era each session asks for them where the server declares
    // `listChanged`. Source: MCP, server/tools, server/prompts, server/resources; MCP 2026-07-28,
    // basic/patterns/subscriptions.
    std::function<void(const request_context&, list_kind)> list_changed;

    client_handlers() = default;
};

// Thrown by a request handler: the error that the server is to get. Codes from -32768 to -32000 are
// JSON-RPC's own.
class refusal : public error
{
public:
    refusal(int code, std::string message, json::value data = nullptr);
};

// The refusal of a user: code -1. Source: MCP 2025-11-25, client/sampling, "Error Handling".
refusal user_rejected();

} // namespace mcp_pool
