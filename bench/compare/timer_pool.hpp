// A pool that uses a timer as condition variable: whoever finds no session waits on a timer that
// never fires; a release wakes one of them, and whoever wakes looks again.
//
// One thread.
#pragma once

#include "compare/dummy_session.hpp"

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/detail/namespaces.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <cstddef>
#include <variant>
#include <vector>

namespace mcp_pool::bench {

class timer_pool
{
public:
    using lease = borrowed<timer_pool>;
    static constexpr const char* name = "timer as condition variable";

    timer_pool(const asio::any_io_executor& executor, std::size_t sessions)
        : sessions_(sessions)
        , wake_(executor, asio::steady_timer::time_point::max())
    {
        for (dummy_session& s : sessions_)
            idle_.push_back(&s);
    }

    asio::awaitable<lease> acquire(duration timeout)
    {
        using namespace asio::experimental::awaitable_operators;
        // Most find a session and need no timer for their patience.
        if (!idle_.empty())
            co_return take();
        asio::steady_timer patience(wake_.get_executor(), timeout);
        auto result = co_await (wait_for_session() || patience.async_wait(asio::use_awaitable));
        if (result.index() != 0)
            throw boost::system::system_error(asio::error::timed_out);
        co_return std::get<0>(std::move(result));
    }

    void give_back(dummy_session& session)
    {
        idle_.push_back(&session);
        wake_.cancel_one();
    }

    [[nodiscard]] std::size_t idle() const { return idle_.size(); }

private:
    lease take()
    {
        dummy_session* const session = idle_.back();
        idle_.pop_back();
        return {*this, *session};
    }

    asio::awaitable<lease> wait_for_session()
    {
        while (idle_.empty()) {
            error_code ignored;
            auto token = asio::redirect_error(asio::use_awaitable, ignored);
            co_await wake_.async_wait(token);
            // Woken and cancelled look the same.
            const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none)
                throw boost::system::system_error(asio::error::operation_aborted);
        }
        co_return take();
    }

    std::vector<dummy_session> sessions_;
    std::vector<dummy_session*> idle_;
    asio::steady_timer wake_;
};

} // namespace mcp_pool::bench
