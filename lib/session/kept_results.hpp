// The results that a pool keeps, for all of its sessions.
#pragma once

#include "protocol/result_cache.hpp"

#include <atomic>
#include <mutex>

namespace mcp_pool::detail {

// See protocol::result_cache. Thread safety: everything; nothing else is called under the mutex.
class kept_results
{
public:
    explicit kept_results(std::size_t max_bytes)
        : enabled_(max_bytes != 0)
        , cache_(max_bytes)
    {}

    [[nodiscard]] bool enabled() const noexcept { return enabled_; }

    std::shared_ptr<const json::value> find(
        const protocol::cache_key& key, std::string_view principal, time_point now)
    {
        const std::lock_guard lock(mutex_);
        return cache_.find(key, principal, now);
    }

    bool keep(const protocol::cache_key& key, std::string_view principal, const json::value& result,
        std::size_t bytes, time_point asked_at, time_point now)
    {
        const std::lock_guard lock(mutex_);
        return cache_.keep(key, principal, result, bytes, asked_at, now);
    }

    void list_changed(protocol::topic::kind list, time_point now)
    {
        const std::lock_guard lock(mutex_);
        cache_.list_changed(list, now);
    }

    void resource_changed(std::string_view uri, time_point now)
    {
        const std::lock_guard lock(mutex_);
        cache_.resource_changed(uri, now);
    }

    void discard_list(std::string_view method, time_point now)
    {
        const std::lock_guard lock(mutex_);
        cache_.discard_list(method, now);
    }

    void clear(time_point now) noexcept
    {
        const std::lock_guard lock(mutex_);
        cache_.clear(now);
    }

    void count_hit() noexcept { hits_.fetch_add(1, std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t hits() const noexcept
    {
        return hits_.load(std::memory_order_relaxed);
    }

private:
    const bool enabled_;
    std::atomic<std::uint64_t> hits_{0};
    std::mutex mutex_;
    protocol::result_cache cache_;
};

} // namespace mcp_pool::detail
