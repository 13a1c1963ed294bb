// A place in a pool's queue. Plain data with intrusive hooks: the pool's core links it, the
// operation it belongs to owns it.
#pragma once

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/error.hpp>

#include <boost/intrusive/link_mode.hpp>
#include <boost/intrusive/list_hook.hpp>
#include <boost/intrusive/set_hook.hpp>

#include <cstddef>
#include <cstdint>

namespace mcp_pool::pooling {
struct slot;
struct lease_place;
struct key_record;
} // namespace mcp_pool::pooling

namespace mcp_pool::detail {

using plain_link = boost::intrusive::link_mode<boost::intrusive::safe_link>;

struct waiter
{
    // What it waits for.
    enum class purpose : std::uint8_t {
        // A session of its own.
        lease,
        // `count` initialised sessions.
        ready,
        // The end of the pool.
        closed,
    };

    // Who may touch the waiter; changes only under the pool's mutex.
    enum class stage : std::uint8_t {
        // Not linked; belongs to its operation.
        outside,
        // Linked: whoever finishes it first claims it.
        queued,
        // Claimed by exactly one event: has its outcome, waits to be posted.
        claimed,
    };

    // In the queue of its purpose or, once claimed, in the list of those to be posted.
    boost::intrusive::list_member_hook<plain_link> in_queue;
    // Among those with the same isolation key, in order of arrival.
    boost::intrusive::list_member_hook<plain_link> in_key;
    // Among the deadlines.
    boost::intrusive::set_member_hook<plain_link> in_deadlines;

    time_point enqueued_at{};
    time_point deadline = time_point::max();
    // Order of arrival in the queue; 0 if it never was in one.
    std::uint64_t ticket = 0;
    // Sessions that purpose::ready asks for.
    std::size_t count = 0;
    // Whose sessions it may take without a respawn; null: no isolation key.
    pooling::key_record* key = nullptr;
    // How often a waiter with another key was served before it, at its turn.
    std::uint8_t overtaken = 0;
    purpose wants = purpose::lease;
    stage where = stage::outside;
    bool has_deadline = false;

    // The outcome: a session's slot and the place in it (purpose::lease), success, or why not.
    pooling::slot* slot = nullptr;
    pooling::lease_place* place = nullptr;
    error_code failure;

    waiter() = default;
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;
};

} // namespace mcp_pool::detail
