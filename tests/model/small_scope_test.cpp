// Every sequence of events of a pool of two, two keys and three waiters, up to a depth: most mistakes
// show in small scopes.
#include "core_model.hpp"

#include <boost/test/unit_test.hpp>

#include <sstream>

using namespace mcp_pool;
using namespace mcp_pool::test;
using namespace std::chrono_literals;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t depth = 5;
#else
constexpr std::size_t depth = 7;
#endif

enum class kind : std::uint8_t {
    acquire,
    cancel,
    ready,
    fail,
    die,
    release,
    release_dirty,
    release_discard,
    reset_done,
    ended,
    pass,
    evict,
    close,
};

struct choice
{
    kind what;
    std::size_t where = 0;
};

constexpr std::size_t most_waiters = 3;

model_settings settings()
{
    model_settings s;
    s.slots = 2;
    s.keys = 2;
    s.options.max_size = 2;
    s.options.breaker_threshold = 1;
    s.options.backoff_initial = s.options.backoff_max = 1ms;
    return s;
}

void apply(core_model& model, choice c)
{
    return_verdict v;
    v.served = true;
    switch (c.what) {
    case kind::acquire:
        return model.acquire(c.where % 2, c.where < 2 ? duration::max() : duration(1s));
    case kind::cancel:
        return model.cancel(c.where);
    case kind::ready:
        return model.ready(c.where, false);
    case kind::fail:
        return model.fail(c.where, {});
    case kind::die:
        return model.ended(c.where, false);
    case kind::release:
        return model.release(c.where, 0, v);
    case kind::release_dirty:
        v.dirty = true;
        return model.release(c.where, 0, v);
    case kind::release_discard:
        v.discard = true;
        return model.release(c.where, 0, v);
    case kind::reset_done:
        return model.reset_done(c.where, 0, true);
    case kind::ended:
        return model.ended(c.where, false);
    case kind::pass:
        return model.pass(model.core().next_wake() - model.now());
    case kind::evict:
        return model.evict_all();
    case kind::close:
        return model.close(1s);
    }
}

// What can happen next.
std::vector<choice> choices(const core_model& model)
{
    std::vector<choice> found;
    if (model.waiters() != most_waiters) {
        // The last one is in a hurry.
        const std::size_t patience = model.waiters() + 1 == most_waiters ? 2 : 0;
        for (std::size_t key = 0; key != 2; ++key)
            found.push_back({kind::acquire, patience + key});
    }
    for (std::size_t i = 0; i != model.waiters(); ++i) {
        if (model.waits(i))
            found.push_back({kind::cancel, i});
    }
    for (std::size_t i = 0; i != model.slots(); ++i) {
        if (model.leased(i, 0)) {
            for (const kind k : {kind::release, kind::release_dirty, kind::release_discard})
                found.push_back({k, i});
        }
        if (!model.running(i))
            continue;
        switch (model.state(i)) {
        case slot_state::starting:
            found.push_back({kind::ready, i});
            found.push_back({kind::fail, i});
            break;
        case slot_state::resetting:
            found.push_back({kind::reset_done, i});
            [[fallthrough]];
        case slot_state::idle:
        case slot_state::leased:
        case slot_state::probing:
            found.push_back({kind::die, i});
            break;
        case slot_state::stopping:
            found.push_back({kind::ended, i});
            break;
        case slot_state::empty:
            break;
        }
    }
    if (model.core().next_wake() != time_point::max())
        found.push_back({kind::pass});
    if (!model.core().closing()) {
        found.push_back({kind::evict});
        found.push_back({kind::close});
    }
    return found;
}

// The core cannot be copied: each sequence is played from the beginning. `path` counts through the
// choices like the digits of a number whose base changes from digit to digit.
class explorer
{
public:
    // Plays the present sequence; false if it was the last.
    bool play(std::ostream* trace)
    {
        core_model model(settings(), trace);
        model.acquire(0, duration::max());
        widths_.clear();
        for (std::size_t at = 0; at != depth; ++at) {
            const std::vector<choice> open = choices(model);
            if (open.empty())
                break;
            if (at == path_.size())
                path_.push_back(0);
            widths_.push_back(open.size());
            apply(model, open[path_[at]]);
        }
        model.heal();
        model.finish(1s, false);
        model.account();
        return next();
    }

private:
    bool next()
    {
        path_.resize(widths_.size());
        while (!path_.empty() && ++path_.back() == widths_[path_.size() - 1])
            path_.pop_back();
        return !path_.empty();
    }

    std::vector<std::size_t> path_, widths_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(core_small_scope)

BOOST_AUTO_TEST_CASE(invariants_hold_in_every_interleaving)
{
    explorer all;
    std::uint64_t sequences = 0;
    try {
        while (all.play(nullptr))
            ++sequences;
    } catch (const violation& v) {
        std::ostringstream trace;
        try {
            all.play(&trace);
        } catch (const violation&) {
            // The same one.
        }
        BOOST_FAIL(v.what << "\nevents, in ns:\n" << trace.str());
    }
    BOOST_TEST(sequences > 1000u);
    BOOST_TEST_MESSAGE(sequences << " sequences of " << depth << " events");
}

BOOST_AUTO_TEST_SUITE_END()
