// A place in a pool's queue. Plain data with intrusive hooks: the pool's core links it, the operation
// it belongs to owns it.
#pragma once

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/error.hpp>

#include <boost/intrusive/link_mode.hpp>
#include <boost/intrusive/list_hook.hpp>
#include <boost/intrusive/set_hook.hpp>

#include <cstddef>
#include <cstdint>

namespace mcp_pool::detail {

struct waiter
{
    // Who may touch the waiter; changes only under the pool's mutex.
    enum class stage : std::uint8_t {
        // Not in the queue; belongs to its operation.
        outside,
        // In the queue: release, start, timeout, cancellation and close may claim it.
        queued,
        // Claimed by exactly one of them: has its outcome, waits to be posted.
        claimed,
    };

    static constexpr std::size_t no_slot = static_cast<std::size_t>(-1);

    using link = boost::intrusive::link_mode<boost::intrusive::normal_link>;
    // In the queue or, once claimed, in the ready list.
    boost::intrusive::list_member_hook<link> in_queue;
    // Among the deadlines of the queue.
    boost::intrusive::set_member_hook<link> in_deadlines;

    time_point enqueued_at{};
    time_point deadline = time_point::max();
    // Order of arrival.
    std::uint64_t ticket = 0;
    stage where = stage::outside;

    // The outcome: a slot of the pool, or why there is none.
    std::size_t slot = no_slot;
    error_code failure;

    waiter() = default;
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;
};

} // namespace mcp_pool::detail
