// A pool whose state belongs to a strand: free sessions, and a deque of those who wait, each with a
// timer of its own that is its patience and, cancelled, its wake-up.
//
// Any thread.
#pragma once

#include "compare/dummy_session.hpp"

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/detail/namespaces.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

namespace mcp_pool::bench {

class strand_pool
{
public:
    using lease = borrowed<strand_pool>;
    static constexpr const char* name = "strand and deque";

    strand_pool(const asio::any_io_executor& executor, std::size_t sessions)
        : sessions_(sessions)
        , strand_(asio::make_strand(executor))
    {
        for (dummy_session& s : sessions_)
            idle_.push_back(&s);
    }

    asio::awaitable<lease> acquire(duration timeout)
    {
        auto on_strand = asio::bind_executor(strand_, asio::use_awaitable);
        co_await asio::dispatch(on_strand);
        lease result;
        if (!idle_.empty()) {
            result = lease(*this, *idle_.back());
            idle_.pop_back();
        } else {
            waiter mine(strand_, timeout);
            waiting_.push_back(&mine);
            error_code ignored;
            auto token = asio::bind_executor(
                strand_, asio::redirect_error(asio::use_awaitable, ignored));
            co_await mine.wake.async_wait(token);
            if (!mine.given) {
                waiting_.erase(std::find(waiting_.begin(), waiting_.end(), &mine));
                throw boost::system::system_error(asio::error::timed_out);
            }
            result = lease(*this, *mine.given);
        }
        // Back to where the caller runs.
        co_await asio::post(asio::use_awaitable);
        co_return result;
    }

    void give_back(dummy_session& session)
    {
        asio::dispatch(strand_, [this, given = &session] {
            if (waiting_.empty()) {
                idle_.push_back(given);
                return;
            }
            waiter& first = *waiting_.front();
            waiting_.pop_front();
            first.given = given;
            first.wake.cancel();
        });
    }

    // While nobody uses it.
    [[nodiscard]] std::size_t idle() const { return idle_.size(); }

private:
    using strand = asio::strand<asio::any_io_executor>;

    struct waiter
    {
        asio::steady_timer wake;
        dummy_session* given = nullptr;

        waiter(const strand& where, duration patience)
            : wake(where, patience)
        {}
    };

    std::vector<dummy_session> sessions_;
    std::vector<dummy_session*> idle_;
    std::deque<waiter*> waiting_;
    strand strand_;
};

} // namespace mcp_pool::bench
