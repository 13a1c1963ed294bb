// What happens in a pool, told while it happens.
#pragma once

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/error.hpp>

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string_view>

namespace mcp_pool {

// Why a session ended.
enum class session_end : std::uint8_t {
    none,
    // The process exited or closed its output.
    died,
    // It did not answer a probe.
    probe,
    // What a lease left behind could not be undone in time, or reset = respawn.
    reset,
    // discard() or mark_dirty(dirt::respawn).
    discarded,
    // It broke the protocol or stopped reading.
    protocol,
    // Above a lowered max_size.
    surplus,
    // Idle for longer than idle_timeout, or than the load asks for.
    idle,
    // max_lifetime, max_uses, max_rss.
    lifetime,
    uses,
    memory,
    // Its place was needed for another isolation key.
    rekeyed,
    // evict_all().
    evicted,
    // A lease took it along.
    detached,
    // It did not become initialised.
    start_failed,
    // The pool was closed.
    closed,
};

// For people and metric labels: "died", "probe", ….
std::string_view to_string(session_end why) noexcept;

// One event; which members mean something, the functions of pool_observer say. Views are valid during
// the call.
struct pool_event
{
    // Position among all events of the pool, from 1, without gaps: the order in which things happened,
    // whatever thread tells of them first.
    std::uint64_t sequence = 0;
    // Name of the server.
    std::string_view server;
    // As session::id(); 0 for an event of the whole pool.
    std::uint64_t session = 0;
    // How long what has ended took.
    duration took = duration::zero();
    // Where the lease was acquired, or asked for.
    std::source_location place;
    session_end reason = session_end::none;
    error_code code;
    // For people: cause and remedy. Texts of the server are escaped.
    std::string_view text;
    std::size_t count = 0;
    bool good = false;

    pool_event() = default;
};

// Told of everything that happens in a pool; each function does nothing unless overridden.
//
// Completion: functions of the first group are called on the pool's strand, in order of sequence;
// those of the second on the thread that did it, after the pool's lock was released, so that several
// may run at the same time and out of order. Nothing waits for them: they should be quick.
//
// Errors: they must not throw.
class pool_observer
{
public:
    virtual ~pool_observer() = default;

    // --- on the pool's strand

    // A session is being started; it is initialised (`took`: since then); the start failed (`took`,
    // `text`).
    virtual void starting(const pool_event&) noexcept {}
    virtual void started(const pool_event&) noexcept {}
    virtual void start_failed(const pool_event&) noexcept {}
    // A probe was answered (`good`) or was not (`took`: since it was sent).
    virtual void probed(const pool_event&) noexcept {}
    // A session is given up because something is wrong with it, or with what it was left in
    // (`reason`: died, probe, reset, discarded, protocol, evicted; `took`: its life; `text` where it
    // died or broke the protocol).
    virtual void replaced(const pool_event&) noexcept {}
    // A session in order ends (any other `reason`; `took`: its life).
    virtual void retired(const pool_event&) noexcept {}
    // Nothing is left of a session's process.
    virtual void ended(const pool_event&) noexcept {}
    // A lease has been out for longer than overdue_after (`took`, `place`). Once for each lease.
    virtual void overdue(const pool_event&) noexcept {}
    // This process stood still (`took`): no probe, start or reset is held against a server for it.
    virtual void stalled(const pool_event&) noexcept {}
    // A failed probe is put down to this host or to all the servers at once; the session is given
    // more time.
    virtual void suspected(const pool_event&) noexcept {}
    // No session is alive and no start is tried (`text`: the last cause); one has succeeded again.
    virtual void circuit_opened(const pool_event&) noexcept {}
    virtual void circuit_closed(const pool_event&) noexcept {}
    // scaling = adaptive keeps `count` sessions warm from now on.
    virtual void scaled(const pool_event&) noexcept {}
    // A limit of this host is too low for the pool; or a server describes a tool in a way that it
    // cannot be used, or did not take a notification or an answer (`session`; `text`).
    virtual void warned(const pool_event&) noexcept {}
    // A line of a server's stderr, with stderr = log (`text`).
    virtual void stderr_line(const pool_event&) noexcept {}

    // --- on the thread that did it

    // A session was lent (`took`: the wait; `place`; `good`: it had served before).
    virtual void leased(const pool_event&) noexcept {}
    // It came back (`took`: how long it was out; `place`; `good`: not overdue).
    virtual void returned(const pool_event&) noexcept {}
    // An acquire begins to wait (`place`; `count`: how many wait now).
    virtual void waited(const pool_event&) noexcept {}
    // Its time was over (`took`: the wait; `place`).
    virtual void timed_out(const pool_event&) noexcept {}
    // An acquire ended without a lease, otherwise (`code`, `took`, `place`).
    virtual void refused(const pool_event&) noexcept {}
};

} // namespace mcp_pool
