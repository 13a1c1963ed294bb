// A leased session: what acquire returns.
#pragma once

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/session.hpp>

#include <memory>
#include <utility>

namespace mcp_pool {

namespace detail {
struct lease_access;
}

// What is wrong with a session that is given back.
enum class dirt {
    // It may be unwell: probe it before it is lent again.
    probe,
    // It holds state that must not reach the next lease: end its process.
    respawn,
};

// Exclusive use of one session of a pool, until release() or destruction.
//
// Lifetime: may outlive the pool object and the execution context; a lease keeps the state that it
// needs alive. Operations of the session that are in flight at the release complete with
// asio::error::operation_aborted.
//
// Thread safety: one lease is used by one thread at a time; it may be moved to and destroyed on any
// thread. Release never waits and never throws.
class [[nodiscard]] lease
{
public:
    // No session.
    lease() noexcept = default;
    lease(lease&& other) noexcept = default;
    lease& operator=(lease&& other) noexcept
    {
        if (this != &other) {
            release();
            session_ = std::move(other.session_);
        }
        return *this;
    }
    ~lease() { release(); }

    explicit operator bool() const noexcept { return session_ != nullptr; }

    // Precondition: holds a session.
    session* operator->() const noexcept { return session_.get(); }
    session& operator*() const noexcept { return *session_; }

    // Gives the session back; the lease is empty afterwards. Nothing happens to an empty one.
    void release() noexcept;

    // Gives the session back and has it replaced.
    void discard() noexcept;

    // Tells the pool, at the release, what the session went through. The worse one stays.
    //
    // Precondition: holds a session.
    void mark_dirty(dirt how) noexcept;

    // Takes the session out of the pool, which may start another in its place and knows this one no
    // more: the lease stays, and the session ends with it (by the stop ladder; at once if the pool is
    // gone by then). close(), evict_all() and the recycling limits leave it alone.
    //
    // Precondition: holds a session.
    //
    // Errors: throws error(errc::invalid_config) if the session is broken, multiplexed, or detached
    // already.
    void detach();

    // Whether the session served a lease before this one. False for an empty lease.
    [[nodiscard]] bool reused() const noexcept;

    // How long the acquire waited; 0 for a session that was free.
    [[nodiscard]] duration waited() const noexcept;

private:
    friend struct detail::lease_access;

    explicit lease(std::shared_ptr<session> s) noexcept
        : session_(std::move(s))
    {}

    // Points to the session, owns the state of the pool.
    std::shared_ptr<session> session_;
};

static_assert(sizeof(lease) == 2 * sizeof(void*));

namespace detail {

// Ends the grant that the session stands for. Any thread; the pool's state outlives the call.
void give_back(session& granted) noexcept;

struct lease_access
{
    static lease make(std::shared_ptr<session> s) noexcept { return lease(std::move(s)); }
};

} // namespace detail

inline void lease::release() noexcept
{
    if (session_) {
        detail::give_back(*session_);
        session_.reset();
    }
}

} // namespace mcp_pool
