// How an operation hands its outcome to a handler on the handler's own executor.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <boost/asio/system_executor.hpp>

#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace mcp_pool::detail {

// The operation that this thread is posting at present.
inline thread_local const void* being_posted = nullptr;

// Memory of an operation, from the handler's associated allocator. The default allocator recycles
// blocks per thread, so that a loop of operations does not reach the heap.
template <class Op, class Handler>
class op_memory
{
    using allocator = asio::associated_allocator_t<Handler, asio::recycling_allocator<void>>;
    using rebound = typename std::allocator_traits<allocator>::template rebind_alloc<Op>;
    using traits = std::allocator_traits<rebound>;

    static rebound get(const Handler& handler)
    {
        return rebound(asio::get_associated_allocator(handler, asio::recycling_allocator<void>()));
    }

public:
    explicit op_memory(const Handler& handler)
        : allocator_(get(handler))
        , place_(traits::allocate(allocator_, 1))
    {}

    op_memory(const op_memory&) = delete;
    op_memory& operator=(const op_memory&) = delete;

    ~op_memory()
    {
        if (place_)
            traits::deallocate(allocator_, place_, 1);
    }

    template <class... Args>
    Op* construct(Args&&... args)
    {
        Op* op = ::new (static_cast<void*>(place_)) Op(std::forward<Args>(args)...);
        place_ = nullptr;
        return op;
    }

    // `handler` is the one whose allocator the memory came from, taken out of the operation: the
    // allocator may live in it.
    static void destroy(Op* op, const Handler& handler) noexcept
    {
        rebound memory = get(handler);
        op->~Op();
        traits::deallocate(memory, op, 1);
    }

private:
    rebound allocator_;
    typename traits::pointer place_;
};

// Whether a handler names the executor that it wants to be called on.
template <class Handler>
inline constexpr bool has_executor =
    std::is_same_v<asio::associated_executor_t<Handler, asio::system_executor>,
        asio::associated_executor_t<Handler, asio::any_io_executor>>;

// The executor of an io_context, counted as work.
using context_at_work = decltype(asio::prefer(
    std::declval<asio::io_context::executor_type>(), asio::execution::outstanding_work.tracked));

// The executor of a handler, counted as work until the handler is called. `default_executor()` is
// asked only where there is none: it may cost a lock.
template <class Handler, class Default>
asio::any_io_executor executor_at_work(const Handler& handler, Default default_executor)
{
    if constexpr (has_executor<Handler>)
        return asio::prefer(
            asio::get_associated_executor(handler), asio::execution::outstanding_work.tracked);
    else
        return asio::prefer(default_executor(), asio::execution::outstanding_work.tracked);
}

// Handler and executor of one operation. The posted function object owns the operation: if the
// executor destroys it unrun, the operation goes with it and gives back what it holds.
template <class Op, class Handler>
class delivery
{
public:
    template <class Default>
    delivery(Handler handler, Default default_executor)
        : handler_(std::move(handler))
        , executor_(executor_at_work(handler_, std::move(default_executor)))
    {}

    // Posts Op::invoke(). False, and nothing has changed, if there is no memory for it.
    [[nodiscard]] bool post(Op* op) noexcept
    {
        // The executor leaves the operation before the post: the operation may be gone, on another
        // thread, before the post returns.
        asio::any_io_executor target = std::move(executor_);
        // asio moves the function object about before it allocates. While this thread is in post(),
        // the end of a parcel means that the post failed, not that its executor has ended.
        const void* const outer = std::exchange(being_posted, op);
        bool posted = false;
        try {
            // What most executors are, without the calls through a type-erased one.
            if (const auto* context = target.template target<context_at_work>())
                asio::post(*context, parcel(op));
            else
                asio::post(target, parcel(op));
            posted = being_posted == op;
        } catch (...) {
            posted = false;
        }
        being_posted = outer;
        if (!posted)
            executor_ = std::move(target);
        return posted;
    }

    const Handler& handler() const noexcept { return handler_; }
    Handler take_handler() noexcept { return std::move(handler_); }
    [[nodiscard]] const asio::any_io_executor& executor() const noexcept { return executor_; }

private:
    class parcel
    {
    public:
        explicit parcel(Op* op) noexcept
            : op_(op)
        {}
        parcel(parcel&& other) noexcept
            : op_(std::exchange(other.op_, nullptr))
        {}
        parcel& operator=(parcel&&) = delete;
        ~parcel()
        {
            if (!op_)
                return;
            if (being_posted == op_)
                being_posted = nullptr;
            else
                op_->destroy();
        }

        void operator()() { std::exchange(op_, nullptr)->invoke(); }

    private:
        Op* op_;
    };

    Handler handler_;
    asio::any_io_executor executor_;
};

} // namespace mcp_pool::detail
