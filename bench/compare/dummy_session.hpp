// What the pools of this folder lend: nothing is started, nothing fails, so that only the pools differ.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace mcp_pool::bench {

struct dummy_session
{
    std::size_t uses = 0;
};

// Exclusive use of a session of `Pool`, until its end; the pool's give_back() gets it.
template <class Pool>
class [[nodiscard]] borrowed
{
public:
    borrowed() noexcept = default;
    borrowed(Pool& from, dummy_session& session) noexcept
        : from_(&from)
        , session_(&session)
    {
        ++session.uses;
    }
    borrowed(borrowed&& other) noexcept
        : from_(other.from_)
        , session_(std::exchange(other.session_, nullptr))
    {}
    borrowed& operator=(borrowed&& other) noexcept
    {
        if (this != &other) {
            release();
            from_ = other.from_;
            session_ = std::exchange(other.session_, nullptr);
        }
        return *this;
    }
    ~borrowed() { release(); }

    void release() noexcept
    {
        if (dummy_session* const session = std::exchange(session_, nullptr))
            from_->give_back(*session);
    }
    explicit operator bool() const noexcept { return session_ != nullptr; }

private:
    Pool* from_ = nullptr;
    dummy_session* session_ = nullptr;
};

} // namespace mcp_pool::bench
