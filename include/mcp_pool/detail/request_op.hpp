// A request under way, from its initiation to the handler: what the templates of `session` need.
#pragma once

#include <mcp_pool/detail/delivery.hpp>
#include <mcp_pool/detail/request.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>

namespace mcp_pool::detail {

// Reserves the JSON-RPC id under which the request can be cancelled from now on.
std::int64_t reserve_request_id(const session_ref& session) noexcept;

// Takes ownership of `op`. Never completes it before it returns. Any thread.
void start_request(const session_ref& session, request_op* op);

// Cancels a request by its id; nothing happens if it has completed. Any thread.
void cancel_request(const std::shared_ptr<grant_record>& grant, std::int64_t id) noexcept;

// The executor that handlers without one of their own complete on.
asio::any_io_executor default_executor(const session_ref& session);

// Turns the JSON result into what the handler takes.
template <class Result>
struct result_of
{
    static Result from(json::value&& raw) { return Result(std::move(raw)); }
};

template <>
struct result_of<json::value>
{
    static json::value from(json::value&& raw) noexcept { return std::move(raw); }
};

// Of a request whose result comes as text.
template <>
struct result_of<std::string>
{
    static std::string from(json::value&& raw) { return std::string(raw.as_string()); }
};

// The operation for a handler of a known type; Result is what the handler takes after the code, or
// void.
template <class Handler, class Result>
class request_op_for final : public request_op
{
public:
    // A session of its own: the caller's may be gone, with the operation, before this returns.
    static void start(Handler handler, session_ref session, mcp_pool::detail::request&& what)
    {
        op_memory<request_op_for, Handler> memory(handler);
        auto* op = memory.construct(std::move(handler), session, std::move(what));
        op->id = reserve_request_id(session);
        op->grant = session.grant.get();
        op->generation = session.generation;
        op->holder = session.holder;
        op->isolation_key = session.isolation_key;
        auto slot = asio::get_associated_cancellation_slot(op->delivery_.handler());
        if (slot.is_connected())
            slot.template emplace<canceller>(session.grant, op->id);
        start_request(session, op);
    }

    request_op_for(Handler handler, const session_ref& session, mcp_pool::detail::request&& what)
        : request_op(std::move(what))
        , delivery_(std::move(handler), [&session] { return default_executor(session); })
        , on_progress_(request.options.progress
                  ? std::make_shared<progress_sink>(request.options.progress)
                  : nullptr)
    {}

    bool deliver() noexcept override { return delivery_.post(this); }

    void post_progress(const progress& news) noexcept override
    {
        try {
            if (on_progress_ && on_progress_->offer(news))
                asio::post(delivery_.executor(), [sink = on_progress_] { sink->report(); });
        } catch (const std::exception&) {
            // A progress notification is advice; losing one is better than losing the call.
        }
    }

    void destroy() noexcept override
    {
        const Handler last = delivery_.take_handler();
        op_memory<request_op_for, Handler>::destroy(this, last);
    }

    // Runs on the handler's executor: frees the operation, then calls the handler.
    void invoke()
    {
        asio::get_associated_cancellation_slot(delivery_.handler()).clear();
        if (on_progress_)
            on_progress_->close();
        if (code_ && details_ && request.options.diagnostics)
            *request.options.diagnostics = *details_;
        Handler handler = delivery_.take_handler();
        const error_code code = code_;
        json::value raw = std::move(result_);
        op_memory<request_op_for, Handler>::destroy(this, handler);
        if constexpr (std::is_void_v<Result>)
            std::move(handler)(code);
        else if (code)
            std::move(handler)(code, Result());
        else
            std::move(handler)(code, result_of<Result>::from(std::move(raw)));
    }

private:
    // The callback, which refers to what the caller keeps until the handler is called. On an executor
    // with several threads a notification posted earlier may run later, or at the same time: none
    // begins after close(), and close() waits for one that is running.
    class progress_sink
    {
    public:
        // The function stays in the options too, where it tells that progress is wanted.
        explicit progress_sink(std::function<void(const progress&)> f)
            : call_(std::move(f))
        {}

        // True if report() is to be posted for it. A server that reports faster than the executor
        // follows has the newest report only, behind those that wait already.
        bool offer(const progress& news)
        {
            const std::lock_guard lock(waiting_mutex_);
            if (waiting_.size() == max_waiting) {
                waiting_.back() = news;
                return false;
            }
            waiting_.push_back(news);
            return true;
        }

        void report()
        {
            const std::lock_guard lock(mutex_);
            if (closed_)
                return;
            progress news;
            {
                const std::lock_guard waiting_lock(waiting_mutex_);
                // Empty if the post of a former one failed.
                if (waiting_.empty())
                    return;
                news = std::move(waiting_.front());
                waiting_.pop_front();
            }
            call_(news);
        }

        void close()
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
        }

    private:
        static constexpr std::size_t max_waiting = 64;

        std::mutex waiting_mutex_;
        std::deque<progress> waiting_;
        // Recursive: the callback may run an event loop that calls the handler.
        std::recursive_mutex mutex_;
        const std::function<void(const progress&)> call_;
        bool closed_ = false;
    };

    struct canceller
    {
        std::shared_ptr<grant_record> grant;
        std::int64_t id;

        canceller(std::shared_ptr<grant_record> g, std::int64_t request_id)
            : grant(std::move(g))
            , id(request_id)
        {}

        void operator()(asio::cancellation_type) const noexcept { cancel_request(grant, id); }
    };

    detail::delivery<request_op_for, Handler> delivery_;
    std::shared_ptr<progress_sink> on_progress_;
};

// Initiation of an asynchronous request, as asio::async_initiate wants it.
template <class Result>
struct initiate_request
{
    session_ref session;

    explicit initiate_request(session_ref s)
        : session(std::move(s))
    {}

    using executor_type = asio::any_io_executor;
    [[nodiscard]] executor_type get_executor() const { return default_executor(session); }

    template <class Handler>
    void operator()(Handler&& handler, mcp_pool::detail::request what) const
    {
        request_op_for<std::decay_t<Handler>, Result>::start(
            std::forward<Handler>(handler), session, std::move(what));
    }
};

} // namespace mcp_pool::detail
