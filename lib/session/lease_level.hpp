// The log level that a lease asked for in the modern era, where servers remember none. Source: MCP
// 2026-07-28, basic/index, "_meta".
#pragma once

#include <mcp_pool/log_level.hpp>

#include <atomic>
#include <cstdint>
#include <optional>

namespace mcp_pool::detail {

// Belongs to one grant; what one lease has set, the next one does not see. Thread safety: everything.
class lease_level
{
public:
    // Of the lease with this generation. Does nothing if a later one has set its own.
    void set(std::uint64_t generation, log_level level) noexcept
    {
        const std::uint64_t wanted = generation * levels + static_cast<std::uint64_t>(level) + 1;
        std::uint64_t present = kept_.load(std::memory_order_relaxed);
        while (present / levels <= generation
            && !kept_.compare_exchange_weak(present, wanted, std::memory_order_relaxed)) {
        }
    }

    [[nodiscard]] std::optional<log_level> get(std::uint64_t generation) const noexcept
    {
        const std::uint64_t present = kept_.load(std::memory_order_relaxed);
        if (present / levels != generation || present % levels == 0)
            return std::nullopt;
        return static_cast<log_level>(present % levels - 1);
    }

private:
    // More than there are, and one that says that there is none.
    static constexpr std::uint64_t levels = 16;

    // Generation and level in one word: they change together.
    std::atomic<std::uint64_t> kept_{0};
};

} // namespace mcp_pool::detail
