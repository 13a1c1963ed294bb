// Leases going out and coming back, and what becomes of those who wait for one.
#include "pool/clock.hpp"
#include "pool/key.hpp"
#include "pool/pool_state.hpp"
#include "session/failure.hpp"

#include <algorithm>
#include <utility>

namespace mcp_pool::detail {

using std::chrono::steady_clock;

// Inlined: the way of every hit.
[[gnu::always_inline]] inline lease pool_state::grant(const locked&, pooling::lease_place& of,
    duration waited, const std::source_location& place, std::shared_ptr<void>&& context,
    std::shared_ptr<pool_state> self) noexcept
{
    pooled_session& session = *static_cast<pooled_slot&>(*of.of).session;
    grant_record& lent = session.grant(of.index);
    // Only the holder of the mutex writes, and nobody looks before the lease exists.
    const std::uint64_t ended = lent.generation.load(std::memory_order_relaxed);
    lent.generation.store(ended + 1, std::memory_order_release);
    lent.uses = of.number;
    lent.waited = waited;
    lent.place = place;
    if (context)
        lent.context = std::move(context);
    if (of.key && !of.key->name.empty())
        lent.isolation_key = of.key->text;
    if (const grant_hook hook = on_grant.load(std::memory_order_relaxed))
        hook(session, session.end_noticed);
    return lease_access::make(std::shared_ptr<mcp_pool::session>(std::move(self), &lent.view));
}

[[gnu::always_inline]] inline lease pool_state::finish_hit(locked& lock, pooling::lease_place* lent,
    const std::source_location& place, std::shared_ptr<void>&& context,
    std::shared_ptr<pool_state>& self) noexcept
{
    lease result;
    if (!lent) {
        settle(std::move(lock));
        return result;
    }
    pool_observer* const told = observer_;
    const std::uint64_t sequence = told ? core_.events().next_sequence() : 0;
    const std::uint64_t number = lent->of->number;
    const bool reused = lent->number != 1;
    result = grant(lock, *lent, duration::zero(), place, std::move(context), std::move(self));
    settle(std::move(lock));
    if (told) {
        pool_event e = lease_event(sequence, number, place);
        e.good = reused;
        told->leased(e);
    }
    return result;
}

lease pool_state::try_acquire(
    std::shared_ptr<pool_state>& self, const std::source_location& place) noexcept
{
    pool_state& pool = *self;
    const time_point now = coarse_now();
    locked lock(pool.mutex_);
    pooling::lease_place* const lent = pool.core_.try_acquire(nullptr, now);
    return pool.finish_hit(lock, lent, place, nullptr, self);
}

lease pool_state::try_acquire(std::shared_ptr<pool_state>& self, acquire_options& options)
{
    pool_state& pool = *self;
    const time_point now = coarse_now();
    locked lock(pool.mutex_);
    pooling::key_record* const key = pool.key_named(lock, options.isolation_key);
    pooling::lease_place* const lent = pool.core_.try_acquire(key, now);
    return pool.finish_hit(lock, lent, options.place, std::move(options.context), self);
}

pooling::key_record* pool_state::key_named(locked& lock, const std::string& name)
{
    if (name.empty())
        return nullptr;
    pooling::key_record* key = core_.find_key(name);
    if (key)
        return key;
    lock.unlock();
    auto made = std::make_unique<pooling::key_record>(name);
    lock.lock();
    key = core_.find_key(name);
    if (key)
        return key;
    core_.adopt_key(*made);
    return made.release();
}

void pool_state::take_unused_keys(const locked&, key_list& into) noexcept
{
    while (pooling::key_record* const key = core_.next_unused_key())
        into.push_back(*key);
}

void pool_state::destroy(key_list& keys) noexcept
{
    keys.clear_and_dispose([](pooling::key_record* key) { delete key; });
}

void pool_state::submit(acquire_op* op)
{
    const time_point now = steady_clock::now();
    pool_event waits;
    pool_observer* told = nullptr;
    locked lock(mutex_);
    try {
        if (op->wants == waiter::purpose::lease)
            op->key = key_named(lock, op->options.isolation_key);
    } catch (const std::bad_alloc&) {
        lock.lock();
        core_.refuse(*op, errc::resource_exhausted);
        return settle(std::move(lock));
    }
    const duration standard = core_.options().max_wait;
    const duration patience = op->options.timeout.value_or(
        standard == duration::zero() ? duration::max() : standard);
    op->deadline = op->wants == waiter::purpose::closed ? time_point::max()
                                                        : saturating_add(now, patience);
    switch (op->wants) {
    case waiter::purpose::lease:
        core_.acquire(*op, now);
        if (observer_ && op->where == waiter::stage::queued) {
            told = observer_;
            waits = event_of(core_.events().next_sequence());
            waits.place = op->options.place;
            waits.count = core_.waiting();
        }
        break;
    case waiter::purpose::ready:
        core_.await_ready(*op, now);
        break;
    case waiter::purpose::closed:
        core_.await_closed(*op, now);
        break;
    }
    settle(std::move(lock));
    if (told)
        told->waited(waits);
}

void pool_state::cancel(acquire_op* op) noexcept
{
    locked lock(mutex_);
    core_.cancel(*op, steady_clock::now());
    settle(std::move(lock));
}

void pool_state::give_back(grant_record& grant) noexcept
{
    auto& session = static_cast<pooled_session&>(grant.state);
    const time_point now = coarse_now();
    const bool touched = grant.touched.load(std::memory_order_relaxed);

    pooling::return_verdict verdict;
    // A server that dies after its answer: the reactor's word of it may come behind the handler that
    // gives the session back. To ask costs little beside a call, and too much beside a hit.
    verdict.dead = touched && session.process_has_exited();
    std::shared_ptr<void> context;
    std::shared_ptr<const std::string> key;
    std::shared_ptr<pooled_session> left_behind;
    locked lock(mutex_);
    session.end_noticed = session.end_noticed || verdict.dead;
    const std::uint64_t ended = grant.generation.load(std::memory_order_relaxed) + 1;
    if (touched) {
        // The end of the generation comes first: from here on no operation can join the lease.
        // Sequentially consistent against start_request(), which counts first and looks second.
        grant.generation.store(ended);
        verdict.dirty = grant.dirty();
        grant.touched.store(false, std::memory_order_relaxed);
    } else {
        // Nobody knows the generation but the lease.
        grant.generation.store(ended, std::memory_order_relaxed);
    }
    const std::uint8_t said = grant.verdict.load(std::memory_order_relaxed);
    if (said != verdict_clean)
        grant.verdict.store(verdict_clean, std::memory_order_relaxed);
    verdict.suspect = (said & verdict_probe) != 0;
    verdict.discard = (said & verdict_respawn) != 0;
    verdict.served = session.answered.load(std::memory_order_relaxed);
    if (grant.context)
        context.swap(grant.context);
    if (grant.isolation_key)
        key.swap(grant.isolation_key);
    pooling::lease_place& lent = session.where.places[grant.index];
    const duration held = now - lent.leased_at;
    hold_times_.record_alone(held);

    pool_observer* const told = observer_;
    const std::source_location place = grant.place;
    const std::uint64_t sequence = told ? core_.events().next_sequence() : 0;
    const std::uint64_t number = session.id;
    const bool in_time = !lent.overdue;
    if (session.where.detached && !has_io_)
        left_behind = session.where.session;
    core_.release(lent, verdict, now);
    settle(std::move(lock));

    if (told) {
        pool_event e = lease_event(sequence, number, place);
        e.took = std::max(held, duration::zero());
        e.good = in_time;
        told->returned(e);
    }
    if (left_behind)
        end_now(*left_behind);
}

void pool_state::detach(grant_record& grant)
{
    auto& session = static_cast<pooled_session&>(grant.state);
    // Its place in the pool, for another session.
    std::list<pooled_slot> place = make_slots(1);
    locked lock(mutex_);
    const time_point now = steady_clock::now();
    const bool detached = core_.detach(session.where, now);
    // The slots of those that were detached earlier come back.
    if (detached && slots_.size() - core_.detached() < core_.max_size()) {
        add_slots(lock, std::move(place));
        // Who waits for that place was not to be helped before it was there.
        core_.tick(now);
    }
    settle(std::move(lock));
    if (detached)
        return;
    mcp_pool::diagnostics details;
    details.server = server_->config.name;
    details.message = server_title(server_->config.name)
        + ": detach() needs a session that works, is held by this lease alone and was not detached "
          "before; the lease stays as it was";
    throw error(errc::invalid_config, std::move(details));
}

void pool_state::carry_out(locked lock) noexcept
{
    // More than this many at once would hold the mutex for too long.
    constexpr std::size_t batch_size = 64;

    for (bool more = true; more;) {
        std::array<acquire_op*, batch_size> batch;
        std::size_t taken = 0;
        key_list unused_keys;
        while (taken != batch_size) {
            waiter* const w = core_.next_ready();
            if (!w)
                break;
            auto* const op = static_cast<acquire_op*>(w);
            if (w->slot && !op->granted) {
                const duration waited = w->ticket == 0
                    ? duration::zero()
                    : std::max(steady_clock::now() - w->enqueued_at, duration::zero());
                op->granted = grant(lock, *w->place, waited, op->options.place,
                    std::move(op->options.context), shared_from_this());
                // Hits are counted by the core.
                if (w->ticket != 0)
                    wait_times_.record(waited);
            }
            if (observer_ && w->wants == waiter::purpose::lease && op->sequence == 0)
                op->sequence = core_.events().next_sequence();
            batch[taken++] = op;
        }
        more = core_.has_ready();

        take_unused_keys(lock, unused_keys);
        bool to_poke = wants_strand(lock);
        poked_ = poked_ || to_poke;
        const bool more_room = core_.events().size() * 2 > core_.events().capacity();
        lock.unlock();
        destroy(unused_keys);
        if (more_room)
            make_event_room();

        for (std::size_t i = 0; i != taken; ++i) {
            if (!deliver(*batch[i])) {
                // No memory: the strand tries again.
                lock.lock();
                for (std::size_t j = taken; j != i; --j)
                    core_.put_back(*batch[j - 1]);
                to_poke = to_poke || (!poked_ && has_io_);
                poked_ = poked_ || to_poke;
                lock.unlock();
                more = false;
                break;
            }
        }
        if (to_poke)
            poke();
        if (more)
            lock.lock();
    }
}

void pool_state::poke() noexcept
{
    try {
        const std::lock_guard lock(io_mutex_);
        if (io_)
            io_->poke();
    } catch (...) {
        // No memory: the next event tries again.
        const locked lock(mutex_);
        poked_ = false;
    }
}

bool pool_state::deliver(acquire_op& op) noexcept
{
    if (op.failure && !op.details) {
        try {
            op.details = explain(op);
        } catch (...) {
            // The code alone must do.
        }
    }
    tell_outcome(op);
    return op.post();
}

} // namespace mcp_pool::detail
