// A scenario against the core alone, in virtual time. This is the driver and the servers: it does at
// once what the core wants done, and checks the invariants after every event.
#include "pool/core.hpp"
#include "target.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

namespace mcp_pool::scenario {

namespace {

using detail::waiter;
using pooling::core_event;
using pooling::end_reason;
using pooling::lease_place;
using pooling::slot;
using pooling::slot_action;
using pooling::slot_state;

struct user : waiter
{
    std::string name;
    fate what;
    // The lease has left a call behind.
    bool dirty = false;
};

class core_target final : public target
{
public:
    explicit core_target(const scenario& s)
        : options_(resolve(s.options))
        , modern_(s.modern)
        , core_(options_, 42)
    {
        slots_.resize(most_slots);
        for (slot& each : slots_) {
            if (options_.max_leases_per_session != 1) {
                places_.push_back(std::make_unique<lease_place[]>(options_.max_leases_per_session));
                each.places = places_.back().get();
                each.place_count = static_cast<std::uint16_t>(options_.max_leases_per_session);
            }
            core_.add_slot(each);
        }
        core_.set_era_known(true, now_);
        std::vector<core_event> room(most_events);
        core_.events().bring(room);
        core_.events().resume();
    }
    ~core_target() override { core_.abandon(); }

    void start() override { core_.start(now_); }

    void acquire(
        const std::string& as, const std::string& key, std::optional<duration> timeout) override
    {
        user& u = add(as);
        const duration standard = options_.max_wait == duration::zero() ? duration::max()
                                                                        : options_.max_wait;
        u.key = record_of(key);
        u.deadline = detail::saturating_add(now_, timeout.value_or(standard));
        core_.acquire(u, now_);
        if (u.where == waiter::stage::queued)
            note(core_.events().next_sequence(), "waited");
        deliver();
    }
    void try_acquire(const std::string& as, const std::string& key) override
    {
        user& u = add(as);
        u.what.is = "nothing";
        if ((u.place = core_.try_acquire(record_of(key), now_)))
            lend(u, core_.events().next_sequence());
        deliver();
    }
    void release(const std::string& lease, const std::string& how) override
    {
        user& u = *users_.at(lease);
        slot& s = *u.place->of;
        pooling::return_verdict verdict;
        verdict.dirty = u.dirty;
        verdict.suspect = how == "suspect";
        verdict.discard = how == "discard";
        verdict.served = served_.contains(s.number);
        note(core_.events().next_sequence(), "returned", s.number);
        u.what.is = "returned";
        core_.release(*u.place, verdict, now_);
        deliver();
    }
    void cancel(const std::string& acquire) override
    {
        core_.cancel(*users_.at(acquire), now_);
        deliver();
    }
    void detach(const std::string& lease) override
    {
        core_.detach(*users_.at(lease)->place->of, now_);
    }
    void ping(const std::string& lease) override
    {
        served_.insert(users_.at(lease)->place->of->number);
    }
    void leave_a_call(const std::string& lease) override { users_.at(lease)->dirty = true; }
    void resize(const pool_overrides& limits) override
    {
        pool_options next = core_.options();
        next.min_size = limits.min_size.value_or(next.min_size);
        next.max_size = limits.max_size.value_or(next.max_size);
        next.max_starting = limits.max_starting.value_or(next.max_starting);
        next.max_waiters = limits.max_waiters.value_or(next.max_waiters);
        core_.change(next, now_);
        deliver();
    }
    void evict_all() override
    {
        core_.evict_all(now_);
        deliver();
    }
    void close(duration deadline) override
    {
        core_.close(now_ + deadline, now_);
        deliver();
    }

    void mute(bool on) override { mute_ = on; }
    void hold_starts(bool on) override { hold_ = on; }
    void let_starts() override
    {
        for (const auto& held : std::exchange(held_, {}))
            later([this, held] { core_.ready(*held.first, held.second, modern_, now_); });
    }
    void fail_starts(std::size_t count, bool permanent, bool exhausted) override
    {
        failing_ = count;
        failure_.permanent = permanent;
        failure_.exhausted = exhausted;
    }
    void hang_starts(std::size_t count) override { hanging_ = count; }
    void die(std::uint64_t session) override
    {
        for (slot& s : slots_) {
            if (s.number != session || s.state == slot_state::empty)
                continue;
            const std::uint64_t epoch = s.epoch;
            core_.broken(s, epoch, end_reason::died, served_.contains(session), now_);
            later([this, &s, epoch] { core_.ended(s, epoch, false, 0, now_); });
            return deliver();
        }
    }

    void settle() override
    {
        std::size_t turns = 0;
        do {
            if (++turns == most_turns)
                throw std::logic_error("the pool does not come to rest");
            turn();
            if (!answers_.empty()) {
                const std::function<void()> next = std::move(answers_.front());
                answers_.pop_front();
                next();
                deliver();
            }
        } while (!answers_.empty() || core_.has_ready() || core_.has_work()
            || core_.next_wake() <= now_);
    }
    void advance(duration by) override
    {
        const time_point until = now_ + by;
        while (core_.next_wake() <= until) {
            now_ = std::max(now_, core_.next_wake());
            settle();
        }
        now_ = until;
    }
    bool await(const std::function<bool()>& done) override
    {
        const time_point limit = now_ + std::chrono::hours(1);
        while (!done()) {
            if (core_.next_wake() > limit)
                return false;
            now_ = std::max(now_, core_.next_wake());
            settle();
        }
        return true;
    }

    [[nodiscard]] fate fate_of(const std::string& acquire) const override
    {
        return users_.at(acquire)->what;
    }
    [[nodiscard]] std::vector<std::string> events() const override
    {
        std::vector<std::string> lines;
        for (const auto& [sequence, line] : lines_)
            lines.push_back(line);
        return lines;
    }
    [[nodiscard]] std::optional<std::uint64_t> stat(std::string_view name) const override
    {
        const pooling::core_counters& c = core_.counters();
        const std::map<std::string_view, std::uint64_t> all{{"pool_size", core_.alive()},
            {"available", core_.available()}, {"in_use", core_.leases()},
            {"starting", core_.count(slot_state::starting)},
            {"probing", core_.count(slot_state::probing)},
            {"resetting", core_.count(slot_state::resetting)},
            {"stopping", core_.count(slot_state::stopping)}, {"waiting", core_.waiting()},
            {"max_size", core_.max_size()}, {"created", c.created},
            {"start_failures", c.start_failures}, {"total_requests", c.granted},
            {"reused", c.reused}, {"hits", c.hits}, {"timed_out", c.timed_out},
            {"cancelled", c.cancelled}, {"rejected", c.rejected}, {"failed", c.failed},
            {"probes", c.probes}, {"resets", c.resets}, {"overdue", c.overdue}};
        const auto found = all.find(name);
        return found == all.end() ? std::nullopt : std::optional(found->second);
    }

private:
    static constexpr std::size_t most_slots = 64, most_events = 10'000, most_turns = 100'000;

    user& add(const std::string& name)
    {
        users_[name] = std::make_unique<user>();
        users_[name]->name = name;
        return *users_[name];
    }
    pooling::key_record* record_of(const std::string& name)
    {
        if (name.empty())
            return nullptr;
        if (pooling::key_record* const known = core_.find_key(name))
            return known;
        keys_.push_back(std::make_unique<pooling::key_record>(name));
        core_.adopt_key(*keys_.back());
        return keys_.back().get();
    }

    void note(std::uint64_t sequence, std::string_view what, std::uint64_t session = 0,
        session_end reason = session_end::none, const error_code& code = {}, bool good = false,
        std::size_t count = 0)
    {
        lines_.emplace(sequence, event_line(what, session, reason, code, good, count));
    }
    void lend(user& u, std::uint64_t sequence)
    {
        u.what.is = "leased";
        u.what.session = u.place->of->number;
        note(sequence, "leased", u.what.session);
    }

    // What the driver does at the end of every hold of its mutex.
    void deliver()
    {
        while (waiter* const w = core_.next_ready()) {
            user& u = static_cast<user&>(*w);
            const std::uint64_t sequence = core_.events().next_sequence();
            if (!u.failure) {
                lend(u, sequence);
            } else {
                u.what.is = name_of(u.failure);
                note(sequence, u.failure == errc::acquire_timeout ? "timed_out" : "refused", 0,
                    session_end::none, u.failure);
            }
        }
        while (pooling::key_record* const unused = core_.next_unused_key())
            std::erase_if(keys_, [unused](const auto& key) { return key.get() == unused; });
        for (core_event e; core_.events().take(e);)
            note_event(e);
        const std::string wrong = core_.check(now_);
        if (!wrong.empty())
            throw std::logic_error("an invariant does not hold: " + wrong);
    }

    void note_event(const core_event& e)
    {
        static constexpr std::array names{"starting", "started", "start_failed", "probed",
            "retired", "ended", "overdue", "stalled", "suspected", "circuit_opened",
            "circuit_closed", "scaled"};
        constexpr std::array wrong{end_reason::died, end_reason::probe, end_reason::reset,
            end_reason::discarded, end_reason::protocol, end_reason::evicted};
        std::string_view what = names.at(static_cast<std::size_t>(e.what));
        if (e.what == core_event::kind::retired
            && std::find(wrong.begin(), wrong.end(), e.why) != wrong.end())
            what = "replaced";
        note(e.sequence, what, e.session, e.why, {}, e.good, e.count);
    }

    // The strand's turn of the driver.
    void turn()
    {
        if (core_.next_wake() <= now_)
            core_.tick(now_);
        core_.take_permit_returns();
        for (std::size_t n = core_.take_permit_requests(); n != 0; --n)
            core_.permit_granted(now_);
        core_.take_permit_returns();
        deliver();
        for (slot_action action{}; slot* const s = core_.next_todo(action);)
            perform(*s, action);
    }

    void later(std::function<void()> answer) { answers_.push_back(std::move(answer)); }

    void perform(slot& s, slot_action action)
    {
        const std::uint64_t epoch = s.epoch;
        switch (action) {
        case slot_action::start:
            return start_session(s);
        case slot_action::expire_start:
            return later([this, &s, epoch] { core_.start_failed(s, epoch, {}, now_); });
        case slot_action::probe:
            if (!mute_)
                later([this, &s, epoch] { core_.probe_done(s, epoch, now_); });
            return;
        case slot_action::reset:
            if (!mute_)
                later([this, &s, epoch, place = s.reset_place] {
                    core_.reset_done(s, epoch, place, true, now_);
                });
            return;
        case slot_action::stop:
            return later([this, &s, epoch, killed = s.step == pooling::stop_rung::kill] {
                core_.ended(s, epoch, killed, 0, now_);
            });
        case slot_action::measure:
        case slot_action::forget:
        case slot_action::none:
            return;
        }
    }

    void start_session(slot& s)
    {
        const std::uint64_t epoch = s.epoch;
        if (failing_ != 0) {
            --failing_;
            return later([this, &s, epoch] {
                core_.start_failed(s, epoch, failure_, now_);
                core_.ended(s, epoch, false, 0, now_);
            });
        }
        if (hanging_ != 0) {
            --hanging_;
            return;
        }
        if (hold_)
            held_.emplace_back(&s, epoch);
        else
            later([this, &s, epoch] { core_.ready(s, epoch, modern_, now_); });
    }

    const pool_options options_;
    const bool modern_;
    time_point now_{std::chrono::hours(1)};
    // Before the core, which links them.
    std::deque<slot> slots_;
    std::deque<std::unique_ptr<lease_place[]>> places_;
    std::map<std::string, std::unique_ptr<user>> users_;
    std::vector<std::unique_ptr<pooling::key_record>> keys_;
    pooling::pool_core core_;

    // What the servers are about to say.
    std::deque<std::function<void()>> answers_;
    std::vector<std::pair<slot*, std::uint64_t>> held_;
    bool mute_ = false, hold_ = false;
    std::size_t failing_ = 0, hanging_ = 0;
    pooling::start_verdict failure_;
    // Sessions that have answered a call.
    std::set<std::uint64_t> served_;
    std::map<std::uint64_t, std::string> lines_;
};

} // namespace

std::unique_ptr<target> make_core(const scenario& s)
{
    return std::make_unique<core_target>(s);
}

} // namespace mcp_pool::scenario
