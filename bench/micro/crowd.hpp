// A pool of scripted sessions and everybody who uses it, on one thread: times what happens to some
// while many others wait.
#pragma once

#include "micro/loop.hpp"

#include <mcp_pool/mcp_pool.hpp>
#include <mcp_pool/testing/scripted_server.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>

#include <array>
#include <cstddef>
#include <deque>
#include <random>
#include <vector>

namespace mcp_pool::bench {

// Times are nanoseconds each, completion included: the median of batches that are too short for the
// machine to get between many of them.
class crowd
{
public:
    explicit crowd(std::size_t sessions);

    // While every session is free: the one used last, and each in turn.
    double time_of_hits();
    double time_of_hits_in_turn();

    void take_every_session();
    // Lets this many wait, each as patient as the dice say.
    void gather(std::size_t waiters);
    // Gives every session back, to whoever waits first.
    void go_home();

    // While every session is taken and the gathered ones wait.
    struct queue_times
    {
        double enqueue = 0, cancel = 0;
    };
    queue_times time_of_queueing();
    double time_of_expiry();
    // Precondition: at least 10 wait.
    double time_of_hand_overs();

private:
    struct arrival;

    duration patience();
    void wait_for(duration patience);
    void poll_until(const std::size_t& count, std::size_t wanted);

    static constexpr std::size_t batch = 64;
    static constexpr std::size_t handed_over = 10;
    static constexpr std::size_t batches = 50;

    const std::size_t sessions_;
    testing::scripted_server server_;
    asio::io_context context_;
    session_pool pool_;
    std::mt19937 random_{1};
    std::array<asio::cancellation_signal, batch> signals_;
    // The one that was taken longest ago comes first.
    std::deque<lease> taken_;
    std::vector<lease> served_;
    std::size_t served_count_ = 0, failed_count_ = 0;
};

} // namespace mcp_pool::bench
