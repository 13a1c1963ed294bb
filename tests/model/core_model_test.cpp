// Random events, for many seeds. A failure prints its seed and the trace of its events;
// MCP_POOL_MODEL_SEED=n replays one run, MCP_POOL_MODEL_RUNS=n does another number of runs.
#include "core_model.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <random>
#include <sstream>

using namespace mcp_pool;
using namespace mcp_pool::test;
using namespace std::chrono_literals;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t standard_runs = 2000;
#else
constexpr std::uint64_t standard_runs = 20000;
#endif
constexpr int events_per_run = 400;

class dice
{
public:
    explicit dice(std::uint64_t seed)
        : engine_(seed)
    {}

    // 0 … n - 1
    std::size_t operator()(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }
    bool one_in(std::size_t n) { return (*this)(n) == 0; }
    template <class T>
    T of(std::initializer_list<T> choices)
    {
        return choices.begin()[(*this)(choices.size())];
    }

private:
    std::mt19937_64 engine_;
};

model_settings draw_settings(dice& roll, std::uint64_t seed)
{
    model_settings s;
    s.slots = 1 + roll(4);
    s.era_known = !roll.one_in(4);
    s.eager = !roll.one_in(3);
    s.granting = !roll.one_in(3);
    s.punctual = !roll.one_in(3);
    s.seed = seed;
    pool_options& o = s.options;
    o.max_size = s.slots;
    o.min_size = roll.one_in(2) ? 0 : roll(s.slots + 1);
    o.max_starting = 1 + roll(3);
    o.max_probing = 1 + roll(2);
    o.max_waiters = roll.of({0u, 0u, 1u, 3u});
    o.start_timeout = roll.of<duration>({0s, 1s, 60s});
    o.probe_interval = roll.of<duration>({0s, 1s, 30s});
    o.probe_timeout = roll.of<duration>({100ms, 5s});
    o.idle_timeout = roll.of<duration>({0s, 2s, 600s});
    o.reset_timeout = roll.of<duration>({100ms, 2s});
    o.backoff_initial = roll.of<duration>({0s, 1ms, 100ms});
    o.backoff_max = roll.of<duration>({10ms, 30s});
    o.breaker_threshold = roll.of({0u, 1u, 3u});
    o.min_uptime = roll.of<duration>({0s, 1s, 10s});
    o.stop_grace = roll.of<duration>({0s, 10ms, 2s});
    o.reset = roll.one_in(8) ? reset_policy::respawn : reset_policy::protocol;
    return s;
}

// An event about a slot that makes sense in its state, most of the time.
void server_event(core_model& model, dice& roll, std::size_t i)
{
    const bool fault = roll.one_in(4);
    if (model.running(i) && !fault) {
        switch (model.state(i)) {
        case slot_state::starting:
            return model.ready(i);
        case slot_state::resetting:
            return model.reset_done(i);
        case slot_state::probing:
            return model.probe_done(i);
        case slot_state::stopping:
            return model.ended(i, roll.one_in(2));
        case slot_state::empty:
        case slot_state::idle:
        case slot_state::leased:
            break;
        }
    }
    start_verdict why;
    why.permanent = roll.one_in(6);
    why.exhausted = !why.permanent && roll.one_in(5);
    switch (roll(7)) {
    case 0:
        return model.ready(i);
    case 1:
        return model.fail(i, why);
    case 2:
        return model.broken(i, roll.one_in(2));
    case 3:
        return model.reset_done(i);
    case 4:
        return model.probe_done(i);
    case 5:
        return model.ended(i, roll.one_in(2));
    default:
        if (model.epoch(i) > 1)
            model.late(i, 1 + roll(model.epoch(i) - 1), static_cast<unsigned>(roll(6)));
    }
}

void release_one(core_model& model, dice& roll)
{
    const std::size_t i = roll(model.slots());
    return_verdict v;
    v.served = !roll.one_in(3);
    v.dirty = roll.one_in(3);
    v.suspect = roll.one_in(6);
    v.discard = roll.one_in(8);
    v.dead = roll.one_in(10);
    model.release(i, v, std::chrono::milliseconds(roll(5)));
}

void rare_event(core_model& model, dice& roll)
{
    switch (roll(8)) {
    case 0:
    case 1: {
        const std::size_t max = 1 + roll(model.slots());
        return model.resize(roll(max + 1), max, 1 + roll(3));
    }
    case 2:
        return model.evict_all();
    case 3:
        return model.start();
    case 4:
        return model.set_era_known(!roll.one_in(3));
    case 5:
        return model.await_ready(roll(model.slots() + 2), roll.of<duration>({0s, 1s, 60s}));
    case 6:
        if (roll.one_in(10))
            model.close(roll.of<duration>({0s, 100ms, 10s, 60s}));
        return;
    default:
        if (roll.one_in(30))
            model.abandon();
    }
}

void event(core_model& model, dice& roll)
{
    switch (roll(20)) {
    case 0:
    case 1:
    case 2:
        return model.acquire(roll.of<duration>({0s, 20ms, 1s, 30s, duration::max()}));
    case 3:
        return model.try_acquire();
    case 4:
        if (model.waiters() != 0) {
            // The recent ones are those that may still wait.
            const std::size_t n = std::min<std::size_t>(model.waiters(), 6);
            model.cancel(model.waiters() - 1 - roll(n));
        }
        return;
    case 5:
    case 6:
    case 7:
    case 8:
        return release_one(model, roll);
    case 9:
    case 10:
    case 11:
    case 12:
        return server_event(model, roll, roll(model.slots()));
    case 13:
    case 14:
        return model.take_job();
    case 15:
        return model.answer_permit(!roll.one_in(4));
    case 16:
        return rare_event(model, roll);
    case 17:
        return model.pass(roll.of<duration>({1s, 5s, 40s, 700s}));
    default:
        return model.pass(roll.of<duration>({0s, 1ms, 20ms, 100ms, 500ms}));
    }
}

// What the runs came to: the events must have reached every corner.
struct totals
{
    pooling::core_counters sums;
    std::uint64_t finished = 0, forced = 0, killed = 0, survivors = 0;

    void add(const pooling::pool_core& core)
    {
        const pooling::core_counters& c = core.counters();
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
        for (std::size_t i = 0; i != c.ended.size(); ++i)
            sums.ended[i] += c.ended[i];
        finished += core.report().finished;
        forced += core.report().forced;
        killed += core.report().killed;
        survivors += core.report().survivors;
    }

    void check(std::uint64_t runs) const
    {
        for (const std::uint64_t often : {sums.created, sums.start_failures, sums.granted,
                 sums.reused, sums.hits, sums.timed_out, sums.cancelled, sums.failed})
            BOOST_TEST(often > runs);
        for (const std::uint64_t seldom :
            {sums.rejected, sums.probes, finished, forced, killed, survivors})
            BOOST_TEST(seldom > runs / 50);
        for (std::size_t i = 1; i != sums.ended.size(); ++i) {
            using pooling::end_reason;
            const auto reason = static_cast<end_reason>(i);
            const bool reachable = reason != end_reason::protocol && reason != end_reason::lifetime
                && reason != end_reason::uses && reason != end_reason::memory
                && reason != end_reason::rekeyed && reason != end_reason::detached;
            BOOST_TEST((sums.ended[i] > runs / 50) == reachable, "reason " << i);
        }
    }
};

void run(std::uint64_t seed, std::ostream* trace, totals* sum = nullptr)
{
    dice roll(seed);
    core_model model(draw_settings(roll, seed), trace);
    for (int i = 0; i != events_per_run; ++i)
        event(model, roll);
    if (roll.one_in(2))
        model.heal();
    if (roll.one_in(8))
        model.abandon();
    model.finish(roll.of<duration>({0s, 100ms, 4s, 60s}), roll.one_in(2));
    model.account();
    if (sum)
        sum->add(model.core());
}

std::uint64_t number_from(const char* variable, std::uint64_t otherwise)
{
    const char* const text = std::getenv(variable);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

} // namespace

BOOST_AUTO_TEST_SUITE(core_model_check)

BOOST_AUTO_TEST_CASE(invariants_hold_under_random_events)
{
    const std::uint64_t only = number_from("MCP_POOL_MODEL_SEED", 0);
    const std::uint64_t first = only != 0 ? only : 1;
    const std::uint64_t runs = only != 0 ? 1 : number_from("MCP_POOL_MODEL_RUNS", standard_runs);
    totals sum;
    for (std::uint64_t seed = first; seed != first + runs; ++seed) {
        try {
            run(seed, nullptr, &sum);
        } catch (const violation& v) {
            std::ostringstream trace;
            try {
                run(seed, &trace);
            } catch (const violation&) {
                // The same one.
            }
            BOOST_FAIL("MCP_POOL_MODEL_SEED=" << seed << ": " << v.what << "\nevents, in ns:\n"
                                              << trace.str());
        }
    }
    if (only == 0)
        sum.check(runs);
}

BOOST_AUTO_TEST_SUITE_END()
