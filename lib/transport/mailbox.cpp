#include "transport/mailbox.hpp"

#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>

namespace mcp_pool::transport {

// Cuts all mailboxes of a context when that is shut down. Services are shut down in the reverse
// order of their making, so that the scheduler, which a context makes first, is still whole then.
class mailbox_service final : public asio::execution_context::service
{
public:
    using key_type = mailbox_service;
    static inline asio::execution_context::id id;

    explicit mailbox_service(asio::execution_context& context)
        : service(context)
    {}

    void enlist(mailbox& box)
    {
        const std::lock_guard lock(mutex_);
        boxes_.push_back(box);
        box.service_ = this;
    }

    void strike_off(mailbox& box) noexcept
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(box.service_, nullptr) != nullptr)
            boxes_.erase(boxes_.iterator_to(box));
    }

private:
    void shutdown() override
    {
        for (;;) {
            std::shared_ptr<mailbox> box;
            {
                const std::lock_guard lock(mutex_);
                if (boxes_.empty())
                    return;
                // Enlisted ones are alive: their transports strike them off.
                box = boxes_.front().shared_from_this();
                boxes_.pop_front();
                box->service_ = nullptr;
            }
            if (const std::shared_ptr<process_watcher> watcher = box->watcher_.lock())
                watcher->on_context_gone();
            box->cut();
        }
    }

    std::mutex mutex_;
    boost::intrusive::list<mailbox,
        boost::intrusive::member_hook<mailbox, boost::intrusive::list_member_hook<>,
            &mailbox::hook_>>
        boxes_;
};

struct mailbox::delivery
{
    std::shared_ptr<mailbox> box;

    void operator()() const { box->deliver(); }
};

std::shared_ptr<mailbox> mailbox::make(
    const connection_strand& strand, std::weak_ptr<process_watcher> watcher)
{
    const std::shared_ptr<mailbox> box(new mailbox(std::move(watcher)));
    asio::execution_context& context = asio::query(strand, asio::execution::context);
    asio::use_service<mailbox_service>(context).enlist(*box);
    return box;
}

mailbox::mailbox(std::weak_ptr<process_watcher> watcher)
    : watcher_(std::move(watcher))
{}

mailbox::~mailbox() = default;

void mailbox::open(const connection_strand& strand)
{
    connection_strand tracked = asio::prefer(strand, asio::execution::outstanding_work.tracked);
    const std::lock_guard lock(mutex_);
    strand_.emplace(std::move(tracked));
}

bool mailbox::deliver_later() noexcept
{
    const std::lock_guard lock(mutex_);
    return !strand_ || post_delivery();
}

bool mailbox::post_delivery() noexcept
{
    if (delivery_posted_)
        return true;
    try {
        asio::post(*strand_, delivery{shared_from_this()});
        delivery_posted_ = true;
        return true;
    } catch (...) {
        return false;
    }
}

void mailbox::deliver()
{
    process_news news;
    {
        const std::lock_guard lock(mutex_);
        delivery_posted_ = false;
        if (!strand_)
            return;
        news = std::exchange(news_, {});
    }
    if (const std::shared_ptr<process_watcher> watcher = watcher_.lock())
        watcher->on_news(std::move(news));
}

process_news mailbox::cut() noexcept
{
    // Destroyed after the lock is released: the last work of a context stops it.
    std::optional<connection_strand> strand;
    process_news news;
    {
        const std::lock_guard lock(mutex_);
        strand.swap(strand_);
        news = std::exchange(news_, {});
    }
    return news;
}

void mailbox::strike_off() noexcept
{
    if (service_ != nullptr)
        service_->strike_off(*this);
}

} // namespace mcp_pool::transport
