// One lease's share of a session: what is counted, remembered and told for this lease alone. A session
// has as many as it may be lent at the same time, made with it, so that lending allocates nothing.
#pragma once

#include "session/lease_level.hpp"

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/session.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <source_location>
#include <string>

namespace mcp_pool::detail {

class session_state;

// What a lease may say about the session it gives back; a bit set.
enum lease_verdict : std::uint8_t {
    verdict_clean = 0,
    // mark_dirty(dirt::probe).
    verdict_probe = 1,
    // mark_dirty(dirt::respawn) or discard().
    verdict_respawn = 2,
};

// Lent to one lease after another, never to two. Shared ownership of it is shared ownership of the
// session's state.
struct grant_record
{
    grant_record(session_state& of, std::size_t number) noexcept
        : state(of)
        , index(number)
        , view(*this)
    {}
    grant_record(const grant_record&) = delete;
    grant_record& operator=(const grant_record&) = delete;

    session_state& state;
    // Which of the session's grants.
    const std::size_t index;
    // What leases point to.
    session view;

    // Odd while a lease is out; each lease has its own value. Changed by the pool under its mutex.
    std::atomic<std::uint64_t> generation{0};
    // Requests of the present lease that are unanswered, queued ones included. Counted up before
    // the request is queued, counted down when the answer was taken.
    std::atomic<std::uint32_t> unanswered{0};
    // The lease has, or may have, changed something in the server that outlives its requests: a
    // subscription, the log level. Written by the connection while the request that does it counts as
    // unanswered.
    std::atomic<bool> altered{false};
    // An operation was begun through the present lease; without one, the release has nothing to look
    // for. Set before the release, which is a precondition of `session`.
    std::atomic<bool> touched{false};
    // What set_log_level() said in the modern era.
    lease_level level;
    // What the lease said; see lease_verdict.
    std::atomic<std::uint8_t> verdict{verdict_clean};

    // Written by the pool before the lease exists, read by its holder.
    std::uint64_t uses = 0;
    duration waited = duration::zero();
    std::source_location place;
    // The user's own, where the server has handlers a `lessee` with it; destroyed without a lock.
    std::shared_ptr<void> context;

    // Of the lease, as given to the acquire; null: none. Written and destroyed as `context` is.
    std::shared_ptr<const std::string> isolation_key;

    // Something is to be undone before the next lease. The order matters: what became of the last
    // request is known once it no longer counts.
    [[nodiscard]] bool dirty() const noexcept
    {
        return unanswered.load() != 0 || altered.load(std::memory_order_relaxed);
    }

    // Sequentially consistent, as is counting `unanswered`: a request counts itself and then looks
    // at the generation, a release changes the generation and then looks at the count. One of them
    // sees the other.
    [[nodiscard]] bool leased(std::uint64_t lease_generation) const noexcept
    {
        return generation.load() == lease_generation && (lease_generation & 1) != 0;
    }
};

// The grant behind a view.
struct session_access
{
    static grant_record& grant(session& view) noexcept { return *view.grant_; }
    static const grant_record& grant(const session& view) noexcept { return *view.grant_; }
};

} // namespace mcp_pool::detail
