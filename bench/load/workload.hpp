// What the users of one run do, and how an answer is known to be right.
#pragma once

#include <mcp_pool/server.hpp>
#include <mcp_pool/types.hpp>

#include <boost/json/object.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace mcp_pool {
class session;
}

namespace mcp_pool::bench {

// How users get at sessions.
enum class mode {
    // A session_pool.
    pool,
    // One session for all, users queue for it one after the other: the way it was before pools.
    locked,
    // A process for every call: start, handshake, call, orderly end.
    spawn,
};

std::string_view to_string(mode value) noexcept;

// Closed loop: each user makes its next call when the former one is answered.
struct workload
{
    server_config server;
    std::size_t users = 50;
    // Sessions of the pool; processes at the same time in mode::spawn.
    std::size_t size = 10;
    // For how long calls are started.
    duration length = std::chrono::seconds(5);
    // How long a user keeps the session after each answer.
    duration hold = duration::zero();
    duration max_wait = std::chrono::seconds(30);
    duration call_timeout = std::chrono::seconds(60);
    std::string tool = "echo";
    // "{token}" in any string is replaced by text that no other call has, which the answer must
    // contain. Without it an answer is right if the tool does not report failure.
    json::object arguments;
    // Start `size` sessions before the clock runs.
    bool warm = false;
    // Sees every answer, if set.
    std::function<void(const session&, const tool_result&)> inspect;

    workload() { arguments["message"] = "{token}"; }
};

// The arguments of one call.
json::object arguments_with(const json::object& pattern, std::string_view token);

// Whether the pattern asks for a token.
bool has_token(const json::object& pattern);

// Whether `answer` is the one that the call with `token` must get; an empty token asks for none.
bool is_right(const tool_result& answer, std::string_view token);

// Tokens: unique on this machine while the process lives.
class token_source
{
public:
    token_source();
    std::string next();

private:
    std::string prefix_;
    unsigned long long count_ = 0;
};

} // namespace mcp_pool::bench
