#include "simulator.hpp"

#include "simulator_draw.hpp"

#include <algorithm>
#include <iomanip>
#include <sstream>

namespace mcp_pool::test {

namespace {

using kind = sim_step::kind;

constexpr int steps_per_run = 200;
// After the end of a pool not much is left to happen.
constexpr int steps_after_close = 25;

bool bit(const sim_step& s, unsigned n)
{
    return (s.flags >> n & 1) != 0;
}

void apply(core_model& model, const sim_run& run, const sim_step& s)
{
    const std::size_t slot = s.slot, place = s.place;
    switch (s.what) {
    case kind::acquire:
        return model.acquire(s.number, s.span);
    case kind::try_acquire:
        return model.try_acquire(s.number);
    case kind::await_ready:
        return model.await_ready(s.number, s.span);
    case kind::await_closed:
        return model.await_closed();
    case kind::cancel:
        if (s.number < model.waiters())
            model.cancel(s.number);
        return;
    case kind::release: {
        return_verdict v;
        v.served = bit(s, 0);
        v.dirty = bit(s, 1);
        v.suspect = bit(s, 2);
        v.discard = bit(s, 3);
        v.dead = bit(s, 4);
        return model.release(slot, place, v, s.span);
    }
    case kind::detach:
        return model.detach(slot);
    case kind::ready:
        return model.ready(slot, bit(s, 0));
    case kind::fail: {
        start_verdict why;
        why.permanent = bit(s, 0);
        why.exhausted = bit(s, 1);
        return model.fail(slot, why);
    }
    case kind::broken:
        return model.broken(slot, bit(s, 0));
    case kind::reset_done:
        return model.reset_done(slot, place, bit(s, 0));
    case kind::probe_done:
        return model.probe_done(slot);
    case kind::measured:
        return model.measured(slot, bit(s, 0));
    case kind::ended:
        return model.ended(slot, bit(s, 0));
    case kind::late:
        // Epochs count from 1; 0 is no session's.
        return model.late(slot,
            model.epoch(slot) - std::min<std::uint64_t>(model.epoch(slot), s.number + 1), s.flags);
    case kind::take_job:
        return model.take_job();
    case kind::permit:
        return model.answer_permit(bit(s, 0));
    case kind::pass:
        return model.pass(s.span);
    case kind::stall:
        return model.stall(s.span);
    case kind::change:
        return model.change(changed(model.core().options(), run.settings.slots, s.number));
    case kind::evict_all:
        return model.evict_all();
    case kind::start:
        return model.start();
    case kind::era:
        return model.set_era_known(bit(s, 0));
    case kind::close:
        return model.close(s.span);
    case kind::abandon:
        return model.abandon();
    case kind::heal:
        return model.heal();
    case kind::finish:
        model.finish(s.span, bit(s, 0));
        return model.account();
    }
}

} // namespace

void sim_totals::add(const core_model& model)
{
    ++runs;
    events += model.events();
    const pooling::core_counters& c = model.core().counters();
    sums.created += c.created;
    sums.start_failures += c.start_failures;
    sums.granted += c.granted;
    sums.reused += c.reused;
    sums.hits += c.hits;
    sums.timed_out += c.timed_out;
    sums.cancelled += c.cancelled;
    sums.rejected += c.rejected;
    sums.failed += c.failed;
    sums.probes += c.probes;
    sums.resets += c.resets;
    sums.overdue += c.overdue;
    for (std::size_t i = 0; i != c.ended.size(); ++i)
        sums.ended[i] += c.ended[i];
    finished += model.core().report().finished;
    forced += model.core().report().forced;
    killed += model.core().report().killed;
    survivors += model.core().report().survivors;
}

void simulate(std::uint64_t seed, sim_run& run, sim_totals& totals)
{
    dice roll(seed);
    const sim_mood mood = draw_mood(roll);
    run.settings = draw_settings(roll, mood, seed);
    run.steps.clear();
    core_model model(run.settings, nullptr, &totals.met);
    const auto play = [&](const sim_step& s) {
        run.steps.push_back(s);
        apply(model, run, s);
    };
    int left = steps_per_run;
    while (left-- > 0) {
        const bool was = model.closing();
        play(draw_step(model, run.settings.keys, mood, roll));
        if (model.closing() && !was)
            left = std::min(left, steps_after_close);
    }
    for (const sim_step& s : draw_end(roll))
        play(s);
    totals.add(model);
}

std::string replay(const sim_run& run, std::ostream* trace)
{
    try {
        core_model model(run.settings, trace);
        for (const sim_step& s : run.steps)
            apply(model, run, s);
        return {};
    } catch (const violation& v) {
        return v.what;
    }
}

// Delta debugging (Zeller and Hildebrandt 2002), down to single steps.
sim_run minimised(sim_run run, const std::string& what)
{
    for (std::size_t chunk = std::max<std::size_t>(run.steps.size() / 2, 1); chunk != 0;) {
        bool shorter = false;
        for (std::size_t at = 0; at < run.steps.size();) {
            sim_run without = run;
            const auto from = without.steps.begin() + static_cast<std::ptrdiff_t>(at);
            without.steps.erase(
                from, from + static_cast<std::ptrdiff_t>(std::min(chunk, run.steps.size() - at)));
            if (replay(without) == what) {
                run = std::move(without);
                shorter = true;
            } else {
                at += chunk;
            }
        }
        if (!shorter || chunk > 1)
            chunk /= 2;
    }
    return run;
}

std::string report(std::uint64_t seed, const sim_run& run, const std::string& what)
{
    const sim_run small = minimised(run, what);
    const model_settings& s = small.settings;
    const pool_options& o = s.options;
    std::ostringstream text;
    text << "MCP_POOL_MODEL_SEED=" << seed << ": " << what << '\n'
         << small.steps.size() << " of " << run.steps.size() << " steps lead to it; " << s.slots
         << " slots, " << s.keys << " keys, " << (s.eager ? "" : "slow driver, ")
         << (s.granting ? "" : "slow permits, ") << (s.punctual ? "" : "late timer, ")
         << "max_size " << o.max_size << ", min_size " << o.min_size << ", places "
         << o.max_leases_per_session << (o.queue == queue_policy::fair ? ", fair" : "")
         << (o.reset == reset_policy::respawn ? ", respawn" : "")
         << (o.scaling == scaling_policy::adaptive ? ", adaptive" : "") << ", validate_after "
         << o.validate_after.count() << ", max_lifetime " << o.max_lifetime.count() << ", max_uses "
         << o.max_uses << ", overdue_after " << o.overdue_after.count() << "\nevents, in ns:\n";
    replay(small, &text);
    return text.str();
}

std::uint64_t print(std::ostream& out, const sim_totals& totals)
{
    std::uint64_t least = static_cast<std::uint64_t>(-1);
    out << totals.runs << " runs, " << totals.events << " events\n" << std::setw(16) << "";
    for (std::size_t state = 0; state != pooling::slot_states; ++state)
        out << std::setw(10) << name(static_cast<slot_state>(state));
    for (std::size_t k = 0; k != event_kinds; ++k) {
        out << '\n' << std::setw(16) << std::left << name(static_cast<event_kind>(k)) << std::right;
        for (const std::uint64_t often : totals.met[k]) {
            out << std::setw(10) << often;
            least = std::min(least, often);
        }
    }
    out << '\n';
    return least;
}

} // namespace mcp_pool::test
