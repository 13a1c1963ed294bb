// Many threads at one pool: for the thread sanitizer, and for the sums to come out right.
#include "support/print.hpp"

#include <mcp_pool/mcp_pool.hpp>
#include <mcp_pool/testing/scripted_server.hpp>

#include <boost/asio.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <optional>
#include <random>
#include <thread>
#include <vector>

using namespace mcp_pool;
using namespace mcp_pool::testing;
using namespace std::chrono_literals;

namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int rounds = 150;
#else
constexpr int rounds = 600;
#endif

// How long each user of the storm goes on: for some rounds, or for MCP_POOL_STORM_SECONDS.
class stamina
{
public:
    stamina()
    {
        if (const char* const seconds = std::getenv("MCP_POOL_STORM_SECONDS"))
            until_ = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoi(seconds));
    }
    [[nodiscard]] bool lasts(int round) const
    {
        return until_ ? std::chrono::steady_clock::now() < *until_ : round != rounds / 2;
    }

private:
    std::optional<std::chrono::steady_clock::time_point> until_;
};

server_config config(std::size_t size)
{
    stdio_server process;
    process.command = "scripted";
    server_config c("scripted", std::move(process));
    c.pool.max_size = size;
    c.pool.backoff_initial = c.pool.backoff_max = 1ms;
    // Killers hit starting sessions too.
    c.pool.breaker_threshold = 0;
    return c;
}

struct tally
{
    std::atomic<int> asked = 0, served = 0, timed_out = 0, cancelled = 0, other = 0, finished = 0;

    [[nodiscard]] int outcomes() const { return served + timed_out + cancelled + other; }
    void count(const error_code& code)
    {
        if (!code)
            ++served;
        else if (code == errc::acquire_timeout)
            ++timed_out;
        else if (code == asio::error::operation_aborted)
            ++cancelled;
        else
            ++other;
    }
};

// Acquires with random patience; now and then a signal ends the wait first.
asio::awaitable<void> restless_user(
    session_pool& pool, tally& total, const stamina& mine_is, unsigned seed)
{
    std::mt19937 random(seed);
    const auto executor = co_await asio::this_coro::executor;
    for (int i = 0; mine_is.lasts(i); ++i) {
        ++total.asked;
        asio::cancellation_signal signal;
        const auto patience = std::chrono::microseconds(random() % 300);
        const bool impatient = random() % 4 == 0;
        // On this user's strand, as the signal must be.
        if (impatient)
            asio::post(executor, [&signal] { signal.emit(asio::cancellation_type::total); });
        error_code code;
        auto token = asio::bind_cancellation_slot(
            signal.slot(), asio::redirect_error(asio::use_awaitable, code));
        lease mine = co_await pool.async_acquire(patience, token);
        total.count(code);
        if (mine && random() % 8 == 0) {
            try {
                co_await mine->ping();
            } catch (const mcp_pool::error&) {
                BOOST_ERROR("a healthy session failed");
            }
        }
        if (mine && random() % 64 == 0)
            mine.discard();
        // The signal must have gone before it is destroyed.
        co_await asio::post(executor, asio::use_awaitable);
    }
    ++total.finished;
}

// A context with threads of its own that ends with its scope.
class crew
{
public:
    explicit crew(std::size_t threads)
        : work_(asio::make_work_guard(context))
    {
        for (std::size_t i = 0; i != threads; ++i)
            threads_.emplace_back([this] { context.run(); });
    }
    ~crew() { stop(); }

    void stop()
    {
        work_.reset();
        context.stop();
        for (std::thread& t : threads_)
            t.join();
        threads_.clear();
    }

    asio::io_context context;

private:
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::vector<std::thread> threads_;
};

bool eventually(const std::function<bool()>& done)
{
    // The watched state changes on other threads that signal nobody: look often, give up late.
    const auto limit = std::chrono::steady_clock::now() + 120s;
    while (!done()) {
        if (std::chrono::steady_clock::now() > limit)
            return false;
        std::this_thread::yield();
    }
    return true;
}

} // namespace

BOOST_AUTO_TEST_SUITE(pool_races)

BOOST_AUTO_TEST_CASE(a_storm_of_timeouts_and_cancellations_loses_no_session)
{
    scripted_server server;
    crew pool_crew(1);
    crew users(8);
    session_pool pool(pool_crew.context.get_executor(), config(4), server.source());
    tally total;
    const stamina of_users;
    constexpr int crowd = 64;
    for (unsigned i = 0; i != crowd; ++i)
        asio::co_spawn(asio::make_strand(users.context), restless_user(pool, total, of_users, i),
            asio::detached);
    BOOST_REQUIRE(eventually([&] { return total.finished == crowd; }));
    BOOST_TEST(total.outcomes() == total.asked);
    BOOST_TEST(total.other == 0);
    BOOST_TEST(total.served > 0);
    BOOST_TEST(total.timed_out > 0);
    BOOST_TEST(total.cancelled > 0);
    BOOST_REQUIRE(eventually([&] {
        const pool_stats s = pool.stats();
        return s.in_use == 0 && s.waiting == 0 && s.starting + s.resetting + s.stopping == 0;
    }));
    const pool_stats s = pool.stats();
    BOOST_TEST(s.total_requests == static_cast<std::uint64_t>(total.served.load()));
    BOOST_TEST(s.timed_out == static_cast<std::uint64_t>(total.timed_out.load()));
    BOOST_TEST_MESSAGE(total.asked << " acquires: " << total.served << " served, "
                                   << total.timed_out << " timed out, " << total.cancelled
                                   << " cancelled");
}

BOOST_AUTO_TEST_CASE(leases_are_given_back_on_every_thread_while_the_pool_is_destroyed)
{
    for (int round = 0; round != 20; ++round) {
        scripted_server server;
        crew pool_crew(2);
        auto pool = std::make_unique<session_pool>(
            pool_crew.context.get_executor(), config(4), server.source());
        std::vector<lease> leases;
        for (int i = 0; i != 4; ++i)
            leases.push_back(pool->async_acquire(30s, asio::use_future).get());
        std::vector<std::thread> threads;
        std::atomic<bool> go = false;
        for (lease& l : leases) {
            threads.emplace_back([&go, mine = std::move(l)]() mutable {
                while (!go)
                    std::this_thread::yield();
                mine.release();
            });
        }
        std::future<lease> waiter = pool->async_acquire(30s, asio::use_future);
        go = true;
        pool.reset();
        for (std::thread& t : threads)
            t.join();
        try {
            lease served = waiter.get();
            BOOST_TEST(static_cast<bool>(served));
        } catch (const boost::system::system_error& e) {
            BOOST_TEST(e.code() == errc::pool_closed);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_context_may_stop_and_end_while_other_threads_hold_leases)
{
    for (int round = 0; round != 20; ++round) {
        scripted_server server;
        auto pool_crew = std::make_unique<crew>(2);
        session_pool pool(pool_crew->context.get_executor(), config(3), server.source());
        std::vector<lease> leases;
        for (int i = 0; i != 3; ++i)
            leases.push_back(pool.async_acquire(30s, asio::use_future).get());
        std::atomic<bool> go = false;
        std::vector<std::thread> threads;
        for (lease& l : leases) {
            threads.emplace_back([&go, mine = std::move(l)]() mutable {
                while (!go)
                    std::this_thread::yield();
                const lease moved = std::move(mine);
            });
        }
        go = true;
        pool_crew->stop();
        pool_crew.reset();
        for (std::thread& t : threads)
            t.join();
        BOOST_TEST(pool.stats().in_use == 0u);
        BOOST_TEST(!pool.try_acquire());
    }
}

BOOST_AUTO_TEST_CASE(users_resizers_evictors_and_killers_at_once)
{
    scripted_server server;
    crew pool_crew(2);
    crew users(3);
    session_pool pool(pool_crew.context.get_executor(), config(4), server.source());
    std::atomic<int> finished = 0, calls = 0, lost = 0;
    auto user = [](session_pool& p, std::atomic<int>& done, std::atomic<int>& made,
                    std::atomic<int>& failed) -> asio::awaitable<void> {
        for (int i = 0; i != rounds / 4; ++i) {
            lease mine;
            try {
                mine = co_await p.acquire(60s);
                co_await mine->ping();
                ++made;
            } catch (const mcp_pool::error&) {
                ++failed;
            }
        }
        ++done;
    };
    for (int i = 0; i != 24; ++i)
        asio::co_spawn(
            asio::make_strand(users.context), user(pool, finished, calls, lost), asio::detached);
    std::size_t victim = 0;
    std::mt19937 random(7);
    while (finished != 24) {
        pool_limits limits;
        limits.max_size = 1 + random() % 8;
        pool.resize(limits);
        if (random() % 4 == 0)
            pool.evict_all();
        (void)pool.stats();
        const auto living = server.alive();
        if (!living.empty() && ++victim % 8 == 0)
            server.kill(living[random() % living.size()]);
        std::this_thread::yield();
    }
    BOOST_TEST(calls + lost == 24 * (rounds / 4));
    BOOST_TEST(calls > 0);
    auto closed = pool.async_close(10s, asio::use_future).get();
    BOOST_TEST(closed.forced == 0u);
    BOOST_TEST(server.sessions_alive() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
