// How the requests of a connection end without an answer: cancelled, timed out, released.
#include "rpc/text.hpp"
#include "session/connection_driver.hpp"

#include <utility>

namespace mcp_pool::detail {

namespace {

// When to try again to post an outcome for which there was no memory.
constexpr duration delivery_retry = std::chrono::milliseconds(10);
constexpr std::size_t max_method = 100;

} // namespace

duration connection_driver::timeout_of(const request_op& op) const
{
    const duration limit = op.request.options.timeout.value_or(server_->options.call_timeout);
    // Less than nothing is left of somebody's deadline, which is not the same as no limit.
    return limit < duration::zero() ? duration(1) : limit;
}

std::string connection_driver::name_of(const request_op& op)
{
    return rpc::escape_foreign(op.request.method, max_method);
}

void connection_driver::cancel(std::int64_t id)
{
    post([id](connection_driver& c) {
        c.take_inbox();
        c.give_up(c.wire_id(id), asio::error::operation_aborted, "the caller cancelled the request",
            nullptr);
    });
}

void connection_driver::give_up(std::int64_t id, error_code code, std::string_view reason,
    std::shared_ptr<const diagnostics> details)
{
    if (protocol::pending_request* const pending = table_.find(id)) {
        request_op* const op = pending->op;
        if (remembers(*op))
            leftovers_of(*op).given_up(op->request);
        // Counts as unanswered until the answer comes after all, or a reset has made sure of the
        // peer.
        uncount(*op->grant, table_.bury(id));
        if (phase_ == phase::ready && !transport_->cancel(id))
            send(envelope_->cancelled(id, reason), "notifications/cancelled");
        withdraw(op->grant->index);
        finish(op, code, nullptr, std::move(details));
        pump();
        return;
    }
    end_round(id, code, details);
    give_up_subscribing(id, code, details);
    request_queue found = queue_.extract([id](const request_op& op) { return op.id == id; });
    while (request_op* op = found.pop_front()) {
        uncount(*op);
        finish(op, code, nullptr, details);
    }
}

void connection_driver::expire_requests(time_point now)
{
    expired_.clear();
    table_.expired(now, expired_);
    for (const protocol::pending_request& request : expired_) {
        if (!table_.find(request.id))
            continue;
        const bool idle = request.deadline > now;
        const duration limit = idle ? request.idle : timeout_of(*request.op);
        give_up(request.id, make_error_code(errc::call_timeout), "the request timed out",
            explain(name_of(*request.op)
                    + (idle ? " brought neither an answer nor progress for "
                            : " got no answer within ")
                    + text_of(limit) + "; it was cancelled at the server",
                idle ? "raise idle_timeout" : "raise the timeout of the call or call_timeout"));
    }
    request_queue late = queue_.extract([now](const request_op& op) { return op.deadline <= now; });
    while (request_op* op = late.pop_front()) {
        uncount(*op);
        finish(op, make_error_code(errc::call_timeout), nullptr,
            explain(name_of(*op) + " waited for " + text_of(timeout_of(*op))
                    + " behind other requests of the session; it was not sent"
                    + (rounds_of(op) ? " again with what the server had asked for" : ""),
                "raise the timeout of the call or max_requests_in_flight"));
    }
}

void connection_driver::uncount(grant_record& of, std::size_t requests) noexcept
{
    if (requests > 0)
        of.unanswered.fetch_sub(static_cast<std::uint32_t>(requests));
}

void connection_driver::finish(request_op* op, error_code code, json::value&& result,
    std::shared_ptr<const diagnostics> details) noexcept
{
    if (!rounds_.empty())
        forget_rounds(op);
    if (op->complete(code, std::move(result), std::move(details)))
        return;
    // No memory for the post.
    undelivered_.push_back(op);
    deliver_again_at_ = clock::now() + delivery_retry;
    try {
        wake_at(deliver_again_at_);
    } catch (const std::exception&) {
        // Not for the timer either: the next line that comes is the occasion.
    }
}

void connection_driver::deliver_again()
{
    if (undelivered_.empty())
        return;
    request_queue retry(std::move(undelivered_));
    while (request_op* op = retry.pop_front())
        if (!op->deliver())
            undelivered_.push_back(op);
    deliver_again_at_ = undelivered_.empty() ? time_point::max() : clock::now() + delivery_retry;
    wake_at(deliver_again_at_);
}

} // namespace mcp_pool::detail
