// An acquire under way, from its initiation to the handler: what the templates of `session_pool`
// need.
#pragma once

#include <mcp_pool/acquire_options.hpp>
#include <mcp_pool/close_report.hpp>
#include <mcp_pool/detail/delivery.hpp>
#include <mcp_pool/detail/waiter.hpp>
#include <mcp_pool/error.hpp>
#include <mcp_pool/lease.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <utility>

namespace mcp_pool {

namespace detail {

class pool_state;

// A pending acquire. The pool owns it from start_acquire() until post() returns true.
class acquire_op : public waiter
{
public:
    // Hands the outcome to the handler's executor and gives up ownership; the lease travels with it
    // and goes back to the pool if the handler is never called. False if there is no memory for it.
    [[nodiscard]] virtual bool post() noexcept = 0;

    // Destroys the operation and its handler without calling it: the context has ended.
    virtual void destroy() noexcept = 0;

    acquire_options options;
    // Of the event that tells of the outcome; 0: nobody is told.
    std::uint64_t sequence = 0;
    lease granted;
    std::shared_ptr<const mcp_pool::diagnostics> details;

protected:
    explicit acquire_op(acquire_options o)
        : options(std::move(o))
    {}
    ~acquire_op() = default;
};

// Takes ownership of `op`; never completes it before it returns. Any thread.
void start_acquire(const std::shared_ptr<pool_state>& pool, acquire_op* op);

// Completes a waiting acquire with operation_aborted; nothing happens to one that has been claimed.
// Precondition: `op` exists, which holds on the handler's executor until the handler is called.
void cancel_acquire(const std::shared_ptr<pool_state>& pool, acquire_op* op) noexcept;

asio::any_io_executor default_executor(const std::shared_ptr<pool_state>& pool);

// Whether handlers have to know who acquires.
bool has_handlers(const std::shared_ptr<pool_state>& pool) noexcept;

// Makes of the context in `options` what handlers are to know of whoever acquires: see `lessee`.
void note_acquirer(acquire_options& options, asio::any_io_executor executor);

template <class Handler>
class acquire_op_for final : public acquire_op
{
public:
    // `what` and `how_many` as in waiter::wants and waiter::count.
    static void start(Handler handler, const std::shared_ptr<pool_state>& pool, acquire_options o,
        purpose what = purpose::lease, std::size_t how_many = 0)
    {
        op_memory<acquire_op_for, Handler> memory(handler);
        auto* op = memory.construct(std::move(handler), pool, std::move(o));
        op->wants = what;
        op->count = how_many;
        auto slot = asio::get_associated_cancellation_slot(op->delivery_.handler());
        if (slot.is_connected())
            slot.template emplace<canceller>(pool, op);
        start_acquire(pool, op);
    }

    acquire_op_for(Handler handler, const std::shared_ptr<pool_state>& pool, acquire_options o)
        : acquire_op(std::move(o))
        , delivery_(std::move(handler), [&pool] { return default_executor(pool); })
    {}

    bool post() noexcept override { return delivery_.post(this); }

    void destroy() noexcept override
    {
        const Handler last = delivery_.take_handler();
        op_memory<acquire_op_for, Handler>::destroy(this, last);
    }

    // Runs on the handler's executor, where the cancellation slot may be touched without a race.
    void invoke()
    {
        asio::get_associated_cancellation_slot(delivery_.handler()).clear();
        if (failure && details && options.diagnostics)
            *options.diagnostics = *details;
        Handler handler = delivery_.take_handler();
        const error_code code = failure;
        lease session = std::move(granted);
        op_memory<acquire_op_for, Handler>::destroy(this, handler);
        std::move(handler)(code, std::move(session));
    }

private:
    struct canceller
    {
        std::shared_ptr<pool_state> pool;
        acquire_op* op;

        canceller(std::shared_ptr<pool_state> p, acquire_op* o)
            : pool(std::move(p))
            , op(o)
        {}

        void operator()(asio::cancellation_type) const noexcept { cancel_acquire(pool, op); }
    };

    detail::delivery<acquire_op_for, Handler> delivery_;
};

// Initiation of an asynchronous acquire, as asio::async_initiate wants it.
struct initiate_acquire
{
    std::shared_ptr<pool_state> pool;

    explicit initiate_acquire(std::shared_ptr<pool_state> p)
        : pool(std::move(p))
    {}

    using executor_type = asio::any_io_executor;
    [[nodiscard]] executor_type get_executor() const { return default_executor(pool); }

    template <class Handler>
    void operator()(Handler&& handler, acquire_options options) const
    {
        if (has_handlers(pool))
            note_acquirer(options, asio::get_associated_executor(handler, default_executor(pool)));
        acquire_op_for<std::decay_t<Handler>>::start(
            std::forward<Handler>(handler), pool, std::move(options));
    }
};

// The coroutines behind the twins of wait_ready() and close().
std::function<asio::awaitable<void>()> wait_ready_factory(
    std::shared_ptr<pool_state> pool, std::size_t count, duration timeout);
std::function<asio::awaitable<close_report>()> close_factory(
    std::shared_ptr<pool_state> pool, duration deadline);

} // namespace detail
} // namespace mcp_pool
