#include "micro/holds.hpp"

#include "micro/loop.hpp"
#include "pool/core.hpp"

#include <mcp_pool/detail/acquire_op.hpp>

#include <array>
#include <chrono>
#include <memory>
#include <random>
#include <stdexcept>

namespace mcp_pool::bench {

using namespace std::chrono_literals;

namespace {

// Of the size of what waits in a pool.
class patient final : public detail::acquire_op
{
public:
    patient()
        : acquire_op(acquire_options())
    {}
    bool post() noexcept override { return true; }
    void destroy() noexcept override {}
};

// Starts the one session of the core and lends it out.
void lend_the_session(pooling::pool_core& core, time_point now)
{
    patient first;
    core.acquire(first, now);
    for (std::size_t n = core.take_permit_requests(); n != 0; --n)
        core.permit_granted(now);
    pooling::slot_action action{};
    pooling::slot* const starting = core.next_todo(action);
    if (!starting || action != pooling::slot_action::start)
        throw std::runtime_error("the core starts nothing");
    core.ready(*starting, starting->epoch, false, now);
    if (core.next_ready() != &first || !first.slot)
        throw std::runtime_error("the core lends nothing");
}

} // namespace

std::vector<double> times_of_holds(std::size_t waiters)
{
    pool_options options;
    options.max_size = 1;
    pooling::slot place;
    pooling::pool_core core(options, 1);
    core.add_slot(place);
    time_point now{1h};
    lend_the_session(core, now);

    std::mt19937 random(1);
    std::uniform_int_distribution<std::int64_t> patience(1'000'000, 60'000'000);
    std::vector<std::unique_ptr<patient>> all;
    for (std::size_t i = 0; i < waiters; ++i) {
        patient& w = *all.emplace_back(std::make_unique<patient>());
        w.deadline = now + std::chrono::microseconds(patience(random));
        core.acquire(w, now);
    }
    now += 1h;

    std::vector<double> holds;
    std::size_t expired = 0;
    bool more = true;
    while (more) {
        std::array<pooling::waiter*, pooling::pool_core::claims_per_hold> batch;
        std::size_t taken = 0;
        const auto begin = cpu_time();
        more = core.next_wake() <= now && core.tick(now);
        core.set_era_known(true, now);
        for (std::size_t n = core.take_permit_requests(); n != 0; --n)
            core.permit_granted(now);
        core.take_permit_returns();
        pooling::slot_action action{};
        while (core.next_todo(action))
            ;
        while (taken != batch.size() && (batch[taken] = core.next_ready()) != nullptr)
            ++taken;
        holds.push_back(static_cast<double>((cpu_time() - begin).count()) / 1000);
        expired += taken;
    }
    if (expired != waiters)
        throw std::runtime_error("somebody did not expire");
    return holds;
}

} // namespace mcp_pool::bench
