// One request of the server in the hands of a handler of the host.
#pragma once

#include "protocol/client_requests.hpp"
#include "session/session_state.hpp"

#include <mcp_pool/handlers.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/strand.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>

namespace mcp_pool::detail {

protocol::client_abilities abilities_of(const client_handlers* handlers) noexcept;

// The handler for a kind that is declared.
const request_handler& handler_for(const client_handlers& handlers, protocol::question_kind kind);

// What became of a request in the hands of a handler.
struct handler_outcome
{
    enum class kind {
        // `result` is what it has returned.
        answered,
        // It threw; `failure` is what may be told.
        failed,
        // It was not called, or not to its end.
        not_run,
    };

    kind how = kind::not_run;
    json::value result;
    rpc_error failure;

    handler_outcome() = default;
};

// Runs a handler on the executor of the lease's acquirer, and tells the connection of the outcome
// exactly once: see connection::handler_done().
//
// Lifetime: belongs to the work that is posted for it and to the handler's coroutine; the connection
// knows it weakly. What the acquirer's context drops is reported as not_run.
//
// Thread safety: start() once, before anything else; cancel() from any thread.
class handler_call : public std::enable_shared_from_this<handler_call>
{
public:
    // `number` names the request at the connection; `generation` is that of the lease it concerns.
    handler_call(std::uint64_t number, std::shared_ptr<grant_record> grant,
        std::uint64_t generation, std::shared_ptr<const client_handlers> handlers,
        const request_handler& function, const asio::any_io_executor& executor,
        request_context context, json::object params);
    handler_call(const handler_call&) = delete;
    handler_call& operator=(const handler_call&) = delete;
    ~handler_call();

    void start() noexcept;
    // The handler is not called any more, or cancelled. Its outcome is told all the same.
    void cancel() noexcept;

private:
    static asio::awaitable<json::value> invoke(std::shared_ptr<handler_call> call);
    void run();
    void finished(const std::exception_ptr& failure, json::value&& result) noexcept;
    void report(handler_outcome&& outcome) noexcept;

    const std::uint64_t number_;
    const std::shared_ptr<grant_record> grant_;
    const std::uint64_t generation_;
    // Keeps the function, and with it whatever its coroutines refer to.
    const std::shared_ptr<const client_handlers> handlers_;
    const request_handler& function_;
    // A strand, so that cancelling is safe on executors with several threads.
    const asio::strand<asio::any_io_executor> strand_;
    request_context context_;
    json::object params_;
    std::atomic<bool> cancelled_{false};
    // On the strand, or where nobody else is left.
    asio::cancellation_signal signal_;
    bool reported_ = false;
};

} // namespace mcp_pool::detail
