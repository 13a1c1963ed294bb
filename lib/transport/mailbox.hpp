// The way from the process thread to a transport's strand.
#pragma once

#include "transport/descriptor.hpp"
#include "transport/transport.hpp"

#include <boost/asio/execution_context.hpp>
#include <boost/intrusive/list.hpp>

#include <memory>
#include <mutex>
#include <optional>

#include <sys/types.h>

namespace mcp_pool::transport {

// What the process thread has to tell about one process.
struct process_news
{
    struct started_process
    {
        pid_t pid = 0;
        std::shared_ptr<const descriptor> pidfd;
        descriptor input;
        descriptor output;
        descriptor errors;

        started_process() = default;
    };

    std::optional<started_process> started;
    // Nothing else comes.
    std::optional<start_failure> failed;
    // The process has exited; who still holds its pipes is being killed.
    bool exited = false;
    // Nothing else comes.
    std::optional<end_report> ended;

    process_news() = default;
};

class process_watcher
{
public:
    // On the strand.
    virtual void on_news(process_news news) = 0;
    // The execution context is being shut down: nothing of it may be touched afterwards.
    virtual void on_context_gone() noexcept = 0;

protected:
    ~process_watcher() = default;
};

class mailbox_service;

// Holds the strand on behalf of the process thread, which must never touch an execution context that
// may be gone. Every post happens under the mutex; cut(), called before the context can end, waits
// for no more than the post under way. A mailbox is cut by its transport or, if that is longer-lived,
// by a service of the context, whose shutdown comes before that of the scheduler.
class mailbox : public std::enable_shared_from_this<mailbox>
{
public:
    // Enlists with the context of `strand`, so that `watcher` learns of its end.
    static std::shared_ptr<mailbox> make(
        const connection_strand& strand, std::weak_ptr<process_watcher> watcher);
    mailbox(const mailbox&) = delete;
    mailbox& operator=(const mailbox&) = delete;
    ~mailbox();

    // From here on it takes news, and counts as outstanding work of the context until it is cut: news
    // of a process that has no pipe left to wait on must not find the context stopped.
    void open(const connection_strand& strand);

    // Adds news by `fill(process_news&)` and posts their delivery unless one is on its way. False:
    // no memory for it at present; deliver_later() is to be tried again.
    //
    // Thread safety: any thread.
    template <class Fill>
    bool put(Fill fill) noexcept
    {
        const std::lock_guard lock(mutex_);
        if (!strand_)
            return true;
        fill(news_);
        return post_delivery();
    }

    bool deliver_later() noexcept;

    // No delivery comes any more; returns the undelivered news. On the strand, or while the context is
    // being shut down.
    process_news cut() noexcept;
    // The watcher goes: it wants to know nothing of the end of the context either.
    void strike_off() noexcept;

private:
    friend class mailbox_service;
    struct delivery;

    explicit mailbox(std::weak_ptr<process_watcher> watcher);
    bool post_delivery() noexcept;
    void deliver();

    std::mutex mutex_;
    // Unset: not open yet, or cut.
    std::optional<connection_strand> strand_;
    process_news news_;
    bool delivery_posted_ = false;

    const std::weak_ptr<process_watcher> watcher_;
    // Guarded by the mutex of the service. Unset: not enlisted.
    mailbox_service* service_ = nullptr;
    boost::intrusive::list_member_hook<> hook_;
};

} // namespace mcp_pool::transport
