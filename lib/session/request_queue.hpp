// A queue of request operations, linked through the operations themselves: no allocation.
#pragma once

#include <mcp_pool/detail/request_op.hpp>

#include <utility>

namespace mcp_pool::detail {

// Does not own the operations.
class request_queue
{
public:
    request_queue() = default;
    request_queue(request_queue&& other) noexcept
        : first_(std::exchange(other.first_, nullptr))
        , last_(std::exchange(other.last_, nullptr))
    {}
    request_queue& operator=(request_queue&&) = delete;

    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    [[nodiscard]] bool several() const noexcept { return first_ != last_; }
    [[nodiscard]] request_op* front() const noexcept { return first_; }

    void push_back(request_op* op) noexcept
    {
        op->next = nullptr;
        if (last_)
            last_->next = op;
        else
            first_ = op;
        last_ = op;
    }

    void push_front(request_op* op) noexcept
    {
        op->next = first_;
        first_ = op;
        if (!last_)
            last_ = op;
    }

    // Null if there is none.
    request_op* pop_front() noexcept
    {
        request_op* const op = first_;
        if (op) {
            first_ = std::exchange(op->next, nullptr);
            if (!first_)
                last_ = nullptr;
        }
        return op;
    }

    // Takes out, in order, the operations for which `wanted` holds. Linear in the length.
    template <class Predicate>
    request_queue extract(Predicate wanted)
    {
        request_queue taken;
        request_queue all(std::move(*this));
        while (request_op* op = all.pop_front())
            (wanted(*op) ? taken : *this).push_back(op);
        return taken;
    }

    // The earliest deadline in the queue, or time_point::max().
    [[nodiscard]] time_point next_deadline() const noexcept
    {
        time_point earliest = time_point::max();
        for (const request_op* op = first_; op; op = op->next)
            earliest = op->deadline < earliest ? op->deadline : earliest;
        return earliest;
    }

private:
    request_op* first_ = nullptr;
    request_op* last_ = nullptr;
};

} // namespace mcp_pool::detail
