// Sessions are killed while 50 users work with a pool of 10.
//
// Every call ends with a result or a typed error, no call is executed twice, nobody waits longer
// than they asked for, and nothing is left behind. Witnesses outside the pool: the server's own
// process id in each answer, the file in which servers write what they executed, and the system's
// word on whether a process is alive.

#include "load/workload.hpp"
#include "micro/measure.hpp"
#include "micro/servers.hpp"
#include "pool/pool_state.hpp"
#include "support/processes.hpp"

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>

#include <signal.h>
#include <sys/wait.h>

namespace mcp_pool::bench {

// A completion token for async_acquire that starts nothing and gives the pool's state instead: the
// way to its test hook.
struct peek_at_state
{};

} // namespace mcp_pool::bench

template <class Signature>
class boost::asio::async_result<mcp_pool::bench::peek_at_state, Signature>
{
public:
    static std::shared_ptr<mcp_pool::detail::pool_state> initiate(
        mcp_pool::detail::initiate_acquire initiation, mcp_pool::bench::peek_at_state,
        mcp_pool::acquire_options)
    {
        return std::move(initiation.pool);
    }
};

namespace mcp_pool::bench {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr std::size_t users = 50;
constexpr std::size_t size = 10;
constexpr auto patience = 10s;
// A loop that is busy with 50 users on a shared machine comes to a timer this late.
constexpr auto tolerance = 1s;

struct tally
{
    std::uint64_t calls = 0;
    // How calls failed: errors of the library's own category, by their text, and everything else.
    std::map<std::string, std::uint64_t> typed_errors;
    std::map<std::string, std::uint64_t> other_errors;
    // How acquires failed, but for those that were sent away at their deadline.
    std::map<std::string, std::uint64_t> acquire_errors;
    std::uint64_t timeouts = 0, early_timeouts = 0;
    std::uint64_t wrong_answers = 0;
    // Answers from a process that the lease did not name.
    std::uint64_t foreign_answers = 0;
    std::uint64_t late_acquires = 0;
    std::uint64_t kills = 0;
    // Grants of a process that was dead by the word of the system, before and after the pool had
    // taken the event.
    std::uint64_t dead_at_grant = 0, dead_at_grant_though_noticed = 0;
    // Leases whose process was dead by the word of the system when the user got it.
    std::uint64_t dead_on_arrival = 0;
    // Of them, calls that did not end with a typed error.
    std::uint64_t dead_answered = 0;
    double seconds_to_full_size = 0;
    std::uint64_t executed_twice = 0;
    std::uint64_t answered_but_not_executed = 0;
    std::size_t processes_left = 0;
    long descriptors_more = 0;

    tally() = default;
};

struct storm
{
    explicit storm(asio::io_context& c, session_pool& p)
        : context(c)
        , pool(p)
    {}

    asio::io_context& context;
    session_pool& pool;
    tally result;
    token_source tokens;
    std::vector<std::string> answered;
    // Processes that users have met: initialised sessions, and the dead that were not noticed yet.
    std::set<int> met;
    int last_victim = 0;
    // Calls are counted.
    bool counting = true;
    bool stopping = false;
    std::size_t users_left = users;
};

// The system's word. Does not take the status from whoever reaps the process.
bool is_dead(int pid)
{
    siginfo_t info{};
    const int done = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
    return done != 0 || info.si_pid == pid;
}

// At each grant, under the pool's mutex; a hook has no state of its own.
std::atomic<std::uint64_t> dead_unnoticed{0}, dead_noticed{0};

void look_at_grant(const detail::session_state& granted, bool end_noticed)
{
    if (is_dead(granted.info->pid))
        ++(end_noticed ? dead_noticed : dead_unnoticed);
}

asio::awaitable<void> wait_for(duration length)
{
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor);
    timer.expires_after(length);
    co_await timer.async_wait(asio::use_awaitable);
}

void count_call_error(storm& s, const boost::system::system_error& e)
{
    auto& errors = e.code().category() == pool_category() ? s.result.typed_errors
                                                          : s.result.other_errors;
    ++errors[e.code().message()];
}

void count_acquire_error(storm& s, const boost::system::system_error& e, duration waited)
{
    if (e.code() != errc::acquire_timeout) {
        ++s.result.acquire_errors[e.code().message()];
        return;
    }
    ++s.result.timeouts;
    s.result.early_timeouts += waited < patience;
}

asio::awaitable<void> call(storm& s, lease& session)
{
    const int pid = session->pid();
    s.met.insert(pid);
    const bool dead = is_dead(pid);
    s.result.dead_on_arrival += dead;
    std::string token = s.tokens.next();
    json::object arguments;
    arguments["message"] = token;
    try {
        const tool_result answer = co_await session->call_tool("echo", std::move(arguments));
        const std::string text = answer.text();
        s.result.dead_answered += dead;
        s.result.calls += s.counting;
        s.result.wrong_answers += !is_right(answer, token);
        s.result.foreign_answers += reported_pid(text) != pid;
        s.answered.push_back(std::move(token));
    } catch (const boost::system::system_error& e) {
        count_call_error(s, e);
    }
}

asio::awaitable<void> user(storm& s)
{
    while (!s.stopping) {
        const auto asked = clock::now();
        lease session;
        try {
            session = co_await s.pool.acquire(patience);
        } catch (const boost::system::system_error& e) {
            count_acquire_error(s, e, clock::now() - asked);
        }
        s.result.late_acquires += clock::now() - asked > patience + tolerance;
        if (session)
            co_await call(s, session);
        else
            co_await wait_for(1ms);
    }
    --s.users_left;
}

// Kills one of the sessions that users have met.
void kill_one(storm& s, std::mt19937& random)
{
    std::vector<int> alive = children();
    std::erase_if(alive, [&](int pid) { return !s.met.contains(pid); });
    if (alive.empty())
        return;
    std::uniform_int_distribution<std::size_t> which(0, alive.size() - 1);
    const int victim = alive[which(random)];
    // A child that is not reaped keeps its number: no stranger can be hit.
    if (is_dead(victim) || ::kill(victim, SIGKILL) != 0)
        return;
    s.met.erase(victim);
    s.last_victim = victim;
    ++s.result.kills;
}

// Whether the pool knows of every kill: each ends a session, and nothing else ends one here. The last
// victim is gone, not even a zombie, which is the system's word for it.
bool knows_of_all_kills(const storm& s)
{
    const replaced_counts ended = s.pool.stats().replaced;
    const std::uint64_t ends = ended.died + ended.probe + ended.reset + ended.discarded
        + ended.protocol + ended.retired + ended.evicted;
    return ends >= s.result.kills
        && (s.last_victim == 0 || (::kill(s.last_victim, 0) != 0 && errno == ESRCH));
}

// An interval of 0 kills nobody.
asio::awaitable<void> conduct(storm& s, duration interval, duration length)
{
    co_await s.pool.wait_ready(size, 60s);
    const auto leave = [](const std::exception_ptr& e) {
        if (e)
            std::rethrow_exception(e);
    };
    const auto begin = clock::now();
    for (std::size_t i = 0; i < users; ++i)
        asio::co_spawn(s.context, user(s), leave);
    asio::steady_timer timer(s.context);
    // The same victims in every run, as far as the process ids allow.
    std::mt19937 random(20240229);
    const duration step = interval > duration::zero() ? interval : length;
    for (auto next = begin + step; next <= begin + length; next += step) {
        timer.expires_at(next);
        co_await timer.async_wait(asio::use_awaitable);
        if (interval > duration::zero())
            kill_one(s, random);
    }
    s.counting = false;
    const auto last_kill = clock::now();
    // A pool that has not noticed the last kill yet still counts its victim.
    while (!knows_of_all_kills(s) && clock::now() < last_kill + 30s)
        co_await wait_for(1ms);
    while (s.pool.stats().pool_size < size && clock::now() < last_kill + 30s)
        co_await wait_for(1ms);
    s.result.seconds_to_full_size = std::chrono::duration<double>(clock::now() - last_kill).count();
    s.stopping = true;
    while (s.users_left > 0)
        co_await wait_for(1ms);
    co_await s.pool.close(10s);
}

void read_token_log(tally& result, const temporary_file& log, std::vector<std::string> answered)
{
    std::vector<std::string> executed = log.lines();
    std::sort(executed.begin(), executed.end());
    for (std::size_t i = 1; i < executed.size(); ++i)
        result.executed_twice += executed[i] == executed[i - 1];
    // If this is not 0, the log proves nothing.
    for (const std::string& token : answered)
        result.answered_but_not_executed += !std::binary_search(
            executed.begin(), executed.end(), token);
}

tally run_storm(
    const server_config& server, const temporary_file& log, duration interval, duration length)
{
    asio::io_context context{1};
    server_config config = server;
    config.pool.max_size = size;
    tally result;
    std::vector<std::string> answered;
    {
        session_pool pool(context.get_executor(), std::move(config));
        dead_unnoticed = dead_noticed = 0;
        const peek_at_state peek;
        pool.async_acquire(acquire_options(), peek)->on_grant = &look_at_grant;
        storm s(context, pool);
        std::exception_ptr failure;
        const auto done = [&](const std::exception_ptr& e) {
            failure = e;
            context.stop();
        };
        asio::co_spawn(context, conduct(s, interval, length), done);
        context.run();
        if (failure)
            std::rethrow_exception(failure);
        result = std::move(s.result);
        result.dead_at_grant = dead_unnoticed;
        result.dead_at_grant_though_noticed = dead_noticed;
        answered = std::move(s.answered);
    }
    read_token_log(result, log, std::move(answered));
    return result;
}

// Runs a storm and counts what it leaves behind.
tally run_and_look_around(
    const server_config& server, const temporary_file& log, duration interval, duration length)
{
    const std::size_t descriptors = open_descriptors();
    tally result = run_storm(server, log, interval, length);
    result.processes_left = descendants().size();
    result.descriptors_more = static_cast<long>(open_descriptors())
        - static_cast<long>(descriptors);
    return result;
}

json::object object_of(const std::map<std::string, std::uint64_t>& counts)
{
    json::object result;
    for (const auto& [text, count] : counts)
        result[text] = count;
    return result;
}

void print_count(const std::string& name, const std::string& what, double measured, double bound)
{
    figure f;
    f.name = name + what;
    f.bound_is = relation::never_more;
    f.bound = bound;
    f.measured = measured;
    f.unit = "count";
    print(f);
}

void measure(const std::string& what, const server_config& server, const temporary_file& log,
    duration interval, double least_share, const micro_options& asked)
{
    const auto length = std::chrono::duration_cast<duration>(
        std::chrono::duration<double>(asked.seconds));
    // The first pool of a process makes the library's own thread and descriptors.
    run_storm(server, log, duration::zero(), 200ms);
    const tally calm = run_and_look_around(server, log, duration::zero(), length);
    const tally killed = run_and_look_around(server, log, interval, length);
    if (calm.calls == 0)
        throw std::runtime_error(what + ": no call was answered without kills either");

    const std::string name = "kill storm, " + what + ": ";
    figure share;
    share.name = name + "completed calls beside the same run without kills";
    share.bound_is = relation::at_least;
    share.bound = least_share;
    share.unit = "ratio";
    share.judged = !asked.smoke;
    share.measured = static_cast<double>(killed.calls) / static_cast<double>(calm.calls);
    share.detail["calls"] = killed.calls;
    share.detail["calls_without_kills"] = calm.calls;
    share.detail["kills"] = killed.kills;
    share.detail["typed_errors"] = object_of(killed.typed_errors);
    share.detail["other_errors"] = object_of(killed.other_errors);
    share.detail["acquire_errors"] = object_of(killed.acquire_errors);
    share.detail["acquire_timeouts"] = killed.timeouts;
    share.detail["errors_without_kills"] = object_of(calm.typed_errors);
    share.detail["acquire_errors_without_kills"] = object_of(calm.acquire_errors);
    print(share);

    figure recovery;
    recovery.name = name + "seconds from the last kill to the full size";
    recovery.bound = 3;
    recovery.unit = "s";
    recovery.judged = !asked.smoke;
    recovery.measured = killed.seconds_to_full_size;
    print(recovery);

    const auto sum = [](const std::map<std::string, std::uint64_t>& counts) {
        double total = 0;
        for (const auto& [text, count] : counts)
            total += static_cast<double>(count);
        return total;
    };
    print_count(name, "calls that ended without result and without typed error",
        sum(killed.other_errors) + sum(calm.other_errors), 0);
    print_count(name, "errors without kills",
        sum(calm.typed_errors) + static_cast<double>(calm.timeouts), 0);
    print_count(name, "acquires that failed by anything but their own deadline",
        sum(killed.acquire_errors) + sum(calm.acquire_errors), 0);
    print_count(name, "acquires refused before their deadline",
        static_cast<double>(killed.early_timeouts + calm.early_timeouts), 0);
    print_count(name, "answers that belong to another call or process",
        static_cast<double>(killed.wrong_answers + killed.foreign_answers + calm.wrong_answers
            + calm.foreign_answers),
        0);
    print_count(name, "calls executed twice",
        static_cast<double>(killed.executed_twice + calm.executed_twice), 0);
    print_count(name, "answered calls missing in the servers' log",
        static_cast<double>(killed.answered_but_not_executed + calm.answered_but_not_executed), 0);
    print_count(name, "acquires served or refused later than their deadline",
        static_cast<double>(killed.late_acquires + calm.late_acquires), 0);
    print_count(name, "leases of a dead process that did not end with a typed error",
        static_cast<double>(killed.dead_answered), 0);
    print_count(name, "grants of a process whose end the pool had taken",
        static_cast<double>(killed.dead_at_grant_though_noticed), 0);
    print_count(name, "processes left", static_cast<double>(killed.processes_left), 0);
    print_count(
        name, "descriptors more than before", static_cast<double>(killed.descriptors_more), 0);

    const double kills = std::max(1.0, static_cast<double>(killed.kills));
    figure dead;
    dead.name = name + "grants of a dead process before the pool took the event, beside kills";
    dead.bound = 0.005;
    dead.unit = "ratio";
    dead.judged = !asked.smoke;
    dead.measured = static_cast<double>(killed.dead_at_grant) / kills;
    dead.detail["grants"] = killed.dead_at_grant;
    dead.detail["kills"] = killed.kills;
    dead.detail["dead_when_the_user_got_it"] = killed.dead_on_arrival;
    print(dead);
}

} // namespace
} // namespace mcp_pool::bench

int main(int argc, char** argv)
{
    using namespace mcp_pool::bench;
    using namespace std::chrono_literals;
    const micro_options asked = parse_micro_options(
        argc, argv, "kill_storm: sessions are killed while 50 users work with a pool of 10");
    return run_micro([&] {
        {
            const temporary_file log;
            measure(
                "embedded server, every 20 ms", embedded_server(log.name()), log, 20ms, 0.5, asked);
        }
        // Ten starts of node take longer than a smoke run may.
        if (asked.smoke)
            return;
        const temporary_file log;
        if (const auto everything = everything_server(log.name()))
            measure("server-everything, every 500 ms", *everything, log, 500ms, 0.8, asked);
    });
}
