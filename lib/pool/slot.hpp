// One place of a pool for one session: plain data, linked and changed by the pool's core alone.
#pragma once

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/detail/waiter.hpp>
#include <mcp_pool/pool_events.hpp>

#include <boost/intrusive/list_hook.hpp>
#include <boost/intrusive/set_hook.hpp>

#include <cstddef>
#include <cstdint>

namespace mcp_pool::pooling {

enum class slot_state : std::uint8_t {
    // No session.
    empty,
    // A session is being started, or is about to be.
    starting,
    // Initialised and free.
    idle,
    // Lent to at least one lease. Its process may have ended meanwhile, see slot::broken.
    leased,
    // Its last lease has ended with something left to undo.
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
    // Undo what the lease on slot::reset_place has left behind.
    reset,
    // Find out the resident memory of the process tree.
    measure,
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

// Why a session ended.
using end_reason = session_end;
inline constexpr std::size_t end_reasons = static_cast<std::size_t>(end_reason::closed) + 1;

// What one lease holds of a session: a multiplexed session has several of these, any other one.
struct lease_place
{
    enum class stage : std::uint8_t {
        free,
        // Lent.
        out,
        // The lease has ended, what it left is being undone.
        resetting,
    };

    slot* of = nullptr;
    std::uint16_t index = 0;
    stage state = stage::free;
    // The reset has been handed to the driver.
    bool reset_asked = false;
    // Has been reported as overdue.
    bool overdue = false;
    time_point leased_at{};
    // Resetting: by when it must be done.
    time_point reset_by{};
    // Of the lease; never null while it is out.
    key_record* key = nullptr;
    // Which lease of the session it is, counted from 1.
    std::uint64_t number = 0;

    lease_place() = default;
    lease_place(const lease_place&) = delete;
    lease_place& operator=(const lease_place&) = delete;
};

struct slot
{
    slot_state state = slot_state::empty;
    slot_action todo = slot_action::none;
    stop_rung step = stop_rung::close_input;
    // Why it is on the stop ladder.
    end_reason reason = end_reason::none;
    // Why it is retired as soon as nobody holds it; lent to nobody until then.
    end_reason doomed = end_reason::none;
    // Why it is to be recycled once the session that replaces it is ready; lent until then.
    end_reason due = end_reason::none;

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
    // Keeps nothing between requests: fit for every isolation key.
    bool stateless = false;
    // Belongs to its lease: the pool counts it no more.
    bool detached = false;
    // A failed probe was not believed, see pool_core::suspicious().
    bool doubted = false;
    // Probing or resetting, and likely to be free in a moment.
    bool promising = false;

    // Which of the slot's successive sessions this is. Events about another one are late.
    std::uint64_t epoch = 0;
    // Number of the session in its pool, in order of their starts.
    std::uint64_t number = 0;
    // Value of the pool's eviction count at birth.
    std::uint64_t birth = 0;
    // How many starts of the pool had failed when this one succeeded.
    std::uint64_t failures_before = 0;
    // Leases served, present ones included.
    std::uint64_t uses = 0;

    // Isolation key of the leases it has served; null while it has served none.
    key_record* key = nullptr;

    // Deadline of the present state where it has one.
    time_point deadline = time_point::max();
    // When the tick must look at the slot; may be earlier than necessary, never later.
    time_point wake = time_point::max();
    time_point started_at{};
    time_point ready_at{};
    time_point last_used{};
    time_point probed_at{};
    time_point measured_at{};
    // Drawn at birth, from 0 to 1023: how far this session's probe interval and lifetime are from
    // those of others.
    std::uint16_t probe_jitter = 0, lifetime_jitter = 0;

    // The places for leases: `own`, or more of the driver's.
    lease_place own;
    lease_place* places = &own;
    std::uint16_t place_count = 1;
    // Of the places: lent; being reset; free and to be had, while it is partly lent.
    std::uint16_t leases = 0, resets = 0, offered = 0;
    // The place that slot_action::reset is about.
    std::uint16_t reset_place = 0;

    boost::intrusive::list_member_hook<detail::plain_link> in_state;
    // Idle: among the idle ones with the same key, or without any.
    boost::intrusive::list_member_hook<detail::plain_link> in_group;
    boost::intrusive::list_member_hook<detail::plain_link> in_todo;
    boost::intrusive::set_member_hook<detail::plain_link> in_wakes;
    // Leased, with free places that can be lent.
    boost::intrusive::set_member_hook<detail::plain_link> in_open;

    slot() = default;
    slot(const slot&) = delete;
    slot& operator=(const slot&) = delete;
};

} // namespace mcp_pool::pooling
