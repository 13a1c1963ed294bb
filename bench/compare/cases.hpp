// Mistakes that pools are known for, each played step by step: true where the pool makes it.
#pragma once

#include "compare/scene.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <deque>
#include <random>
#include <stdexcept>
#include <string>

namespace mcp_pool::bench {

inline void expect(bool holds, const char* what)
{
    if (!holds)
        throw std::logic_error(std::string("a case of the comparison went another way: ") + what);
}

// A and B wait. The session comes back, and A is cancelled before it has run: B sleeps beside a free
// session. boostorg/mysql#509, launchbadge/sqlx#622.
template <class Pool>
bool loses_a_wakeup()
{
    scene<Pool> s(1);
    visitor<Pool> first(s);
    s.settle();
    visitor<Pool> a(s), b(s);
    s.settle();
    expect(first.served() && !a.served() && !b.served(), "two wait");

    asio::post(s.context, [&] {
        first.leave();
        a.cancel();
    });
    s.settle();
    // Who was served in spite of the signal must give it back.
    a.leave();
    s.settle();
    return !b.served();
}

// A waits. The session comes back in the turn of the loop in which A's time is over: A is told that
// it is, and the session, or the right to it, goes with the answer that nobody looks at.
// chriskohlhoff/asio#1041, eclipse-vertx/vertx-sql-client#1620.
template <class Pool>
bool loses_a_session_at_the_deadline()
{
    scene<Pool> s(1);
    visitor<Pool> first(s);
    s.settle();
    constexpr duration patience = 2ms;
    visitor<Pool> a(s, patience);
    const auto begin = std::chrono::steady_clock::now();
    s.settle();
    expect(first.served() && !a.served(), "one waits");

    // The loop stands still until A's time is over, as behind any handler that takes too long.
    while (std::chrono::steady_clock::now() < begin + 2 * patience) {
    }
    asio::post(s.context, [&] { first.leave(); });
    s.settle();
    a.leave();
    s.settle();
    visitor<Pool> next(s);
    s.settle();
    return !next.served();
}

// A waits. Whoever gives the session back asks for one at once, and gets it before A.
// brettwooldridge/HikariCP#1909.
template <class Pool>
bool lets_newcomers_overtake()
{
    scene<Pool> s(1);
    visitor<Pool> first(s);
    s.settle();
    visitor<Pool> a(s);
    s.settle();
    expect(first.served() && !a.served(), "one waits");

    first.come_again();
    s.settle();
    expect(a.served() != first.served(), "one of two is served");
    return !a.served();
}

// Many who wait for moments only: how many of the sessions nobody can have any more afterwards.
template <class Pool>
class storm
{
public:
    storm(std::size_t sessions, std::size_t acquires)
        : scene_(sessions)
        , left_(acquires)
        , sessions_(sessions)
    {}

    std::size_t sessions_lost()
    {
        constexpr std::size_t users = 64;
        for (std::size_t i = 0; i != users; ++i) {
            ++present_;
            asio::co_spawn(scene_.context, user(static_cast<unsigned>(i)), asio::detached);
        }
        scene_.run_until([this] { return present_ == 0; });
        scene_.settle();
        std::size_t found = 0;
        std::deque<visitor<Pool>> visitors;
        for (std::size_t i = 0; i != sessions_; ++i) {
            visitors.emplace_back(scene_);
            scene_.settle();
            found += visitors.back().served();
        }
        return sessions_ - found;
    }

private:
    asio::awaitable<void> user(unsigned seed)
    {
        std::mt19937 random(seed);
        asio::steady_timer hold(scene_.context);
        while (left_ != 0) {
            --left_;
            try {
                const auto patience = std::chrono::microseconds(random() % 400);
                const typename Pool::lease mine = co_await scene_.pool.acquire(patience);
                hold.expires_after(std::chrono::microseconds(random() % 100));
                co_await hold.async_wait(asio::use_awaitable);
            } catch (const boost::system::system_error&) {
                // Its time was over.
            }
            co_await asio::post(asio::use_awaitable);
        }
        --present_;
    }

    scene<Pool> scene_;
    std::size_t left_, present_ = 0;
    const std::size_t sessions_;
};

} // namespace mcp_pool::bench
