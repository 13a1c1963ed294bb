// What waiting costs, and who runs when a session is handed over.
#include "support/crew.hpp"
#include "support/pool_fixture.hpp"

#include <future>

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

pool_overrides one_session()
{
    pool_overrides options;
    options.max_size = 1;
    options.max_wait = 1h;
    options.probe_interval = options.idle_timeout = 0s;
    return options;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(pool_waiting, pool_fixture)

BOOST_AUTO_TEST_CASE(those_who_wait_keep_no_thread_busy)
{
    open(one_session());
    lease held = acquire();
    std::vector<std::shared_ptr<outcome<lease>>> waiters;
    for (int i = 0; i != 100; ++i)
        waiters.push_back(spawn(pool->acquire()));
    until([&] { return pool->stats().waiting == 100; });
    do
        context.restart();
    while (context.poll() != 0);
    // Nothing is tried again and again: there is nothing to run until somebody gives something back.
    context.restart();
    BOOST_TEST(context.poll() == 0u);
    held.release();
    context.restart();
    BOOST_TEST(context.poll() > 0u);
    BOOST_TEST(waiters[0]->done);
    BOOST_TEST(!waiters[1]->done);
    // One hand-over wakes one of those who wait.
    BOOST_TEST(pool->stats().waiting == 99u);
}

BOOST_AUTO_TEST_CASE(who_is_served_runs_while_the_one_that_gave_the_session_back_goes_on)
{
    // Outlive the threads.
    std::promise<void> served;
    std::promise<bool> in_time;
    crew workers(3);
    session_pool shared(workers.executor(), config(one_session()), server.source());
    lease held = get(asio::co_spawn(workers.context, shared.acquire(), asio::use_future));
    const auto wait = [](session_pool& p, std::promise<void>& done) -> asio::awaitable<void> {
        lease mine = co_await p.acquire();
        done.set_value();
    };
    asio::co_spawn(workers.context, wait(shared, served), asio::detached);
    eventually([&] { return shared.stats().waiting == 1; });
    // Keeps its thread until the other has been served.
    asio::post(workers.context, [&] {
        held.release();
        in_time.set_value(served.get_future().wait_for(30s) == std::future_status::ready);
    });
    BOOST_TEST(get(in_time.get_future()));
}

BOOST_AUTO_TEST_SUITE_END()
