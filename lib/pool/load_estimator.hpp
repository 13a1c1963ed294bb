// How many sessions the present load asks for: with scaling = adaptive.
#pragma once

#include <mcp_pool/detail/duration.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace mcp_pool::pooling {

// Measures arrival rate and holding time, both as exponentially weighted means over about
// `memory`, and derives the number of sessions to keep warm: offered load a = rate × holding time
// (Little's law), plus √a of headroom, the square-root staffing rule of Halfin and Whitt, "Heavy-
// Traffic Limits for Queues with Many Exponential Servers", 1981. It rises at once and falls to the
// most that was asked for in the last one or two windows of `settling` each (hysteresis).
//
// Time comes in; every period of `step` is closed by advance().
class load_estimator
{
public:
    static constexpr duration step = std::chrono::seconds(1);
    static constexpr duration memory = std::chrono::seconds(10);
    static constexpr duration settling = std::chrono::seconds(30);

    void arrived(time_point now) noexcept;
    void returned(duration held) noexcept;
    // Closes the periods that have ended. `busy` is how many leases are out: a lease that does not
    // come back says more about the holding time than those that did.
    void advance(std::size_t busy, time_point now) noexcept;

    // When to call advance(); time_point::max() while there is nothing to follow.
    [[nodiscard]] time_point next_step() const noexcept { return next_step_; }
    // Offered load, in sessions.
    [[nodiscard]] double load() const noexcept { return load_; }
    // Sessions to keep warm.
    [[nodiscard]] std::size_t target() const noexcept;

private:
    void close_period(std::size_t busy) noexcept;

    time_point next_step_ = time_point::max();
    time_point window_ends_{};
    // Of the present period.
    std::uint64_t arrivals_ = 0, returns_ = 0;
    double held_seconds_ = 0;

    double rate_ = 0, holding_ = 0, busy_ = 0, load_ = 0;
    bool measured_ = false;
    // Most that was asked for in the present window and in the one before.
    std::array<std::size_t, 2> most_{};
};

} // namespace mcp_pool::pooling
