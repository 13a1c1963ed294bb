// The memory of one session: what leases, pending calls and the pool share. Knows its connection as
// long as that exists; outlives it and the execution context without harm.
#pragma once

#include "session/grant_record.hpp"
#include "transport/descriptor.hpp"

#include <mcp_pool/detail/request_op.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace mcp_pool::detail {

class connection;

// What the handshake found out. Immutable once the session is ready.
struct session_info
{
    std::uint64_t id = 0;
    // The name in our configuration.
    std::string server;
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
    // The lease on `grant` has ended. Any thread; the session's state and the owner outlive the call.
    virtual void give_back(grant_record& grant) noexcept = 0;

protected:
    ~session_owner() = default;
};

class session_state : public std::enable_shared_from_this<session_state>
{
public:
    // Precondition: at least one grant.
    session_state(session_owner& lender, std::uint64_t number, std::uint64_t slot_epoch,
        std::size_t grants = 1);

    // The pool state: outlives every session_state that a lease can reach.
    session_owner& owner;
    // Number in the pool; which of its slot's successive sessions.
    const std::uint64_t id;
    const std::uint64_t epoch;

    // How many leases may hold the session at the same time.
    [[nodiscard]] std::size_t grants() const noexcept { return more_grants_.size() + 1; }
    // Precondition: index < grants(). Valid as long as *this.
    [[nodiscard]] grant_record& grant(std::size_t index) noexcept
    {
        return index == 0 ? first_grant_ : *more_grants_[index - 1];
    }

    // Set once, before the session is first lent.
    std::shared_ptr<const session_info> info;
    // Of the process; null or empty where there is none.
    std::shared_ptr<const transport::descriptor> pidfd;
    // The system's word, which may be ahead of the connection's. Any thread.
    [[nodiscard]] bool process_has_exited() const noexcept;

    // The server has handlers: what grants keep as their context is a lessee. Set before the session is
    // first lent.
    bool has_handlers = false;

    // The server has answered a request.
    std::atomic<bool> answered{false};

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
    // The only one of an exclusive session, which finds it where the rest of its memory is.
    grant_record first_grant_;
    // Never changed after the birth.
    std::vector<std::unique_ptr<grant_record>> more_grants_;

    mutable std::mutex mutex_;
    std::shared_ptr<connection> io_;
    std::atomic<std::int64_t> next_id_{1};
};

} // namespace mcp_pool::detail
