// How to acquire a session from a pool.
#pragma once

#include <mcp_pool/detail/duration.hpp>

#include <memory>
#include <optional>
#include <source_location>
#include <string>

namespace mcp_pool {

struct diagnostics;

// Options of one acquire. Implicit from a duration, so that `pool.acquire(30s)` reads as it should.
//
// Do not use designated initialisers: g++ 12 destroys such temporaries twice inside a co_await.
struct acquire_options
{
    // How long to wait. Unset: `max_wait` of the pool. 0: a free session or acquire_timeout at once.
    // duration::max(): for ever.
    std::optional<duration> timeout;

    // Leases with different keys (the empty one is a key too) never share a session of the legacy era
    // without a respawn in between; sessions of the modern era keep nothing between requests. A
    // session with the same key is preferred, then one that has served nobody, then a new one; then
    // the one that has been idle longest ends for it. With queue = fair, keys are served in turn.
    std::string isolation_key;

    // The caller's own, kept with the lease and let go of after it; given to the handlers that are
    // asked on behalf of the lease, see handlers.hpp.
    std::shared_ptr<void> context;

    // Filled before the operation completes with an error, on the handler's executor. Must live
    // until then.
    mcp_pool::diagnostics* diagnostics = nullptr;

    // The place of the acquire, for reports about leases that are held for long.
    std::source_location place;

    acquire_options(std::source_location where = std::source_location::current())
        : place(where)
    {}

    template <class Rep, class Period>
    acquire_options(std::chrono::duration<Rep, Period> wait_at_most,
        std::source_location where = std::source_location::current())
        : timeout(detail::saturate(wait_at_most))
        , place(where)
    {}
};

} // namespace mcp_pool
