// Who may start a session: what a pool asks before each start, beyond its own limits.
#pragma once

#include <mcp_pool/detail/duration.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace mcp_pool::pooling {

// Thread safety: everything.
class start_permits
{
public:
    // A pool on its own grants itself whatever it asks for; with `single_writer`, all the pools of this
    // process whose servers have the same identity share one permit.
    start_permits(const std::string& identity, bool single_writer);
    // Gives back what is held.
    ~start_permits();
    start_permits(const start_permits&) = delete;
    start_permits& operator=(const start_permits&) = delete;

    // True: one session may be started, and give_back(1) follows its end.
    [[nodiscard]] bool take(time_point now) noexcept;
    void give_back(std::size_t permits) noexcept;

    // This host is short of something: nobody starts a session before.
    static void pause_all(time_point until) noexcept;

private:
    struct shared_permit;

    std::shared_ptr<shared_permit> shared_;
};

} // namespace mcp_pool::pooling
