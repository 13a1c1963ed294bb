// What is drawn: the options of a pool, and what happens to it next.
#include "simulator_draw.hpp"

namespace mcp_pool::test {

using namespace std::chrono_literals;
using kind = sim_step::kind;

namespace {

sim_step about_slot(kind what, std::size_t slot, std::uint8_t flags = 0, std::size_t place = 0)
{
    sim_step s;
    s.what = what;
    s.slot = static_cast<std::uint8_t>(slot);
    s.flags = flags;
    s.place = static_cast<std::uint8_t>(place);
    return s;
}

sim_step step(kind what, std::size_t number = 0, duration span = {}, std::uint8_t flags = 0)
{
    sim_step s;
    s.what = what;
    s.number = static_cast<std::uint32_t>(number);
    s.span = span;
    s.flags = flags;
    return s;
}

std::uint8_t flag(bool set, unsigned bit)
{
    return static_cast<std::uint8_t>(set ? 1u << bit : 0u);
}

// Sessions are seldom in the short states: half of what happens looks for one that is.
std::size_t some_slot(const core_model& model, dice& roll)
{
    const std::size_t first = roll(model.slots());
    const bool any = roll.one_in(2);
    for (std::size_t n = 0; !any && n != model.slots(); ++n) {
        const std::size_t i = (first + n) % model.slots();
        const slot_state s = model.state(i);
        if (s == slot_state::probing || s == slot_state::resetting
            || (s == slot_state::idle && roll.one_in(4)))
            return i;
    }
    return first;
}

// An event about a slot that makes sense in its state, most of the time.
sim_step server_step(const core_model& model, const sim_mood& mood, dice& roll)
{
    const std::size_t i = some_slot(model, roll);
    const std::size_t place = roll(model.places());
    const bool fault = roll.one_in(mood.faults);
    if (model.running(i) && !fault) {
        switch (model.state(i)) {
        case slot_state::starting:
            return about_slot(kind::ready, i, flag(roll.one_in(2), 0));
        case slot_state::probing:
            return about_slot(kind::probe_done, i);
        case slot_state::stopping:
            return about_slot(kind::ended, i, flag(roll.one_in(2), 0));
        case slot_state::resetting:
        case slot_state::leased:
            for (std::size_t p = 0; p != model.places(); ++p) {
                if (model.resetting(i, p))
                    return about_slot(kind::reset_done, i, flag(!roll.one_in(8), 0), p);
            }
            break;
        case slot_state::empty:
        case slot_state::idle:
            break;
        }
    }
    const bool permanent = roll.one_in(6), exhausted = !permanent && roll.one_in(5);
    switch (roll(9)) {
    case 0:
        return about_slot(kind::ready, i, flag(roll.one_in(2), 0));
    case 1:
        return about_slot(
            kind::fail, i, static_cast<std::uint8_t>(flag(permanent, 0) | flag(exhausted, 1)));
    case 2:
        return about_slot(kind::broken, i, flag(roll.one_in(2), 0));
    case 3:
        return about_slot(kind::reset_done, i, flag(!roll.one_in(4), 0), place);
    case 4:
        return about_slot(kind::probe_done, i);
    case 5:
    case 6:
        return about_slot(kind::measured, i, flag(roll.one_in(4), 0));
    case 7:
        return about_slot(kind::ended, i, flag(roll.one_in(2), 0));
    default: {
        sim_step late = about_slot(kind::late, i, static_cast<std::uint8_t>(roll(7)));
        late.number = static_cast<std::uint32_t>(roll(4));
        return late;
    }
    }
}

sim_step release_step(const core_model& model, const sim_mood& mood, dice& roll)
{
    // Three times out of four something that is lent, if anything is.
    std::size_t i = roll(model.slots()), p = roll(model.places());
    for (std::size_t n = roll.one_in(4) ? 0 : model.slots() * model.places(); n != 0; --n) {
        if (model.leased(i, p))
            break;
        p = (p + 1) % model.places();
        i = (i + (p == 0)) % model.slots();
    }
    if (mood.calm && !roll.one_in(20))
        return about_slot(kind::release, i, 1, p);
    sim_step s = about_slot(kind::release, i,
        static_cast<std::uint8_t>(flag(!roll.one_in(3), 0) | flag(roll.one_in(2), 1)
            | flag(roll.one_in(3), 2) | flag(roll.one_in(8), 3) | flag(roll.one_in(10), 4)),
        p);
    s.span = roll.one_in(3) ? std::chrono::milliseconds(roll(5)) : 0ms;
    return s;
}

sim_step rare_step(const core_model& model, dice& roll)
{
    switch (roll(10)) {
    case 0:
    case 1:
    case 2:
        return step(kind::change, roll(1u << 20));
    case 3:
        return step(kind::evict_all);
    case 4:
        return step(kind::start);
    case 5:
        return step(kind::era, 0, {}, flag(!roll.one_in(3), 0));
    case 6:
        return step(kind::await_ready, roll(model.slots() + 2), roll.of<duration>({0s, 1s, 60s}));
    case 7:
        return step(kind::await_closed);
    case 8:
        return step(kind::stall, 0, roll.of<duration>({300ms, 2s, 20s}));
    default:
        if (roll.one_in(10))
            return step(kind::abandon);
        if (roll.one_in(6))
            return step(kind::close, 0, roll.of<duration>({0s, 100ms, 10s, 60s}));
        return step(kind::await_closed);
    }
}

} // namespace

model_settings draw_settings(dice& roll, const sim_mood& mood, std::uint64_t seed)
{
    model_settings s;
    s.keys = 1 + (roll.one_in(3) ? 0 : roll(core_model::most_keys));
    s.era_known = !roll.one_in(4);
    s.eager = !roll.one_in(3);
    s.granting = roll.one_in(2);
    s.punctual = !roll.one_in(3);
    s.stateless = roll.one_in(2);
    s.seed = seed;
    pool_options& o = s.options;
    o.max_size = 1 + roll(5);
    // Detached sessions keep their slots.
    s.slots = o.max_size + roll(3);
    o.min_size = roll.one_in(2) ? 0 : roll(o.max_size + 1);
    o.max_starting = 1 + roll(3);
    o.max_probing = 1 + roll(2);
    o.max_waiters = roll.of({0u, 0u, 1u, 3u});
    o.start_timeout = roll.of<duration>({0s, 1s, 60s});
    o.probe_interval = roll.of<duration>({0s, 1s, 30s});
    o.probe_timeout = roll.of<duration>({1s, 5s});
    o.idle_timeout = roll.of<duration>({0s, 2s, 600s});
    o.reset_timeout = roll.of<duration>({100ms, 2s});
    o.backoff_initial = roll.of<duration>({0s, 1ms, 100ms});
    o.backoff_max = roll.of<duration>({10ms, 30s});
    o.breaker_threshold = roll.of({0u, 1u, 3u});
    o.min_uptime = roll.of<duration>({0s, 1s, 10s});
    o.stop_grace = roll.of<duration>({0s, 10ms, 2s});
    o.validate_after = roll.of<duration>({0s, 0s, 0s, 1s});
    o.max_lifetime = roll.of<duration>({0s, 0s, 1s, 20s});
    o.max_uses = roll.of({0u, 0u, 1u, 3u});
    o.max_rss = roll.of({0u, 1000u});
    o.overdue_after = roll.of<duration>({0s, 10ms, 1s});
    o.reset = roll.of({reset_policy::protocol, reset_policy::protocol, reset_policy::protocol,
        reset_policy::none, reset_policy::respawn});
    o.scaling = roll.one_in(4) ? scaling_policy::adaptive : scaling_policy::fixed;
    if (roll.one_in(3)) {
        o.sharing = sharing_policy::multiplexed;
        o.max_leases_per_session = 2 + roll(core_model::most_places - 1);
    }
    if (roll.one_in(3)) {
        o.queue = queue_policy::fair;
        o.max_leases_per_key = roll.of({0u, 1u, 2u});
        o.max_waiters_per_key = roll.of({0u, 0u, 2u});
    }
    if (mood.calm) {
        s.keys = 2;
        o.max_size = 1 + roll(2);
        o.min_size = 0;
        o.max_waiters = o.max_waiters_per_key = o.max_uses = 0;
        o.max_lifetime = 0s;
        o.reset = reset_policy::protocol;
    }
    // Every eighth pool is what most pools are: none of its options asks for more of a hit than that
    // a session is free. From dice of its own, so that the others are the same without it.
    if (dice(~seed).one_in(8)) {
        o.sharing = sharing_policy::exclusive;
        o.max_leases_per_session = 1;
        o.scaling = scaling_policy::fixed;
        o.queue = queue_policy::fifo;
        o.max_leases_per_key = o.max_waiters_per_key = o.max_uses = o.max_rss = 0;
        o.max_lifetime = o.validate_after = o.overdue_after = 0s;
        o.reset = reset_policy::protocol;
    }
    return s;
}

pool_options changed(const pool_options& present, std::size_t slots, std::uint64_t seed)
{
    dice roll(seed);
    pool_options o = present;
    switch (roll(12)) {
    case 0:
    case 1:
    case 2:
    case 3:
        o.max_size = 1 + roll(slots);
        o.min_size = roll(o.max_size + 1);
        o.max_starting = 1 + roll(3);
        break;
    case 4:
        o.idle_timeout = roll.of<duration>({0s, 2s, 600s});
        o.probe_interval = roll.of<duration>({0s, 1s, 30s});
        break;
    case 5:
        o.max_uses = roll.of({0u, 1u, 3u});
        break;
    case 6:
        o.max_lifetime = roll.of<duration>({0s, 1s, 20s});
        break;
    case 7:
        o.max_rss = roll.of({0u, 1000u});
        o.overdue_after = roll.of<duration>({0s, 10ms, 1s});
        break;
    case 8:
        o.validate_after = roll.of<duration>({0s, 1s});
        break;
    case 9:
        o.scaling = roll.one_in(2) ? scaling_policy::adaptive : scaling_policy::fixed;
        break;
    case 10:
        if (o.queue == queue_policy::fair) {
            o.max_leases_per_key = roll.of({0u, 1u, 2u});
            o.max_waiters_per_key = roll.of({0u, 2u});
        }
        break;
    default:
        o.max_waiters = roll.of({0u, 1u, 3u});
        o.max_probing = 1 + roll(2);
        o.breaker_threshold = roll.of({0u, 1u, 3u});
        break;
    }
    return o;
}

sim_mood draw_mood(dice& roll)
{
    sim_mood mood;
    mood.faults = roll.of({3u, 8u, 30u});
    mood.crowd = roll.of({1u, 2u, 3u});
    mood.calm = roll.one_in(14);
    if (mood.calm)
        mood.faults = 100;
    return mood;
}

sim_step draw_step(const core_model& model, std::size_t keys, const sim_mood& mood, dice& roll)
{
    switch (roll(24)) {
    case 0:
    case 1:
    case 2:
        if (mood.calm)
            return step(kind::acquire, roll.one_in(8) ? 0 : 1, duration::max());
        if (roll(3) < mood.crowd)
            return step(
                kind::acquire, roll(keys), roll.of<duration>({0s, 20ms, 1s, 30s, duration::max()}));
        return server_step(model, mood, roll);
    case 3:
        return step(kind::try_acquire, roll(keys));
    case 4: {
        // The recent ones are those that may still wait.
        const std::size_t n = std::min<std::size_t>(model.waiters(), 6);
        return step(kind::cancel, n == 0 ? 0 : model.waiters() - 1 - roll(n));
    }
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
        return release_step(model, mood, roll);
    case 10:
    case 11:
    case 12:
    case 13:
    case 14:
        return server_step(model, mood, roll);
    case 15:
    case 16:
        return step(kind::take_job);
    case 17:
    case 22:
        return step(kind::permit, 0, {}, flag(!roll.one_in(3), 0));
    case 18:
        if (!mood.calm || roll.one_in(20))
            return rare_step(model, roll);
        [[fallthrough]];
    case 19:
        if (roll.one_in(mood.calm ? 40 : 4))
            return about_slot(kind::detach, some_slot(model, roll));
        return step(
            kind::pass, 0, roll.of<duration>({1s, 1s, 5s, 5s, 40s, roll.one_in(4) ? 700s : 7s}));
    default:
        return step(kind::pass, 0, roll.of<duration>({0s, 1ms, 20ms, 100ms, 500ms}));
    }
}

std::vector<sim_step> draw_end(dice& roll)
{
    std::vector<sim_step> end;
    const std::size_t how = roll(7);
    if (how < 2)
        end.push_back(step(kind::heal));
    else if (how < 5)
        end.push_back(step(kind::abandon));
    end.push_back(
        step(kind::finish, 0, roll.of<duration>({0s, 100ms, 4s, 60s}), flag(roll.one_in(2), 0)));
    return end;
}

} // namespace mcp_pool::test
