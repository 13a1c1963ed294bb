#include "harness/results.hpp"
#include "harness/svg.hpp"
#include "support/text.hpp"

#include <algorithm>
#include <string_view>

namespace mcp_pool::bench {
namespace {

constexpr std::string_view style_sheet = R"(
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5d6878; --rule: #dfe4ea; --paper: #ffffff;
  --card: #f7f9fb; --pool: #1f6feb; --locked: #c2680a; --spawn: #b8246b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8edf3; --soft: #9aa7b6; --rule: #333d49; --paper: #12171d; --card: #1a2129;
    --pool: #6cb2ff; --locked: #f2b04c; --spawn: #f382b5; } }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 62rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .75rem; }
p.sub, p.note { color: var(--soft); margin: 0 0 1rem; }
ul { padding-left: 0; list-style: none; margin: 1.25rem 0; }
li { border-left: 4px solid var(--rule); padding: .1rem 0 .1rem .8rem; margin: .6rem 0; }
li.pool { border-color: var(--pool); } li.locked { border-color: var(--locked); }
li.spawn { border-color: var(--spawn); }
figure { margin: 1.25rem 0; padding: 1rem 1rem .5rem; background: var(--card);
  border: 1px solid var(--rule); border-radius: 8px; }
figcaption { font-weight: 600; margin-bottom: .5rem; }
svg { display: block; width: 100%; height: auto; font: 14px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .tick { fill: var(--soft); font-size: 12.5px; }
svg .value { font-weight: 600; } svg .grid { stroke: var(--rule); stroke-width: 1; }
svg rect.pool, svg circle.pool { fill: var(--pool); }
svg rect.locked, svg circle.locked { fill: var(--locked); }
svg rect.spawn, svg circle.spawn { fill: var(--spawn); }
svg .line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
svg .line.pool { stroke: var(--pool); } svg .line.locked { stroke: var(--locked); }
svg .line.spawn { stroke: var(--spawn); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .86rem; width: 100%; }
th, td { padding: .4rem .5rem; text-align: right; border-bottom: 1px solid var(--rule);
  white-space: nowrap; }
th { color: var(--soft); font-weight: 600; } th:first-child, td:first-child { text-align: left; }
td.in { padding-left: 1.6rem; color: var(--soft); }
)";

std::string row(const std::vector<std::string>& cells, const char* tag, const char* style = "")
{
    std::string text = "<tr>";
    for (std::size_t i = 0; i < cells.size(); ++i) {
        text += std::string("<") + tag;
        if (i == 0 && *style)
            text += std::string(" class=\"") + style + "\"";
        text += ">" + html(cells[i]) + "</" + tag + ">";
    }
    return text + "</tr>\n";
}

std::string latency_row(const std::string& name, const percentiles& p, const char* style)
{
    if (p.count == 0)
        return {};
    return row(
        {name, number(static_cast<double>(p.count)), duration_text(p.p50), duration_text(p.p90),
            duration_text(p.p99), duration_text(p.p999), duration_text(p.max)},
        "td", style);
}

std::string mode_table(const std::vector<const outcome*>& runs)
{
    std::string text = "<div class=\"wide\"><table>\n"
        + row({"mode", "calls/s", "calls", "errors", "sessions started", "reuse", "CPU s self",
                  "CPU s servers", "MB self", "MB servers"},
            "th");
    for (const outcome* o : runs)
        text += row(
            {std::string(to_string(o->how)), rate(o->calls_per_second()),
                number(static_cast<double>(o->calls)), number(static_cast<double>(o->errors)),
                number(static_cast<double>(o->sessions_started)),
                number(o->reuse_rate * 100, 2) + " %", number(o->cpu_self, 2),
                number(o->cpu_children, 2), number(o->rss_self, 1), number(o->rss_children, 1)},
            "td");
    return text + "</table></div>\n";
}

std::string latency_table(const std::vector<const outcome*>& runs)
{
    std::string text = "<div class=\"wide\"><table>\n"
        + row({"latency", "count", "p50", "p90", "p99", "p99.9", "max"}, "th");
    for (const outcome* o : runs) {
        const std::string mode(to_string(o->how));
        text += latency_row(mode + ": wish to answer", o->total.summary(), "");
        text += latency_row("acquire", o->acquire.summary(), "in");
        for (std::size_t i = 0; i < acquire_kinds; ++i)
            text += latency_row("acquire: " + std::string(to_string(static_cast<acquire_kind>(i))),
                o->acquire_by_kind[i].summary(), "in");
        text += latency_row("call", o->call.summary(), "in");
        text += latency_row("start of a session", o->start, "in");
    }
    return text + "</table></div>\n";
}

std::string error_table(const std::vector<const outcome*>& runs)
{
    std::string rows;
    for (const outcome* o : runs)
        for (const auto& [text, count] : o->error_texts)
            rows += row(
                {std::string(to_string(o->how)) + ": " + text, number(static_cast<double>(count))},
                "td");
    if (rows.empty())
        return {};
    return "<h2>Errors</h2>\n<div class=\"wide\"><table>\n" + row({"error", "count"}, "th") + rows
        + "</table></div>\n";
}

std::string latency_plot(const std::string& title, const std::vector<const outcome*>& runs,
    const recorder outcome::*which)
{
    std::vector<line> lines;
    for (const outcome* o : runs) {
        const percentiles p = (o->*which).summary();
        line l;
        l.label = to_string(o->how);
        l.style = l.label;
        l.values = {p.p50, p.p90, p.p99, p.p999, p.max};
        lines.push_back(std::move(l));
    }
    return log_lines(title, {"p50", "p90", "p99", "p99.9", "max"}, lines);
}

std::string explanation_list(const std::vector<const outcome*>& runs)
{
    std::string text = "<ul>\n";
    std::string_view rest;
    const std::string all = explanation(runs);
    for (rest = all; !rest.empty();) {
        const auto end = rest.find('\n');
        const std::string sentence(rest.substr(0, end));
        rest.remove_prefix(std::min(rest.size(), end == rest.npos ? rest.size() : end + 1));
        const std::string style = sentence.substr(0, sentence.find(':'));
        text += "<li class=\"" + html(style) + "\"><strong>" + html(style) + "</strong>"
            + html(sentence.substr(std::min(sentence.size(), style.size()))) + "</li>\n";
    }
    return text + "</ul>\n";
}

} // namespace

std::string report_page(const options& asked, const std::vector<const outcome*>& runs)
{
    std::vector<bar> throughput, memory;
    for (const outcome* o : runs) {
        bar b;
        b.label = to_string(o->how);
        b.style = b.label;
        b.value = o->calls_per_second();
        b.text = rate(b.value) + "/s";
        throughput.push_back(b);
        b.value = o->rss_self + o->rss_children;
        b.text = number(b.value, 0) + " MB";
        memory.push_back(std::move(b));
    }
    std::string page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                       "<title>mcp-pool-bench</title>\n<style>";
    page += style_sheet;
    page += "</style>\n</head>\n<body>\n<h1>Many users, few MCP sessions</h1>\n<p class=\"sub\">"
        + html(headline(asked)) + "</p>\n";
    if (!asked.note.empty())
        page += "<p>" + html(asked.note) + "</p>\n";
    page += explanation_list(runs);
    page += log_bars("Calls per second (logarithmic)", throughput);
    page += latency_plot(
        "From the wish to the answer, as a user feels it (logarithmic)", runs, &outcome::total);
    page += latency_plot("Waiting for a session (logarithmic)", runs, &outcome::acquire);
    page += linear_bars("Memory of the client and its servers, resident, in MB", memory);
    page += "<h2>The runs</h2>\n" + mode_table(runs);
    page += "<h2>Latencies</h2>\n" + latency_table(runs);
    page += error_table(runs);
    page += "<p class=\"note\">Closed loop: a user makes the next call when the former one is "
            "answered. Latencies include the calls that were under way when the time was up; "
            "calls per second do not. CPU and memory of the servers include those that were "
            "starting and ending.</p>\n</body>\n</html>\n";
    return page;
}

} // namespace mcp_pool::bench
