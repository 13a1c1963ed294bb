// Where a pool runs, where its users run, and that everybody is answered at home.
#include "support/crew.hpp"
#include "support/pool_fixture.hpp"

#include <array>
#include <atomic>
#include <memory>

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

pool_overrides sessions(std::size_t most)
{
    pool_overrides o;
    o.max_size = most;
    return o;
}

// Which sessions are in use, and whether one was ever lent twice at a time.
class usage
{
public:
    void begin(const session& s) { clashes_ += users_of(s).exchange(1); }
    void end(const session& s) { users_of(s) = 0; }
    [[nodiscard]] int clashes() const { return clashes_; }

private:
    std::atomic<int>& users_of(const session& s) { return users_.at(s.id() % users_.size()); }

    std::array<std::atomic<int>, 64> users_{};
    std::atomic<int> clashes_ = 0;
};

// Makes handlers that belong on one executor, and counts those that are called elsewhere.
template <class Executor>
class witness
{
public:
    explicit witness(Executor executor)
        : executor_(std::move(executor))
    {}

    // For an operation that completes with a value.
    template <class T>
    auto handler(std::promise<error_code>& told, T& value)
    {
        return asio::bind_executor(executor_, [this, &told, &value](error_code code, T result) {
            note();
            value = std::move(result);
            told.set_value(code);
        });
    }

    auto handler(std::promise<error_code>& told)
    {
        return asio::bind_executor(executor_, [this, &told](error_code code) {
            note();
            told.set_value(code);
        });
    }

    [[nodiscard]] int at_home() const { return at_home_; }
    [[nodiscard]] int astray() const { return astray_; }

private:
    void note() { ++(executor_.running_in_this_thread() ? at_home_ : astray_); }

    Executor executor_;
    std::atomic<int> at_home_ = 0, astray_ = 0;
};

// One of each outcome that a pool can have for a handler.
template <class Executor>
void every_outcome_arrives_on(Executor executor)
{
    scripted_server server;
    crew home(1);
    session_pool pool(home.executor(), pool_fixture::config(sessions(1)), server.source());
    witness<Executor> seen(std::move(executor));
    const auto acquire = [&](duration patience, lease& into) {
        auto told = std::make_unique<std::promise<error_code>>();
        auto future = told->get_future();
        pool.async_acquire(patience, seen.handler(*told, into));
        return std::pair(std::move(told), std::move(future));
    };

    lease held, next, none;
    auto started = acquire(30s, held);
    BOOST_TEST(!get(std::move(started.second)));

    auto at_once = acquire(0s, none);
    BOOST_TEST(get(std::move(at_once.second)) == errc::acquire_timeout);
    auto expired = acquire(1ms, none);
    BOOST_TEST(get(std::move(expired.second)) == errc::acquire_timeout);

    auto handed_over = acquire(30s, next);
    held.release();
    BOOST_TEST(!get(std::move(handed_over.second)));

    std::promise<error_code> answered;
    tool_result result;
    next->async_call_tool("echo", object("message", "hi"), {}, seen.handler(answered, result));
    BOOST_TEST(!get(answered.get_future()));
    BOOST_TEST(result.text() == "hi");

    next.release();
    auto hit = acquire(0s, held);
    BOOST_TEST(!get(std::move(hit.second)));

    std::promise<error_code> ready;
    pool.async_wait_ready(1, 30s, seen.handler(ready));
    BOOST_TEST(!get(ready.get_future()));

    auto refused = acquire(30s, none);
    std::promise<error_code> closed;
    close_report report;
    pool.async_close(30s, seen.handler(closed, report));
    BOOST_TEST(get(std::move(refused.second)) == errc::pool_closed);
    held.release();
    BOOST_TEST(!get(closed.get_future()));
    BOOST_TEST(report.finished == 1u);

    BOOST_TEST(seen.at_home() == 9);
    BOOST_TEST(seen.astray() == 0);
}

} // namespace

BOOST_AUTO_TEST_SUITE(executors)

BOOST_AUTO_TEST_CASE(on_a_context_with_several_threads_a_session_serves_one_user_at_a_time)
{
    scripted_server server;
    crew threads(4);
    session_pool pool(threads.executor(), pool_fixture::config(sessions(3)), server.source());
    usage seen;
    auto user = [](session_pool& p, usage& used) -> asio::awaitable<void> {
        for (int i = 0; i != repetitions / 4; ++i) {
            lease mine = co_await p.acquire(30s);
            used.begin(*mine);
            co_await mine->ping();
            used.end(*mine);
        }
    };
    std::vector<std::future<void>> users;
    for (int i = 0; i != 12; ++i)
        users.push_back(asio::co_spawn(threads.context, user(pool, seen), asio::use_future));
    for (std::future<void>& u : users)
        get(std::move(u));
    const pool_stats after = pool.stats();
    BOOST_TEST(seen.clashes() == 0);
    BOOST_TEST(after.total_requests == 12u * (repetitions / 4));
    BOOST_TEST(after.in_use == 0u);
    BOOST_TEST(after.created <= 3u);
}

BOOST_AUTO_TEST_CASE(a_pool_and_its_users_on_two_contexts_each_keep_to_their_own_thread)
{
    scripted_server server;
    // Whoever posts to a context is still in it when what was posted has run: the pool's thread ends
    // before the users' context does.
    crew away(1), home(1);
    std::atomic<int> astray = 0, requests = 0;
    server.on_request([&](const call&) -> std::optional<reply> {
        ++requests;
        astray += home.runs_here() ? 0 : 1;
        return std::nullopt;
    });
    session_pool pool(home.executor(), pool_fixture::config(sessions(2)), server.source());
    auto user = [](session_pool& p, crew& mine_to_run_on,
                    std::atomic<int>& lost) -> asio::awaitable<void> {
        for (int i = 0; i != repetitions / 4; ++i) {
            lease mine = co_await p.acquire(30s);
            lost += mine_to_run_on.runs_here() ? 0 : 1;
            co_await mine->ping();
            lost += mine_to_run_on.runs_here() ? 0 : 1;
        }
    };
    std::vector<std::future<void>> users;
    for (int i = 0; i != 6; ++i)
        users.push_back(asio::co_spawn(away.context, user(pool, away, astray), asio::use_future));
    for (std::future<void>& u : users)
        get(std::move(u));
    BOOST_TEST(requests >= 6 * (repetitions / 4));
    BOOST_TEST(astray == 0);
}

BOOST_AUTO_TEST_CASE(a_pool_on_a_strand_calls_handlers_without_an_executor_on_it_one_at_a_time)
{
    scripted_server server;
    crew threads(4);
    const auto strand = asio::make_strand(threads.context);
    session_pool pool(strand, pool_fixture::config(sessions(3)), server.source());
    BOOST_TEST((pool.get_executor() == asio::any_io_executor(strand)));

    // Not atomic: the strand is what keeps the threads apart.
    int inside = 0, clashes = 0, served = 0;
    std::atomic<int> astray = 0;
    std::promise<void> all;
    for (int i = 0; i != repetitions; ++i) {
        pool.async_acquire(30s, [&](error_code code, lease mine) {
            astray += strand.running_in_this_thread() ? 0 : 1;
            clashes += inside++;
            served += !code && mine ? 1 : 0;
            mine.release();
            --inside;
            if (served == repetitions)
                all.set_value();
        });
    }
    get(all.get_future());
    BOOST_TEST(astray == 0);
    BOOST_TEST(clashes == 0);
}

BOOST_AUTO_TEST_CASE(every_outcome_arrives_on_the_thread_pool_that_a_handler_is_bound_to)
{
    asio::thread_pool workers(2);
    every_outcome_arrives_on(workers.get_executor());
    workers.join();
}

BOOST_AUTO_TEST_CASE(every_outcome_arrives_on_the_strand_that_a_handler_is_bound_to)
{
    asio::thread_pool workers(2);
    every_outcome_arrives_on(asio::make_strand(workers.get_executor()));
    workers.join();
}

BOOST_AUTO_TEST_CASE(every_outcome_arrives_on_the_other_context_that_a_handler_is_bound_to)
{
    crew away(1);
    every_outcome_arrives_on(away.executor());
}

BOOST_AUTO_TEST_CASE(coroutines_on_a_strand_of_a_thread_pool_come_back_to_it_after_every_wait)
{
    scripted_server server;
    asio::thread_pool threads(4);
    session_pool pool(threads.get_executor(), pool_fixture::config(sessions(2)), server.source());
    const auto strand = asio::make_strand(threads.get_executor());
    // Not atomic, for the same reason.
    struct shared
    {
        int served = 0, astray = 0;
    } counts;
    auto user = [](session_pool& p, auto home, shared& c) -> asio::awaitable<void> {
        for (int i = 0; i != repetitions / 4; ++i) {
            lease mine = co_await p.acquire(30s);
            c.astray += home.running_in_this_thread() ? 0 : 1;
            co_await mine->ping();
            c.astray += home.running_in_this_thread() ? 0 : 1;
            ++c.served;
        }
    };
    std::vector<std::future<void>> users;
    for (int i = 0; i != 8; ++i)
        users.push_back(asio::co_spawn(strand, user(pool, strand, counts), asio::use_future));
    for (std::future<void>& u : users)
        get(std::move(u));
    BOOST_TEST(get(pool.async_close(30s, asio::use_future)).forced == 0u);
    threads.join();
    BOOST_TEST(counts.served == 8 * (repetitions / 4));
    BOOST_TEST(counts.astray == 0);
}

BOOST_FIXTURE_TEST_CASE(a_handler_may_acquire_again_as_often_as_it_likes, pool_fixture)
{
    struct chain
    {
        session_pool& pool;
        int left;
        int failed = 0, nested = 0;
        bool inside = false;

        void next()
        {
            pool.async_acquire(30s, [this](error_code code, lease mine) {
                nested += inside ? 1 : 0;
                inside = true;
                failed += code || !mine ? 1 : 0;
                // Behind the lease that this handler still holds.
                if (--left != 0)
                    next();
                mine.release();
                inside = false;
            });
        }
    };
    // Deep enough to exhaust the stack, were each one inside of the former.
    chain links{open(sessions(1)), 100 * repetitions};
    links.next();
    until([&] { return links.left == 0; });
    BOOST_TEST(links.failed == 0);
    BOOST_TEST(links.nested == 0);
    BOOST_TEST(pool->stats().created == 1u);
    BOOST_TEST(pool->stats().in_use == 0u);
}

BOOST_FIXTURE_TEST_CASE(
    a_context_runs_on_while_one_of_its_handlers_waits_for_a_session, pool_fixture)
{
    open(sessions(1));
    lease held = acquire();
    asio::io_context users;
    bool served = false;
    pool->async_acquire(30s,
        asio::bind_executor(users.get_executor(), [&](error_code code, lease) { served = !code; }));
    users.poll();
    // There is nothing to do, and something to wait for.
    BOOST_TEST(!users.stopped());
    held.release();
    users.run();
    BOOST_TEST(served);
    BOOST_TEST(users.stopped());
}

BOOST_AUTO_TEST_SUITE_END()
