#include "session/session_state.hpp"

#include "protocol/trace.hpp"
#include "session/connection.hpp"

#include <boost/asio/system_executor.hpp>

#include <new>
#include <utility>

#include <poll.h>

namespace mcp_pool::detail {

session_state::session_state(
    session_owner& lender, std::uint64_t number, std::uint64_t slot_epoch, std::size_t grants)
    : owner(lender)
    , id(number)
    , epoch(slot_epoch)
    , first_grant_(*this, 0)
{
    more_grants_.reserve(grants - 1);
    for (std::size_t index = 1; index < grants; ++index)
        more_grants_.push_back(std::make_unique<grant_record>(*this, index));
}

bool session_state::process_has_exited() const noexcept
{
    if (!pidfd || !*pidfd)
        return false;
    pollfd exit{pidfd->get(), POLLIN, 0};
    return ::poll(&exit, 1, 0) == 1;
}

void session_state::set_io(std::shared_ptr<connection> c)
{
    const std::lock_guard lock(mutex_);
    io_ = std::move(c);
}

std::shared_ptr<connection> session_state::take_io() noexcept
{
    const std::lock_guard lock(mutex_);
    return std::exchange(io_, nullptr);
}

void session_state::drop_io() noexcept
{
    std::shared_ptr<connection> last = take_io();
    if (connection* const io = last.get())
        io->let_go(std::move(last));
}

asio::any_io_executor session_state::default_executor() const
{
    const std::lock_guard lock(mutex_);
    return io_ ? io_->pool_executor() : asio::any_io_executor(asio::system_executor());
}

std::int64_t reserve_request_id(const session_ref& session) noexcept
{
    return session.grant->state.next_request_id();
}

namespace {

// Nothing to send: the lease remembers it.
void keep_level(const session_ref& session, request_op* op)
{
    std::shared_ptr<diagnostics> details;
    error_code code;
    if (session.grant->leased(op->generation)) {
        session.grant->level.set(op->generation, *op->request.lease_level);
    } else {
        code = errc::lease_released;
        details = std::make_shared<diagnostics>();
        details->message = "the lease whose log level was to be set has ended; acquire a new one";
    }
    if (!op->complete(code, nullptr, std::move(details)))
        op->destroy();
}

// The log level of the lease goes with each of its requests that has none of its own. Source: MCP
// 2026-07-28, basic/index, "_meta".
void add_level(const grant_record& grant, request_op& op)
{
    constexpr json::string_view key = "io.modelcontextprotocol/logLevel";
    const std::optional<log_level> level = grant.level.get(op.generation);
    if (!level || op.request.notification)
        return;
    const json::value* const given = op.request.params.if_contains("_meta");
    const json::object* const own = given ? given->if_object() : nullptr;
    if (op.request.options.meta.contains(key) || (own && own->contains(key)))
        return;
    const std::string_view name = to_string(*level);
    op.request.options.meta.emplace(key, json::string_view(name.data(), name.size()));
}

// Where the request belongs in the caller's trace.
void add_trace(request_op& op)
{
    const trace_context& trace = op.request.options.trace;
    if (op.request.notification
        || (trace.traceparent.empty() && trace.tracestate.empty() && trace.baggage.empty()))
        return;
    const json::value* const given = op.request.params.if_contains("_meta");
    protocol::add_trace(trace, op.request.options.meta, given ? given->if_object() : nullptr);
}

} // namespace

void start_request(const session_ref& session, request_op* op)
{
    if (op->request.lease_level) {
        keep_level(session, op);
        return;
    }
    try {
        add_level(*session.grant, *op);
        add_trace(*op);
    } catch (const std::bad_alloc&) {
        // Less is then told of this one request, which is better than losing it.
    }
    if (session.grant->state.with_io([op](connection& io) { io.submit(op); }))
        return;
    auto details = std::make_shared<diagnostics>();
    details->message = "the session has ended; acquire a new lease";
    if (!op->complete(make_error_code(session.grant->leased(op->generation) ? errc::not_sent
                                                                            : errc::lease_released),
            nullptr, std::move(details)))
        op->destroy();
}

void cancel_request(const std::shared_ptr<grant_record>& grant, std::int64_t id) noexcept
{
    try {
        grant->state.with_io([id](connection& io) { io.cancel(id); });
    } catch (const std::exception&) {
        // No memory for the message to the strand: the request ends by its answer or its timeout.
    }
}

asio::any_io_executor default_executor(const session_ref& session)
{
    return session.grant->state.default_executor();
}

} // namespace mcp_pool::detail
