// How many sessions are started, when, and what happens while starts fail.
#include "pool/core.hpp"

#include <algorithm>
#include <utility>

namespace mcp_pool::pooling {

namespace {

// Before an arbiter that said no is asked again.
constexpr duration denial_pause = std::chrono::milliseconds(50);
// Between a failed start and the next, whatever the options and the dice say.
constexpr duration least_backoff = std::chrono::milliseconds(1);

} // namespace

std::size_t pool_core::floor() const noexcept
{
    return std::min(
        std::max({started_ ? options_.min_size : 0, ready_floor_, warm_}), options_.max_size);
}

std::size_t pool_core::unprovided() const noexcept
{
    const std::size_t of_no_key = unbound_promising_ * places_per_session();
    const std::size_t rest = eligible_ - provided_;
    return rest - std::min(rest, of_no_key);
}

std::size_t pool_core::starts_for_waiters() const noexcept
{
    const std::size_t each = places_per_session();
    return (unprovided() + each - 1) / each;
}

std::size_t pool_core::starts_wanted() const noexcept
{
    if (closing_ || abandoned_)
        return 0;
    const std::size_t least = floor();
    const std::size_t for_floor = least > alive() ? least - alive() : 0;
    return std::max({starts_for_waiters(), for_floor, owed_});
}

std::size_t pool_core::starts_planned() const noexcept
{
    return count(slot_state::starting) + permits_pending_ + permit_requests_;
}

bool pool_core::only_waiting_helps() const noexcept
{
    return common_.options && room() == 0 && starts_planned() == 0 && idle_.empty() && !failing()
        && owed_ == 0 && !closing_ && !abandoned_;
}

std::size_t pool_core::starts_at_once() const noexcept
{
    // The first start finds out the era (and fills the server's own caches); while starts fail, one
    // try at a time is enough to notice that they work again.
    return !era_known_ || failing() ? 1 : options_.max_starting;
}

std::size_t pool_core::starts_allowed(time_point now) const noexcept
{
    if (failing() && now < retry_at_)
        return 0;
    const std::size_t at_once = starts_at_once();
    return starts_planned() < at_once ? std::min(at_once - starts_planned(), room()) : 0;
}

std::size_t pool_core::room() const noexcept
{
    const std::size_t promised = permits_pending_ + permit_requests_;
    const std::size_t empty = count(slot_state::empty);
    if (taken() >= options_.max_size || promised >= empty)
        return 0;
    return std::min(options_.max_size - taken(), empty - promised);
}

void pool_core::balance(time_point now) noexcept
{
    validate_for_waiters(now);
    const std::size_t wanted = starts_wanted();

    // Starts that demand no longer needs are dropped as long as they have not begun. Permits that
    // have been asked for are given back when they come.
    while (permit_requests_ != 0 && starts_planned() > wanted)
        --permit_requests_;
    std::size_t starting = count(slot_state::starting);
    for (auto it = todo_.end(); starting > wanted && it != todo_.begin();) {
        slot& s = *--it;
        if (s.todo != slot_action::start)
            continue;
        // vacate() leaves the slot in the list, with other work.
        vacate(s);
        --starting;
    }

    if (wanted > starts_planned()) {
        make_room(now);
        if (now >= ask_again_at_)
            permit_requests_ += std::min(wanted - starts_planned(), starts_allowed(now));
    }
    // Nothing is coming that could replace them, and there is no room for it.
    if (due_ != 0 && starts_planned() == 0 && full())
        dismiss_due(due_, now);
}

void pool_core::make_room(time_point now) noexcept
{
    if (idle_.empty() || eligible_ == 0 || closing_ || (failing() && now < retry_at_))
        return;
    // What is idle while somebody waits belongs to another key.
    const std::size_t coming = starts_planned() + count(slot_state::stopping) + room();
    const std::size_t most = std::min(starts_for_waiters(), starts_at_once());
    for (std::size_t n = coming; n < most && !idle_.empty(); ++n)
        retire(idle_.back(), end_reason::rekeyed, now);
}

// Sessions that have been silent for longer than validate_after are asked first, as many as there are
// waiters for them.
void pool_core::validate_for_waiters(time_point now) noexcept
{
    if (options_.validate_after == duration::zero() || closing_)
        return;
    for (waiter* first = head(); first && unprovided() != 0;) {
        if (first->key->provided == first->key->eligible)
            return;
        const auto fitting = std::find_if(
            idle_.begin(), idle_.end(), [first](const slot& s) { return fits(s, *first->key); });
        if (fitting == idle_.end())
            return;
        begin_probe(*fitting, now);
    }
}

void pool_core::follow_load(time_point now) noexcept
{
    if (options_.scaling != scaling_policy::adaptive || closing_)
        return;
    if (load_.next_step() <= now)
        load_.advance(leases_, now);
    const std::size_t target = std::min(load_.target(), options_.max_size);
    if (target == std::exchange(warm_, target) || !events_.on())
        return;
    core_event e;
    e.what = core_event::kind::scaled;
    e.count = floor();
    events_.add(e);
}

void pool_core::permit_granted(time_point now) noexcept
{
    if (permits_pending_ != 0)
        --permits_pending_;
    if (starts_wanted() > count(slot_state::starting) && starts_allowed(now) != 0)
        begin_start(empty_.front(), now);
    else
        ++permit_returns_;
    settle(now);
}

void pool_core::permit_denied(time_point now) noexcept
{
    if (permits_pending_ != 0)
        --permits_pending_;
    ask_again_at_ = now + denial_pause;
    settle(now);
}

void pool_core::start(time_point now) noexcept
{
    started_ = true;
    settle(now);
}

void pool_core::set_era_known(bool known, time_point now) noexcept
{
    if (era_known_ == known)
        return;
    era_known_ = known;
    settle(now);
}

void pool_core::change(const pool_options& options, time_point now) noexcept
{
    pool_options next = options;
    next.reset = options_.reset;
    next.sharing = options_.sharing;
    next.max_leases_per_session = options_.max_leases_per_session;
    next.queue = options_.queue;
    const bool sooner = next.max_lifetime < options_.max_lifetime;
    options_ = next;
    recognise_common_case();
    if (next.scaling == scaling_policy::fixed) {
        warm_ = 0;
        load_ = load_estimator();
    }
    owed_ = std::min(owed_, next.max_size);
    if (sooner)
        next_retirement_ = std::min(next_retirement_, now + retirement_gap());

    // What is not of use yet goes first. Leases end by themselves.
    for (auto it = busy_.begin(); it != busy_.end();) {
        slot& s = *it++;
        if (s.state == slot_state::starting
            && alive() + count(slot_state::starting) > next.max_size)
            retire(s, end_reason::surplus, now);
    }
    while (alive() > next.max_size && !idle_.empty())
        retire(idle_.back(), end_reason::surplus, now);
    for (auto it = ready_waiters_.begin(); it != ready_waiters_.end();) {
        waiter& w = *it++;
        if (w.count > next.max_size)
            claim(w, errc::invalid_config);
    }
    for (auto it = keys_.begin(); it != keys_.end();) {
        key_record& key = *it++;
        hold(key);
        update_turn(key);
        serve_from_idle(key, now);
        drop(key);
    }
    update_turn(no_key_);
    serve_from_idle(no_key_, now);
    // Every time that was computed from an option is looked at anew.
    for (slot_list* const list : {&idle_, &busy_}) {
        for (slot& s : *list) {
            if (!s.ended || !closing_)
                wake_at(s, now);
        }
    }
    settle(now);
}

void pool_core::evict_all(time_point now) noexcept
{
    ++evictions_;
    while (!idle_.empty())
        retire(idle_.front(), end_reason::evicted, now);
    for (auto it = busy_.begin(); it != busy_.end();) {
        slot& s = *it++;
        if (s.state == slot_state::leased)
            update_open(s);
        else if (!on_ladder(s) && s.todo != slot_action::start)
            retire(s, end_reason::evicted, now);
    }
    settle(now);
}

void pool_core::note_failure(start_verdict why, time_point now) noexcept
{
    ++counters_.start_failures;
    misconfigured_ = why.misconfigured;
    if (why.exhausted) {
        ++shortages_;
    } else {
        ++failures_;
        shortages_ = 0;
    }
    retry_at_ = detail::saturating_add(now, backoff(why.exhausted ? shortages_ : failures_));
    tripped_ = why.permanent || why.exhausted
        || (options_.breaker_threshold != 0 && failures_ >= options_.breaker_threshold);
    // What was to be replaced stays in service until a start succeeds, which goes on being tried; what
    // is gone is started when somebody wants it.
    if (tripped_)
        owed_ = std::min(owed_, due_);
}

// Only the first sign of a session says something about starts, and only about those before its
// own: a pool whose old sessions serve well while new ones fail must not try without pause.
bool pool_core::note_success(slot& s) noexcept
{
    if (std::exchange(s.proven, true) || s.failures_before != counters_.start_failures)
        return false;
    return std::exchange(failures_, 0) != 0;
}

// Full jitter: anything from 0 to the exponential bound, so that pools that failed together do not
// try again together.
duration pool_core::backoff(std::size_t failures) noexcept
{
    duration bound = std::min(options_.backoff_initial, options_.backoff_max);
    for (std::size_t i = 1; i < failures && bound < options_.backoff_max; ++i)
        bound = bound > options_.backoff_max / 2 ? options_.backoff_max : bound * 2;
    const auto share = static_cast<duration::rep>(random() % 1025);
    return std::max(least_backoff, duration(bound.count() / 1024 * share));
}

// xorshift64*: jitter needs no better.
std::uint64_t pool_core::random() noexcept
{
    random_state_ ^= random_state_ >> 12;
    random_state_ ^= random_state_ << 25;
    random_state_ ^= random_state_ >> 27;
    return (random_state_ * 0x2545F4914F6CDD1DULL) >> 32;
}

error_code pool_core::refusal(time_point now) const noexcept
{
    if (!tripped_ || alive() != 0 || starts_planned() != 0 || now >= retry_at_)
        return {};
    if (misconfigured_)
        return errc::invalid_config;
    return shortages_ != 0 ? errc::resource_exhausted : errc::circuit_open;
}

} // namespace mcp_pool::pooling
