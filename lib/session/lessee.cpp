#include "session/lessee.hpp"

#include "session/session_state.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace mcp_pool::detail {

bool notice_queue::push(std::function<void()> notice, std::size_t bytes) noexcept
{
    try {
        {
            const std::lock_guard lock(mutex_);
            if (waiting_.size() == max_waiting || (!waiting_.empty() && bytes_ + bytes > max_bytes))
                return false;
            waiting_.emplace_back(std::move(notice), bytes);
            bytes_ += bytes;
            if (std::exchange(busy_, true))
                return true;
        }
        post_next();
        return true;
    } catch (const std::exception&) {
        // No memory. What waits is called with the next one that finds some.
        const std::lock_guard lock(mutex_);
        busy_ = false;
        return false;
    }
}

void notice_queue::post_next()
{
    asio::post(executor_, [self = shared_from_this()] { self->call_next(); });
}

void notice_queue::call_next()
{
    std::function<void()> notice;
    {
        const std::lock_guard lock(mutex_);
        if (waiting_.empty()) {
            busy_ = false;
            return;
        }
        notice = std::move(waiting_.front().notice);
        bytes_ -= waiting_.front().bytes;
        waiting_.pop_front();
    }
    notice();
    const std::unique_lock lock(mutex_);
    busy_ = !waiting_.empty();
    if (!busy_)
        return;
    try {
        post_next();
    } catch (const std::exception&) {
        busy_ = false;
    }
}

std::shared_ptr<const lessee> lessee_of(const grant_record& grant) noexcept
{
    return grant.state.has_handlers ? std::static_pointer_cast<const lessee>(grant.context)
                                    : nullptr;
}

} // namespace mcp_pool::detail
