// Tells pools that their execution context is being destroyed.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>

#include <memory>
#include <mutex>
#include <vector>

namespace mcp_pool::detail {

namespace asio = boost::asio;

class pool_state;

class pool_service : public asio::execution_context::service
{
public:
    static asio::execution_context::id id;

    explicit pool_service(asio::execution_context& context)
        : service(context)
    {}

    // The service of the executor's context.
    static pool_service& of(const asio::any_io_executor& executor);

    void add(const std::shared_ptr<pool_state>& pool);

private:
    void shutdown() override;

    std::mutex mutex_;
    std::vector<std::weak_ptr<pool_state>> pools_;
};

} // namespace mcp_pool::detail
