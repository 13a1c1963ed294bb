#include "session/session_state.hpp"

#include "session/connection.hpp"

#include <boost/asio/system_executor.hpp>

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

void start_request(const session_ref& session, request_op* op)
{
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
