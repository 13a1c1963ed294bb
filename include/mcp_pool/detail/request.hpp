// A request and the operation that waits for its answer, as the machines of the protocol see it: no
// executor, no handler.
#pragma once

#include <mcp_pool/call_options.hpp>
#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/detail/namespaces.hpp>
#include <mcp_pool/error.hpp>
#include <mcp_pool/log_level.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace mcp_pool::detail {

struct grant_record;
struct lessee;

// A session as one lease sees it. Copies outlive the lease and the pool; an operation started
// through one whose lease has ended fails with errc::lease_released.
struct session_ref
{
    // Keeps the state of the whole session.
    std::shared_ptr<grant_record> grant;
    // Generation of the lease.
    std::uint64_t generation = 0;
    // Who holds the lease; null where the server has no handlers.
    std::shared_ptr<const lessee> holder;
    // Of the lease; null: none.
    std::shared_ptr<const std::string> isolation_key;

    session_ref() = default;
    session_ref(std::shared_ptr<grant_record> of, std::uint64_t g,
        std::shared_ptr<const lessee> who = nullptr)
        : grant(std::move(of))
        , generation(g)
        , holder(std::move(who))
    {}
};

// What to send.
struct request
{
    std::string method;
    json::object params;
    call_options options;
    // A notification has no answer: the operation completes when it is handed to the transport.
    bool notification = false;
    // The result is read through accessors: it must have the members that the specification requires.
    bool typed = false;
    // What comes is the text of the result, as a string.
    bool as_text = false;
    // Set: nothing is sent, the lease keeps the level for its later requests.
    std::optional<log_level> lease_level;

    request() = default;
    request(std::string m, json::object p, call_options o)
        : method(std::move(m))
        , params(std::move(p))
        , options(std::move(o))
    {}
};

// A pending request. The connection owns it from start_request() until complete() returns true.
class request_op
{
public:
    request_op(const request_op&) = delete;
    request_op& operator=(const request_op&) = delete;

    // Stores the outcome and hands it to the handler's executor; gives up ownership. False if there is
    // no memory for that at present: the operation still belongs to the caller, who tries deliver()
    // later. Called once. Any thread.
    [[nodiscard]] bool complete(error_code code, json::value&& result,
        std::shared_ptr<const mcp_pool::diagnostics> details) noexcept
    {
        code_ = code;
        result_ = std::move(result);
        details_ = std::move(details);
        return deliver();
    }

    // Hands over what complete() stored; see there.
    [[nodiscard]] virtual bool deliver() noexcept = 0;

    // Hands one progress notification to the handler's executor. Lost if there is no memory for it.
    virtual void post_progress(const progress& news) noexcept = 0;

    // Destroys the operation and its handler without calling it: the context has ended.
    virtual void destroy() noexcept = 0;

    mcp_pool::detail::request request;
    // The grant that the operation was started through, and the generation of its lease. The
    // connection keeps the grant alive.
    grant_record* grant = nullptr;
    std::uint64_t generation = 0;
    // As in session_ref.
    std::shared_ptr<const lessee> holder;
    std::shared_ptr<const std::string> isolation_key;
    // JSON-RPC id, unique in its connection; reserved before the operation can be cancelled. A request
    // that is sent again is sent with another one.
    std::int64_t id = 0;
    // It was refused for the header fields of its tool, and is sent once more, over HTTP.
    bool sent_again = false;
    // When the operation times out; set by the connection.
    time_point deadline = time_point::max();
    // The next one in whichever queue of the connection the operation is in.
    request_op* next = nullptr;

protected:
    explicit request_op(mcp_pool::detail::request&& what)
        : request(std::move(what))
    {}
    ~request_op() = default;

    // The outcome; set by complete().
    error_code code_;
    json::value result_;
    std::shared_ptr<const mcp_pool::diagnostics> details_;
};

} // namespace mcp_pool::detail
