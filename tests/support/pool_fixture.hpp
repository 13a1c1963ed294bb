// A pool whose sessions are scripted, and a context that this thread runs.
#pragma once

#include "support/print.hpp"

#include <mcp_pool/mcp_pool.hpp>
#include <mcp_pool/testing/scripted_server.hpp>

#include <boost/asio.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <source_location>
#include <string>

namespace mcp_pool::testing {

using namespace std::chrono_literals;

// What an awaitable came to.
template <class T>
struct outcome
{
    std::optional<T> value;
    std::optional<mcp_pool::error> failure;
    bool done = false;

    [[nodiscard]] error_code code() const { return failure ? failure->code() : error_code(); }
};

// What went wrong, for messages of tests.
template <class T>
std::string why(const std::shared_ptr<outcome<T>>& result)
{
    return result->failure ? result->failure->what() : "nothing went wrong";
}

inline pool_overrides at_most(std::size_t sessions)
{
    pool_overrides options;
    options.max_size = sessions;
    return options;
}

// The message of the invalid_config that `action` fails with, or "accepted".
inline std::string refusal_of(const std::function<void()>& action)
{
    try {
        action();
    } catch (const mcp_pool::error& e) {
        BOOST_TEST(e.code() == errc::invalid_config);
        return e.what();
    }
    return "accepted";
}

struct pool_fixture
{
    asio::io_context context;
    scripted_server server;
    std::optional<session_pool> pool;

    explicit pool_fixture(personality p = personality::legacy)
        : server(p)
    {}

    static server_config config(const pool_overrides& overrides = {})
    {
        stdio_server process;
        process.command = "scripted";
        server_config c("scripted", std::move(process));
        c.pool = overrides;
        return c;
    }

    session_pool& open(const pool_overrides& overrides = {})
    {
        pool.emplace(context.get_executor(), config(overrides), server.source());
        return *pool;
    }

    // Runs the context until `done()`; a failure of the test after 30 s.
    template <class Done>
    void until(Done done, std::source_location where = std::source_location::current())
    {
        const auto limit = std::chrono::steady_clock::now() + 30s;
        while (!done()) {
            context.restart();
            // Short turns: what is waited for may happen on another thread.
            context.run_one_for(20ms);
            if (std::chrono::steady_clock::now() > limit) {
                BOOST_FAIL(std::string("nothing happened for 30 s at line ")
                    + std::to_string(where.line()));
            }
        }
    }

    // Starts a coroutine; its outcome appears while the context runs.
    template <class T>
    std::shared_ptr<outcome<T>> spawn(asio::awaitable<T> work)
    {
        auto result = std::make_shared<outcome<T>>();
        asio::co_spawn(context, keep(result, std::move(work)), asio::detached);
        return result;
    }

    // Runs a coroutine to its end.
    template <class T>
    std::shared_ptr<outcome<T>> finish(
        asio::awaitable<T> work, std::source_location where = std::source_location::current())
    {
        auto result = spawn(std::move(work));
        until([&] { return result->done; }, where);
        return result;
    }

    // What an operation gives; fails the test if it fails.
    template <class Result>
    Result got(asio::awaitable<Result> operation,
        std::source_location where = std::source_location::current())
    {
        const auto result = finish(std::move(operation), where);
        BOOST_TEST_CONTEXT("line " << where.line())
        BOOST_REQUIRE_MESSAGE(!result->failure, why(result));
        return std::move(*result->value);
    }

    // The lease of an acquire that must succeed.
    lease acquire(std::source_location where = std::source_location::current())
    {
        auto result = finish(pool->acquire(30s), where);
        BOOST_REQUIRE_MESSAGE(result->value,
            "acquire at line " << where.line()
                               << " failed: " << (result->failure ? result->failure->what() : "?"));
        return std::move(*result->value);
    }

private:
    template <class T>
    static asio::awaitable<void> keep(std::shared_ptr<outcome<T>> result, asio::awaitable<T> work)
    {
        try {
            result->value.emplace(co_await std::move(work));
        } catch (const mcp_pool::error& e) {
            result->failure = e;
        }
        result->done = true;
    }

    static asio::awaitable<void> keep(
        std::shared_ptr<outcome<bool>> result, asio::awaitable<void> work)
    {
        try {
            co_await std::move(work);
            result->value = true;
        } catch (const mcp_pool::error& e) {
            result->failure = e;
        }
        result->done = true;
    }

public:
    std::shared_ptr<outcome<bool>> spawn(asio::awaitable<void> work)
    {
        auto result = std::make_shared<outcome<bool>>();
        asio::co_spawn(context, keep(result, std::move(work)), asio::detached);
        return result;
    }

    std::shared_ptr<outcome<bool>> finish(
        asio::awaitable<void> work, std::source_location where = std::source_location::current())
    {
        auto result = spawn(std::move(work));
        until([&] { return result->done; }, where);
        return result;
    }
};

// `name` with one member, for arguments and results.
inline json::object object(std::string_view key, json::value value)
{
    json::object o;
    o[key] = std::move(value);
    return o;
}

} // namespace mcp_pool::testing
