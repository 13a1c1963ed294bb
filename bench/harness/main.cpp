// mcp-pool-bench: what a pool of MCP sessions costs and gains.

#include "harness/options.hpp"
#include "harness/results.hpp"
#include "load/run.hpp"
#include "support/text.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <unistd.h>

namespace mcp_pool::bench {
namespace {

// One line on a terminal that is overwritten; nothing where stderr is not one.
class progress_line
{
public:
    progress_line()
        : terminal_(::isatty(STDERR_FILENO) == 1)
    {}
    ~progress_line() { clear(); }
    progress_line(const progress_line&) = delete;
    progress_line& operator=(const progress_line&) = delete;

    void show(const progress_report& now)
    {
        if (!terminal_)
            return;
        std::string text(to_string(now.how));
        if (now.how != mode::locked)
            text += " (" + std::to_string(now.size) + ")";
        if (now.is_attempt)
            text += ", which concurrency is best?";
        text += "  " + number(now.seconds, 1) + " of " + number(now.of_seconds, 1) + " s  "
            + number(static_cast<double>(now.calls)) + " calls";
        if (now.seconds > 0)
            text += "  " + rate(static_cast<double>(now.calls) / now.seconds) + "/s";
        if (now.errors > 0)
            text += "  " + number(static_cast<double>(now.errors)) + " errors";
        std::cerr << "\r\x1b[K" << text << std::flush;
        shown_ = true;
    }

    void clear()
    {
        if (shown_)
            std::cerr << "\r\x1b[K" << std::flush;
        shown_ = false;
    }

private:
    bool terminal_;
    bool shown_ = false;
};

void write_file(const std::string& name, const std::string& content)
{
    if (name == "-") {
        std::cout << content << std::flush;
        return;
    }
    const std::filesystem::path path(name);
    if (path.has_parent_path())
        std::filesystem::create_directories(path.parent_path());
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << content << std::flush;
    if (!file)
        throw std::runtime_error("cannot write " + name);
}

outcome run_one(const options& asked, mode how, const progress_sink& progress)
{
    if (how != mode::spawn)
        return run(how, asked.work, progress);
    workload work = asked.work;
    // Starting sessions before the clock runs is what this mode has not got.
    work.warm = false;
    if (asked.spawn_concurrency) {
        work.size = *asked.spawn_concurrency;
        return run(how, work, progress);
    }
    std::vector<std::size_t> concurrencies{1, 2, 4, 8, 50};
    std::erase_if(
        concurrencies, [&](std::size_t c) { return c > std::max<std::size_t>(1, work.users); });
    return run_best_spawn(work, concurrencies, work.length / 8, progress);
}

std::vector<outcome> run_all(const options& asked)
{
    progress_line line;
    const progress_sink progress = [&line](const progress_report& now) { line.show(now); };
    std::vector<outcome> runs;
    for (std::size_t i = 0; i < asked.runs; ++i)
        for (const mode how : asked.modes)
            runs.push_back(run_one(asked, how, progress));
    return runs;
}

// Whether all went well.
bool report_errors(const std::vector<outcome>& runs)
{
    bool good = true;
    for (const outcome& o : runs) {
        if (o.errors > 0 || o.calls == 0) {
            good = false;
            std::cerr << to_string(o.how) << ": " << o.errors << " errors, " << o.calls
                      << " right answers\n";
            for (const auto& [text, count] : o.error_texts)
                std::cerr << "  " << count << " x " << text << "\n";
        }
        if (o.closed.survivors > 0) {
            good = false;
            std::cerr << to_string(o.how) << ": " << o.closed.survivors
                      << " processes are still alive\n";
        }
    }
    return good;
}

int bench(const options& asked)
{
    // With --json - the standard output is for machines.
    std::ostream& out = asked.json_file == "-" ? std::cerr : std::cout;
    out << headline(asked) << "\n";
    if (!asked.note.empty())
        out << asked.note << "\n";
    out << "\n" << std::flush;
    const std::vector<outcome> runs = run_all(asked);
    const std::vector<const outcome*> shown = medians(runs);
    out << table(shown) << "\n" << explanation(shown) << std::flush;
    const bool good = report_errors(runs);
    if (!asked.json_file.empty())
        write_file(asked.json_file, json::serialize(to_json(asked, runs)) + "\n");
    if (!asked.report_file.empty()) {
        write_file(asked.report_file, report_page(asked, shown));
        out << "\nThe same with plots: " << asked.report_file << "\n";
    }
    return good ? 0 : 1;
}

} // namespace
} // namespace mcp_pool::bench

int main(int argc, char** argv)
{
    using namespace mcp_pool::bench;
    try {
        const options asked = parse_options({argv + 1, argv + argc});
        if (asked.help)
            std::cout << help_text();
        else if (asked.version)
            std::cout << "mcp-pool-bench " MCP_POOL_VERSION "\n";
        else
            return bench(asked);
        return 0;
    } catch (const usage_error& e) {
        std::cerr << "mcp-pool-bench: " << e.what() << "\nTry 'mcp-pool-bench --help'.\n";
        return 2;
    } catch (const std::exception& e) {
        std::cerr << "mcp-pool-bench: " << e.what() << "\n";
        return 1;
    }
}
