// An asynchronous mutex: first come, first served.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <deque>
#include <memory>
#include <utility>

namespace mcp_pool::bench {

// What a careful user of one shared session writes: unlock() hands the lock to the first waiter, so
// nobody overtakes and nobody is woken in vain.
//
// Thread safety: none; all users run on one thread.
class fifo_lock
{
public:
    fifo_lock() = default;
    fifo_lock(const fifo_lock&) = delete;
    fifo_lock& operator=(const fifo_lock&) = delete;

    // Completes at once, without a hop, if the lock is free.
    asio::awaitable<void> lock()
    {
        if (!held_) {
            held_ = true;
            co_return;
        }
        const enqueue initiation(*this);
        co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
            initiation, asio::use_awaitable);
    }

    // Precondition: held by the caller.
    void unlock()
    {
        if (waiting_.empty()) {
            held_ = false;
            return;
        }
        const std::unique_ptr<place> next = std::move(waiting_.front());
        waiting_.pop_front();
        next->wake();
    }

    // Destroys those who wait, without waking them.
    void clear() noexcept
    {
        // A destroyed waiter may hold a lock of its own kind and come back here.
        const auto gone = std::exchange(waiting_, {});
    }

    [[nodiscard]] bool held() const noexcept { return held_; }

private:
    struct place
    {
        virtual ~place() = default;
        virtual void wake() = 0;
    };

    template <class Handler>
    struct place_of final : place
    {
        explicit place_of(Handler h)
            : handler(std::move(h))
        {}

        void wake() override
        {
            auto executor = asio::get_associated_executor(handler);
            asio::post(executor, std::move(handler));
        }

        Handler handler;
    };

    // Named, because g++ 12 destroys a capturing lambda twice inside a co_await.
    struct enqueue
    {
        explicit enqueue(fifo_lock& l)
            : lock(&l)
        {}

        template <class Handler>
        void operator()(Handler&& handler) const
        {
            using plain = std::decay_t<Handler>;
            lock->waiting_.push_back(
                std::make_unique<place_of<plain>>(std::forward<Handler>(handler)));
        }

        fifo_lock* lock;
    };

    std::deque<std::unique_ptr<place>> waiting_;
    bool held_ = false;
};

} // namespace mcp_pool::bench
