// A pool whose free sessions lie in an asio::experimental::channel: to acquire is to receive, to give
// back is to send.
//
// One thread; concurrent_channel would serve several.
#pragma once

#include "compare/dummy_session.hpp"

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/detail/namespaces.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <cstddef>
#include <variant>
#include <vector>

namespace mcp_pool::bench {

class channel_pool
{
public:
    using lease = borrowed<channel_pool>;
    static constexpr const char* name = "experimental::channel as free list";

    channel_pool(const asio::any_io_executor& executor, std::size_t sessions)
        : sessions_(sessions)
        , free_(executor, sessions)
    {
        for (dummy_session& s : sessions_)
            give_back(s);
    }

    asio::awaitable<lease> acquire(duration timeout)
    {
        using namespace asio::experimental::awaitable_operators;
        // Most find a session and need no timer for their patience.
        dummy_session* found = nullptr;
        if (free_.try_receive([&found](error_code, dummy_session* s) { found = s; }))
            co_return lease(*this, *found);
        asio::steady_timer patience(free_.get_executor(), timeout);
        auto result = co_await (
            free_.async_receive(asio::use_awaitable) || patience.async_wait(asio::use_awaitable));
        if (result.index() != 0)
            throw boost::system::system_error(asio::error::timed_out);
        co_return lease(*this, *std::get<0>(result));
    }

    // There is room for all of them.
    void give_back(dummy_session& session) { free_.try_send(error_code(), &session); }

    [[nodiscard]] std::size_t idle()
    {
        std::vector<dummy_session*> found;
        while (free_.try_receive([&](error_code, dummy_session* s) { found.push_back(s); })) {
        }
        for (dummy_session* const s : found)
            give_back(*s);
        return found.size();
    }

private:
    std::vector<dummy_session> sessions_;
    asio::experimental::channel<void(error_code, dummy_session*)> free_;
};

} // namespace mcp_pool::bench
