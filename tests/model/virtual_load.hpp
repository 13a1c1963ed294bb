// The pool's core under load, in virtual time: users that come, hold a session and go, processes
// that take their time to start and to stop.
#pragma once

#include "pool/core.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace mcp_pool::test {

// Numbers from a seed; the same on every machine, which the standard distributions are not.
class chance
{
public:
    explicit chance(std::uint64_t seed)
        : engine_(seed)
    {}

    // From 0 to 1, without 1.
    double uniform() { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }
    duration exponential(duration mean);

private:
    std::mt19937_64 engine_;
};

// The ranks of a Zipf law with exponent 1: rank k with a probability proportional to 1/k.
class zipf
{
public:
    explicit zipf(std::size_t ranks);
    std::size_t operator()(chance& random) const;

private:
    std::vector<double> up_to_;
};

struct load_settings
{
    pool_options options;
    std::uint64_t seed = 1;
    // Of each start, by the number of starts before it.
    std::function<duration(std::size_t)> start_time;
    duration stop_time = std::chrono::milliseconds(20);
    // The server keeps nothing between requests.
    bool stateless = false;
};

class virtual_load
{
public:
    // One acquire, and what came of it.
    struct visit : detail::waiter
    {
        std::size_t user = 0;
        std::string key_name;
        duration hold{};
        time_point arrived{}, served{};
        // Its session had served the same key, or another acquire, before.
        bool same_key = false;
    };

    explicit virtual_load(load_settings settings);

    // Somebody comes at that time, stays in the queue for as long as it takes, and holds its
    // session for `hold`.
    void arrive(time_point when, std::size_t user, std::string key, duration hold);
    // Anything else that happens at a time.
    void at(time_point when, std::function<void()> what);
    void run_until(time_point when);

    // Called when a visit has got its session, and when it has given it back.
    std::function<void(const visit&)> on_served, on_gone;

    [[nodiscard]] time_point now() const { return now_; }
    [[nodiscard]] pooling::pool_core& core() { return core_; }
    [[nodiscard]] std::uint64_t started() const { return core_.counters().begun; }
    [[nodiscard]] std::uint64_t rekeyed() const
    {
        return core_.counters().ended[static_cast<std::size_t>(pooling::end_reason::rekeyed)];
    }

private:
    struct event
    {
        time_point when;
        std::uint64_t order;
        std::function<void()> what;
        bool operator<(const event& other) const
        {
            return when != other.when ? when > other.when : order > other.order;
        }
    };

    void pump();
    void served(visit& v);
    void perform(pooling::slot& s, pooling::slot_action action);
    pooling::key_record* record_of(const std::string& key);

    load_settings settings_;
    std::deque<pooling::slot> slots_;
    std::deque<std::vector<pooling::lease_place>> places_;
    std::vector<std::unique_ptr<visit>> visits_;
    std::vector<visit*> spare_;
    std::unordered_map<std::string, std::unique_ptr<pooling::key_record>> keys_;
    pooling::pool_core core_;
    std::priority_queue<event> events_;
    std::uint64_t order_ = 0;
    std::size_t starts_ = 0;
    time_point now_{};
};

// The value below which that share of all values lies; 0 of none.
duration percentile(std::vector<duration> values, double share);

} // namespace mcp_pool::test
