#include "session/failure.hpp"

#include "rpc/text.hpp"

#include <csignal>
#include <cstdio>

namespace mcp_pool::detail {

namespace {

constexpr std::size_t max_garbage_lines = 3;
constexpr std::size_t max_garbage_bytes = 120;
// Of stderr: in the message, which is one line, and in the diagnostics.
constexpr std::size_t max_stderr_in_message = 400;
constexpr std::size_t max_stderr_in_details = 4096;
constexpr std::size_t max_name = 200;

// The last lines of stderr, on one line.
std::string one_line(std::string_view stderr_tail)
{
    std::string lines = rpc::escape_foreign_tail(stderr_tail, max_stderr_in_message);
    for (std::size_t at = lines.find('\n'); at != std::string::npos; at = lines.find('\n', at))
        lines.replace(at, 1, " | ");
    return lines;
}

void add_process(std::string& message, const circumstances& known)
{
    if (known.exit_status)
        message += ": the process ended with " + known.exit_status->text();
    if (const std::string tail = one_line(known.stderr_tail); !tail.empty())
        message += "; its last words on stderr: " + tail;
}

diagnostics with_message(const circumstances& known, std::string message)
{
    diagnostics d;
    d.server = known.server;
    d.message = std::move(message);
    d.exit_status = known.exit_status;
    d.stderr_tail = rpc::escape_foreign_tail(known.stderr_tail, max_stderr_in_details);
    return d;
}

std::string begin(const circumstances& known)
{
    return server_title(known.server) + ": ";
}

} // namespace

std::string server_title(std::string_view name)
{
    return "server \"" + rpc::escape_foreign(name, max_name) + '"';
}

std::string text_of(duration d)
{
    const double ms = std::chrono::duration<double, std::milli>(d).count();
    char text[32];
    if (ms < 1000)
        std::snprintf(text, sizeof text, "%.3g ms", ms);
    else
        std::snprintf(
            text, sizeof text, "%.15g s", static_cast<double>(static_cast<long long>(ms)) / 1000);
    return text;
}

void garbage_log::add(std::string_view line)
{
    if (lines_.size() == max_garbage_lines)
        lines_.pop_front();
    lines_.push_back(rpc::escape_foreign(line, max_garbage_bytes));
}

std::string garbage_log::text() const
{
    std::string all;
    for (const std::string& line : lines_) {
        if (!all.empty())
            all += ", ";
        all += '"' + line + '"';
    }
    return all;
}

void note_foreign_kill(transport::end_report& report)
{
    if (!report.status || report.killed || report.status->how != exit_status::kind::signalled
        || report.status->value != SIGKILL)
        return;
    std::string& note = report.status->note;
    note = "not sent by this pool";
    if (const auto& oom = report.out_of_memory)
        note += "; the kernel has killed for want of memory while it ran: oom_kill in " + oom->file
            + " went from " + std::to_string(oom->before) + " to " + std::to_string(oom->after);
}

diagnostics describe(const circumstances& known, std::string_view what, std::string_view remedy)
{
    std::string message = begin(known);
    message += what;
    add_process(message, known);
    if (!remedy.empty()) {
        message += "; ";
        message += remedy;
    }
    return with_message(known, std::move(message));
}

diagnostics describe_start(const circumstances& known, std::string_view what,
    const garbage_log& garbage, std::string_view hints)
{
    std::string message = begin(known);
    message += "the session could not be started: ";
    message += what;
    add_process(message, known);
    if (const std::string seen = garbage.text(); !seen.empty())
        message += "; on stdout it wrote what is no JSON-RPC: " + seen;
    if (!hints.empty()) {
        message += "; ";
        message += hints;
    }
    return with_message(known, std::move(message));
}

} // namespace mcp_pool::detail
