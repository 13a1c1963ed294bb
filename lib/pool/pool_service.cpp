#include "pool/pool_service.hpp"

#include "pool/pool_state.hpp"

#include <algorithm>
#include <utility>

namespace mcp_pool::detail {

asio::execution_context::id pool_service::id;

pool_service& pool_service::of(const asio::any_io_executor& executor)
{
    asio::execution_context& context = asio::query(executor, asio::execution::context);
    return asio::use_service<pool_service>(context);
}

void pool_service::add(const std::shared_ptr<pool_state>& pool)
{
    const std::lock_guard lock(mutex_);
    std::erase_if(pools_, [](const auto& entry) { return entry.expired(); });
    pools_.push_back(pool);
}

void pool_service::shutdown()
{
    std::vector<std::weak_ptr<pool_state>> pools;
    {
        const std::lock_guard lock(mutex_);
        pools.swap(pools_);
    }
    for (const auto& entry : pools) {
        if (const auto pool = entry.lock())
            pool->abandon(false);
    }
}

} // namespace mcp_pool::detail
