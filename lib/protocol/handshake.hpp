// From a started process to an initialised session: era detection and `initialize`, as a state
// machine that is told what happened and says what to do.
#pragma once

#include "protocol/era.hpp"
#include "rpc/message.hpp"

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/error.hpp>
#include <mcp_pool/types.hpp>

#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_pool::protocol {

// What a server said of itself.
struct server_facts
{
    mcp_pool::era era = era::legacy;
    std::string version;
    json::object server_info;
    json::object capabilities;
    std::string instructions;

    server_facts() = default;
};

struct handshake_settings
{
    era_choice choice = era_choice::auto_detect;
    // What an earlier session of the same configuration found out.
    std::optional<era> learnt;
    duration era_timeout{};
    duration start_timeout{};
    // What the client declares, as JSON text.
    std::string capabilities = "{}";
    // Over HTTP it does not: who does not answer there is out of order.
    bool silence_means_legacy = true;

    handshake_settings() = default;
};

struct handshake_failure
{
    errc code = errc::start_failed;
    // What the server did, to follow "the start of server "x" failed: ".
    std::string text;
    // The configuration has to change before another start can succeed.
    bool permanent = false;

    handshake_failure() = default;
};

// The id of `initialize`. Requests of a session count from 1; 0 is what the most used client sends
// first, so every server knows it.
inline constexpr std::int64_t initialize_id = 0;

// Every input returns what to do: first send `line` if it is not empty, then what `next` says.
// Inputs in a state that does not expect them change nothing: late and duplicate answers are
// normal.
//
// Source: MCP 2026-07-28, basic/versioning, basic/transports/stdio "Backward Compatibility";
// MCP 2025-11-25, basic/lifecycle.
class handshake
{
public:
    enum class outcome {
        // Wait for further input.
        pending,
        // Initialised: take_facts().
        ready,
        // Over: failure().
        failed,
        // The server does not survive `server/discover`: end this process, start another one with
        // after_exit(). No failure.
        respawn_as_legacy,
    };

    struct step
    {
        outcome next = outcome::pending;
        std::string line;
        // Of the message in `line`; `version` is empty with `initialize`.
        std::string_view method;
        json::value id;
        mcp_pool::era era = mcp_pool::era::legacy;
        std::string version;

        step() = default;
    };

    explicit handshake(handshake_settings settings);

    // The machine for the process that follows respawn_as_legacy.
    static handshake after_exit(const handshake_settings& settings);

    step started(time_point now);
    void first_output(time_point now);
    step answer(rpc::message&& m, time_point now);
    // The answer to `server/discover` came in another form than that of a message; `what` it was.
    step judged(const era_verdict& verdict, std::string_view what);
    step end_of_output();
    step tick(time_point now);

    // When to call tick(); time_point::max() for never.
    [[nodiscard]] time_point deadline() const noexcept { return fall_back_at_; }

    // What it is waiting for, for people.
    [[nodiscard]] std::string_view stage() const noexcept;

    // The era by what is known at present: whether requests of the server may be answered.
    [[nodiscard]] era assumed_era() const noexcept;

    [[nodiscard]] const handshake_failure& failure() const noexcept { return failure_; }
    [[nodiscard]] server_facts take_facts() noexcept { return std::move(facts_); }

private:
    enum class state {
        // The process is not there yet.
        starting,
        // `server/discover` is unanswered.
        discovering,
        // The server is modern beyond doubt; a second `server/discover` is unanswered.
        confirming,
        // `initialize` is unanswered.
        initializing,
        // Ready, failed or to be respawned.
        over,
    };

    step discover(std::string_view version, state next);
    step initialize();
    step fail(errc code, std::string text, bool permanent = false);
    step on_discover_answer(rpc::message&& m);
    step on_verdict(const era_verdict& verdict, json::value&& result, std::string_view what);
    step on_initialize_answer(rpc::message&& m);
    step become_modern(const era_verdict& verdict, json::value&& result);

    handshake_settings settings_;
    state state_ = state::starting;
    // `server/discover` has ids "discover-1", "discover-2", …: never those of a session's requests.
    unsigned discovers_ = 0;
    bool legacy_at_once_ = false;
    time_point started_at_{};
    time_point fall_back_at_ = time_point::max();
    server_facts facts_;
    handshake_failure failure_;
};

} // namespace mcp_pool::protocol
