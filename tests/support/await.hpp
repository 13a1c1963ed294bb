// The awaitable members of a session in tests that are no coroutines.
#pragma once

#include "support/rig.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace mcp_pool::test {

// How an operation of any type came out.
template <class Result>
struct answer
{
    std::optional<Result> value;
    error_code code;
    diagnostics details;
};

// Awaits an operation of the session by running the context of the rig.
template <class Result>
answer<Result> await(rig& r, asio::awaitable<Result> operation)
{
    answer<Result> out;
    bool done = false;
    asio::co_spawn(r.context, std::move(operation), [&](std::exception_ptr failure, Result value) {
        try {
            if (failure)
                std::rethrow_exception(failure);
            out.value = std::move(value);
        } catch (const error& e) {
            out.code = e.code();
            out.details = e.diagnostics();
        }
        done = true;
    });
    r.until([&] { return done; });
    return out;
}

inline answer<bool> await(rig& r, asio::awaitable<void> operation)
{
    answer<bool> out;
    bool done = false;
    asio::co_spawn(r.context, std::move(operation), [&](std::exception_ptr failure) {
        try {
            if (failure)
                std::rethrow_exception(failure);
            out.value = true;
        } catch (const error& e) {
            out.code = e.code();
            out.details = e.diagnostics();
        }
        done = true;
    });
    r.until([&] { return done; });
    return out;
}

} // namespace mcp_pool::test
