// Latencies of one run: fixed memory, nanosecond resolution, no allocation while recording.
#pragma once

#include "metrics/histogram.hpp"

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/pool_stats.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace mcp_pool::bench {

// The library's log-linear buckets, fed with nanoseconds instead of microseconds: a hit takes less
// than a microsecond. Covers 73 minutes; relative error of a percentile at most 1/32.
//
// Thread safety: none; the load runs on one thread.
class recorder
{
public:
    void record(duration value) noexcept
    {
        const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(value).count();
        const std::uint64_t v = ns > 0 ? static_cast<std::uint64_t>(ns) : 0;
        ++counts_[metrics::histogram::index(v)];
        ++count_;
        max_ = std::max(max_, v);
    }

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

    // In milliseconds.
    [[nodiscard]] percentiles summary() const noexcept
    {
        percentiles result;
        result.count = count_;
        result.p50 = quantile(0.5);
        result.p90 = quantile(0.9);
        result.p99 = quantile(0.99);
        result.p999 = quantile(0.999);
        result.max = static_cast<double>(max_) / 1e6;
        return result;
    }

    // The smallest recorded value that at least the share `q` of all values does not exceed.
    [[nodiscard]] double quantile(double q) const noexcept
    {
        if (count_ == 0)
            return 0;
        const double wanted = std::ceil(q * static_cast<double>(count_));
        const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen >= rank)
                return static_cast<double>(std::min(metrics::histogram::upper_bound(i), max_))
                    / 1e6;
        }
        return static_cast<double>(max_) / 1e6;
    }

private:
    std::array<std::uint64_t, metrics::histogram::buckets> counts_{};
    std::uint64_t count_ = 0;
    std::uint64_t max_ = 0;
};

} // namespace mcp_pool::bench
