// Durations of any unit, saturated into the library's own.
#pragma once

#include <chrono>

namespace mcp_pool {

// Every duration of the interface.
using duration = std::chrono::steady_clock::duration;
using time_point = std::chrono::steady_clock::time_point;

namespace detail {

// Converts without overflow: hours::max() becomes duration::max(), negative values become 0.
template <class Rep, class Period>
constexpr duration saturate(std::chrono::duration<Rep, Period> value) noexcept
{
    using wide = std::chrono::duration<long double, duration::period>;
    const wide w = std::chrono::duration_cast<wide>(value);
    if (!(w > wide::zero()))
        return duration::zero();
    if (w >= std::chrono::duration_cast<wide>(duration::max()))
        return duration::max();
    return std::chrono::duration_cast<duration>(value);
}

// now + length, or time_point::max() where that would overflow.
constexpr time_point saturating_add(time_point now, duration length) noexcept
{
    return length > time_point::max() - now ? time_point::max() : now + length;
}

} // namespace detail
} // namespace mcp_pool
