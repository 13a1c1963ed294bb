// A pool with a counting semaphore before a list of sessions: whoever has a permit finds a session. The
// semaphore is a counter and a queue of completion handlers; a permit that is given back goes to the
// first of them.
//
// One thread.
#pragma once

#include "compare/dummy_session.hpp"

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/detail/namespaces.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <cstddef>
#include <list>
#include <utility>
#include <vector>

namespace mcp_pool::bench {

class semaphore
{
public:
    semaphore(asio::any_io_executor executor, std::size_t permits)
        : executor_(std::move(executor))
        , permits_(permits)
    {}

    [[nodiscard]] asio::any_io_executor get_executor() const { return executor_; }

    bool try_acquire()
    {
        if (permits_ == 0)
            return false;
        --permits_;
        return true;
    }

    // Precondition: there is no permit.
    template <class Token>
    auto async_acquire(Token&& token)
    {
        return asio::async_initiate<Token, void(error_code)>(enqueue{this}, token);
    }

    void release()
    {
        if (waiting_.empty()) {
            ++permits_;
            return;
        }
        waiter first = std::move(waiting_.front());
        waiting_.pop_front();
        complete(std::move(first), {});
    }

private:
    using waiter = asio::any_completion_handler<void(error_code)>;

    struct enqueue
    {
        semaphore* self;

        template <class Handler>
        void operator()(Handler&& handler) const
        {
            std::list<waiter>& waiting = self->waiting_;
            const auto place = waiting.emplace(waiting.end(), std::forward<Handler>(handler));
            auto slot = asio::get_associated_cancellation_slot(*place);
            if (!slot.is_connected())
                return;
            slot.assign([s = self, place](asio::cancellation_type) {
                waiter mine = std::move(*place);
                s->waiting_.erase(place);
                s->complete(std::move(mine), asio::error::operation_aborted);
            });
        }
    };

    void complete(waiter w, error_code code)
    {
        // Whoever is out of the queue cannot be cancelled any more.
        asio::get_associated_cancellation_slot(w).clear();
        asio::post(executor_, asio::append(std::move(w), code));
    }

    asio::any_io_executor executor_;
    std::size_t permits_;
    std::list<waiter> waiting_;
};

class semaphore_pool
{
public:
    using lease = borrowed<semaphore_pool>;
    static constexpr const char* name = "semaphore and queue";

    semaphore_pool(const asio::any_io_executor& executor, std::size_t sessions)
        : sessions_(sessions)
        , permits_(executor, sessions)
    {
        for (dummy_session& s : sessions_)
            idle_.push_back(&s);
    }

    asio::awaitable<lease> acquire(duration timeout)
    {
        using namespace asio::experimental::awaitable_operators;
        // Most find a permit and need no timer for their patience.
        if (!permits_.try_acquire()) {
            asio::steady_timer patience(permits_.get_executor(), timeout);
            const auto result = co_await (permits_.async_acquire(asio::use_awaitable)
                || patience.async_wait(asio::use_awaitable));
            if (result.index() != 0)
                throw boost::system::system_error(asio::error::timed_out);
        }
        dummy_session* const session = idle_.back();
        idle_.pop_back();
        co_return lease(*this, *session);
    }

    void give_back(dummy_session& session)
    {
        idle_.push_back(&session);
        permits_.release();
    }

    // Sessions that somebody could still have.
    [[nodiscard]] std::size_t idle()
    {
        std::size_t found = 0;
        while (permits_.try_acquire())
            ++found;
        for (std::size_t i = 0; i != found; ++i)
            permits_.release();
        return found;
    }

private:
    std::vector<dummy_session> sessions_;
    std::vector<dummy_session*> idle_;
    semaphore permits_;
};

} // namespace mcp_pool::bench
