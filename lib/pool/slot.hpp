// One place of a pool for one session: plain data, linked and changed by the pool's core alone.
#pragma once

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/detail/waiter.hpp>

#include <boost/intrusive/list_hook.hpp>
#include <boost/intrusive/set_hook.hpp>

#include <cstdint>

namespace mcp_pool::pooling {

enum class slot_state : std::uint8_t {
    // No session.
    empty,
    // A session is being started, or is about to be.
    starting,
    // Initialised and free.
    idle,
    // Lent to a lease. Its process may have ended meanwhile, see slot::broken.
    leased,
    // A lease has ended with something left to undo.
    resetting,
    // Free, and being asked for a sign of life.
    probing,
    // On the stop ladder.
    stopping,
};
inline constexpr std::size_t slot_states = 7;

// What the driver has to do with a slot next.
enum class slot_action : std::uint8_t {
    none,
    // Start a session; what the slot held before is dropped.
    start,
    // The start has run out of time: have it report how far it came.
    expire_start,
    probe,
    reset,
    // Stop ladder, as far as slot::step.
    stop,
    // Drop the session: it has ended, or has outlived SIGKILL. Never while a lease holds it.
    forget,
};

// Rungs of the stop ladder.
enum class stop_rung : std::uint8_t {
    close_input,
    terminate,
    kill,
};

// Why a session ended. Order and names are those of replaced_counts.
enum class end_reason : std::uint8_t {
    none,
    died,
    probe,
    reset,
    discarded,
    protocol,
    retired,
    evicted,
    start_failed,
    closed,
};

struct slot
{
    slot_state state = slot_state::empty;
    slot_action todo = slot_action::none;
    stop_rung step = stop_rung::close_input;
    end_reason reason = end_reason::none;

    // Leased, and its session is no good any more: it will not be lent again.
    bool broken = false;
    // Leased or stopping, and nothing is left of the process.
    bool ended = false;
    // The start has been told to report.
    bool expired = false;
    // Has shown that starts work: answered a request or lived for min_uptime.
    bool proven = false;
    // Must show a sign of life before it is lent again.
    bool suspect = false;

    // Which of the slot's successive sessions this is. Events about another one are late.
    std::uint64_t epoch = 0;
    // Value of the pool's eviction count at birth.
    std::uint64_t birth = 0;
    // How many starts of the pool had failed when this one succeeded.
    std::uint64_t failures_before = 0;
    // Leases served, the present one included.
    std::uint64_t uses = 0;

    // Deadline of the present state where it has one.
    time_point deadline = time_point::max();
    // When the tick must look at the slot; may be earlier than necessary, never later.
    time_point wake = time_point::max();
    time_point started_at{};
    time_point ready_at{};
    time_point leased_at{};
    time_point last_used{};
    time_point probed_at{};
    // Silence after which it is probed: probe_interval with jitter, drawn at birth.
    duration probe_after = duration::max();

    boost::intrusive::list_member_hook<detail::plain_link> in_state;
    boost::intrusive::list_member_hook<detail::plain_link> in_todo;
    boost::intrusive::set_member_hook<detail::plain_link> in_wakes;

    slot() = default;
    slot(const slot&) = delete;
    slot& operator=(const slot&) = delete;
};

} // namespace mcp_pool::pooling
