// What a scenario is done to: a pool of one kind or another.
#pragma once

#include "scenario.hpp"

#include <mcp_pool/pool_events.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_pool::scenario {

// What has become of an acquire.
struct fate
{
    // waiting, leased, returned, nothing (a try_acquire in vain), cancelled, or the name of an errc.
    std::string is = "waiting";
    // Of the lease; stays after it.
    std::uint64_t session = 0;
};

class target
{
public:
    virtual ~target() = default;

    // Each only begins what it is named after; settle() lets everything happen that does not need
    // time to pass.
    virtual void start() = 0;
    virtual void acquire(
        const std::string& as, const std::string& key, std::optional<duration> timeout) = 0;
    virtual void try_acquire(const std::string& as, const std::string& key) = 0;
    // `how`: clean (or empty), suspect, discard.
    virtual void release(const std::string& lease, const std::string& how) = 0;
    virtual void cancel(const std::string& acquire) = 0;
    virtual void detach(const std::string& lease) = 0;
    // Makes a call that is answered; one that never is.
    virtual void ping(const std::string& lease) = 0;
    virtual void leave_a_call(const std::string& lease) = 0;
    virtual void resize(const pool_overrides& limits) = 0;
    virtual void evict_all() = 0;
    virtual void close(duration deadline) = 0;

    // The server: answers nothing but starts; keeps starts from coming to an end, until let_starts();
    // fails the next starts, before there is a process; never comes to an end with the next ones.
    virtual void mute(bool on) = 0;
    virtual void hold_starts(bool on) = 0;
    virtual void let_starts() = 0;
    virtual void fail_starts(std::size_t count, bool permanent, bool exhausted) = 0;
    virtual void hang_starts(std::size_t count) = 0;
    virtual void die(std::uint64_t session) = 0;

    virtual void settle() = 0;
    virtual void advance(duration by) = 0;
    // Lets time pass until `done`; false if that will never be, or not within half a minute.
    virtual bool await(const std::function<bool()>& done) = 0;

    [[nodiscard]] virtual fate fate_of(const std::string& acquire) const = 0;
    // One line for each event, as README.md says.
    [[nodiscard]] virtual std::vector<std::string> events() const = 0;
    // A number of pool_stats by its name; nothing for a name that it does not know.
    [[nodiscard]] virtual std::optional<std::uint64_t> stat(std::string_view name) const = 0;
};

std::unique_ptr<target> make_core(const scenario& s);
std::unique_ptr<target> make_pool(const scenario& s);

// The line of one event: `what` as the functions of pool_observer are named.
std::string event_line(std::string_view what, std::uint64_t session, session_end reason,
    const error_code& code, bool good, std::size_t count);
// "acquire_timeout" and so on; "cancelled".
std::string name_of(const error_code& code);

} // namespace mcp_pool::scenario
