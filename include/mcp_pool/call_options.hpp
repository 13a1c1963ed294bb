// How to make one call to a server.
#pragma once

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/detail/namespaces.hpp>
#include <mcp_pool/trace_context.hpp>

#include <boost/json/object.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace mcp_pool {

struct diagnostics;

// One `notifications/progress` of a running call. Source: MCP, basic/utilities/progress.
struct progress
{
    double value = 0;
    std::optional<double> total;
    std::string message;

    progress() = default;
};

// Options of one request.
//
// Do not use designated initialisers: g++ 12 destroys such temporaries twice inside a co_await.
struct call_options
{
    // From the moment the request is made to its answer; unset: `call_timeout` of the pool; 0: none.
    std::optional<mcp_pool::duration> timeout;

    // Longest silence: restarted by each progress notification; unset or 0: none. Setting it asks
    // the server for progress, also without a callback.
    std::optional<mcp_pool::duration> idle_timeout;

    // Called on the executor of the operation's handler for each progress notification that
    // arrives before the answer. Must not throw.
    std::function<void(const mcp_pool::progress&)> progress;

    // Members to add to the request's `_meta`.
    json::object meta;

    // Added to the request's `_meta` as far as it is well-formed.
    trace_context trace;

    // Ask the server even if the pool keeps a result that is still fresh; see pool_options::cache_bytes.
    // What it answers replaces that.
    bool fresh = false;

    // Filled before the operation completes with an error, on the handler's executor. Must live
    // until then.
    mcp_pool::diagnostics* diagnostics = nullptr;

    call_options() = default;

    // Implicit from a duration: the timeout. A negative one, of a deadline that has passed, is the
    // shortest there is.
    template <class Rep, class Period>
    call_options(std::chrono::duration<Rep, Period> answer_within)
        : timeout(answer_within < answer_within.zero() ? mcp_pool::duration(1)
                                                       : detail::saturate(answer_within))
    {}
};

} // namespace mcp_pool
