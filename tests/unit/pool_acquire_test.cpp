// Acquire and release, in every form.
#include "support/pool_fixture.hpp"

#include <mcp_pool/mcp_pool.hpp>

#include <boost/test/unit_test.hpp>

#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

// A handler in which its allocator lives: moved from, it has none.
class counting_handler
{
public:
    template <class T>
    class allocator
    {
    public:
        using value_type = T;

        explicit allocator(std::size_t* blocks)
            : blocks_(blocks)
        {}
        template <class U>
        allocator(const allocator<U>& other)
            : blocks_(other.blocks_)
        {}

        T* allocate(std::size_t n)
        {
            ++*blocks_;
            return std::allocator<T>().allocate(n);
        }
        void deallocate(T* p, std::size_t n)
        {
            --*blocks_;
            std::allocator<T>().deallocate(p, n);
        }
        template <class U>
        bool operator==(const allocator<U>& other) const
        {
            return blocks_ == other.blocks_;
        }

    private:
        template <class>
        friend class allocator;
        std::size_t* blocks_;
    };

    counting_handler(std::size_t& blocks, bool& called)
        : memory_(std::make_unique<std::size_t*>(&blocks))
        , called_(&called)
    {}

    using allocator_type = allocator<void>;
    [[nodiscard]] allocator_type get_allocator() const noexcept { return allocator_type(*memory_); }

    void operator()(error_code code, lease session)
    {
        BOOST_TEST(!code);
        BOOST_TEST(static_cast<bool>(session));
        *called_ = true;
    }

private:
    // Null once the handler has been moved from.
    std::unique_ptr<std::size_t*> memory_;
    bool* called_;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(pool_acquire, pool_fixture)

BOOST_AUTO_TEST_CASE(a_lease_calls_a_tool_and_goes_back)
{
    server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method != "tools/call")
            return std::nullopt;
        json::object text;
        text["type"] = "text";
        text["text"] = c.params.at("arguments").at("message");
        json::array content;
        content.push_back(std::move(text));
        return reply::result(object("content", std::move(content)));
    });
    open();
    {
        lease session = acquire();
        BOOST_TEST(!session.reused());
        BOOST_TEST(session->uses() == 1u);
        BOOST_TEST(session->protocol_version() == "2025-11-25");
        auto result = finish(session->call_tool("echo", object("message", "hi"), {}));
        BOOST_REQUIRE(result->value);
        BOOST_TEST(result->value->text() == "hi");
        BOOST_TEST(pool->stats().in_use == 1u);
    }
    const pool_stats after = pool->stats();
    BOOST_TEST(after.in_use == 0u);
    BOOST_TEST(after.available == 1u);
    BOOST_TEST(after.created == 1u);
    BOOST_TEST(after.total_requests == 1u);
}

BOOST_AUTO_TEST_CASE(a_free_session_is_granted_without_a_hop)
{
    open();
    acquire().release();
    // The context does not run here: try_acquire and a hit need nobody.
    lease again = pool->try_acquire();
    BOOST_REQUIRE(again);
    BOOST_TEST(again.reused());
    BOOST_TEST(again.waited().count() == 0);
    BOOST_TEST(!pool->try_acquire());
    BOOST_TEST(pool->stats().hits == 1u);
}

BOOST_AUTO_TEST_CASE(the_most_recently_used_session_is_lent_first)
{
    pool_overrides two;
    two.max_size = 2;
    open(two);
    lease a = acquire();
    lease b = acquire();
    const auto first = a->id();
    const auto second = b->id();
    BOOST_TEST(first != second);
    a.release();
    b.release();
    BOOST_TEST(pool->try_acquire()->id() == second);
}

BOOST_AUTO_TEST_CASE(waiters_are_served_in_the_order_of_their_arrival)
{
    pool_overrides one;
    one.max_size = 1;
    open(one);
    lease held = acquire();
    std::vector<int> order;
    auto wait = [](session_pool& p, std::vector<int>& served, int me) -> asio::awaitable<void> {
        lease mine = co_await p.acquire(30s);
        served.push_back(me);
    };
    std::vector<std::shared_ptr<outcome<bool>>> all;
    for (int i = 0; i != 5; ++i)
        all.push_back(spawn(wait(*pool, order, i)));
    until([&] { return pool->stats().waiting == 5; });
    BOOST_TEST(!pool->try_acquire());
    held.release();
    until([&] { return order.size() == 5; });
    BOOST_TEST(order == (std::vector<int>{0, 1, 2, 3, 4}), boost::test_tools::per_element());
    BOOST_TEST(pool->stats().created == 1u);
    BOOST_TEST(pool->stats().reused == 5u);
}

BOOST_AUTO_TEST_CASE(a_timeout_of_zero_is_a_hit_or_an_error_at_once)
{
    pool_overrides one;
    one.max_size = 1;
    open(one);
    auto cold = finish(pool->acquire(0s));
    BOOST_TEST(cold->code() == errc::acquire_timeout);
    lease held = acquire();
    auto busy = finish(pool->acquire(0s));
    BOOST_TEST(busy->code() == errc::acquire_timeout);
    BOOST_TEST(busy->failure->diagnostics().server == "scripted");
    BOOST_TEST(busy->failure->diagnostics().pool_state.find("leased 1") != std::string::npos);
    held.release();
    auto hit = finish(pool->acquire(0s));
    BOOST_TEST(hit->value.has_value());
}

BOOST_AUTO_TEST_CASE(the_deadline_of_a_waiter_and_the_default_of_the_pool_hold)
{
    pool_overrides o;
    o.max_size = 1;
    o.max_wait = 20ms;
    open(o);
    lease held;
    while (!held) { // Within 20 ms the first session may not have started yet.
        auto first = finish(pool->acquire());
        if (first->value)
            held = std::move(*first->value);
    }
    BOOST_TEST(finish(pool->acquire())->code() == errc::acquire_timeout);
    BOOST_TEST(finish(pool->acquire(5ms))->code() == errc::acquire_timeout);
    BOOST_TEST(pool->stats().timed_out >= 2u);
    BOOST_TEST(pool->stats().waiting == 0u);
}

BOOST_AUTO_TEST_CASE(waiting_for_ever_does_not_overflow)
{
    open();
    auto result = finish(pool->acquire(std::chrono::hours::max()));
    BOOST_TEST(result->value.has_value());
}

BOOST_AUTO_TEST_CASE(too_many_waiters_are_refused_at_once)
{
    pool_overrides o;
    o.max_size = 1;
    o.max_waiters = 1;
    open(o);
    lease held = acquire();
    auto first = spawn(pool->acquire(30s));
    until([&] { return pool->stats().waiting == 1; });
    BOOST_TEST(finish(pool->acquire(30s))->code() == errc::too_many_waiters);
    BOOST_TEST(pool->stats().rejected == 1u);
    held.release();
    until([&] { return first->done; });
    BOOST_TEST(first->value.has_value());
}

BOOST_AUTO_TEST_CASE(every_completion_token_works)
{
    open();
    lease by_callback;
    pool->async_acquire(30s, [&](error_code code, lease session) {
        BOOST_TEST(!code);
        by_callback = std::move(session);
    });
    until([&] { return static_cast<bool>(by_callback); });

    auto tokens = [](session_pool& p) -> asio::awaitable<int> {
        lease a = co_await p.async_acquire(30s, asio::use_awaitable);
        auto deferred = p.async_acquire(30s, asio::deferred);
        lease b = co_await std::move(deferred)(asio::use_awaitable);
        auto [code, c] = co_await p.async_acquire(30s, asio::as_tuple(asio::use_awaitable));
        auto [code2, d] = co_await p.async_acquire({}, asio::as_tuple(asio::deferred))(
            asio::use_awaitable);
        co_return (a && b && c && d && !code && !code2) ? 1 : 0;
    };
    auto result = finish(tokens(*pool));
    BOOST_TEST(result->value.value_or(0) == 1);

    std::future<lease> future = pool->async_acquire(30s, asio::use_future);
    until([&] { return future.wait_for(0s) == std::future_status::ready; });
    BOOST_TEST(static_cast<bool>(future.get()));
}

BOOST_AUTO_TEST_CASE(the_memory_of_an_operation_may_come_from_its_handler)
{
    open();
    acquire().release();
    std::size_t blocks = 0;
    bool called = false;
    {
        counting_handler handler(blocks, called);
        pool->async_acquire(30s, std::move(handler));
    }
    until([&] { return called; });
    BOOST_TEST(blocks == 0u);
    {
        // Never called: its context goes first.
        asio::io_context other;
        pool->async_acquire(
            30s, asio::bind_executor(other.get_executor(), counting_handler(blocks, called)));
    }
    BOOST_TEST(blocks == 0u);
    BOOST_TEST(pool->stats().in_use == 0u);
}

BOOST_AUTO_TEST_CASE(waits_and_hits_are_counted_once_in_every_form)
{
    pool_overrides one;
    one.max_size = 1;
    open(one);
    acquire().release();
    acquire().release();
    (void)pool->try_acquire();
    std::optional<lease> mine;
    const auto keep = [&](error_code, lease session) { mine = std::move(session); };
    pool->async_acquire(30s, keep);
    until([&] { return mine.has_value(); });
    BOOST_TEST(mine->waited().count() == 0);
    // Behind it somebody waits.
    std::optional<lease> next;
    pool->async_acquire(30s, [&](error_code, lease session) { next = std::move(session); });
    mine.reset();
    until([&] { return next.has_value(); });
    BOOST_TEST(next->waited().count() > 0);
    BOOST_REQUIRE(finish((*next)->ping())->value);
    next.reset();
    const pool_stats s = pool->stats();
    BOOST_TEST(s.total_requests == 5u);
    BOOST_TEST(s.hits == 3u);
    BOOST_TEST(s.wait.count == 5u);
    BOOST_TEST(s.hold.count == 5u);
    BOOST_TEST(s.start.count == 1u);
    BOOST_TEST(s.call.count == 1u);
}

BOOST_AUTO_TEST_CASE(an_async_acquire_never_completes_before_it_returns)
{
    open();
    acquire().release();
    bool completed = false;
    lease mine;
    pool->async_acquire(30s, [&](error_code, lease session) {
        completed = true;
        mine = std::move(session);
    });
    BOOST_TEST(!completed);
    until([&] { return completed; });
    BOOST_TEST(static_cast<bool>(mine));
}

BOOST_AUTO_TEST_CASE(each_kind_of_cancellation_ends_the_wait)
{
    pool_overrides one;
    one.max_size = 1;
    open(one);
    lease held = acquire();
    for (const auto kind : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
             asio::cancellation_type::total}) {
        asio::cancellation_signal signal;
        error_code seen;
        bool done = false;
        pool->async_acquire(
            30s, asio::bind_cancellation_slot(signal.slot(), [&](error_code code, lease none) {
                seen = code;
                done = true;
                BOOST_TEST(!none);
            }));
        BOOST_TEST(pool->stats().waiting == 1u);
        signal.emit(kind);
        until([&] { return done; });
        BOOST_TEST(seen == asio::error::operation_aborted);
        BOOST_TEST(pool->stats().waiting == 0u);
        signal.emit(kind); // A late signal finds nothing.
    }
    BOOST_TEST(pool->stats().cancelled == 3u);
}

BOOST_AUTO_TEST_CASE(a_cancelled_acquire_does_not_stop_the_start_it_caused)
{
    server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method == "initialize")
            return reply::silence().held();
        return std::nullopt;
    });
    open();
    asio::cancellation_signal signal;
    bool done = false;
    pool->async_acquire(
        30s, asio::bind_cancellation_slot(signal.slot(), [&](error_code, lease) { done = true; }));
    until([&] { return server.sessions_started() == 1; });
    signal.emit(asio::cancellation_type::terminal);
    until([&] { return done; });
    BOOST_TEST(server.sessions_alive() == 1u);
    BOOST_TEST(pool->stats().starting == 1u);
}

BOOST_AUTO_TEST_CASE(a_signal_before_the_start_counts_even_for_a_hit)
{
    open();
    acquire().release();
    auto work = [](session_pool& p) -> asio::awaitable<lease> {
        co_await asio::this_coro::throw_if_cancelled(false);
        // Let the emit of the signal come first.
        co_await asio::post(asio::use_awaitable);
        co_return co_await p.acquire(30s);
    };
    asio::cancellation_signal signal;
    error_code seen;
    bool done = false;
    asio::co_spawn(context, work(*pool),
        asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e, lease) {
            done = true;
            try {
                if (e)
                    std::rethrow_exception(e);
            } catch (const boost::system::system_error& failure) {
                seen = failure.code();
            }
        }));
    signal.emit(asio::cancellation_type::terminal);
    until([&] { return done; });
    BOOST_TEST(seen == asio::error::operation_aborted);
    BOOST_TEST(pool->stats().available == 1u);
}

BOOST_AUTO_TEST_CASE(a_session_for_a_handler_that_is_never_called_comes_back)
{
    pool_overrides one;
    one.max_size = 1;
    open(one);
    auto other = std::make_unique<asio::io_context>();
    lease held = acquire();
    pool->async_acquire(30s, asio::bind_executor(other->get_executor(), [](error_code, lease) {}));
    BOOST_TEST(pool->stats().waiting == 1u);
    held.release();
    // Claimed and posted to a context that nobody runs.
    BOOST_TEST(pool->stats().in_use == 1u);
    other.reset();
    BOOST_TEST(pool->stats().in_use == 0u);
    BOOST_TEST(static_cast<bool>(pool->try_acquire()));
}

BOOST_AUTO_TEST_CASE(cancellation_between_grant_and_delivery_passes_the_session_on)
{
    pool_overrides one;
    one.max_size = 1;
    open(one);
    lease held = acquire();
    asio::cancellation_signal signal;
    int granted = 0;
    pool->async_acquire(
        30s, asio::bind_cancellation_slot(signal.slot(), [&](error_code code, lease) {
            // Claimed before the signal: the session has arrived, and goes back here.
            BOOST_TEST(!code);
            ++granted;
        }));
    auto next = spawn(pool->acquire(30s));
    until([&] { return pool->stats().waiting == 2; });
    held.release();
    signal.emit(asio::cancellation_type::terminal);
    until([&] { return next->done; });
    BOOST_TEST(granted == 1);
    BOOST_TEST(next->value.has_value());
}

BOOST_AUTO_TEST_CASE(the_place_of_the_acquire_is_the_callers_line)
{
    acquire_options here;
    BOOST_TEST(here.place.line() == static_cast<unsigned>(__LINE__ - 1));
    const auto line_of = [](acquire_options o = {}) { return o.place.line(); };
    BOOST_TEST(line_of() == static_cast<unsigned>(__LINE__));
    BOOST_TEST(line_of({}) == static_cast<unsigned>(__LINE__));
    BOOST_TEST(line_of(30s) == static_cast<unsigned>(__LINE__));
}

BOOST_AUTO_TEST_CASE(users_on_several_threads_share_the_sessions)
{
    pool_overrides four;
    four.max_size = 4;
    open(four);
    auto user = [](session_pool& p, std::atomic<int>& served) -> asio::awaitable<void> {
        for (int i = 0; i != 50; ++i) {
            lease mine = co_await p.acquire(30s);
            co_await mine->ping();
            ++served;
        }
    };
    std::atomic<int> served = 0;
    asio::thread_pool workers(3);
    for (int i = 0; i != 16; ++i)
        asio::co_spawn(workers, user(*pool, served), asio::detached);
    until([&] { return served == 16 * 50; });
    workers.join();
    const pool_stats after = pool->stats();
    BOOST_TEST(after.total_requests == 800u);
    BOOST_TEST(after.created <= 4u);
    BOOST_TEST(after.in_use == 0u);
    BOOST_TEST(after.total_requests - after.reused == after.created);
}

BOOST_AUTO_TEST_SUITE_END()
