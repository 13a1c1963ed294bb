// What the simulator draws.
#pragma once

#include "simulator.hpp"

#include <cstddef>
#include <initializer_list>

namespace mcp_pool::test {

class dice
{
public:
    explicit dice(std::uint64_t seed)
        : state_(seed * 0x9E3779B97F4A7C15ULL + 0x632BE59BD9B4E019ULL)
    {}

    // 0 … n - 1
    std::size_t operator()(std::size_t n) { return static_cast<std::size_t>(next() % n); }
    bool one_in(std::size_t n) { return (*this)(n) == 0; }
    template <class T>
    T of(std::initializer_list<T> choices)
    {
        return choices.begin()[(*this)(choices.size())];
    }

private:
    // splitmix64: cheap to seed, which std::mt19937_64 is not.
    std::uint64_t next()
    {
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15ULL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    }

    std::uint64_t state_;
};

// What a run is like.
struct sim_mood
{
    // Of the events of servers, one in so many is out of season.
    std::size_t faults = 4;
    // Acquires: 1 to 3.
    std::size_t crowd = 3;
    // Two keys whose users are patient and leave nothing behind, on sessions that live on: what
    // takes many leases in a row happens here.
    bool calm = false;
};
sim_mood draw_mood(dice& roll);

model_settings draw_settings(dice& roll, const sim_mood& mood, std::uint64_t seed);
// Some option changed; the slots of the pool allow for max_size.
pool_options changed(const pool_options& present, std::size_t slots, std::uint64_t seed);
sim_step draw_step(const core_model& model, std::size_t keys, const sim_mood& mood, dice& roll);
// How a run ends.
std::vector<sim_step> draw_end(dice& roll);

} // namespace mcp_pool::test
