#include "pool/start_permits.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <utility>

namespace mcp_pool::pooling {

// One process for all pools that would start the same.
struct start_permits::shared_permit
{
    // Who has it; null: nobody.
    std::atomic<const start_permits*> holder{nullptr};
};

namespace {

// Before it no pool starts anything; in ticks of the steady clock.
std::atomic<duration::rep> paused_until{duration::min().count()};

template <class Permit>
std::shared_ptr<Permit> shared_by(const std::string& name)
{
    static std::mutex mutex;
    static std::map<std::string, std::weak_ptr<Permit>> known;
    const std::lock_guard lock(mutex);
    std::erase_if(known, [](const auto& entry) { return entry.second.expired(); });
    std::weak_ptr<Permit>& found = known[name];
    std::shared_ptr<Permit> permit = found.lock();
    if (!permit)
        found = permit = std::make_shared<Permit>();
    return permit;
}

} // namespace

start_permits::start_permits(const std::string& identity, bool single_writer)
    : shared_(single_writer ? shared_by<shared_permit>(identity) : nullptr)
{}

start_permits::~start_permits()
{
    give_back(1);
}

bool start_permits::take(time_point now) noexcept
{
    if (now.time_since_epoch().count() < paused_until.load(std::memory_order_relaxed))
        return false;
    const start_permits* nobody = nullptr;
    return !shared_ || shared_->holder.compare_exchange_strong(nobody, this);
}

void start_permits::give_back(std::size_t permits) noexcept
{
    const start_permits* own = this;
    if (shared_ && permits != 0)
        shared_->holder.compare_exchange_strong(own, nullptr);
}

void start_permits::pause_all(time_point until) noexcept
{
    const duration::rep wanted = until.time_since_epoch().count();
    duration::rep present = paused_until.load(std::memory_order_relaxed);
    while (present < wanted
        && !paused_until.compare_exchange_weak(present, wanted, std::memory_order_relaxed)) {
    }
}

} // namespace mcp_pool::pooling
