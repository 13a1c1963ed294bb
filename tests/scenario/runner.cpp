#include "runner.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>

namespace mcp_pool::scenario {

namespace {

namespace json = boost::json;

std::optional<duration> timeout_of(const operation& o)
{
    return o.has("timeout") ? std::optional(o.seconds("timeout")) : std::nullopt;
}

pool_overrides limits_of(const operation& o)
{
    pool_overrides limits;
    const auto set = [&o](const char* name, std::optional<std::size_t>& to) {
        if (o.has(name))
            to = o.number(name);
    };
    set("min_size", limits.min_size);
    set("max_size", limits.max_size);
    set("max_starting", limits.max_starting);
    set("max_waiters", limits.max_waiters);
    return limits;
}

std::string joined(const std::vector<std::string>& lines)
{
    std::string text;
    for (const std::string& line : lines)
        text += "\n    " + line;
    return text;
}

std::string check_fate(const operation& o, const target& t)
{
    const std::string who = o.text("acquire");
    const fate f = t.fate_of(who);
    if (f.is != o.text("is"))
        return who + " is " + f.is + ", expected " + o.text("is");
    if (o.has("session") && f.session != o.number("session"))
        return who + " has session " + std::to_string(f.session) + ", expected "
            + std::to_string(o.number("session"));
    return {};
}

std::string check_stats(const json::object& expected, const target& t)
{
    for (const auto& [key, value] : expected) {
        const std::string name(key.data(), key.size());
        const std::optional<std::uint64_t> is = t.stat(name);
        if (!is)
            return "there is no number called \"" + name + "\"";
        if (!value.is_int64() || static_cast<std::int64_t>(*is) != value.get_int64())
            return name + " is " + std::to_string(*is) + ", expected " + json::serialize(value);
    }
    return {};
}

// Empty, or what is wrong.
std::string perform(const operation& o, target& t)
{
    const std::string verb = o.verb();
    if (verb == "start")
        t.start();
    else if (verb == "acquire")
        t.acquire(o.text("as"), o.text("key"), timeout_of(o));
    else if (verb == "try_acquire")
        t.try_acquire(o.text("as"), o.text("key"));
    else if (verb == "release")
        t.release(o.text("lease"), o.text("how"));
    else if (verb == "cancel")
        t.cancel(o.text("acquire"));
    else if (verb == "detach")
        t.detach(o.text("lease"));
    else if (verb == "ping")
        t.ping(o.text("lease"));
    else if (verb == "leave_a_call")
        t.leave_a_call(o.text("lease"));
    else if (verb == "mute")
        t.mute(o.flag("on"));
    else if (verb == "hold_starts")
        t.hold_starts(o.flag("on"));
    else if (verb == "let_starts")
        t.let_starts();
    else if (verb == "fail_starts")
        t.fail_starts(o.number("count"), o.flag("permanent"), o.flag("exhausted"));
    else if (verb == "hang_starts")
        t.hang_starts(o.number("count"));
    else if (verb == "die")
        t.die(o.number("session"));
    else if (verb == "resize")
        t.resize(limits_of(o));
    else if (verb == "evict_all")
        t.evict_all();
    else if (verb == "close")
        t.close(o.seconds("deadline"));
    else if (verb == "advance")
        t.advance(o.seconds("by"));
    return {};
}

std::string await_event(const operation& o, target& t)
{
    const auto wanted = static_cast<std::ptrdiff_t>(o.has("count") ? o.number("count") : 1);
    const std::string line = o.text("event");
    const auto happened = [&] {
        const std::vector<std::string> all = t.events();
        return std::count(all.begin(), all.end(), line) >= wanted;
    };
    return t.await(happened) ? std::string() : "\"" + line + "\" does not happen";
}

std::string step(const operation& o, target& t)
{
    if (o.verb() == "await")
        return await_event(o, t);
    if (o.verb() == "expect") {
        const std::string wrong = o.has("acquire") ? check_fate(o, t) : std::string();
        return wrong.empty() ? check_stats(o.object("stats"), t) : wrong;
    }
    if (o.verb() != "together")
        return perform(o, t);
    for (const operation& part : o.parts) {
        const std::string wrong = part.verb() == "expect" ? step(part, t) : perform(part, t);
        if (!wrong.empty())
            return wrong;
    }
    return {};
}

} // namespace

std::string replay(const scenario& s, target& t)
{
    for (const operation& o : s.operations) {
        std::string wrong;
        try {
            wrong = step(o, t);
            t.settle();
        } catch (const std::exception& e) {
            wrong = e.what();
        }
        if (!wrong.empty())
            return o.where() + " (" + o.verb() + "): " + wrong + "\n  so far:" + joined(t.events());
    }
    const std::vector<std::string> events = t.events();
    if (events == s.events)
        return {};
    const auto [expected, got] = std::mismatch(
        s.events.begin(), s.events.end(), events.begin(), events.end());
    return "events[" + std::to_string(expected - s.events.begin()) + "]: expected "
        + (expected == s.events.end() ? "no more" : "\"" + *expected + "\"") + ", got "
        + (got == events.end() ? "no more" : "\"" + *got + "\"") + "; all:" + joined(events);
}

} // namespace mcp_pool::scenario
