// Observers that use the pool themselves, come and go, and are told on several threads.
#include "support/crew.hpp"
#include "support/pool_fixture.hpp"
#include "support/witness.hpp"

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

bool is_lifecycle(const seen& e)
{
    return e.what != "leased" && e.what != "returned" && e.what != "waited" && e.what != "timed_out"
        && e.what != "refused";
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(pool_observers, pool_fixture)

BOOST_AUTO_TEST_CASE(an_observer_may_use_the_pool_in_every_one_of_its_calls)
{
    pool_overrides options = at_most(1);
    options.probe_interval = 1ms;
    options.overdue_after = 1ms;
    options.stderr = stderr_policy::log;
    open(options);
    const auto told = std::make_shared<witness>();
    std::vector<std::string_view> kinds;
    bool inside = false;
    told->on_event = [&](const seen& e) {
        kinds.push_back(e.what);
        // Not in the events that this makes itself.
        if (std::exchange(inside, true))
            return;
        BOOST_TEST(pool->stats().server_name == "scripted");
        BOOST_TEST(pool->options().max_size == 1u);
        pool->try_acquire().release();
        // The lease comes back later, and is told of as well.
        if (e.what != "leased" && e.what != "returned")
            pool->async_acquire(0s, [](error_code, lease) {});
        pool->resize(pool_limits());
        pool->set_observer(told);
        if (e.what == "probed")
            pool->evict_all();
        inside = false;
    };
    pool->set_observer(told);
    lease mine = acquire();
    until([&] { return told->count("overdue") == 1; });
    server.write_stderr(1, "a line\n");
    until([&] { return told->count("stderr_line") == 1; });
    auto waiting = spawn(pool->acquire(1ms));
    until([&] { return waiting->done; });
    mine.release();
    until([&] { return told->count("replaced") >= 1 && told->count("ended") >= 1; });
    until([&] { return server.sessions_alive() == 0; });
    server.fail_starts(1, errc::start_failed, "no such command", true);
    BOOST_TEST(finish(pool->acquire(30s))->code() == errc::circuit_open);
    BOOST_REQUIRE(finish(pool->close(30s))->value);
    for (const char* kind : {"starting", "started", "start_failed", "probed", "replaced", "ended",
             "overdue", "circuit_opened", "stderr_line", "leased", "returned", "waited",
             "timed_out", "refused"})
        BOOST_TEST((std::find(kinds.begin(), kinds.end(), kind) != kinds.end()), kind);
    pool->set_observer(nullptr);
}

BOOST_AUTO_TEST_CASE(nothing_is_told_to_nobody_and_a_successor_is_told_what_comes)
{
    const auto told = std::make_shared<witness>();
    open(at_most(1));
    pool->set_observer(told);
    acquire().release();
    pool->set_observer(nullptr);
    const std::size_t before = told->told().size();
    acquire().release();
    BOOST_TEST(told->told().size() == before);
    const auto successor = std::make_shared<witness>();
    pool->set_observer(successor);
    acquire().release();
    BOOST_TEST(successor->story() == "leased returned");
    BOOST_TEST(told->told().size() == before);
    BOOST_TEST(successor->in_order().front().sequence > told->in_order().back().sequence);
}

BOOST_AUTO_TEST_CASE(no_event_is_lost_or_told_twice_while_observers_take_turns)
{
    crew workers(3);
    const std::vector<std::shared_ptr<witness>> observers{
        std::make_shared<witness>(), std::make_shared<witness>(), std::make_shared<witness>()};
    pool_overrides options;
    options.max_size = 3;
    session_pool shared(workers.executor(), config(options), server.source());
    shared.set_observer(observers[0]);
    const auto user = [](session_pool& p) -> asio::awaitable<int> {
        for (int i = 0; i != repetitions; ++i) {
            lease mine = co_await p.acquire(30s);
            if (i % 50 == 49)
                mine.discard();
        }
        co_return repetitions;
    };
    std::vector<std::future<int>> users;
    for (int i = 0; i != 8; ++i)
        users.push_back(
            asio::co_spawn(asio::make_strand(workers.context), user(shared), asio::use_future));
    std::size_t turn = 0;
    for (std::future<int>& done : users) {
        while (done.wait_for(0s) != std::future_status::ready)
            shared.set_observer(observers[++turn % observers.size()]);
        BOOST_TEST(get(std::move(done)) == repetitions);
    }
    get(asio::co_spawn(workers.context, shared.close(30s), asio::use_future));
    const auto number_of = [&](std::string_view what) {
        std::size_t sum = 0;
        for (const auto& o : observers)
            sum += o->count(what);
        return sum;
    };
    eventually([&] { return number_of("ended") == number_of("starting"); });
    workers.stop();

    std::vector<std::uint64_t> sequences;
    for (const auto& o : observers) {
        std::uint64_t last = 0;
        for (const seen& e : o->told()) {
            sequences.push_back(e.sequence);
            if (!is_lifecycle(e))
                continue;
            BOOST_TEST_REQUIRE(e.sequence > last);
            last = e.sequence;
        }
    }
    std::sort(sequences.begin(), sequences.end());
    for (std::size_t i = 0; i != sequences.size(); ++i)
        BOOST_TEST_REQUIRE(sequences[i] == i + 1);
    BOOST_TEST(number_of("leased") == static_cast<std::size_t>(8 * repetitions));
    BOOST_TEST(number_of("returned") == number_of("leased"));
}

BOOST_AUTO_TEST_SUITE_END()
