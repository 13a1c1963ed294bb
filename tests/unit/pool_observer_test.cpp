// What observers are told, in which order, and on which thread.
#include "support/pool_fixture.hpp"
#include "support/witness.hpp"

#include <sys/resource.h>

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

struct observed_pool : pool_fixture
{
    std::shared_ptr<witness> told = std::make_shared<witness>();

    session_pool& open_observed(const pool_overrides& options = {})
    {
        open(options);
        pool->set_observer(told);
        return *pool;
    }
    seen await(std::string_view what, std::source_location where = std::source_location::current())
    {
        until([&] { return told->count(what) != 0; }, where);
        return told->first(what);
    }
    // A session that has been started and is idle.
    void warm() { acquire().release(); }
};

script silent_on(std::string method)
{
    return [method = std::move(method)](const call& c) -> std::optional<reply> {
        return c.method == method ? std::optional(reply::silence()) : std::nullopt;
    };
}

// A soft limit of this process, for the time of a test.
class lowered_limit
{
public:
    lowered_limit(__rlimit_resource what, rlim_t to)
        : what_(what)
    {
        ::getrlimit(what_, &former_);
        rlimit low = former_;
        low.rlim_cur = to;
        ::setrlimit(what_, &low);
    }
    lowered_limit(const lowered_limit&) = delete;
    lowered_limit& operator=(const lowered_limit&) = delete;
    ~lowered_limit() { ::setrlimit(what_, &former_); }

private:
    __rlimit_resource what_;
    rlimit former_{};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(pool_observer, observed_pool)

BOOST_AUTO_TEST_CASE(the_life_of_a_session_is_told_in_order_and_without_gaps)
{
    open_observed(at_most(1));
    auto acquiring = spawn(pool->acquire(30s));
    const unsigned line = __LINE__ - 1;
    until([&] { return acquiring->done; });
    acquiring->value->release();
    pool->try_acquire().release();
    BOOST_REQUIRE(finish(pool->close(30s))->value);
    await("ended");
    BOOST_TEST(
        told->story() == "waited starting started leased returned leased returned retired ended");
    const std::vector<seen> all = told->in_order();
    for (std::size_t i = 0; i != all.size(); ++i) {
        BOOST_TEST(all[i].sequence == i + 1);
        BOOST_TEST(all[i].server == "scripted");
        BOOST_TEST(all[i].session == (i == 0 ? 0u : 1u));
        BOOST_TEST((all[i].took >= duration::zero()));
    }
    BOOST_TEST(all[0].count == 1u);
    BOOST_TEST(all[0].line == line);
    // The first lease waited for a session that had served nobody, the second found it free.
    BOOST_TEST(all[3].line == line);
    BOOST_TEST((all[3].took > duration::zero()));
    BOOST_TEST(!all[3].good);
    BOOST_TEST(all[5].good);
    BOOST_TEST((all[5].took == duration::zero()));
    BOOST_TEST(all[6].good);
    BOOST_TEST((all[7].reason == session_end::closed));
}

BOOST_AUTO_TEST_CASE(failing_starts_are_told_with_their_cause_until_one_succeeds)
{
    server.fail_starts(1, errc::start_failed, "command not found: nonsense", true);
    pool_overrides options;
    options.backoff_initial = options.backoff_max = 1ms;
    open_observed(options);
    BOOST_TEST(finish(pool->acquire(30s))->code() == errc::circuit_open);
    BOOST_TEST(await("start_failed").text.find("command not found") != std::string::npos);
    BOOST_TEST(await("circuit_opened").text.find("command not found") != std::string::npos);
    BOOST_TEST(told->first("refused").code == errc::circuit_open);
    BOOST_TEST(told->count("circuit_closed") == 0u);
    until([&] { return finish(pool->acquire(30s))->value.has_value(); });
    const seen closed = await("circuit_closed");
    BOOST_TEST(closed.sequence > told->first("circuit_opened").sequence);
    BOOST_TEST(closed.session == 0u);
    BOOST_TEST(told->count("circuit_opened") == 1u);
    BOOST_TEST(told->count("circuit_closed") == 1u);
}

BOOST_AUTO_TEST_CASE(a_probe_is_told_with_its_outcome)
{
    pool_overrides options = at_most(1);
    options.probe_interval = 1ms;
    options.probe_timeout = 300ms;
    open_observed(options);
    warm();
    const seen answered = await("probed");
    BOOST_TEST(answered.good);
    BOOST_TEST(answered.session == 1u);
    server.on_request(silent_on("ping"));
    const seen lost = await("replaced");
    BOOST_TEST((lost.reason == session_end::probe));
    const std::vector<seen> probes = told->all("probed");
    const auto failed = std::find_if(
        probes.begin(), probes.end(), [](const seen& e) { return !e.good; });
    BOOST_REQUIRE((failed != probes.end()));
    BOOST_TEST((failed->took >= 300ms));
    BOOST_TEST(failed->sequence < lost.sequence);
}

BOOST_AUTO_TEST_CASE(probes_that_all_fail_at_once_are_suspected_not_believed)
{
    pool_overrides options;
    options.min_size = options.max_size = options.max_probing = 4;
    options.probe_interval = 1ms;
    options.probe_timeout = 100ms;
    server.on_request(silent_on("ping"));
    open_observed(options);
    pool->start();
    const seen suspected = await("suspected");
    BOOST_TEST(suspected.session != 0u);
    BOOST_TEST(told->count("replaced") >= 1u);
}

BOOST_AUTO_TEST_CASE(each_reason_to_replace_a_session_is_told)
{
    const auto told_of = [this](session_end why, const pool_overrides& options,
                             const std::function<void(lease)>& spoil) {
        BOOST_TEST_MESSAGE(to_string(why));
        told = std::make_shared<witness>();
        open_observed(options);
        spoil(acquire());
        const seen event = await("replaced");
        BOOST_TEST(to_string(event.reason) == to_string(why));
        const auto gone = [&] {
            const auto ends = told->all("ended");
            return std::any_of(ends.begin(), ends.end(),
                [&](const seen& e) { return e.session == event.session; });
        };
        until(gone);
        return event;
    };
    pool_overrides options = at_most(1);
    options.write_timeout = options.reset_timeout = 10ms;

    const seen died = told_of(session_end::died, options, [this](lease) {
        server.write_stderr(server.sessions_started(), "out of memory\n");
        server.kill(server.sessions_started());
    });
    BOOST_TEST(died.text.find("out of memory") != std::string::npos, died.text);
    told_of(session_end::discarded, options, [](lease mine) { mine.discard(); });
    told_of(session_end::evicted, options, [this](lease mine) {
        pool->evict_all();
        mine.release();
    });
    const seen protocol = told_of(session_end::protocol, options, [this](lease mine) {
        server.stop_reading(server.sessions_started());
        auto asking = spawn(mine->ping());
        until([&] { return asking->done; });
    });
    BOOST_TEST(!protocol.text.empty());
    told_of(session_end::reset, options, [this](lease mine) {
        server.on_request([](const call&) { return std::optional(reply::silence()); });
        auto asking = spawn(mine->call_tool("echo", {}));
        until([&] { return server.count("tools/call") == 1; });
        mine.release();
        until([&] { return asking->done; });
    });
}

BOOST_AUTO_TEST_CASE(acquires_that_get_nothing_are_told_with_the_reason)
{
    pool_overrides options = at_most(1);
    options.max_waiters = 1;
    open_observed(options);
    lease held = acquire();
    auto short_wait = spawn(pool->acquire(20ms));
    const unsigned line = __LINE__ - 1;
    until([&] { return pool->stats().waiting == 1; });
    BOOST_TEST(finish(pool->acquire(30s))->code() == errc::too_many_waiters);
    BOOST_TEST(told->first("refused").code == errc::too_many_waiters);
    until([&] { return short_wait->done; });
    const seen late = told->first("timed_out");
    BOOST_TEST((late.took >= 20ms));
    BOOST_TEST(late.line == line);

    asio::cancellation_signal signal;
    bool done = false;
    pool->async_acquire(
        30s, asio::bind_cancellation_slot(signal.slot(), [&](error_code, lease) { done = true; }));
    until([&] { return pool->stats().waiting == 1; });
    signal.emit(asio::cancellation_type::terminal);
    until([&] { return done; });
    auto last = spawn(pool->acquire(30s));
    until([&] { return pool->stats().waiting == 1; });
    auto closing = spawn(pool->close(30s));
    until([&] { return last->done; });
    held.release();
    until([&] { return closing->done; });
    const std::vector<seen> refused = told->all("refused");
    BOOST_REQUIRE(refused.size() == 3u);
    BOOST_TEST(refused[1].code == asio::error::operation_aborted);
    BOOST_TEST(refused[2].code == errc::pool_closed);
}

BOOST_AUTO_TEST_CASE(an_overdue_lease_is_reported_once_with_the_place_of_its_acquire)
{
    pool_overrides options = at_most(1);
    options.overdue_after = 1ms;
    open_observed(options);
    auto acquiring = spawn(pool->acquire(30s));
    const unsigned line = __LINE__ - 1;
    until([&] { return acquiring->done; });
    const seen overdue = await("overdue");
    BOOST_TEST(overdue.line == line);
    BOOST_TEST(overdue.session == 1u);
    BOOST_TEST((overdue.took >= 1ms));
    acquiring->value->release();
    BOOST_TEST(!told->first("returned").good);
    BOOST_TEST(told->first("returned").line == line);
    // Another lease of the session is reported for itself.
    lease second = acquire();
    until([&] { return told->count("overdue") == 2; });
    BOOST_TEST(told->all("overdue")[1].line != line);
    BOOST_TEST(pool->stats().overdue == 2u);
}

BOOST_AUTO_TEST_CASE(a_process_that_stood_still_is_told_of_it_and_blames_nobody)
{
    pool_overrides options = at_most(1);
    options.probe_interval = 5ms;
    options.probe_timeout = 300ms;
    open_observed(options);
    warm();
    await("probed");
    server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method == "ping")
            return reply::result(json::object()).held();
        return std::nullopt;
    });
    until([&] { return server.held() == 1; });
    server.release();
    server.on_request(nullptr);
    // What a debugger or a suspended container does, in small: nothing runs for a while.
    const auto resumed = std::chrono::steady_clock::now() + 700ms;
    while (std::chrono::steady_clock::now() < resumed)
        ;
    const seen stall = await("stalled");
    BOOST_TEST((stall.took > 250ms));
    BOOST_TEST(stall.session == 0u);
    until([&] { return told->all("probed").back().sequence > stall.sequence; });
    BOOST_TEST(told->count("replaced") == 0u);
    BOOST_TEST(pool->stats().created == 1u);
}

BOOST_AUTO_TEST_CASE(what_adaptive_scaling_keeps_warm_is_told_when_it_changes)
{
    pool_overrides options;
    options.scaling = scaling_policy::adaptive;
    open_observed(options);
    lease busy = acquire();
    const seen change = await("scaled");
    // One session is in use the whole time: one, and the root of it.
    BOOST_TEST(change.count == 2u);
    BOOST_TEST(change.session == 0u);
}

BOOST_AUTO_TEST_CASE(a_limit_of_this_host_that_is_too_low_is_warned_of)
{
    const lowered_limit descriptors(RLIMIT_NOFILE, 256);
    pool_overrides options;
    options.max_size = 1000;
    open_observed(options);
    const seen warning = await("warned");
    BOOST_TEST(warning.text.find("max_size=1000 may need") == 0u, warning.text);
    BOOST_TEST(warning.text.find("256") != std::string::npos, warning.text);
    BOOST_TEST(warning.sequence != 0u);
}

BOOST_AUTO_TEST_CASE(lines_of_stderr_are_told_escaped_where_they_are_to_be_logged)
{
    pool_overrides options = at_most(1);
    options.stderr = stderr_policy::log;
    open_observed(options);
    lease mine = acquire();
    server.write_stderr(1, "all \x1b[2Jgone\nand no end of line");
    const seen line = await("stderr_line");
    BOOST_TEST(line.session == mine->id());
    BOOST_TEST(line.text.find("gone") != std::string::npos);
    BOOST_TEST(line.text.find('\x1b') == std::string::npos);
    BOOST_TEST(told->count("stderr_line") == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
