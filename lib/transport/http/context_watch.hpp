// Tells an object that its execution context is being shut down.
#pragma once

#include <boost/asio/execution_context.hpp>
#include <boost/intrusive/list.hpp>

#include <memory>

namespace mcp_pool::transport::http {

class context_watch_service;

// What owns I/O objects and may be owned by somebody who outlives their context.
//
// Lifetime: owned by a shared_ptr, from before watch() on.
// Thread safety: watch() and the destructor where the object itself is used; on_context_gone() is
// called by who destroys the context, when no handler runs any more.
class context_watched
{
public:
    context_watched() = default;
    context_watched(const context_watched&) = delete;
    context_watched& operator=(const context_watched&) = delete;

protected:
    ~context_watched();

    // From here on on_context_gone() is called on `self`, which is this, when `context` ends.
    void watch(boost::asio::execution_context& context, std::weak_ptr<context_watched> self);

private:
    friend class context_watch_service;

    // Everything that belongs to the context is to be destroyed now; executors too.
    virtual void on_context_gone() noexcept = 0;

    context_watch_service* service_ = nullptr;
    std::weak_ptr<context_watched> self_;
    boost::intrusive::list_member_hook<> hook_;
};

} // namespace mcp_pool::transport::http
