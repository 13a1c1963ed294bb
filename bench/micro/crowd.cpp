#include "micro/crowd.hpp"

#include "micro/measure.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace mcp_pool::bench {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

asio::awaitable<double> hits(session_pool& pool, std::size_t count)
{
    const auto begin = cpu_time();
    for (std::size_t i = 0; i < count; ++i)
        lease session = co_await pool.acquire(30s);
    co_return nanoseconds_each(cpu_time() - begin, count);
}

// Free sessions are a stack: to reach each of them, all are taken before the first is given back.
asio::awaitable<double> hits_in_turn(session_pool& pool, std::size_t sessions, std::size_t rounds)
{
    std::vector<lease> taken;
    taken.reserve(sessions);
    const auto begin = cpu_time();
    for (std::size_t round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < sessions; ++i) {
            lease session = co_await pool.acquire(30s);
            taken.push_back(std::move(session));
        }
        taken.clear();
    }
    co_return nanoseconds_each(cpu_time() - begin, sessions * rounds);
}

asio::awaitable<double> start(session_pool& pool, std::size_t sessions)
{
    co_await pool.wait_ready(sessions, 10min);
    co_return 0;
}

} // namespace

struct crowd::arrival
{
    crowd* here;

    void operator()(const error_code& failure, lease session) const
    {
        if (failure) {
            ++here->failed_count_;
            return;
        }
        here->served_.push_back(std::move(session));
        ++here->served_count_;
    }
};

crowd::crowd(std::size_t sessions)
    : sessions_(sessions)
    , pool_(context_.get_executor(), scripted_sessions(sessions), server_.source())
{
    served_.reserve(std::max(sessions, batch));
    run_on(context_, start(pool_, sessions));
}

double crowd::time_of_hits()
{
    return run_on(context_, hits(pool_, batch * batches));
}

double crowd::time_of_hits_in_turn()
{
    return run_on(
        context_, hits_in_turn(pool_, sessions_, std::max<std::size_t>(1, 10'000 / sessions_)));
}

void crowd::take_every_session()
{
    while (lease session = pool_.try_acquire())
        taken_.push_back(std::move(session));
    if (taken_.size() != sessions_)
        throw std::runtime_error("a session was not free");
}

duration crowd::patience()
{
    return std::chrono::microseconds(
        std::uniform_int_distribution<std::int64_t>(600'000'000, 1'200'000'000)(random_));
}

void crowd::wait_for(duration patience)
{
    pool_.async_acquire(patience, arrival{this});
}

void crowd::gather(std::size_t waiters)
{
    for (std::size_t i = 0; i < waiters; ++i)
        wait_for(patience());
    context_.restart();
    context_.poll();
    if (pool_.stats().waiting != waiters)
        throw std::runtime_error("somebody does not wait");
}

void crowd::go_home()
{
    while (!taken_.empty() || !served_.empty()) {
        taken_.clear();
        served_.clear();
        context_.restart();
        context_.poll();
    }
}

void crowd::poll_until(const std::size_t& count, std::size_t wanted)
{
    context_.restart();
    while (count < wanted)
        context_.poll();
}

crowd::queue_times crowd::time_of_queueing()
{
    std::vector<double> enqueue, cancel;
    std::array<duration, batch> patiences;
    for (std::size_t i = 0; i < batches; ++i) {
        for (duration& p : patiences)
            p = patience();
        const auto begin = steady_clock::now();
        for (std::size_t k = 0; k < batch; ++k)
            pool_.async_acquire(
                patiences[k], asio::bind_cancellation_slot(signals_[k].slot(), arrival{this}));
        context_.restart();
        context_.poll();
        const auto queued = steady_clock::now();
        for (asio::cancellation_signal& signal : signals_)
            signal.emit(asio::cancellation_type::total);
        poll_until(failed_count_, failed_count_ + batch);
        const auto end = steady_clock::now();
        enqueue.push_back(nanoseconds_each(queued - begin, batch));
        cancel.push_back(nanoseconds_each(end - queued, batch));
    }
    queue_times times;
    times.enqueue = median(std::move(enqueue));
    times.cancel = median(std::move(cancel));
    return times;
}

double crowd::time_of_expiry()
{
    constexpr auto soon = 100us;
    std::vector<double> times;
    for (std::size_t i = 0; i < batches; ++i) {
        for (std::size_t k = 0; k < batch; ++k)
            wait_for(soon);
        const auto due = steady_clock::now() + 2 * soon;
        const std::size_t all = failed_count_ + batch;
        // The pool's timer is armed; whoever is late anyway must not be taken for the whole batch.
        context_.restart();
        context_.poll_one();
        while (steady_clock::now() < due) {
        }
        const std::size_t early = failed_count_ + batch - all;
        const auto begin = steady_clock::now();
        poll_until(failed_count_, all);
        times.push_back(nanoseconds_each(steady_clock::now() - begin, batch - early));
    }
    return median(std::move(times));
}

double crowd::time_of_hand_overs()
{
    std::vector<double> times;
    for (std::size_t i = 0; i < batches; ++i) {
        std::array<lease, handed_over> leaving;
        for (lease& l : leaving) {
            l = std::move(taken_.front());
            taken_.pop_front();
        }
        const std::size_t all = served_count_ + handed_over;
        const auto begin = steady_clock::now();
        for (lease& l : leaving)
            l.release();
        poll_until(served_count_, all);
        times.push_back(nanoseconds_each(steady_clock::now() - begin, handed_over));
        for (lease& l : served_)
            taken_.push_back(std::move(l));
        served_.clear();
        for (std::size_t k = 0; k < handed_over; ++k)
            wait_for(patience());
    }
    return median(std::move(times));
}

} // namespace mcp_pool::bench
