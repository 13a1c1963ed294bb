#include "load/run.hpp"

#include "load/users.hpp"
#include "rpc/text.hpp"
#include "support/processes.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <optional>
#include <stdexcept>

namespace mcp_pool::bench {

std::string_view to_string(acquire_kind value) noexcept
{
    switch (value) {
    case acquire_kind::hit:
        return "hit";
    case acquire_kind::waited:
        return "waited";
    case acquire_kind::started:
        return "started";
    case acquire_kind::failed:
        return "failed";
    }
    return "?";
}

namespace {

constexpr auto close_deadline = std::chrono::seconds(10);
constexpr auto report_interval = std::chrono::milliseconds(200);
constexpr auto sample_interval = std::chrono::milliseconds(500);

// What is special about a short try.
struct attempt_terms
{
    bool is_attempt = false;
    // It goes on beyond the length of its workload until so many calls were answered, for so long at
    // most.
    std::uint64_t least_calls = 0;
    duration longest = duration::zero();

    attempt_terms() = default;
};

double seconds_of(duration value)
{
    return std::chrono::duration<double>(value).count();
}

recorder& of_kind(outcome& result, acquire_kind kind)
{
    return result.acquire_by_kind[static_cast<std::size_t>(kind)];
}

// Lets the other coroutines run; a server that refuses everything must not become a busy loop.
asio::awaitable<void> pause(duration length)
{
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor);
    timer.expires_after(length);
    co_await timer.async_wait(asio::use_awaitable);
}

// One call through a session that the user holds.
asio::awaitable<void> make_call(run_state& state, session& with, clock::time_point asked)
{
    const std::string token = state.with_token ? state.tokens.next() : std::string();
    json::object arguments = arguments_with(state.work.arguments, token);
    std::string tool = state.work.tool;
    call_options options(state.work.call_timeout);
    const auto sent = clock::now();
    const tool_result answer = co_await with.call_tool(
        std::move(tool), std::move(arguments), std::move(options));
    const auto answered = clock::now();
    state.result.call.record(answered - sent);
    state.result.total.record(answered - asked);
    if (!is_right(answer, token))
        state.result.add_error(answer.is_error()
                ? "the tool reported failure: " + rpc::escape_foreign(answer.text(), 200)
                : "the answer belongs to another call");
    else if (!state.stopping)
        ++state.result.calls;
    if (state.work.inspect)
        state.work.inspect(with, answer);
    if (state.result.pids.size() < 100'000)
        state.result.pids.insert(with.pid());
}

template <class Source>
asio::awaitable<void> take_turn(run_state& state, Source& source)
{
    const auto asked = clock::now();
    bool granted = false;
    error_code failure;
    try {
        auto turn = co_await source.take();
        const auto waited = clock::now() - asked;
        if (state.stopping)
            co_return;
        granted = true;
        state.result.acquire.record(waited);
        of_kind(state.result, turn.kind()).record(waited);
        co_await make_call(state, *turn, asked);
        if (state.work.hold > duration::zero())
            co_await pause(state.work.hold);
        co_return;
    } catch (const boost::system::system_error& e) {
        failure = e.code();
        // Waiters are sent away at the end of a run.
        if (state.stopping && !granted)
            co_return;
        state.result.add_error(e.what());
    }
    if (!granted)
        of_kind(state.result, acquire_kind::failed).record(clock::now() - asked);
    else if (failure == errc::session_closed || failure == errc::not_sent)
        source.lost();
    co_await pause(std::chrono::milliseconds(1));
}

template <class Source>
asio::awaitable<void> user(run_state& state, Source& source)
{
    while (!state.stopping)
        co_await take_turn(state, source);
}

void sample_memory(run_state& state)
{
    state.result.rss_self = std::max(state.result.rss_self, usage_of_self().rss_mb);
    state.result.rss_children = std::max(state.result.rss_children, usage_of_descendants().rss_mb);
}

// Until the end of the run: samples memory and reports where it stands.
asio::awaitable<void> watch(
    run_state& state, clock::time_point begin, const progress_sink& progress, attempt_terms terms)
{
    const auto end = begin + state.work.length;
    const auto goes_on = [&](clock::time_point now) {
        return now < end || (state.result.calls < terms.least_calls && now < begin + terms.longest);
    };
    auto next_sample = begin + sample_interval;
    asio::steady_timer timer(state.context);
    for (auto now = clock::now(); goes_on(now); now = clock::now()) {
        const auto next_report = now + report_interval;
        timer.expires_at(now < end ? std::min(end, next_report) : next_report);
        co_await timer.async_wait(asio::use_awaitable);
        if (clock::now() >= next_sample) {
            sample_memory(state);
            next_sample = clock::now() + sample_interval;
        }
        if (!progress)
            continue;
        progress_report report;
        report.how = state.result.how;
        report.size = state.result.size;
        report.seconds = seconds_of(clock::now() - begin);
        report.of_seconds = seconds_of(state.work.length);
        report.calls = state.result.calls;
        report.errors = state.result.errors;
        report.is_attempt = terms.is_attempt;
        progress(report);
    }
    sample_memory(state);
}

void read_statistics(outcome& result, const pool_stats& stats)
{
    result.stats = stats;
    result.sessions_started = stats.created;
    result.start = stats.start;
    if (result.how != mode::locked) {
        result.reuse_rate = stats.reuse_rate();
        return;
    }
    // One lease for ever: the pool cannot know how many users it served.
    const auto turns = result.acquire.count();
    if (turns > 0)
        result.reuse_rate = 1
            - static_cast<double>(std::min(stats.created, turns)) / static_cast<double>(turns);
}

asio::awaitable<void> all_users_left(run_state& state)
{
    error_code ignored;
    while (state.users_left > 0)
        co_await state.users_done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

template <class Source>
asio::awaitable<void> conduct(run_state& state, session_pool& pool, Source& source,
    const progress_sink& progress, attempt_terms terms)
{
    if (state.work.warm)
        co_await pool.wait_ready(pool.options().max_size, state.work.max_wait);

    const usage self_before = usage_of_self();
    const usage children_before = usage_of_descendants();
    const auto begin = clock::now();
    state.users_done.expires_at(clock::time_point::max());
    state.users_left = state.work.users;
    const auto leave = [&state](const std::exception_ptr& failure) {
        // Nothing but a lack of memory gets here.
        if (failure)
            std::rethrow_exception(failure);
        if (--state.users_left == 0)
            state.users_done.cancel();
    };
    for (std::size_t i = 0; i < state.work.users; ++i)
        asio::co_spawn(state.context, user(state, source), leave);
    co_await watch(state, begin, progress, terms);

    state.stopping = true;
    state.result.seconds = seconds_of(clock::now() - begin);
    read_statistics(state.result, pool.stats());
    state.result.cpu_self = usage_of_self().cpu_seconds - self_before.cpu_seconds;
    state.result.cpu_children = usage_of_descendants().cpu_seconds - children_before.cpu_seconds;

    if constexpr (Source::users_share_a_lease) {
        co_await all_users_left(state);
        source.end();
        state.result.closed = co_await pool.close(close_deadline);
    } else {
        // Sends the waiting users away; those with a lease finish their call.
        state.result.closed = co_await pool.close(close_deadline);
        co_await all_users_left(state);
    }
}

template <class Source>
void run_with(run_state& state, session_pool& pool, Source& source, const progress_sink& progress,
    attempt_terms terms)
{
    std::exception_ptr failure;
    bool finished = false;
    asio::co_spawn(state.context, conduct(state, pool, source, progress, terms),
        [&](const std::exception_ptr& e) {
            failure = e;
            finished = true;
            state.context.stop();
        });
    const auto patience = std::max(state.work.length, terms.longest) + 2 * state.work.max_wait
        + state.work.call_timeout + 2 * close_deadline;
    state.context.run_for(patience);
    if (!finished || failure)
        source.abandon();
    if (failure)
        std::rethrow_exception(failure);
    if (!finished)
        throw std::runtime_error(std::string(to_string(state.result.how)) + ": "
            + std::to_string(state.users_left) + " users have not finished in time");
}

outcome run_mode(mode how, const workload& work, const progress_sink& progress, attempt_terms terms)
{
    // Before the state: users that a failed run leaves behind are destroyed with its context, and
    // their turns end.
    std::optional<session_pool> pool;
    std::optional<pool_source> pooled;
    std::optional<locked_source> locked;
    run_state state(work);
    state.result.how = how;
    state.result.users = work.users;
    state.result.size = how == mode::locked ? 1 : work.size;
    server_config server = work.server;
    server.pool.max_size = state.result.size;
    if (how == mode::spawn)
        server.pool.max_starting = state.result.size;
    pool.emplace(state.context.get_executor(), std::move(server));
    if (how == mode::locked) {
        locked.emplace(*pool, work.max_wait);
        run_with(state, *pool, *locked, progress, terms);
    } else {
        pooled.emplace(*pool, work.max_wait, how == mode::spawn);
        run_with(state, *pool, *pooled, progress, terms);
    }
    return std::move(state.result);
}

// One call, so that none of the attempts begins with a single start that asks for the era while the
// others wait for its answer.
void learn_era(workload& work, const progress_sink& progress)
{
    if (work.server.era != era_choice::auto_detect)
        return;
    workload first = work;
    first.size = first.users = 1;
    first.length = duration::zero();
    std::optional<era> learnt;
    first.inspect = [&learnt](const session& with, const tool_result&) { learnt = with.era(); };
    attempt_terms terms;
    terms.is_attempt = true;
    terms.least_calls = 1;
    terms.longest = work.length;
    run_mode(mode::spawn, first, progress, terms);
    if (learnt)
        work.server.era = *learnt == era::modern ? era_choice::modern : era_choice::legacy;
}

} // namespace

outcome run(mode how, const workload& work, const progress_sink& progress)
{
    return run_mode(how, work, progress, attempt_terms());
}

outcome run_best_spawn(workload work, const std::vector<std::size_t>& concurrencies,
    duration attempt_length, const progress_sink& progress)
{
    learn_era(work, progress);
    std::vector<spawn_attempt> attempts;
    workload attempt = work;
    attempt.length = attempt_length;
    attempt_terms terms;
    terms.is_attempt = true;
    terms.longest = work.length;
    work.size = concurrencies.front();
    double best = 0;
    for (const std::size_t concurrency : concurrencies) {
        attempt.size = concurrency;
        // Fewer say nothing: the first come all at once.
        terms.least_calls = 2 * concurrency;
        spawn_attempt tried;
        tried.concurrency = concurrency;
        tried.calls_per_second = run_mode(mode::spawn, attempt, progress, terms).calls_per_second();
        if (tried.calls_per_second > best) {
            best = tried.calls_per_second;
            work.size = concurrency;
        }
        attempts.push_back(tried);
    }
    outcome result = run_mode(mode::spawn, work, progress, attempt_terms());
    result.attempts = std::move(attempts);
    return result;
}

} // namespace mcp_pool::bench
