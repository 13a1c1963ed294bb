// The memory of one session: what leases, pending calls and the pool share. Knows its connection as
// long as that exists; outlives it and the execution context without harm.
#pragma once

#include "transport/descriptor.hpp"

#include <mcp_pool/detail/request_op.hpp>
#include <mcp_pool/session.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <source_location>
#include <string>

namespace mcp_pool::detail {

class connection;
class session_state;

// What the handshake found out. Immutable once the session is ready.
struct session_info
{
    std::uint64_t id = 0;
    int pid = 0;
    std::chrono::system_clock::time_point started_at;
    mcp_pool::era era = era::legacy;
    std::string protocol_version;
    json::object server_info;
    json::object capabilities;
    std::string instructions;
};

// Whoever lends sessions out.
class session_owner
{
public:
    // The lease on `state` has ended. Any thread; `state` and the owner outlive the call.
    virtual void give_back(session_state& state) noexcept = 0;

protected:
    ~session_owner() = default;
};

// What a lease may say about the session it gives back; a bit set.
enum lease_verdict : std::uint8_t {
    verdict_clean = 0,
    // mark_dirty(dirt::probe).
    verdict_probe = 1,
    // mark_dirty(dirt::respawn) or discard().
    verdict_respawn = 2,
};

class session_state : public std::enable_shared_from_this<session_state>
{
public:
    session_state(session_owner& lender, std::size_t slot_index, std::uint64_t slot_epoch)
        : owner(lender)
        , slot(slot_index)
        , epoch(slot_epoch)
        , view(*this)
    {}

    // The pool state: outlives every session_state that a lease can reach.
    session_owner& owner;
    // Which slot of the pool, and which of the slot's successive sessions.
    const std::size_t slot;
    const std::uint64_t epoch;
    // What leases point to.
    session view;

    // Set once, before the session is first lent.
    std::shared_ptr<const session_info> info;
    // Of the process; null or empty where there is none.
    std::shared_ptr<const transport::descriptor> pidfd;
    // The system's word, which may be ahead of the connection's. Any thread.
    [[nodiscard]] bool process_has_exited() const noexcept;

    // Odd while a lease is out; each lease has its own value. Changed by the pool under its mutex.
    std::atomic<std::uint64_t> generation{0};
    // Requests of the present lease that are unanswered, queued ones included. Counted up before
    // the request is queued, counted down when the answer was taken: 0 at the release means clean.
    std::atomic<std::uint32_t> unanswered{0};
    // The server has answered a request.
    std::atomic<bool> answered{false};
    // An operation was begun through the present lease; without one, the release has nothing to look
    // for. Set before the release, which is a precondition of `session`.
    std::atomic<bool> touched{false};
    // What the lease said; see lease_verdict.
    std::atomic<std::uint8_t> verdict{verdict_clean};

    // The grant; written by the pool before the lease exists, read by its holder.
    std::uint64_t uses = 0;
    duration waited = duration::zero();
    std::source_location place;

    // Sequentially consistent, as is counting `unanswered`: a request counts itself and then looks
    // at the generation, a release changes the generation and then looks at the count. One of them
    // sees the other.
    [[nodiscard]] bool leased(std::uint64_t lease_generation) const noexcept
    {
        return generation.load() == lease_generation && (lease_generation & 1) != 0;
    }

    // Calls use(connection&), which posts something; false once the connection was taken. Any thread:
    // take_io() waits for a post under way, so that none reaches a context that has ended.
    template <class Use>
    bool with_io(Use use) const
    {
        const std::lock_guard lock(mutex_);
        if (!io_)
            return false;
        use(*io_);
        return true;
    }
    void set_io(std::shared_ptr<connection> c);
    // Returns what was set. Not while a lease is out, except when the pool or the execution context
    // ends: calls of the lease learn from the connection why the session has ended.
    std::shared_ptr<connection> take_io() noexcept;
    // Takes the connection, which ends on its strand.
    void drop_io() noexcept;

    // The executor of the connection's pool, without sharing ownership of the connection; after
    // take_io() the system executor.
    [[nodiscard]] asio::any_io_executor default_executor() const;

    // Reserves the next JSON-RPC id. Never reused on a connection.
    std::int64_t next_request_id() noexcept
    {
        return next_id_.fetch_add(1, std::memory_order_relaxed);
    }

private:
    mutable std::mutex mutex_;
    std::shared_ptr<connection> io_;
    std::atomic<std::int64_t> next_id_{1};
};

// The state behind a view.
struct session_access
{
    static session_state& state(session& view) noexcept { return *view.state_; }
    static const session_state& state(const session& view) noexcept { return *view.state_; }
};

} // namespace mcp_pool::detail
