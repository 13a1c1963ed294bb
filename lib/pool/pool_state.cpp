#include "pool/pool_state.hpp"

#include "pool/options.hpp"
#include "pool/pool_service.hpp"
#include "transport/descriptor.hpp"

#include <random>
#include <utility>

namespace mcp_pool::detail {

using std::chrono::steady_clock;

namespace {

std::uint64_t seed()
{
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
}

} // namespace

pooled_slot::pooled_slot(std::size_t most_leases)
{
    if (most_leases == 1)
        return;
    several_ = std::make_unique<pooling::lease_place[]>(most_leases);
    places = several_.get();
    place_count = static_cast<std::uint16_t>(most_leases);
}

pool_state::pool_state(std::shared_ptr<server_state> server)
    : server_(std::move(server))
    , core_(server_->options, seed())
    , permits_(identity_of(server_->config), server_->options.single_writer)
{
    add_slots(locked(mutex_), make_slots(server_->options.max_size));
    core_.set_era_known(server_->known_era(steady_clock::now()).has_value(), steady_clock::now());
}

pool_state::~pool_state()
{
    key_list keys;
    take_unused_keys(locked(mutex_), keys);
    destroy(keys);
}

std::shared_ptr<pool_state> pool_state::make(
    asio::any_io_executor executor, std::shared_ptr<server_state> server)
{
    // The first timer of a context makes its reactor, with three descriptors; seed() may open a device.
    const transport::low_descriptors_plug plug;
    auto pool = std::shared_ptr<pool_state>(new pool_state(std::move(server)));
    pool->io_ = std::make_shared<pool_io>(executor, pool);
    pool_service::of(executor).add(pool);
    return pool;
}

void pool_state::end_now(pooled_session& session) noexcept
{
    try {
        session.with_io([](connection& link) { link.kill("the pool was destroyed"); });
    } catch (const std::bad_alloc&) {
        // The process is killed by the end of its transport.
    }
    session.drop_io();
}

void pool_state::start()
{
    locked lock(mutex_);
    core_.start(steady_clock::now());
    settle(std::move(lock));
}

std::list<pooled_slot> pool_state::make_slots(std::size_t count) const
{
    const pool_options& o = server_->options;
    const std::size_t leases = o.sharing == sharing_policy::multiplexed ? o.max_leases_per_session
                                                                        : 1;
    std::list<pooled_slot> slots;
    while (slots.size() != count)
        slots.emplace_back(leases);
    return slots;
}

void pool_state::add_slots(const locked&, std::list<pooled_slot>&& more) noexcept
{
    for (pooled_slot& slot : more)
        core_.add_slot(slot);
    slots_.splice(slots_.end(), more);
}

void pool_state::change(const pool_overrides& changes)
{
    std::list<pooled_slot> more;
    locked lock(mutex_);
    for (;;) {
        const pool_options next = changed(core_.options(), changes);
        if (next.max_size <= slots_.size() + more.size()) {
            add_slots(lock, std::move(more));
            core_.change(next, steady_clock::now());
            server_->start_timeout.store(next.start_timeout, std::memory_order_relaxed);
            break;
        }
        const std::size_t missing = next.max_size - slots_.size();
        lock.unlock();
        more = make_slots(missing);
        lock.lock();
    }
    const bool told = observer_ != nullptr;
    settle(std::move(lock));
    // For what happens to more sessions at once.
    if (told)
        make_event_room();
}

void pool_state::evict_all()
{
    const time_point now = steady_clock::now();
    server_->results.clear(now);
    locked lock(mutex_);
    core_.evict_all(now);
    settle(std::move(lock));
}

void pool_state::close(duration deadline)
{
    const time_point now = steady_clock::now();
    locked lock(mutex_);
    core_.close(saturating_add(now, deadline), now);
    settle(std::move(lock));
}

pool_options pool_state::options() const
{
    const locked lock(mutex_);
    return core_.options();
}

close_report pool_state::report() const
{
    locked lock(mutex_);
    return core_.report();
}

asio::any_io_executor pool_state::executor() const
{
    const std::lock_guard lock(io_mutex_);
    if (io_)
        return io_->executor;
    return asio::system_executor();
}

void pool_state::abandon(bool context_lives) noexcept
{
    locked lock(mutex_);
    core_.abandon();
    const std::size_t permits = core_.take_permit_returns();
    has_io_ = false;
    // Each connection is let go without the mutex. What leases still need stays in the session.
    for (pooled_slot& slot : slots_) {
        const std::shared_ptr<pooled_session> session = slot.session;
        // What a lease has taken along goes on.
        if (!session || (slot.detached && context_lives))
            continue;
        lock.unlock();
        end_now(*session);
        lock.lock();
    }
    settle(std::move(lock));
    // After the end of the sessions has been asked for: another pool may start its own now.
    permits_.give_back(permits);
    // Destroyed outside of the lock.
    std::shared_ptr<pool_io> io;
    const std::lock_guard io_lock(io_mutex_);
    io.swap(io_);
}

} // namespace mcp_pool::detail
