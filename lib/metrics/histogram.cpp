#include "metrics/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace mcp_pool::metrics {

percentiles histogram::snapshot(std::uint64_t zeros) const noexcept
{
    std::array<std::uint64_t, buckets> counts;
    std::uint64_t total = zeros;
    for (std::size_t i = 0; i != buckets; ++i) {
        counts[i] = counts_[i].load(std::memory_order_relaxed);
        total += counts[i];
    }
    counts[0] += zeros;

    percentiles result;
    result.count = total;
    if (total == 0)
        return result;
    const std::uint64_t max = max_.load(std::memory_order_relaxed);
    result.max = static_cast<double>(max) / 1000.0;

    const auto at = [&](double quantile) {
        const auto rank = std::max<std::uint64_t>(
            1, static_cast<std::uint64_t>(std::ceil(quantile * static_cast<double>(total))));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i != buckets; ++i) {
            seen += counts[i];
            if (seen >= rank)
                return static_cast<double>(std::min(upper_bound(i), max)) / 1000.0;
        }
        return result.max;
    };
    result.p50 = at(0.50);
    result.p90 = at(0.90);
    result.p99 = at(0.99);
    result.p999 = at(0.999);
    return result;
}

} // namespace mcp_pool::metrics
