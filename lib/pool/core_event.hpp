// What happened in a pool, as the core writes it down for observers.
#pragma once

#include "pool/slot.hpp"

#include <cstdint>
#include <vector>

namespace mcp_pool::pooling {

struct core_event
{
    enum class kind : std::uint8_t {
        // A session is being started.
        starting,
        // It is initialised; `took` is how long that was.
        started,
        // The start failed.
        start_failed,
        // A probe was answered (`good`) or not; `took` is the time since it was asked.
        probed,
        // A session that had been initialised goes on the stop ladder because of `why`.
        retired,
        // Nothing is left of it.
        ended,
        // A lease has been out for `took`.
        overdue,
        // The pool's timer came late by `took`.
        stalled,
        // A failed probe is put down to this host or to all the servers at once, not to this one.
        suspected,
        // Nothing is alive and no start is tried; a start is tried again.
        circuit_opened,
        circuit_closed,
        // The number of sessions to keep warm is now `count`.
        scaled,
    };

    kind what = kind::starting;
    end_reason why = end_reason::none;
    bool good = false;
    // Of the place that a lease holds, and which of its leases it is.
    std::uint16_t place = 0;
    std::uint64_t lease = 0;
    // Position among all events of the pool, from 1.
    std::uint64_t sequence = 0;
    // Number of the session in its pool; 0 for an event of the whole pool.
    std::uint64_t session = 0;
    slot* where = nullptr;
    std::uint64_t epoch = 0;
    std::size_t count = 0;
    duration took = duration::zero();

    core_event() = default;
};

// Events in order, as many as there is room for. The core never makes it allocate: the driver brings the
// room, and takes what is there.
class event_log
{
public:
    // From now on events are kept, as many as `room` has elements between two calls of take(). What is
    // kept already stays; `room` has the former room afterwards. Precondition: room.size() is more than
    // size().
    void bring(std::vector<core_event>& room) noexcept
    {
        std::size_t kept = 0;
        for (core_event e; take(e); ++kept)
            room[kept] = e;
        room_.swap(room);
        first_ = 0;
        size_ = kept;
    }
    // No events any more.
    void stop() noexcept { wanted_ = false; }
    void resume() noexcept { wanted_ = true; }

    [[nodiscard]] bool on() const noexcept { return wanted_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return room_.size(); }
    // Events for which there was no room.
    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

    std::uint64_t next_sequence() noexcept { return ++sequence_; }

    void add(core_event e) noexcept
    {
        if (!wanted_)
            return;
        if (size_ == room_.size()) {
            ++lost_;
            return;
        }
        e.sequence = next_sequence();
        room_[(first_ + size_++) % room_.size()] = e;
    }

    // The oldest event; false if there is none.
    bool take(core_event& e) noexcept
    {
        if (size_ == 0)
            return false;
        e = room_[first_];
        first_ = (first_ + 1) % room_.size();
        --size_;
        return true;
    }

private:
    std::vector<core_event> room_;
    std::size_t first_ = 0, size_ = 0;
    std::uint64_t sequence_ = 0, lost_ = 0;
    bool wanted_ = false;
};

} // namespace mcp_pool::pooling
