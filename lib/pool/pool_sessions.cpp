// What connections tell the pool, what failures look like to users, and the numbers.
#include "pool/pool_state.hpp"
#include "session/failure.hpp"

#include <utility>

namespace mcp_pool::detail {

using pooling::end_reason;
using pooling::slot_state;
using std::chrono::steady_clock;

namespace {

// How long no pool of this process starts anything after the host has run out of something.
constexpr duration exhaustion_pause = std::chrono::milliseconds(100);

} // namespace

bool pool_state::may_share(const session_state& session) const noexcept
{
    const pool_options& o = server_->options;
    return o.sharing == sharing_policy::exclusive || o.force || session.info->era == era::modern;
}

void pool_state::remember(const locked&, const pooled_session& session,
    std::shared_ptr<const mcp_pool::diagnostics>& details) noexcept
{
    if (session.where.epoch != session.epoch)
        return;
    session.where.failure.swap(details);
    session.where.failed = session.id;
}

void pool_state::on_ready(session_state& state)
{
    auto& session = static_cast<pooled_session&>(state);
    const time_point now = steady_clock::now();
    if (!may_share(session)) {
        failed_start why;
        why.code = errc::invalid_config;
        why.permanent = true;
        why.details.server = server_->config.name;
        why.details.message = "sharing=multiplexed, and the server speaks revision "
            + session.info->protocol_version
            + ": such servers keep state in the session, and leases that share one lose each "
              "other's updates; use sharing=exclusive, or force=true where the server keeps none";
        return on_failed(state, std::move(why));
    }
    const bool era_known = server_->known_era(now).has_value();
    locked lock(mutex_);
    pooled_slot& slot = session.where;
    if (slot.epoch == session.epoch && slot.state == slot_state::starting)
        start_times_.record(now - slot.started_at);
    core_.set_era_known(era_known, now);
    core_.ready(slot, session.epoch, session.info->era == era::modern, now);
    settle(std::move(lock));
}

void pool_state::on_failed(session_state& state, failed_start why)
{
    auto& session = static_cast<pooled_session&>(state);
    pooling::start_verdict verdict;
    verdict.permanent = why.permanent;
    verdict.misconfigured = why.code == errc::invalid_config;
    verdict.exhausted = why.code == errc::resource_exhausted;
    const time_point now = steady_clock::now();
    if (verdict.exhausted)
        pooling::start_permits::pause_all(now + exhaustion_pause);
    std::shared_ptr<const mcp_pool::diagnostics> details =
        std::make_shared<const mcp_pool::diagnostics>(std::move(why.details));
    std::shared_ptr<const mcp_pool::diagnostics> same = details;
    locked lock(mutex_);
    remember(lock, session, same);
    last_failure_.swap(details);
    core_.start_failed(session.where, session.epoch, verdict, now);
    settle(std::move(lock));
}

void pool_state::could_not_start(const job& failed, const char* why) noexcept
{
    std::shared_ptr<const mcp_pool::diagnostics> details;
    try {
        auto told = std::make_shared<mcp_pool::diagnostics>();
        told->server = server_->config.name;
        told->message = std::string("a session could not be started: ") + why;
        details = std::move(told);
    } catch (const std::bad_alloc&) {
        // The error code must do.
    }
    pooling::start_verdict verdict;
    verdict.exhausted = true;
    const time_point now = steady_clock::now();
    locked lock(mutex_);
    last_failure_.swap(details);
    core_.start_failed(*failed.slot, failed.epoch, verdict, now);
    // There is no connection that could report its end.
    core_.ended(*failed.slot, failed.epoch, false, 0, now);
    settle(std::move(lock));
}

void pool_state::on_broken(
    session_state& state, broken_cause cause, std::shared_ptr<const mcp_pool::diagnostics> details)
{
    auto& session = static_cast<pooled_session&>(state);
    const bool served = session.answered.load(std::memory_order_relaxed);
    std::shared_ptr<const mcp_pool::diagnostics> same = details;
    locked lock(mutex_);
    session.end_noticed = true;
    remember(lock, session, same);
    // What ends a session that has served says nothing about starts.
    if (!served)
        last_failure_.swap(details);
    core_.broken(session.where, session.epoch,
        cause == broken_cause::died ? end_reason::died : end_reason::protocol, served,
        steady_clock::now());
    settle(std::move(lock));
}

void pool_state::on_reset_done(session_state& state, std::size_t grant)
{
    auto& session = static_cast<pooled_session&>(state);
    locked lock(mutex_);
    core_.reset_done(session.where, session.epoch, grant, true, steady_clock::now());
    settle(std::move(lock));
}

void pool_state::on_reset_failed(
    session_state& state, std::size_t grant, std::shared_ptr<const mcp_pool::diagnostics> details)
{
    auto& session = static_cast<pooled_session&>(state);
    locked lock(mutex_);
    remember(lock, session, details);
    core_.reset_done(session.where, session.epoch, grant, false, steady_clock::now());
    settle(std::move(lock));
}

void pool_state::on_measured(session_state& state, std::size_t bytes)
{
    auto& session = static_cast<pooled_session&>(state);
    locked lock(mutex_);
    core_.measured(session.where, session.epoch, bytes, steady_clock::now());
    settle(std::move(lock));
}

void pool_state::on_probe_done(session_state& state)
{
    auto& session = static_cast<pooled_session&>(state);
    locked lock(mutex_);
    core_.probe_done(session.where, session.epoch, steady_clock::now());
    settle(std::move(lock));
}

void pool_state::on_ended(session_state& state, const transport::end_report& report)
{
    auto& session = static_cast<pooled_session&>(state);
    locked lock(mutex_);
    session.end_noticed = true;
    core_.ended(
        session.where, session.epoch, report.killed, report.survivors.size(), steady_clock::now());
    // The connection stays until the slot is forgotten: it tells a lease why its calls fail.
    settle(std::move(lock));
}

pool_state::census pool_state::count(const locked&) const noexcept
{
    census c;
    for (std::size_t i = 0; i != c.slots.size(); ++i)
        c.slots[i] = core_.count(static_cast<slot_state>(i));
    c.size = core_.size();
    c.max_size = core_.max_size();
    c.waiting = core_.waiting();
    c.failures = core_.consecutive_failures();
    c.max_waiters = core_.options().max_waiters;
    c.max_waiters_per_key = core_.options().max_waiters_per_key;
    return c;
}

std::string pool_state::describe(const census& c)
{
    const auto n = [&c](slot_state s) {
        return std::to_string(c.slots[static_cast<std::size_t>(s)]);
    };
    return "size " + std::to_string(c.size) + "/" + std::to_string(c.max_size) + ", idle "
        + n(slot_state::idle) + ", leased " + n(slot_state::leased) + ", starting "
        + n(slot_state::starting) + ", resetting " + n(slot_state::resetting) + ", probing "
        + n(slot_state::probing) + ", stopping " + n(slot_state::stopping) + ", waiting "
        + std::to_string(c.waiting);
}

std::shared_ptr<const mcp_pool::diagnostics> pool_state::explain(const acquire_op& op) const
{
    const error_code& failure = op.failure;
    locked lock(mutex_);
    const std::shared_ptr<const mcp_pool::diagnostics> cause = last_failure_;
    const census now = count(lock);
    lock.unlock();
    const std::string state = describe(now);
    const bool has_failed = now.failures != 0;

    auto told = std::make_shared<mcp_pool::diagnostics>();
    told->server = server_->config.name;
    told->pool_state = state;
    if (cause && has_failed) {
        told->last_start_error = cause->message;
        told->exit_status = cause->exit_status;
        told->stderr_tail = cause->stderr_tail;
    }

    std::string& text = told->message;
    text = server_title(server_->config.name) + ": ";
    const std::string because = told->last_start_error.empty() ? std::string()
                                                               : ": " + told->last_start_error;
    if (failure == errc::acquire_timeout) {
        text += "no session became free in time (" + state + ")";
        text += has_failed
            ? "; the last start failed" + because
            : std::string("; raise max_size, hold leases for less long or wait longer");
    } else if (failure == errc::too_many_waiters) {
        const bool of_all = now.max_waiters_per_key == 0
            || (now.max_waiters != 0 && now.waiting >= now.max_waiters);
        text += of_all ? "already " + std::to_string(now.max_waiters) + " acquires wait ("
                       : "already " + std::to_string(now.max_waiters_per_key)
                + " acquires with this isolation key wait (";
        text += state + "); raise " + (of_all ? "max_waiters" : "max_waiters_per_key")
            + " or hold leases for less long";
    } else if (failure == errc::invalid_config) {
        const bool too_many = op.wants == waiter::purpose::ready && op.count > now.max_size;
        text += too_many ? std::to_string(op.count)
                + " sessions are waited for, and max_size is now " + std::to_string(now.max_size)
                         : told->last_start_error;
    } else if (failure == errc::pool_closed) {
        text += "the pool is closed; make a new one";
    } else if (failure == errc::circuit_open || failure == errc::start_failed) {
        text += std::to_string(now.failures)
            + (now.failures == 1 ? " start has" : " starts in a row have")
            + " failed and no session is alive" + because;
    } else if (failure == errc::resource_exhausted) {
        text += "this host cannot start another session" + because;
    } else {
        text += failure.message();
    }
    return told;
}

pool_stats pool_state::stats() const
{
    pool_stats s;
    s.server_name = server_->config.name;
    locked lock(mutex_);
    const pooling::core_counters c = core_.counters();
    s.pool_size = core_.alive();
    s.available = core_.available();
    s.in_use = core_.leases();
    s.starting = core_.count(slot_state::starting);
    s.probing = core_.count(slot_state::probing);
    s.resetting = core_.count(slot_state::resetting);
    s.stopping = core_.count(slot_state::stopping);
    s.waiting = core_.waiting();
    s.max_size = core_.max_size();
    s.warm = core_.floor();
    s.load = core_.load();
    lock.unlock();

    s.created = c.created;
    s.start_failures = c.start_failures;
    s.total_requests = c.granted;
    s.reused = c.reused;
    s.hits = c.hits;
    s.timed_out = c.timed_out;
    s.cancelled = c.cancelled;
    s.rejected = c.rejected;
    s.failed = c.failed;
    s.probes = c.probes;
    s.resets = c.resets;
    s.overdue = c.overdue;
    const auto ended = [&](end_reason reason) { return c.ended[static_cast<std::size_t>(reason)]; };
    s.replaced.died = ended(end_reason::died);
    s.replaced.probe = ended(end_reason::probe);
    s.replaced.reset = ended(end_reason::reset);
    s.replaced.discarded = ended(end_reason::discarded);
    s.replaced.protocol = ended(end_reason::protocol);
    s.replaced.idle = ended(end_reason::idle);
    s.replaced.lifetime = ended(end_reason::lifetime);
    s.replaced.uses = ended(end_reason::uses);
    s.replaced.memory = ended(end_reason::memory);
    s.replaced.surplus = ended(end_reason::surplus);
    s.replaced.retired = s.replaced.idle + s.replaced.lifetime + s.replaced.uses + s.replaced.memory
        + s.replaced.surplus;
    s.replaced.rekeyed = ended(end_reason::rekeyed);
    s.replaced.detached = ended(end_reason::detached);
    s.replaced.evicted = ended(end_reason::evicted);
    s.wait = wait_times_.snapshot(s.hits);
    s.hold = hold_times_.snapshot();
    s.start = start_times_.snapshot();
    s.call = server_->call_times.snapshot();
    s.cache_hits = server_->results.hits();
    return s;
}

} // namespace mcp_pool::detail
