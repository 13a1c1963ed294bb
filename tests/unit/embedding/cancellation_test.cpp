// Cancellation: each kind, of each form, at each moment.
#include "support/crew.hpp"
#include "support/pool_fixture.hpp"

#include <array>
#include <optional>

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

constexpr std::array kinds{asio::cancellation_type::terminal, asio::cancellation_type::partial,
    asio::cancellation_type::total};

pool_overrides one_session()
{
    pool_overrides o;
    o.max_size = 1;
    return o;
}

// The outcome of a coroutine that a signal may end.
template <class T>
struct ending
{
    std::optional<T> value;
    error_code failure;
    bool done = false;
};

template <class T>
std::shared_ptr<ending<T>> spawn_with(
    asio::io_context& context, asio::cancellation_signal& signal, asio::awaitable<T> work)
{
    auto result = std::make_shared<ending<T>>();
    asio::co_spawn(context, std::move(work),
        asio::bind_cancellation_slot(
            signal.slot(), [result](const std::exception_ptr& failure, T value) {
                result->done = true;
                try {
                    if (failure)
                        std::rethrow_exception(failure);
                    result->value.emplace(std::move(value));
                } catch (const boost::system::system_error& e) {
                    result->failure = e.code();
                }
            }));
    return result;
}

// Emits on the context, as Asio wants it: co_spawn hands the signal on to its executor, and what it
// hands on must not outlive the signal.
void emit(
    asio::io_context& context, asio::cancellation_signal& signal, asio::cancellation_type kind)
{
    bool emitted = false;
    asio::post(context, [&] {
        signal.emit(kind);
        emitted = true;
    });
    while (!emitted) {
        context.restart();
        context.run_one();
    }
}

asio::awaitable<lease> acquire_plainly(session_pool& pool)
{
    co_return co_await pool.acquire(30s);
}

asio::awaitable<lease> acquire_hearing_all(session_pool& pool)
{
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_return co_await pool.acquire(30s);
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(cancellation, pool_fixture)

BOOST_AUTO_TEST_CASE(an_awaitable_hears_terminal_signals_while_it_is_queued)
{
    open(one_session());
    lease held = acquire();
    asio::cancellation_signal signal;
    auto waiter = spawn_with(context, signal, acquire_plainly(*pool));
    until([&] { return pool->stats().waiting == 1; });
    emit(context, signal, asio::cancellation_type::terminal);
    until([&] { return waiter->done; });
    BOOST_TEST(waiter->failure == asio::error::operation_aborted);
    BOOST_TEST(pool->stats().waiting == 0u);
    held.release();
    BOOST_TEST(pool->stats().available == 1u);
}

BOOST_AUTO_TEST_CASE(an_awaitable_hears_partial_and_total_signals_only_where_its_caller_does)
{
    open(one_session());
    lease held = acquire();
    for (const auto kind : {asio::cancellation_type::partial, asio::cancellation_type::total}) {
        asio::cancellation_signal signal, other;
        auto deaf = spawn_with(context, signal, acquire_plainly(*pool));
        auto hearing = spawn_with(context, other, acquire_hearing_all(*pool));
        until([&] { return pool->stats().waiting == 2; });
        emit(context, signal, kind);
        emit(context, other, kind);
        until([&] { return hearing->done; });
        BOOST_TEST(hearing->failure == asio::error::operation_aborted);
        BOOST_TEST(!deaf->done);
        BOOST_TEST(pool->stats().waiting == 1u);
        emit(context, signal, asio::cancellation_type::terminal);
        until([&] { return deaf->done; });
    }
    BOOST_TEST(pool->stats().cancelled == 4u);
}

BOOST_AUTO_TEST_CASE(an_acquire_that_was_cancelled_before_it_began_starts_nothing)
{
    open(one_session());
    auto late = [](session_pool& p) -> asio::awaitable<lease> {
        co_await asio::this_coro::throw_if_cancelled(false);
        co_await asio::post(asio::use_awaitable);
        co_return co_await p.acquire(30s);
    };
    asio::cancellation_signal signal;
    auto result = spawn_with(context, signal, late(*pool));
    signal.emit(asio::cancellation_type::terminal);
    until([&] { return result->done; });
    BOOST_TEST(result->failure == asio::error::operation_aborted);
    BOOST_TEST(server.sessions_started() == 0u);
    BOOST_TEST(pool->stats().starting == 0u);
}

BOOST_AUTO_TEST_CASE(a_signal_right_behind_the_initiation_of_a_twin_ends_it)
{
    open(one_session());
    lease held = acquire();
    for (const auto kind : kinds) {
        asio::cancellation_signal signal;
        error_code seen;
        pool->async_acquire(30s,
            asio::bind_cancellation_slot(
                signal.slot(), [&](error_code code, lease) { seen = code; }));
        signal.emit(kind);
        // Claimed, and delivered on its executor, not inside of the emit.
        BOOST_TEST(pool->stats().waiting == 0u);
        BOOST_TEST(!seen);
        until([&] { return static_cast<bool>(seen); });
        BOOST_TEST(seen == asio::error::operation_aborted);
    }
}

BOOST_AUTO_TEST_CASE(a_session_given_back_behind_the_signal_goes_to_the_next_waiter)
{
    open(one_session());
    for (const auto kind : kinds) {
        lease held = acquire();
        asio::cancellation_signal signal;
        error_code seen;
        pool->async_acquire(
            30s, asio::bind_cancellation_slot(signal.slot(), [&](error_code code, lease none) {
                seen = code;
                BOOST_TEST(!none);
            }));
        auto next = spawn(pool->acquire(30s));
        until([&] { return pool->stats().waiting == 2; });
        signal.emit(kind);
        held.release();
        until([&] { return next->done; });
        BOOST_TEST(next->value.has_value());
        BOOST_TEST(seen == asio::error::operation_aborted);
    }
    BOOST_TEST(pool->stats().created == 1u);
}

BOOST_AUTO_TEST_CASE(a_signal_behind_the_hand_over_comes_too_late)
{
    open(one_session());
    for (const auto kind : kinds) {
        lease held = acquire();
        asio::cancellation_signal signal;
        auto waiter = spawn_with(context, signal, acquire_hearing_all(*pool));
        until([&] { return pool->stats().waiting == 1; });
        asio::post(context, [&] {
            held.release();
            signal.emit(kind);
        });
        until([&] { return waiter->done; });
        // The session has arrived; that it is not wanted any more is for its holder to say.
        BOOST_TEST(waiter->value.has_value());
        BOOST_TEST(!waiter->failure);
        waiter->value.reset();
        BOOST_TEST(pool->stats().available == 1u);
    }
    BOOST_TEST(pool->stats().cancelled == 0u);
}

BOOST_AUTO_TEST_CASE(waiting_for_a_warm_pool_can_be_given_up_and_the_starts_go_on)
{
    server.on_request([](const call& c) -> std::optional<reply> {
        return c.method == "initialize" ? std::optional(reply::silence()) : std::nullopt;
    });
    open(one_session());
    for (const auto kind : kinds) {
        asio::cancellation_signal signal;
        error_code seen;
        pool->async_wait_ready(1, 30s,
            asio::bind_cancellation_slot(signal.slot(), [&](error_code code) { seen = code; }));
        until([&] { return server.count("initialize") == 1; });
        context.restart();
        context.poll();
        signal.emit(kind);
        until([&] { return static_cast<bool>(seen); });
        BOOST_TEST(seen == asio::error::operation_aborted);
        BOOST_TEST(pool->stats().starting == 1u);
    }
    BOOST_TEST(server.sessions_started() == 1u);
    BOOST_TEST(server.sessions_alive() == 1u);
}

BOOST_AUTO_TEST_CASE(what_the_caller_hears_is_the_same_after_an_acquire_and_a_call)
{
    open(one_session());
    auto user = [](session_pool& p, bool hears_all, bool& waiting) -> asio::awaitable<int> {
        if (hears_all)
            co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        {
            lease mine = co_await p.acquire(30s);
            co_await mine->ping();
        }
        const auto executor = co_await asio::this_coro::executor;
        asio::steady_timer timer(executor, 1h);
        waiting = true;
        co_await timer.async_wait(asio::use_awaitable);
        co_return 0;
    };
    for (const bool hears_all : {true, false}) {
        bool waiting = false;
        asio::cancellation_signal signal;
        auto result = spawn_with(context, signal, user(*pool, hears_all, waiting));
        until([&] { return waiting; });
        emit(context, signal, asio::cancellation_type::total);
        context.restart();
        context.poll();
        BOOST_TEST(result->done == hears_all);
        emit(context, signal, asio::cancellation_type::terminal);
        until([&] { return result->done; });
        BOOST_TEST(result->failure == asio::error::operation_aborted);
    }
}

BOOST_AUTO_TEST_CASE(signals_that_race_hand_overs_on_other_threads_leave_one_outcome_each)
{
    crew away(2), home(1);
    session_pool busy(home.executor(), config(one_session()), server.source());
    const auto strand = asio::make_strand(away.context);
    int granted = 0, aborted = 0, other = 0;
    for (int i = 0; i != repetitions; ++i) {
        lease held = get(busy.async_acquire(30s, asio::use_future));
        asio::cancellation_signal signal;
        std::promise<void> queued, emitted;
        std::promise<error_code> outcome;
        asio::post(strand, [&] {
            busy.async_acquire(30s,
                asio::bind_cancellation_slot(
                    signal.slot(), asio::bind_executor(strand, [&](error_code code, lease mine) {
                        mine.release();
                        outcome.set_value(code);
                    })));
            queued.set_value();
        });
        get(queued.get_future());
        // On the strand of the operation, as it must be; the release comes from this thread.
        asio::post(strand, [&, i] {
            signal.emit(kinds.at(static_cast<std::size_t>(i) % kinds.size()));
            emitted.set_value();
        });
        held.release();
        const error_code code = get(outcome.get_future());
        get(emitted.get_future());
        ++(!code ? granted : code == asio::error::operation_aborted ? aborted : other);
    }
    BOOST_TEST(granted + aborted == repetitions);
    BOOST_TEST(other == 0);
    const pool_stats after = busy.stats();
    BOOST_TEST(after.created == 1u);
    BOOST_TEST(after.available == 1u);
    BOOST_TEST(after.cancelled == static_cast<std::uint64_t>(aborted));
}

BOOST_AUTO_TEST_SUITE_END()
