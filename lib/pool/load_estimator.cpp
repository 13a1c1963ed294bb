#include "pool/load_estimator.hpp"

#include <algorithm>
#include <cmath>

namespace mcp_pool::pooling {

namespace {

double seconds(duration d) noexcept
{
    return std::chrono::duration<double>(d).count();
}

// Share of the newest period in a mean over `memory`.
const double newest = 1
    - std::exp(-seconds(load_estimator::step) / seconds(load_estimator::memory));

// Below it the load of a pool counts as none.
constexpr double least_load = 0.01;

} // namespace

void load_estimator::arrived(time_point now) noexcept
{
    if (next_step_ == time_point::max()) {
        next_step_ = now + step;
        window_ends_ = now + settling;
    }
    ++arrivals_;
}

void load_estimator::returned(duration held) noexcept
{
    ++returns_;
    held_seconds_ += seconds(std::max(held, duration::zero()));
}

void load_estimator::close_period(std::size_t busy) noexcept
{
    const double rate = static_cast<double>(arrivals_) / seconds(step);
    if (returns_ != 0) {
        const double mean = held_seconds_ / static_cast<double>(returns_);
        // A mean of many weighs more than a mean of few.
        const double weight = 1
            - std::pow(1 - newest, static_cast<double>(std::min<std::uint64_t>(returns_, 10)));
        holding_ = holding_ == 0 ? mean : holding_ + weight * (mean - holding_);
    }
    if (!measured_) {
        // The first period says everything that is known.
        measured_ = true;
        rate_ = rate;
        busy_ = static_cast<double>(busy);
    } else {
        rate_ += newest * (rate - rate_);
        busy_ += newest * (static_cast<double>(busy) - busy_);
    }
    arrivals_ = returns_ = 0;
    held_seconds_ = 0;
    load_ = std::max(rate_ * holding_, busy_);
}

void load_estimator::advance(std::size_t busy, time_point now) noexcept
{
    // Of a pause that long nothing is left but what is happening now.
    if (next_step_ != time_point::max() && now - next_step_ > 100 * memory) {
        next_step_ = now;
        measured_ = false;
        most_ = {};
    }
    while (next_step_ <= now) {
        close_period(busy);
        if (next_step_ >= window_ends_) {
            most_[1] = most_[0];
            most_[0] = 0;
            window_ends_ = next_step_ + settling;
        }
        const bool idle = load_ < least_load && busy == 0;
        const auto wanted = idle
            ? 0
            : static_cast<std::size_t>(std::ceil(load_ + std::sqrt(load_) - 1e-9));
        most_[0] = std::max(most_[0], wanted);
        if (idle && target() == 0) {
            next_step_ = time_point::max();
            measured_ = false;
            rate_ = busy_ = load_ = 0;
            return;
        }
        next_step_ += step;
    }
}

std::size_t load_estimator::target() const noexcept
{
    return std::max(most_[0], most_[1]);
}

} // namespace mcp_pool::pooling
