// The users of a run: coroutines on one thread.
#pragma once

#include "load/fifo_lock.hpp"
#include "load/outcome.hpp"
#include "load/workload.hpp"

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

namespace mcp_pool::bench {

using clock = std::chrono::steady_clock;

// What the users of one run share.
struct run_state
{
    explicit run_state(const workload& w)
        : work(w)
        , with_token(has_token(w.arguments))
        , users_done(context)
    {}

    const workload& work;
    const bool with_token;
    asio::io_context context{1};
    outcome result;
    token_source tokens;
    // Users finish what they do and leave.
    bool stopping = false;
    std::size_t users_left = 0;
    // Cancelled when the last user leaves.
    asio::steady_timer users_done;
};

// A session from the pool, given back after the turn, or ended with it.
class pool_source
{
public:
    pool_source(session_pool& pool, duration max_wait, bool one_turn_per_session)
        : pool_(pool)
        , max_wait_(max_wait)
        , one_turn_per_session_(one_turn_per_session)
    {}

    class turn
    {
    public:
        turn(lease l, bool last)
            : lease_(std::move(l))
            , last_(last)
        {}
        turn(turn&&) noexcept = default;
        turn& operator=(turn&&) = delete;
        ~turn()
        {
            if (last_)
                lease_.discard();
        }

        session& operator*() const noexcept { return *lease_; }

        // Precondition: not yet given back.
        [[nodiscard]] acquire_kind kind() const noexcept
        {
            if (lease_.waited() == duration::zero())
                return acquire_kind::hit;
            return lease_.reused() ? acquire_kind::waited : acquire_kind::started;
        }

    private:
        lease lease_;
        bool last_;
    };

    asio::awaitable<turn> take()
    {
        lease l = co_await pool_.acquire(max_wait_);
        co_return turn(std::move(l), one_turn_per_session_);
    }

    // The pool notices by itself.
    void lost() noexcept {}
    void abandon() noexcept {}

    static constexpr bool users_share_a_lease = false;

private:
    session_pool& pool_;
    duration max_wait_;
    bool one_turn_per_session_;
};

// One session for all users, behind a lock. It is replaced when it dies.
class locked_source
{
public:
    locked_source(session_pool& pool_of_one, duration max_wait)
        : pool_(pool_of_one)
        , max_wait_(max_wait)
    {}

    class turn
    {
    public:
        turn(locked_source& source, acquire_kind kind)
            : source_(&source)
            , kind_(kind)
        {}
        turn(turn&& other) noexcept
            : source_(std::exchange(other.source_, nullptr))
            , kind_(other.kind_)
        {}
        turn& operator=(turn&&) = delete;
        ~turn()
        {
            if (source_)
                source_->lock_.unlock();
        }

        session& operator*() const noexcept { return *source_->lease_; }
        [[nodiscard]] acquire_kind kind() const noexcept { return kind_; }
        void set_kind(acquire_kind kind) noexcept { kind_ = kind; }

    private:
        locked_source* source_;
        acquire_kind kind_;
    };

    asio::awaitable<turn> take()
    {
        const bool free = !lock_.held();
        co_await lock_.lock();
        // From here on the turn unlocks, also if the acquire throws.
        turn mine(*this, free ? acquire_kind::hit : acquire_kind::waited);
        if (!lease_) {
            mine.set_kind(acquire_kind::started);
            lease_ = co_await pool_.acquire(max_wait_);
        }
        co_return mine;
    }

    // The session is of no use any more.
    void lost() noexcept { lease_.discard(); }
    void end() noexcept { lease_.release(); }
    // Destroys the users that wait, while their context still exists.
    void abandon() noexcept { lock_.clear(); }

    static constexpr bool users_share_a_lease = true;

private:
    session_pool& pool_;
    duration max_wait_;
    fifo_lock lock_;
    lease lease_;
};

} // namespace mcp_pool::bench
