// The pool's strand: carries out what the core wants done with sessions, and keeps the one timer.
#include "pool/pool_state.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>

#include <utility>

namespace mcp_pool::detail {

using pooling::end_reason;
using pooling::slot_action;
using std::chrono::steady_clock;

namespace {

// After a stall: for the reactor to hand over what has come.
constexpr duration catch_up_time = std::chrono::milliseconds(1);
// Before an outcome that there was no memory to deliver is tried again.
constexpr duration memory_pause = std::chrono::milliseconds(10);

const char* text(end_reason reason) noexcept
{
    switch (reason) {
    case end_reason::died:
        return "the server process ended";
    case end_reason::probe:
        return "the server did not answer a probe";
    case end_reason::reset:
        return "the session could not be reset after a lease";
    case end_reason::discarded:
        return "the lease asked for a new session";
    case end_reason::protocol:
        return "the server broke the protocol";
    case end_reason::surplus:
        return "max_size was lowered";
    case end_reason::idle:
        return "the session was idle for longer than idle_timeout";
    case end_reason::lifetime:
        return "the session reached its max_lifetime";
    case end_reason::uses:
        return "the session reached its max_uses";
    case end_reason::memory:
        return "the session reached its max_rss";
    case end_reason::rekeyed:
        return "the session had to end for another isolation key";
    case end_reason::detached:
        return "the lease that had taken the session along has ended";
    case end_reason::evicted:
        return "the session was evicted";
    case end_reason::start_failed:
        return "the session could not be started";
    case end_reason::closed:
        return "the pool was closed";
    case end_reason::none:
        break;
    }
    return "the session ended";
}

transport::stop_step step_of(pooling::stop_rung rung) noexcept
{
    switch (rung) {
    case pooling::stop_rung::close_input:
        return transport::stop_step::close_input;
    case pooling::stop_rung::terminate:
        return transport::stop_step::terminate;
    case pooling::stop_rung::kill:
        break;
    }
    return transport::stop_step::kill;
}

} // namespace

pool_io::pool_io(asio::any_io_executor ex, std::weak_ptr<pool_state> pool)
    : executor(ex)
    , strand_(asio::make_strand(ex))
    , timer_(strand_)
    , pool_(std::move(pool))
{}

void pool_io::poke()
{
    asio::post(strand_, [self = shared_from_this()] { self->run(false); });
}

void pool_io::run(bool timer_fired)
{
    if (const auto pool = pool_.lock())
        pool->run(*this, timer_fired);
}

void pool_io::arm(time_point when)
{
    const std::uint64_t wait = ++wait_;
    if (when == time_point::max()) {
        timer_.cancel();
        return;
    }
    timer_.expires_at(when);
    timer_.async_wait([self = weak_from_this(), wait](const error_code&) {
        const auto io = self.lock();
        if (io && io->wait_ == wait)
            io->run(true);
    });
}

void pool_state::run(pool_io& io, bool timer_fired)
{
    constexpr std::size_t batch_size = 16;

    for (bool more = true; more;) {
        std::array<job, batch_size> jobs;
        std::size_t taken = 0;

        const bool era_known = server_->known_era(steady_clock::now()).has_value();
        locked lock(mutex_);
        if (!has_io_)
            return;
        poked_ = true; // This is the run that a poke would ask for.
        const time_point now = steady_clock::now();
        if (!catching_up_ && now - armed_ > pooling::pool_core::stall
            && armed_ != time_point::max()) {
            // This process stood still. What came meanwhile is read before anything expires.
            catching_up_ = true;
            core_.stalled(now - armed_, now);
            armed_ = now + catch_up_time;
            lock.unlock();
            io.arm(now + catch_up_time);
            timer_fired = false;
            lock.lock();
        }
        if (std::exchange(timer_fired, false)) {
            armed_ = time_point::max();
            catching_up_ = false;
        }
        bool due = !catching_up_ && core_.next_wake() <= now && core_.tick(now);
        // A verdict about the era expires, or turns out wrong.
        core_.set_era_known(era_known, now);
        if (!ask_for_permits(lock, now))
            return;
        while (taken != batch_size && take_job(lock, jobs[taken]))
            ++taken;
        more = due || core_.has_work();
        settle(std::move(lock));

        for (std::size_t i = 0; i != taken; ++i)
            perform(io, jobs[i]);
        tell_lifecycle();

        if (!more) {
            lock = locked(mutex_);
            if (!has_io_)
                return;
            const bool due_now = !catching_up_ && core_.next_wake() <= steady_clock::now();
            if (core_.has_work() || !core_.events().empty() || due_now) {
                more = true;
                continue;
            }
            poked_ = false;
            time_point wake = catching_up_ ? armed_ : core_.next_wake();
            if (core_.has_ready())
                wake = std::min(wake, steady_clock::now() + memory_pause);
            const bool rearm = wake != armed_;
            armed_ = wake;
            lock.unlock();
            if (rearm)
                io.arm(wake);
        }
    }
}

bool pool_state::ask_for_permits(locked& lock, time_point now)
{
    const std::size_t returned = core_.take_permit_returns();
    const std::size_t wanted = core_.take_permit_requests();
    if (returned == 0 && wanted == 0)
        return true;
    lock.unlock();
    permits_.give_back(returned);
    std::size_t granted = 0;
    while (granted != wanted && permits_.take(now))
        ++granted;
    lock.lock();
    if (!has_io_) {
        lock.unlock();
        permits_.give_back(granted);
        return false;
    }
    for (std::size_t i = 0; i != wanted; ++i) {
        if (i < granted)
            core_.permit_granted(now);
        else
            core_.permit_denied(now);
    }
    return true;
}

bool pool_state::take_job(const locked&, job& next)
{
    pooling::slot* const slot = core_.next_todo(next.action);
    if (!slot)
        return false;
    next.slot = static_cast<pooled_slot*>(slot);
    next.epoch = slot->epoch;
    next.number = slot->number;
    next.step = step_of(slot->step);
    next.reason = slot->reason;
    next.place = slot->reset_place;
    // A start and a forget leave the slot without its former session.
    if (next.action == slot_action::start || next.action == slot_action::forget)
        next.session = std::move(next.slot->session);
    else
        next.session = next.slot->session;
    return true;
}

void pool_state::perform(pool_io& io, job& next) noexcept
{
    if (next.action == slot_action::start) {
        try {
            start_session(io, next);
        } catch (const std::exception& failure) {
            could_not_start(next, failure.what());
        }
        return;
    }
    if (!next.session)
        return;
    if (next.action == slot_action::forget) {
        // Destroys the transport, if it still exists: the process thread takes over what is left.
        next.session->drop_io();
        return;
    }
    try {
        next.session->with_io([&next](connection& link) {
            switch (next.action) {
            case slot_action::expire_start:
                link.expire_start();
                break;
            case slot_action::probe:
                link.probe();
                break;
            case slot_action::reset:
                link.reset(next.place);
                break;
            case slot_action::stop:
                link.stop(next.step, text(next.reason));
                break;
            case slot_action::measure:
                link.measure();
                break;
            case slot_action::start:
            case slot_action::forget:
            case slot_action::none:
                break;
            }
        });
    } catch (const std::bad_alloc&) {
        // The deadline of the slot's state comes back to it.
    }
}

void pool_state::start_session(pool_io& io, job& next)
{
    if (next.session)
        next.session->drop_io();
    auto session = std::make_shared<pooled_session>(*this, *next.slot, next.number, next.epoch);
    std::weak_ptr<connection_events> events = weak_from_this();
    session->set_io(connection::make(io.executor, server_, session, std::move(events)));
    locked lock(mutex_);
    const bool wanted = has_io_ && next.slot->epoch == next.epoch
        && next.slot->state == pooling::slot_state::starting;
    if (wanted) {
        next.slot->session = session;
        lock.unlock();
        session->with_io([](connection& link) { link.start(); });
        return;
    }
    // Nothing has begun, and nobody else would report its end.
    if (has_io_)
        core_.ended(*next.slot, next.epoch, false, 0, steady_clock::now());
    settle(std::move(lock));
    session->drop_io();
}

} // namespace mcp_pool::detail
