// Random events, for many seeds. A failure prints its seed and the shortest trace that leads to it.
// MCP_POOL_MODEL_SEED=n replays one run, MCP_POOL_MODEL_EVENTS=n does another number of events;
// MCP_POOL_MODEL_TABLE=file gets the table of what was met.
#include "simulator.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace mcp_pool;
using namespace mcp_pool::test;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t standard_events = 2'500'000;
#else
constexpr std::uint64_t standard_events = 25'000'000;
#endif

// Fewer events than these do not count as a run of the model.
constexpr std::uint64_t counted_events = 10'000'000;

// Each pair of a state and an event is met at least so often. There is no pair that cannot be: what
// comes out of season is late, or early, or comes twice, and changes nothing. A run that is too short
// to count, as under a sanitizer, has still been everywhere; it is far from what it meets on average,
// which is nothing to rely on with small numbers.
constexpr std::uint64_t enough(std::uint64_t events)
{
    return events >= counted_events ? 1000 : events / 100'000;
}

static_assert(enough(standard_events) != 0);

std::uint64_t number_from(const char* variable, std::uint64_t otherwise)
{
    const char* const text = std::getenv(variable);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// The events must have reached every corner.
void check(const sim_totals& t)
{
    const pooling::core_counters& c = t.sums;
    for (const std::uint64_t often : {c.created, c.start_failures, c.granted, c.reused, c.hits,
             c.timed_out, c.cancelled, c.failed, c.overdue, c.resets})
        BOOST_TEST(often > t.runs / 2);
    for (const std::uint64_t seldom :
        {c.rejected, c.probes, t.finished, t.forced, t.killed, t.survivors})
        BOOST_TEST(seldom > t.runs / 200);
    for (std::size_t i = 1; i != c.ended.size(); ++i) {
        // The model says of no session that it broke the protocol: that is one way to die.
        const bool reachable = static_cast<end_reason>(i) != end_reason::protocol;
        BOOST_TEST((c.ended[i] > t.runs / 500) == reachable, "reason " << i << ": " << c.ended[i]);
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(core_model_check)

BOOST_AUTO_TEST_CASE(invariants_hold_under_random_events)
{
    const std::uint64_t only = number_from("MCP_POOL_MODEL_SEED", 0);
    const std::uint64_t events = number_from("MCP_POOL_MODEL_EVENTS", standard_events);
    sim_totals totals;
    sim_run run;
    std::uint64_t seed = only != 0 ? only : 1;
    try {
        for (; totals.events < events; ++seed) {
            simulate(seed, run, totals);
            if (only != 0)
                return;
        }
    } catch (const violation& v) {
        BOOST_FAIL(report(seed, run, v.what));
    }
    std::ostringstream table;
    const std::uint64_t least = print(table, totals);
    if (const char* const path = std::getenv("MCP_POOL_MODEL_TABLE")) {
        std::ofstream file(path);
        file << table.str();
        BOOST_TEST(bool(file.flush()), path << " cannot be written");
    }
    BOOST_TEST_MESSAGE(table.str());
    BOOST_TEST(least >= enough(events), table.str());
    check(totals);
}

BOOST_AUTO_TEST_SUITE_END()
