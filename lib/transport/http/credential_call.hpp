// A call of the function that gives credentials.
#pragma once

#include "transport/http/endpoint.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/strand.hpp>

#include <exception>
#include <memory>
#include <string>

namespace mcp_pool::transport::http {

class http_link;

// Runs on a strand of its own upon the pool's executor; http_link::on_credentials() follows on the
// link's strand, unless cancel() came first.
//
// Lifetime: the link and the coroutine share it.
class credential_call : public std::enable_shared_from_this<credential_call>
{
public:
    credential_call(const std::shared_ptr<http_link>& owner, std::shared_ptr<const endpoint> server,
        credential_request request);

    // Errors: throws std::bad_alloc.
    void start();
    // On the link's strand.
    void cancel() noexcept;

private:
    static asio::awaitable<std::string> invoke(std::shared_ptr<credential_call> self);
    void finished(const std::exception_ptr& failure, std::string value);

    const std::weak_ptr<http_link> owner_;
    const std::shared_ptr<const endpoint> server_;
    credential_request request_;
    // Of the link.
    const connection_strand back_;
    const asio::strand<asio::any_io_executor> strand_;
    asio::cancellation_signal signal_;
};

} // namespace mcp_pool::transport::http
