#include "harness/results.hpp"

#include "support/text.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <array>

namespace mcp_pool::bench {
namespace {

json::object object_of(const percentiles& p, bool with_count = false)
{
    json::object result;
    if (with_count)
        result["count"] = p.count;
    result["p50"] = p.p50;
    result["p90"] = p.p90;
    result["p99"] = p.p99;
    result["p999"] = p.p999;
    result["max"] = p.max;
    return result;
}

json::object self_and_children(double self, double children)
{
    json::object result;
    result["self"] = self;
    result["children"] = children;
    return result;
}

json::object object_of(const outcome& o)
{
    json::object run;
    run["mode"] = to_string(o.how);
    run["users"] = o.users;
    run["size"] = o.size;
    run["seconds"] = o.seconds;
    run["calls"] = o.calls;
    run["errors"] = o.errors;
    run["calls_per_second"] = o.calls_per_second();
    run["sessions_started"] = o.sessions_started;
    run["reuse_rate"] = o.reuse_rate;
    run["acquire_ms"] = object_of(o.acquire.summary());
    run["call_ms"] = object_of(o.call.summary());
    run["cpu_seconds"] = self_and_children(o.cpu_self, o.cpu_children);
    run["rss_mb"] = self_and_children(o.rss_self, o.rss_children);

    run["total_ms"] = object_of(o.total.summary());
    run["start_ms"] = object_of(o.start, true);
    json::object by_kind;
    for (std::size_t i = 0; i < acquire_kinds; ++i)
        by_kind[to_string(static_cast<acquire_kind>(i))] = object_of(
            o.acquire_by_kind[i].summary(), true);
    run["acquire_by_kind_ms"] = std::move(by_kind);
    run["distinct_pids"] = o.pids.size();
    json::object texts;
    for (const auto& [text, count] : o.error_texts)
        texts[text] = count;
    run["error_texts"] = std::move(texts);
    json::array attempts;
    for (const spawn_attempt& a : o.attempts) {
        json::object attempt;
        attempt["concurrency"] = a.concurrency;
        attempt["calls_per_second"] = a.calls_per_second;
        attempts.push_back(std::move(attempt));
    }
    run["attempts"] = std::move(attempts);
    json::object closed;
    closed["seconds"] = std::chrono::duration<double>(o.closed.elapsed).count();
    closed["forced"] = o.closed.forced;
    closed["killed"] = o.closed.killed;
    closed["survivors"] = o.closed.survivors;
    run["close"] = std::move(closed);
    return run;
}

const outcome* find(const std::vector<const outcome*>& runs, mode how)
{
    const auto at = std::find_if(
        runs.begin(), runs.end(), [how](const outcome* o) { return o->how == how; });
    return at == runs.end() ? nullptr : *at;
}

std::string name_of(const outcome& o)
{
    std::string name(to_string(o.how));
    return o.how == mode::locked ? name : name + " (" + std::to_string(o.size) + ")";
}

std::string percent(double share)
{
    return number(share * 100, share > 0.999 && share < 1 ? 2 : 1) + " %";
}

// "12 times", "1.7 times".
std::string times(double ratio)
{
    return number(ratio, ratio < 9.95 ? 1 : 0) + " times";
}

} // namespace

json::object to_json(const options& asked, const std::vector<outcome>& runs)
{
    json::object result;
    json::array list;
    for (const outcome& o : runs)
        list.push_back(object_of(o));
    result["runs"] = std::move(list);
    result["server"] = asked.work.server.name;
    result["tool"] = asked.work.tool;
    result["arguments"] = asked.work.arguments;
    result["hold_ms"] = std::chrono::duration<double, std::milli>(asked.work.hold).count();
    result["warm"] = asked.work.warm;
    return result;
}

std::vector<const outcome*> medians(const std::vector<outcome>& runs)
{
    std::vector<const outcome*> result;
    for (const outcome& first : runs) {
        if (find(result, first.how))
            continue;
        std::vector<const outcome*> same;
        for (const outcome& o : runs)
            if (o.how == first.how)
                same.push_back(&o);
        const auto middle = same.begin() + static_cast<std::ptrdiff_t>((same.size() - 1) / 2);
        std::nth_element(same.begin(), middle, same.end(), [](const outcome* a, const outcome* b) {
            return a->calls_per_second() < b->calls_per_second();
        });
        result.push_back(*middle);
    }
    return result;
}

std::string headline(const options& asked)
{
    const workload& w = asked.work;
    std::string text = std::to_string(w.users) + " users, a pool of " + std::to_string(w.size)
        + ", tool " + w.tool + " of " + w.server.name + ", "
        + number(std::chrono::duration<double>(w.length).count(), 1) + " s per mode";
    if (w.hold > duration::zero())
        text += ", each session held for "
            + duration_text(std::chrono::duration<double, std::milli>(w.hold).count())
            + " after its call";
    if (asked.runs > 1)
        text += ", medians of " + std::to_string(asked.runs) + " runs";
    return text;
}

std::string table(const std::vector<const outcome*>& runs)
{
    text_table main({"mode", "calls/s", "calls", "errors", "sessions started", "reuse", "CPU self",
        "CPU servers", "MB self", "MB servers"});
    for (const outcome* o : runs)
        main.add({name_of(*o), rate(o->calls_per_second()), number(static_cast<double>(o->calls)),
            number(static_cast<double>(o->errors)),
            number(static_cast<double>(o->sessions_started)), percent(o->reuse_rate),
            number(o->cpu_self, 2) + " s", number(o->cpu_children, 2) + " s",
            number(o->rss_self, 1), number(o->rss_children, 1)});

    text_table latencies({"latency", "count", "p50", "p90", "p99", "p99.9", "max"});
    const auto add = [&](const std::string& name, const percentiles& p) {
        if (p.count > 0)
            latencies.add({name, number(static_cast<double>(p.count)), duration_text(p.p50),
                duration_text(p.p90), duration_text(p.p99), duration_text(p.p999),
                duration_text(p.max)});
    };
    for (const outcome* o : runs) {
        const std::string mode(to_string(o->how));
        add(mode + ": wish to answer", o->total.summary());
        add("  acquire", o->acquire.summary());
        for (std::size_t i = 0; i < acquire_kinds; ++i)
            add("    " + std::string(to_string(static_cast<acquire_kind>(i))),
                o->acquire_by_kind[i].summary());
        add("  call", o->call.summary());
        add("  start of a session", o->start);
    }
    return main.str() + "\n" + latencies.str();
}

std::string explanation(const std::vector<const outcome*>& runs)
{
    const outcome* pool = find(runs, mode::pool);
    std::string text;
    if (pool) {
        text += "pool:   " + std::to_string(pool->users) + " users share "
            + std::to_string(pool->pids.size()) + " live sessions; "
            + number(static_cast<double>(pool->sessions_started))
            + " processes were started in all, and " + percent(pool->reuse_rate)
            + " of the leases found a session that was already there.\n";
    }
    if (const outcome* locked = find(runs, mode::locked)) {
        text += "locked: one session, one call at a time: half of the users wait more than "
            + duration_text(locked->acquire.summary().p50) + " for their turn";
        if (pool && locked->calls > 0)
            text += "; the pool answers "
                + times(pool->calls_per_second() / locked->calls_per_second()) + " as many calls";
        text += ".\n";
    }
    if (const outcome* spawn = find(runs, mode::spawn)) {
        const bool is_best = std::ranges::any_of(
            spawn->attempts, [](const spawn_attempt& a) { return a.calls_per_second > 0; });
        text +=
            "spawn:  every call pays for a process and a handshake (half of the starts took more "
            "than "
            + duration_text(spawn->start.p50) + ", " + std::to_string(spawn->size) + " at a time"
            + (is_best ? ", the best concurrency" : "") + ")";
        if (pool && spawn->calls > 0)
            text += "; the pool answers "
                + times(pool->calls_per_second() / spawn->calls_per_second()) + " as many calls";
        text += ".\n";
    }
    return text;
}

} // namespace mcp_pool::bench
