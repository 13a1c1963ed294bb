// What observers are told, and when.
#include "pool/pool_state.hpp"
#include "session/failure.hpp"
#include "transport/limits.hpp"

#include <utility>

namespace mcp_pool {

std::string_view to_string(session_end why) noexcept
{
    switch (why) {
    case session_end::none:
        break;
    case session_end::died:
        return "died";
    case session_end::probe:
        return "probe";
    case session_end::reset:
        return "reset";
    case session_end::discarded:
        return "discarded";
    case session_end::protocol:
        return "protocol";
    case session_end::surplus:
        return "surplus";
    case session_end::idle:
        return "idle";
    case session_end::lifetime:
        return "lifetime";
    case session_end::uses:
        return "uses";
    case session_end::memory:
        return "memory";
    case session_end::rekeyed:
        return "rekeyed";
    case session_end::evicted:
        return "evicted";
    case session_end::detached:
        return "detached";
    case session_end::start_failed:
        return "start_failed";
    case session_end::closed:
        return "closed";
    }
    return "none";
}

namespace detail {

using pooling::core_event;
using pooling::end_reason;

namespace {

bool something_was_wrong(end_reason why) noexcept
{
    switch (why) {
    case end_reason::died:
    case end_reason::probe:
    case end_reason::reset:
    case end_reason::discarded:
    case end_reason::protocol:
    case end_reason::evicted:
        return true;
    default:
        return false;
    }
}

using telling = void (pool_observer::*)(const pool_event&) noexcept;

telling function_for(const core_event& e) noexcept
{
    switch (e.what) {
    case core_event::kind::starting:
        return &pool_observer::starting;
    case core_event::kind::started:
        return &pool_observer::started;
    case core_event::kind::start_failed:
        return &pool_observer::start_failed;
    case core_event::kind::probed:
        return &pool_observer::probed;
    case core_event::kind::retired:
        return something_was_wrong(e.why) ? &pool_observer::replaced : &pool_observer::retired;
    case core_event::kind::ended:
        return &pool_observer::ended;
    case core_event::kind::overdue:
        return &pool_observer::overdue;
    case core_event::kind::stalled:
        return &pool_observer::stalled;
    case core_event::kind::suspected:
        return &pool_observer::suspected;
    case core_event::kind::circuit_opened:
        return &pool_observer::circuit_opened;
    case core_event::kind::circuit_closed:
        return &pool_observer::circuit_closed;
    case core_event::kind::scaled:
        break;
    }
    return &pool_observer::scaled;
}

} // namespace

void pool_state::set_observer(std::shared_ptr<pool_observer> observer)
{
    if (observer) {
        make_event_room();
        std::size_t most = 0;
        std::list<std::shared_ptr<pool_observer>> kept{observer};
        {
            const locked lock(mutex_);
            observers_.splice(observers_.end(), kept);
            observer_ = observer.get();
            core_.events().resume();
            most = core_.options().max_size;
        }
        // Of processes and their pipes.
        if (!std::holds_alternative<stdio_server>(server_->config.transport))
            return;
        for (std::string& warning : transport::limit_warnings(most))
            warn(std::move(warning));
        return;
    }
    const locked lock(mutex_);
    observer_ = nullptr;
    core_.events().stop();
}

// Everything that one hold of the mutex can write down must fit beside what is there: some events for
// each session.
void pool_state::make_event_room() noexcept
{
    constexpr std::size_t events_per_slot = 4, others = 256;
    std::vector<core_event> room;
    try {
        std::size_t wanted = 0;
        {
            const locked lock(mutex_);
            wanted = 2 * (slots_.size() * events_per_slot + others + core_.events().size());
        }
        room.resize(wanted);
    } catch (const std::bad_alloc&) {
        return; // What does not fit is counted.
    }
    const locked lock(mutex_);
    if (room.size() > core_.events().size())
        core_.events().bring(room);
}

// On the strand, without the mutex.
void pool_state::tell_lifecycle() noexcept
{
    struct told
    {
        core_event event;
        std::source_location place;
        std::shared_ptr<const mcp_pool::diagnostics> cause;
    };
    constexpr std::size_t batch_size = 16;

    for (;;) {
        pool_observer* observer = nullptr;
        std::size_t taken = 0;
        std::array<told, batch_size> batch;
        {
            const locked lock(mutex_);
            observer = observer_;
            while (taken != batch_size && core_.events().take(batch[taken].event)) {
                told& t = batch[taken++];
                const core_event& e = t.event;
                if (e.what == core_event::kind::circuit_opened)
                    t.cause = last_failure_;
                auto* const slot = static_cast<pooled_slot*>(e.where);
                if (!slot || slot->epoch != e.epoch)
                    continue;
                if (slot->failed == e.session)
                    t.cause = slot->failure;
                if (e.what != core_event::kind::overdue || !slot->session)
                    continue;
                // The lease may have ended meanwhile, and its place have been lent again.
                const grant_record& lent = slot->session->grant(e.place);
                if (lent.uses == e.lease)
                    t.place = lent.place;
            }
        }
        for (std::size_t i = 0; observer && i != taken; ++i) {
            const core_event& c = batch[i].event;
            pool_event e = event_of(c.sequence);
            e.session = c.session;
            e.took = c.took;
            e.reason = c.why;
            e.place = batch[i].place;
            e.count = c.count;
            e.good = c.good;
            if (batch[i].cause)
                e.text = batch[i].cause->message;
            (observer->*function_for(c))(e);
        }
        if (taken != batch_size)
            return;
    }
}

// Once for each outcome, though its delivery may have to be tried again.
void pool_state::tell_outcome(acquire_op& op) noexcept
{
    constexpr std::uint64_t told_already = ~std::uint64_t{0};
    if (op.sequence == 0 || op.sequence == told_already)
        return;
    pool_event e = event_of(std::exchange(op.sequence, told_already));
    e.place = op.options.place;
    e.took = op.ticket == 0
        ? duration::zero()
        : std::max(std::chrono::steady_clock::now() - op.enqueued_at, duration::zero());
    pool_observer* observer = nullptr;
    {
        const locked lock(mutex_);
        observer = observer_;
    }
    if (!observer)
        return;
    if (op.granted) {
        e.session = op.granted->id();
        e.took = op.granted.waited();
        e.good = op.granted.reused();
        observer->leased(e);
    } else if (op.failure == errc::acquire_timeout) {
        observer->timed_out(e);
    } else {
        e.code = op.failure;
        observer->refused(e);
    }
}

void pool_state::on_warning(session_state& state, std::string text)
{
    warn(std::move(text), state.id);
}

void pool_state::warn(std::string text, std::uint64_t session)
{
    on_strand([session, text = std::move(text)](pool_state& pool) {
        pool_event e = pool.event_of(0);
        e.session = session;
        e.text = text;
        pool.tell_in_turn(e, &pool_observer::warned);
    });
}

void pool_state::on_stderr_line(session_state& state, std::string line)
{
    on_strand([id = state.id, line = std::move(line)](pool_state& pool) {
        pool_event e = pool.event_of(0);
        e.session = id;
        e.text = line;
        pool.tell_in_turn(e, &pool_observer::stderr_line);
    });
}

void pool_state::tell_in_turn(
    pool_event& e, void (pool_observer::*function)(const pool_event&) noexcept) noexcept
{
    for (;;) {
        tell_lifecycle();
        locked lock(mutex_);
        if (!core_.events().empty())
            continue;
        pool_observer* const told = observer_;
        e.sequence = told ? core_.events().next_sequence() : 0;
        lock.unlock();
        if (told)
            (told->*function)(e);
        return;
    }
}

} // namespace detail
} // namespace mcp_pool
