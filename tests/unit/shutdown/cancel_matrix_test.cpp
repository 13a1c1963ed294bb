// Eight clients with no patience at all, and a server of which one step is fine, fails, dawdles or
// never comes: {start, handshake, probe, reset, stop} × {ok, error, slow, never}.
#include "support/print.hpp"
#include "unit/shutdown/faulty_server.hpp"

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <random>
#include <vector>

using namespace mcp_pool;
using namespace mcp_pool::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t max_size = 3;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::size_t enough_acquires = 400;
#else
constexpr std::size_t enough_acquires = 2000;
#endif
constexpr std::size_t enough_steps = 6;

// The real clock matters only where something never comes.
server_config config(step where, conduct how)
{
    stdio_server process;
    process.command = "scripted";
    server_config c("scripted", std::move(process));
    c.pool.max_size = max_size;
    c.pool.breaker_threshold = 3;
    c.pool.backoff_initial = c.pool.backoff_max = 1ms;
    const bool mute = how == conduct::never;
    c.pool.start_timeout = mute && where <= step::handshake ? 15ms : 60s;
    c.pool.probe_timeout = mute && where == step::probe ? 15ms : 60s;
    c.pool.reset_timeout = mute && where == step::reset ? 15ms : 60s;
    if (where == step::stop && (how == conduct::slow || how == conduct::never))
        c.pool.stop_grace = 2ms;
    return c;
}

class cell
{
public:
    cell(step where, conduct how)
        : where_(where)
        , how_(how)
        , server_(where, how)
        , pool_(context_.get_executor(), config(where, how), server_.source())
        , random_(static_cast<unsigned>(where) * 4 + static_cast<unsigned>(how))
    {}
    cell(const cell&) = delete;
    cell& operator=(const cell&) = delete;

    void run()
    {
        for (client& c : clients_) {
            ++running_;
            asio::co_spawn(context_, live(c), asio::detached);
        }
        until([this] { return running_ == 0; });
        BOOST_TEST(asked_ == served_ + timed_out_ + cancelled_ + refused_);
        BOOST_TEST(timed_out_ > 0u);
        BOOST_TEST(cancelled_ > 0u);
        if (!hopeless())
            BOOST_TEST(served_ > 0u);

        refuse_or_serve();
        serve_after_all();
        close();
    }

private:
    struct client
    {
        asio::cancellation_signal signal;
        // Handlers of the whole context until the signal; 0: none.
        std::size_t steps_left = 0;
    };

    // No session can ever be made.
    [[nodiscard]] bool hopeless() const
    {
        return (where_ == step::start || where_ == step::handshake)
            && (how_ == conduct::error || how_ == conduct::never);
    }

    [[nodiscard]] bool enough() const
    {
        return asked_ >= enough_acquires && server_.begun() >= enough_steps;
    }

    std::size_t dice(std::size_t sides) { return random_() % sides; }

    asio::awaitable<void> live(client& me)
    {
        const auto executor = co_await asio::this_coro::executor;
        while (!enough()) {
            // Half of them have no time, the others change their mind.
            const bool hasty = dice(2) == 0;
            const duration patience = hasty ? duration(dice(8)) : duration(1h);
            me.steps_left = hasty ? dice(8) : 1 + dice(200);
            ++asked_;
            error_code code;
            auto token = asio::bind_cancellation_slot(
                me.signal.slot(), asio::redirect_error(asio::use_awaitable, code));
            lease mine = co_await pool_.async_acquire(patience, token);
            me.steps_left = 0;
            count(code);
            BOOST_TEST(static_cast<bool>(mine) == !code);
            if (mine)
                co_await use(std::move(mine));
            co_await asio::post(executor, asio::use_awaitable);
        }
        --running_;
    }

    void count(const error_code& code)
    {
        if (!code)
            ++served_;
        else if (code == errc::acquire_timeout)
            ++timed_out_;
        else if (code == asio::error::operation_aborted)
            ++cancelled_;
        else if (code == errc::circuit_open && hopeless())
            ++refused_;
        else
            BOOST_ERROR("an acquire ended with " << code.message());
    }

    // Brings the session to the step that this cell is about.
    asio::awaitable<void> use(lease mine)
    {
        const auto executor = co_await asio::this_coro::executor;
        error_code code;
        auto token = asio::redirect_error(asio::use_awaitable, code);
        co_await mine->async_call_tool("echo", {}, {}, token);
        BOOST_TEST(!code, code.message());
        switch (where_) {
        case step::start:
        case step::handshake:
        case step::stop:
            if (where_ == step::stop || dice(3) == 0)
                mine.discard();
            break;
        case step::probe:
            mine.mark_dirty(dirt::probe);
            break;
        case step::reset:
            ++unanswered_;
            mine->async_call_tool("hang", {}, {}, [this](error_code aborted, const tool_result&) {
                BOOST_TEST((aborted == asio::error::operation_aborted));
                --unanswered_;
            });
            for (std::size_t turns = dice(8); turns != 0; --turns)
                co_await asio::post(executor, asio::use_awaitable);
            break;
        }
    }

    template <class Done>
    void until(Done done, std::source_location where = std::source_location::current())
    {
        const auto limit = std::chrono::steady_clock::now() + 30s;
        while (!done()) {
            context_.restart();
            if (context_.poll_one() == 0 && !hurry())
                context_.run_one_for(20ms);
            turn();
            BOOST_REQUIRE_MESSAGE(std::chrono::steady_clock::now() < limit,
                "nothing happened for 30 s at line " << where.line());
        }
    }

    // Nothing moves: whoever would change his mind next does so now. False if nobody would.
    bool hurry()
    {
        std::size_t fewest = 0;
        for (const client& c : clients_) {
            if (c.steps_left != 0 && (fewest == 0 || c.steps_left < fewest))
                fewest = c.steps_left;
        }
        for (client& c : clients_) {
            if (c.steps_left != 0)
                c.steps_left -= fewest - 1;
        }
        return fewest != 0;
    }

    // Between two handlers.
    void turn()
    {
        if (++turns_ % 40 == 0)
            server_.release();
        for (client& c : clients_) {
            if (c.steps_left != 0 && --c.steps_left == 0)
                c.signal.emit(dice(2) == 0 ? asio::cancellation_type::terminal
                                           : asio::cancellation_type::total);
        }
        const pool_stats now = pool_.stats();
        const bool bounded = now.pool_size + now.starting + now.stopping <= max_size
            && now.available + now.in_use + now.probing + now.resetting <= max_size
            && now.max_size == max_size;
        BOOST_REQUIRE(bounded);
    }

    // The lease of an acquire with all the time in the world, or why there was none.
    lease acquire(std::optional<mcp_pool::error>& failure)
    {
        failure.reset();
        std::optional<lease> granted;
        auto work = [](session_pool& pool, std::optional<lease>& into,
                        std::optional<mcp_pool::error>& why) -> asio::awaitable<void> {
            try {
                into.emplace(co_await pool.acquire(1h));
            } catch (const mcp_pool::error& e) {
                why = e;
            }
        };
        ++asked_;
        asio::co_spawn(context_, work(pool_, granted, failure), asio::detached);
        until([&] { return granted || failure; });
        count(failure ? failure->code() : error_code());
        return granted ? std::move(*granted) : lease();
    }

    // As long as the fault is there: what can be had is had, what cannot is refused, with the cause.
    void refuse_or_serve()
    {
        std::optional<mcp_pool::error> failure;
        const lease mine = acquire(failure);
        BOOST_TEST(static_cast<bool>(mine) == !hopeless());
        if (!hopeless())
            return;
        BOOST_TEST_REQUIRE(failure.has_value());
        BOOST_TEST(failure->code() == errc::circuit_open);
        const std::string_view cause = how_ == conduct::never ? "it did not become ready within"
            : where_ == step::start                           ? "there is no process to be had"
                                                              : "there is no greeting to be had";
        BOOST_TEST(std::string_view(failure->what()).find(cause) != cause.npos, failure->what());
    }

    // Every place of the pool is good again, and every session accounted for.
    void serve_after_all()
    {
        if (where_ != step::stop)
            server_.mend();
        std::vector<lease> leases;
        std::optional<mcp_pool::error> failure;
        while (leases.size() != max_size) {
            // An open breaker tries again behind its pause of a millisecond.
            if (lease mine = acquire(failure))
                leases.push_back(std::move(mine));
        }
        until([this] { return pool_.stats().stopping == 0; });
        until([this] { return server_.scripted().sessions_alive() == max_size; });
        until([this] { return unanswered_ == 0; });

        const pool_stats now = pool_.stats();
        const replaced_counts& gone = now.replaced;
        BOOST_TEST(now.in_use == max_size);
        BOOST_TEST(now.pool_size == max_size);
        BOOST_TEST(now.starting == 0u);
        BOOST_TEST(now.waiting == 0u);
        BOOST_TEST(now.created
            == max_size + gone.died + gone.probe + gone.reset + gone.discarded + gone.protocol);
        BOOST_TEST(gone.retired + gone.evicted + gone.protocol == 0u);
        BOOST_TEST(now.total_requests == served_);
        BOOST_TEST(now.timed_out == timed_out_);
        BOOST_TEST(now.cancelled == cancelled_);
        BOOST_TEST(now.failed == refused_);
        BOOST_TEST(now.rejected == 0u);
        // A start that fails at once has no process.
        const std::size_t processes = server_.scripted().sessions_started();
        BOOST_TEST(processes >= now.created + (where_ == step::start ? 0 : now.start_failures));
        BOOST_TEST(processes <= now.created + now.start_failures);
        BOOST_TEST((now.start_failures != 0) == hopeless());
        check_ends(gone);

        for (lease& mine : leases) {
            bool answered = false;
            mine->async_ping({}, [&](error_code code) { answered = !code; });
            until([&] { return answered; });
        }
        leases.clear();
        until([this] { return pool_.stats().available == max_size; });
    }

    // Sessions ended for the reason that this cell gives them, and for no other.
    void check_ends(const replaced_counts& gone) const
    {
        const bool failed = how_ == conduct::error, mute = how_ == conduct::never;
        BOOST_TEST((gone.probe != 0) == (where_ == step::probe && mute));
        BOOST_TEST((gone.reset != 0) == (where_ == step::reset && mute));
        BOOST_TEST(
            (gone.died != 0) == ((where_ == step::probe || where_ == step::reset) && failed));
        const bool discarding = where_ == step::stop
            || ((where_ == step::start || where_ == step::handshake) && !hopeless());
        BOOST_TEST((gone.discarded != 0) == discarding);
    }

    void close()
    {
        const bool immortal = where_ == step::stop && how_ == conduct::never;
        std::optional<close_report> report;
        pool_.async_close(
            immortal ? duration(50ms) : duration(1h), [&](error_code code, const close_report& r) {
                BOOST_TEST(!code);
                report = r;
            });
        until([&] { return report.has_value(); });
        const bool leaves_some = where_ == step::stop && (how_ == conduct::error || immortal);
        BOOST_TEST(report->survivors == (leaves_some ? max_size : 0u));
        BOOST_TEST(report->forced == 0u);
        BOOST_TEST(report->killed == 0u);
        BOOST_TEST(report->waiters_failed == 0u);
        until([this] { return server_.scripted().sessions_alive() == 0; });
        const pool_stats now = pool_.stats();
        BOOST_TEST(now.pool_size + now.starting + now.stopping + now.in_use == 0u);
    }

    const step where_;
    const conduct how_;
    asio::io_context context_;
    faulty_server server_;
    session_pool pool_;
    std::mt19937 random_;
    std::array<client, 8> clients_;
    std::size_t running_ = 0, turns_ = 0, unanswered_ = 0;
    std::size_t asked_ = 0, served_ = 0, timed_out_ = 0, cancelled_ = 0, refused_ = 0;
};

void try_each_conduct(step where)
{
    for (const conduct how : {conduct::ok, conduct::error, conduct::slow, conduct::never}) {
        BOOST_TEST_INFO_SCOPE(where << " × " << how);
        cell(where, how).run();
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(cancel_matrix)

BOOST_AUTO_TEST_CASE(start_is_ok_fails_dawdles_or_never_comes)
{
    try_each_conduct(step::start);
}

BOOST_AUTO_TEST_CASE(handshake_is_ok_fails_dawdles_or_never_comes)
{
    try_each_conduct(step::handshake);
}

BOOST_AUTO_TEST_CASE(probe_is_ok_fails_dawdles_or_never_comes)
{
    try_each_conduct(step::probe);
}

BOOST_AUTO_TEST_CASE(reset_is_ok_fails_dawdles_or_never_comes)
{
    try_each_conduct(step::reset);
}

BOOST_AUTO_TEST_CASE(stop_is_ok_fails_dawdles_or_never_comes)
{
    try_each_conduct(step::stop);
}

BOOST_AUTO_TEST_SUITE_END()
