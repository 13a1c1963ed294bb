#include "pool/options.hpp"
#include "pool/pool_state.hpp"
#include "session/failure.hpp"
#include "session/lessee.hpp"
#include "session/transport_source.hpp"
#include "transport/http/streamable.hpp"
#include "transport/launch_texts.hpp"
#include "transport/stdio.hpp"

#include <mcp_pool/session_pool.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

namespace mcp_pool {

namespace {

using detail::acquire_op;
using detail::initiate_acquire;
using detail::pool_state;
using detail::waiter;

[[noreturn]] void fail(const error_code& code, std::string message)
{
    diagnostics details;
    details.message = std::move(message);
    throw error(code, std::move(details));
}

[[noreturn]] void fail_as_cancelled()
{
    fail(asio::error::operation_aborted, "the acquire was cancelled before it began");
}

// An operation that has not begun, with its outcome in a tuple.
constexpr auto undelivered = asio::as_tuple(asio::deferred);

// The operation of an acquire that has to wait. Begun where it is awaited, while the coroutine that
// awaits it is suspended: what it refers to is in that coroutine's frame.
struct initiate_in_place
{
    const std::shared_ptr<pool_state>& pool;
    acquire_options& options;

    template <class Handler>
    void operator()(Handler&& handler) const
    {
        detail::acquire_op_for<std::decay_t<Handler>>::start(
            std::forward<Handler>(handler), pool, std::move(options));
    }
};

// To be awaited where it stands, which needs no frame of its own; the outcome comes as a tuple.
auto wait_for_lease(const std::shared_ptr<pool_state>& pool, acquire_options& options)
{
    return asio::async_initiate<decltype(undelivered), void(error_code, lease)>(
        initiate_in_place{pool, options}, undelivered);
}

asio::awaitable<lease> acquire_one(std::shared_ptr<pool_state> pool, acquire_options options)
{
    // A signal emitted before the start counts; the caller's state is read, never changed. It needs a
    // name: g++ 12 loses the temporary that a co_await yields when a member of it is called.
    const asio::cancellation_state callers = co_await asio::this_coro::cancellation_state;
    if (callers.cancelled() != asio::cancellation_type::none)
        fail_as_cancelled();
    if (detail::has_handlers(pool)) {
        const asio::any_io_executor mine = co_await asio::this_coro::executor;
        detail::note_acquirer(options, mine);
    }
    if (lease hit = pool_state::try_acquire(pool, options))
        co_return hit;
    diagnostics unasked;
    diagnostics* const details = options.diagnostics ? options.diagnostics : &unasked;
    options.diagnostics = details;
    auto [failure, result] = co_await wait_for_lease(pool, options);
    if (failure)
        throw error(failure, *details);
    co_return std::move(result);
}

// The same for most acquires, which have no key, no context and no handlers. Their options come one by
// one: what goes through registers into the frame of the coroutine costs a hit a tenth less.
asio::awaitable<lease> acquire_any(std::shared_ptr<pool_state> pool,
    std::optional<duration> timeout, diagnostics* details, std::source_location place)
{
    const asio::cancellation_state callers = co_await asio::this_coro::cancellation_state;
    if (callers.cancelled() != asio::cancellation_type::none)
        fail_as_cancelled();
    if (lease hit = pool_state::try_acquire(pool, place))
        co_return hit;
    acquire_options options(place);
    diagnostics unasked;
    options.timeout = timeout;
    options.diagnostics = details ? details : &unasked;
    auto [failure, result] = co_await wait_for_lease(pool, options);
    if (failure)
        throw error(failure, details ? *details : unasked);
    co_return std::move(result);
}

// Waits for something else than a lease: the initiation of the awaitable forms below.
struct initiate_wait
{
    std::shared_ptr<pool_state> pool;
    waiter::purpose wants;
    std::size_t count;

    initiate_wait(std::shared_ptr<pool_state> p, waiter::purpose what, std::size_t n)
        : pool(std::move(p))
        , wants(what)
        , count(n)
    {}

    template <class Handler>
    void operator()(Handler&& handler, acquire_options options) const
    {
        detail::acquire_op_for<std::decay_t<Handler>>::start(
            std::forward<Handler>(handler), pool, std::move(options), wants, count);
    }
};

asio::awaitable<void> wait_for(
    std::shared_ptr<pool_state> pool, waiter::purpose wants, std::size_t count, duration timeout)
{
    diagnostics details;
    acquire_options options(timeout);
    options.diagnostics = &details;
    initiate_wait initiation(std::move(pool), wants, count);
    auto operation = asio::async_initiate<decltype(undelivered), void(error_code, lease)>(
        std::move(initiation), undelivered, std::move(options));
    // The operation carries an empty lease: there is nothing to lend.
    const auto [failure, none] = co_await std::move(operation);
    if (failure)
        throw error(failure, details);
}

asio::awaitable<void> wait_until_ready(
    std::shared_ptr<pool_state> pool, std::size_t count, duration timeout)
{
    const std::size_t most = pool->stats().max_size;
    if (count > most)
        fail(errc::invalid_config,
            detail::server_title(pool->server().config.name) + ": wait_ready("
                + std::to_string(count) + "): the pool has at most " + std::to_string(most)
                + " sessions (max_size)");
    co_await wait_for(std::move(pool), waiter::purpose::ready, count, timeout);
}

asio::awaitable<close_report> close_pool(std::shared_ptr<pool_state> pool, duration deadline)
{
    pool->close(std::max(deadline, duration::zero()));
    co_await wait_for(pool, waiter::purpose::closed, 0, duration::max());
    co_return pool->report();
}

// Starts processes of the configured server.
std::shared_ptr<detail::transport_source> processes(
    const server_config& config, const pool_options& options)
{
    auto server = std::make_shared<const stdio_server>(std::get<stdio_server>(config.transport));
    const transport::stdio_limits limits = [&] {
        try {
            return transport::stdio_limits(options);
        } catch (const boost::system::system_error& problem) {
            fail(errc::invalid_config,
                detail::server_title(config.name) + ": stderr_file="
                    + transport::in_quotes(options.stderr_file) + ": cannot be appended to ("
                    + problem.code().message() + "); expected a regular file");
        }
    }();
    return std::make_shared<detail::transport_source>(
        [server, limits](transport::connection_strand strand, transport::transport_events& events) {
            return transport::make_stdio_transport(std::move(strand), events, server, limits);
        });
}

// Opens sessions with the configured server.
std::shared_ptr<detail::transport_source> web_sessions(
    const server_config& config, const pool_options& options)
{
    std::string problem;
    const auto server = transport::http::make_endpoint(config, options, problem);
    if (!server)
        fail(errc::invalid_config, detail::server_title(config.name) + ": " + problem);
    return std::make_shared<detail::transport_source>(
        [server](transport::connection_strand strand, transport::transport_events& events) {
            return transport::http::make_http_transport(std::move(strand), events, server);
        });
}

std::shared_ptr<pool_state> make_state(asio::any_io_executor executor, server_config config,
    std::shared_ptr<detail::transport_source> source)
{
    pool_options options = resolve(config.pool);
    if (options.single_writer) {
        options.max_size = 1;
        options.min_size = std::min<std::size_t>(options.min_size, 1);
    }
    detail::check_server(config, options);
    if (!executor)
        fail(errc::invalid_config, "a pool needs an executor");
    if (!source) {
        transport::ignore_sigpipe_once();
        source = std::holds_alternative<http_server>(config.transport)
            ? web_sessions(config, options)
            : processes(config, options);
    }
    auto server = std::make_shared<detail::server_state>(
        std::move(config), std::move(options), source->make);
    return pool_state::make(std::move(executor), std::move(server));
}

} // namespace

session_pool::session_pool(asio::any_io_executor executor, server_config config)
    : session_pool(std::move(executor), std::move(config), nullptr)
{}

session_pool::session_pool(asio::any_io_executor executor, server_config config,
    std::shared_ptr<detail::transport_source> source)
    : state_(make_state(std::move(executor), std::move(config), std::move(source)))
{}

session_pool::~session_pool()
{
    state_->abandon(true);
}

asio::awaitable<lease> session_pool::acquire(acquire_options options)
{
    if (options.isolation_key.empty() && !options.context && !detail::has_handlers(state_))
        return acquire_any(state_, options.timeout, options.diagnostics, options.place);
    return acquire_one(state_, std::move(options));
}

lease session_pool::try_acquire(acquire_options options) noexcept
{
    std::shared_ptr<pool_state> state = state_;
    const bool noted = detail::has_handlers(state);
    if (options.isolation_key.empty() && !options.context && !noted)
        return pool_state::try_acquire(state, options.place);
    try {
        if (noted)
            detail::note_acquirer(options, detail::default_executor(state));
        return pool_state::try_acquire(state, options);
    } catch (const std::bad_alloc&) {
        return {}; // For the record of the key, or of who acquires.
    }
}

void session_pool::start()
{
    state_->start();
}

asio::awaitable<void> session_pool::wait_ready(std::size_t count, duration timeout)
{
    return wait_until_ready(state_, count, timeout);
}

asio::awaitable<close_report> session_pool::close(duration deadline)
{
    return close_pool(state_, deadline);
}

void session_pool::resize(pool_limits limits)
{
    pool_overrides changes;
    changes.min_size = limits.min_size;
    changes.max_size = limits.max_size;
    changes.max_starting = limits.max_starting;
    changes.max_waiters = limits.max_waiters;
    state_->change(changes);
}

void session_pool::evict_all()
{
    state_->evict_all();
}

pool_stats session_pool::stats() const
{
    return state_->stats();
}

void session_pool::change_options(const pool_overrides& changes)
{
    state_->change(changes);
}

void session_pool::set_observer(std::shared_ptr<pool_observer> observer)
{
    state_->set_observer(std::move(observer));
}

pool_options session_pool::options() const
{
    return state_->options();
}

asio::any_io_executor session_pool::get_executor() const
{
    return state_->executor();
}

namespace detail {

void start_acquire(const std::shared_ptr<pool_state>& pool, acquire_op* op)
{
    pool->submit(op);
}

void cancel_acquire(const std::shared_ptr<pool_state>& pool, acquire_op* op) noexcept
{
    pool->cancel(op);
}

asio::any_io_executor default_executor(const std::shared_ptr<pool_state>& pool)
{
    return pool->executor();
}

bool has_handlers(const std::shared_ptr<pool_state>& pool) noexcept
{
    return pool->server().config.handlers != nullptr;
}

void note_acquirer(acquire_options& options, asio::any_io_executor executor)
{
    options.context = std::make_shared<lessee>(
        std::move(executor), options.isolation_key, std::move(options.context));
}

std::function<asio::awaitable<void>()> wait_ready_factory(
    std::shared_ptr<pool_state> pool, std::size_t count, duration timeout)
{
    return
        [pool = std::move(pool), count, timeout] { return wait_until_ready(pool, count, timeout); };
}

std::function<asio::awaitable<close_report>()> close_factory(
    std::shared_ptr<pool_state> pool, duration deadline)
{
    return [pool = std::move(pool), deadline] { return close_pool(pool, deadline); };
}

void give_back(session& granted) noexcept
{
    grant_record& grant = session_access::grant(granted);
    // Nobody else lends to the public.
    static_cast<pool_state&>(grant.state.owner).give_back(grant);
}

} // namespace detail

void lease::discard() noexcept
{
    if (session_) {
        mark_dirty(dirt::respawn);
        release();
    }
}

void lease::detach()
{
    detail::grant_record& grant = detail::session_access::grant(*session_);
    static_cast<pool_state&>(grant.state.owner).detach(grant);
}

void lease::mark_dirty(dirt how) noexcept
{
    const auto bit = how == dirt::respawn ? detail::verdict_respawn : detail::verdict_probe;
    detail::session_access::grant(*session_).verdict.fetch_or(bit, std::memory_order_relaxed);
}

bool lease::reused() const noexcept
{
    return session_ && detail::session_access::grant(*session_).uses > 1;
}

duration lease::waited() const noexcept
{
    return session_ ? detail::session_access::grant(*session_).waited : duration::zero();
}

} // namespace mcp_pool
