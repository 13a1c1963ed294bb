// The pool of this library, in the clothes of the others: sessions are scripted, in this process.
#pragma once

#include "micro/loop.hpp"

#include <mcp_pool/mcp_pool.hpp>
#include <mcp_pool/testing/scripted_server.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <cstddef>

namespace mcp_pool::bench {

class our_pool
{
public:
    using lease = mcp_pool::lease;
    static constexpr const char* name = "mcp_pool";

    our_pool(const asio::any_io_executor& executor, std::size_t sessions)
        : pool_(executor, scripted_sessions(sessions), server_.source())
        , sessions_(sessions)
    {}

    // The others have their sessions from the beginning.
    asio::awaitable<double> start()
    {
        co_await pool_.wait_ready(sessions_, std::chrono::seconds(30));
        co_return 0;
    }

    asio::awaitable<lease> acquire(duration timeout) { return pool_.acquire(timeout); }

    [[nodiscard]] std::size_t idle() const { return pool_.stats().available; }

private:
    testing::scripted_server server_;
    session_pool pool_;
    std::size_t sessions_;
};

} // namespace mcp_pool::bench
