// A request under way, from its initiation to the handler: what the templates of `session` need.
#pragma once

#include <mcp_pool/call_options.hpp>
#include <mcp_pool/detail/delivery.hpp>
#include <mcp_pool/detail/namespaces.hpp>
#include <mcp_pool/error.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>

namespace mcp_pool::detail {

class session_state;

// A session as one lease sees it. Copies outlive the lease and the pool; an operation started
// through one whose lease has ended fails with errc::lease_released.
struct session_ref
{
    std::shared_ptr<session_state> state;
    // Generation of the lease.
    std::uint64_t generation = 0;

    session_ref() = default;
    session_ref(std::shared_ptr<session_state> s, std::uint64_t g)
        : state(std::move(s))
        , generation(g)
    {}
};

// What to send.
struct request
{
    std::string method;
    json::object params;
    call_options options;
    // A notification has no answer: the operation completes when it is handed to the transport.
    bool notification = false;

    request() = default;
    request(std::string m, json::object p, call_options o)
        : method(std::move(m))
        , params(std::move(p))
        , options(std::move(o))
    {}
};

// A pending request. The connection owns it from start_request() until complete() returns true.
class request_op
{
public:
    request_op(const request_op&) = delete;
    request_op& operator=(const request_op&) = delete;

    // Stores the outcome and hands it to the handler's executor; gives up ownership. False if there is
    // no memory for that at present: the operation still belongs to the caller, who tries deliver()
    // later. Called once. Any thread.
    [[nodiscard]] bool complete(error_code code, json::value&& result,
        std::shared_ptr<const mcp_pool::diagnostics> details) noexcept
    {
        code_ = code;
        result_ = std::move(result);
        details_ = std::move(details);
        return deliver();
    }

    // Hands over what complete() stored; see there.
    [[nodiscard]] virtual bool deliver() noexcept = 0;

    // Hands one progress notification to the handler's executor. Lost if there is no memory for it.
    virtual void post_progress(const progress& news) noexcept = 0;

    // Destroys the operation and its handler without calling it: the context has ended.
    virtual void destroy() noexcept = 0;

    mcp_pool::detail::request request;
    // Generation of the lease that the operation was started through.
    std::uint64_t generation = 0;
    // JSON-RPC id, unique in its connection; reserved before the operation can be cancelled.
    std::int64_t id = 0;
    // When the operation times out; set by the connection.
    time_point deadline = time_point::max();
    // The next one in whichever queue of the connection the operation is in.
    request_op* next = nullptr;

protected:
    explicit request_op(mcp_pool::detail::request what)
        : request(std::move(what))
    {}
    ~request_op() = default;

    // The outcome; set by complete().
    error_code code_;
    json::value result_;
    std::shared_ptr<const mcp_pool::diagnostics> details_;
};

// Reserves the JSON-RPC id under which the request can be cancelled from now on.
std::int64_t reserve_request_id(const session_ref& session) noexcept;

// Takes ownership of `op`. Never completes it before it returns. Any thread.
void start_request(const session_ref& session, request_op* op);

// Cancels a request by its id; nothing happens if it has completed. Any thread.
void cancel_request(const std::shared_ptr<session_state>& session, std::int64_t id) noexcept;

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

// The operation for a handler of a known type; Result is what the handler takes after the code, or
// void.
template <class Handler, class Result>
class request_op_for final : public request_op
{
public:
    static void start(Handler handler, session_ref session, mcp_pool::detail::request what)
    {
        op_memory<request_op_for, Handler> memory(handler);
        auto* op = memory.construct(std::move(handler), session, std::move(what));
        op->id = reserve_request_id(session);
        op->generation = session.generation;
        auto slot = asio::get_associated_cancellation_slot(op->delivery_.handler());
        if (slot.is_connected())
            slot.template emplace<canceller>(session.state, op->id);
        start_request(session, op);
    }

    request_op_for(Handler handler, const session_ref& session, mcp_pool::detail::request what)
        : request_op(std::move(what))
        , delivery_(std::move(handler), default_executor(session))
        , on_progress_(request.options.on_progress
                  ? std::make_shared<progress_sink>(request.options.on_progress)
                  : nullptr)
    {}

    bool deliver() noexcept override { return delivery_.post(this); }

    void post_progress(const progress& news) noexcept override
    {
        if (!on_progress_)
            return;
        try {
            asio::post(delivery_.executor(), [sink = on_progress_, news] { sink->report(news); });
        } catch (const std::exception&) {
            // A progress notification is advice; losing one is better than losing the call.
        }
    }

    void destroy() noexcept override { op_memory<request_op_for, Handler>::destroy(this); }

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
        destroy();
        if constexpr (std::is_void_v<Result>)
            std::move(handler)(code);
        else if (code)
            std::move(handler)(code, Result());
        else
            std::move(handler)(code, result_of<Result>::from(std::move(raw)));
    }

    Handler& handler() noexcept { return delivery_.handler(); }

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

        void report(const progress& news)
        {
            const std::lock_guard lock(mutex_);
            if (!closed_)
                call_(news);
        }

        void close()
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
        }

    private:
        // Recursive: the callback may run an event loop that calls the handler.
        std::recursive_mutex mutex_;
        const std::function<void(const progress&)> call_;
        bool closed_ = false;
    };

    struct canceller
    {
        std::shared_ptr<session_state> session;
        std::int64_t id;

        canceller(std::shared_ptr<session_state> s, std::int64_t request_id)
            : session(std::move(s))
            , id(request_id)
        {}

        void operator()(asio::cancellation_type) const noexcept { cancel_request(session, id); }
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
