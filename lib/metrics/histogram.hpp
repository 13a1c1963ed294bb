// A log-linear histogram of durations: fixed size, no allocation, no lock.
#pragma once

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/pool_stats.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace mcp_pool::metrics {

// One bucket per microsecond below 64 µs, buckets of relative width 1/32 above; values over about 50
// days share the last one.
//
// Thread safety: record() from any thread, record_alone() where a lock of the caller's serialises
// all records, snapshot() at any time; a snapshot may miss records that are being made.
class histogram
{
public:
    static constexpr unsigned sub_bits = 5;
    static constexpr std::size_t buckets = (42 - sub_bits + 1) << sub_bits;

    void record(duration value) noexcept
    {
        const std::uint64_t v = microseconds(value);
        counts_[index(v)].fetch_add(1, std::memory_order_relaxed);
        std::uint64_t seen = max_.load(std::memory_order_relaxed);
        while (v > seen && !max_.compare_exchange_weak(seen, v, std::memory_order_relaxed)) {
        }
    }

    // As record(), without the cost of atomic read-modify-write operations.
    void record_alone(duration value) noexcept
    {
        const std::uint64_t v = microseconds(value);
        std::atomic<std::uint64_t>& count = counts_[index(v)];
        count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        if (v > max_.load(std::memory_order_relaxed))
            max_.store(v, std::memory_order_relaxed);
    }

    // Percentiles in milliseconds. `zeros` further records of 0 are counted in: events that were too
    // frequent to be recorded one by one.
    [[nodiscard]] percentiles snapshot(std::uint64_t zeros = 0) const noexcept;

    // The bucket of a value in microseconds.
    static constexpr std::size_t index(std::uint64_t v) noexcept
    {
        constexpr std::uint64_t top = (std::uint64_t{1} << 42) - 1;
        v = v < top ? v : top;
        if (v < (std::uint64_t{1} << (sub_bits + 1)))
            return static_cast<std::size_t>(v);
        const unsigned shift = static_cast<unsigned>(std::bit_width(v)) - sub_bits - 1;
        return (static_cast<std::size_t>(shift) << sub_bits) + static_cast<std::size_t>(v >> shift);
    }

    // The largest value of a bucket, in microseconds.
    static constexpr std::uint64_t upper_bound(std::size_t bucket) noexcept
    {
        const std::size_t linear = std::size_t{1} << (sub_bits + 1);
        if (bucket < linear)
            return bucket;
        const std::size_t shift = (bucket >> sub_bits) - 1;
        const std::uint64_t mantissa = bucket - (shift << sub_bits);
        return ((mantissa + 1) << shift) - 1;
    }

private:
    static constexpr std::uint64_t microseconds(duration value) noexcept
    {
        const auto us = std::chrono::duration_cast<std::chrono::microseconds>(value).count();
        return us > 0 ? static_cast<std::uint64_t>(us) : 0;
    }

    std::array<std::atomic<std::uint64_t>, buckets> counts_{};
    std::atomic<std::uint64_t> max_{0};
};

} // namespace mcp_pool::metrics
