#include "transport/http/context_watch.hpp"

#include <mutex>
#include <utility>

namespace mcp_pool::transport::http {

// Services are shut down before any of them is destroyed: what watched objects own is destroyed while
// all services are whole.
class context_watch_service final : public boost::asio::execution_context::service
{
public:
    using key_type = context_watch_service;
    static inline boost::asio::execution_context::id id;

    explicit context_watch_service(boost::asio::execution_context& context)
        : service(context)
    {}

    void enlist(context_watched& watched)
    {
        const std::lock_guard lock(mutex_);
        watched_.push_back(watched);
        watched.service_ = this;
    }

    void strike_off(context_watched& watched) noexcept
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(watched.service_, nullptr) != nullptr)
            watched_.erase(watched_.iterator_to(watched));
    }

private:
    void shutdown() override
    {
        for (;;) {
            std::shared_ptr<context_watched> next;
            {
                const std::lock_guard lock(mutex_);
                if (watched_.empty())
                    return;
                context_watched& first = watched_.front();
                watched_.pop_front();
                first.service_ = nullptr;
                next = first.self_.lock();
            }
            if (next)
                next->on_context_gone();
        }
    }

    std::mutex mutex_;
    boost::intrusive::list<context_watched,
        boost::intrusive::member_hook<context_watched, boost::intrusive::list_member_hook<>,
            &context_watched::hook_>>
        watched_;
};

context_watched::~context_watched()
{
    if (service_ != nullptr)
        service_->strike_off(*this);
}

void context_watched::watch(
    boost::asio::execution_context& context, std::weak_ptr<context_watched> self)
{
    self_ = std::move(self);
    boost::asio::use_service<context_watch_service>(context).enlist(*this);
}

} // namespace mcp_pool::transport::http
