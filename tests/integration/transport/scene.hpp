// A transport, what it told, and a look at the processes and descriptors it leaves behind.
#pragma once

#include "transport/descriptor.hpp"
#include "transport/process_table.hpp"
#include "transport/process_thread.hpp"
#include "transport/stdio.hpp"
#include "transport/test_seams.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include <poll.h>

namespace mcp_pool::transport::testing {

using namespace std::chrono_literals;

// Long enough for any step on a machine that is busy with something else; no test waits for it to
// pass.
inline constexpr auto deadline = 60s;

inline const std::string fixture = MCP_POOL_TEST_BIN "/mcp_pool_transport_fixture";

// The server program in one of its modes; see tests/servers/transport/fixture.c.
inline std::shared_ptr<stdio_server> server(std::string mode, std::string argument = {})
{
    auto result = std::make_shared<stdio_server>();
    result->command = fixture;
    result->args = {std::move(mode)};
    result->env = {{"MCP_POOL_TEST_OWNER", std::to_string(::getpid())}};
    if (!argument.empty())
        result->args.push_back(std::move(argument));
    return result;
}

inline stdio_limits default_limits()
{
    return stdio_limits(pool_options());
}

// Looks again and again: for what the system does in its own time and tells nobody.
template <class Predicate>
bool happens(Predicate predicate)
{
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!predicate()) {
        if (std::chrono::steady_clock::now() > end)
            return false;
        ::poll(nullptr, 0, 1);
    }
    return true;
}

template <class Predicate>
void eventually(Predicate predicate, std::source_location here = std::source_location::current())
{
    if (!happens(std::move(predicate)))
        BOOST_FAIL("did not happen in time, waited for at line " << here.line());
}

inline std::size_t open_descriptors()
{
    namespace fs = std::filesystem;
    // One of them reads the directory.
    return static_cast<std::size_t>(
               std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()))
        - 1;
}

// Whether a process of the session that `leader` made is left: a living one, or a zombie of ours.
inline bool has_remains(pid_t leader)
{
    return std::ranges::any_of(list_processes(), [leader](const process_entry& entry) {
        return (entry.session == leader || entry.pid == leader)
            && (entry.alive() || entry.parent == ::getpid());
    });
}

// All processes that this test has brought about, whoever their parent is now, by a variable in their
// environment; and its zombies.
inline std::vector<pid_t> processes_of_this_test()
{
    const std::string mark = "MCP_POOL_TEST_OWNER=" + std::to_string(::getpid());
    std::vector<pid_t> result;
    for (const process_entry& entry : list_processes()) {
        std::ifstream file("/proc/" + std::to_string(entry.pid) + "/environ", std::ios::binary);
        bool marked = false;
        for (std::string variable; !marked && std::getline(file, variable, '\0');)
            marked = variable == mark;
        if (entry.pid != ::getpid() && (marked || entry.parent == ::getpid()))
            result.push_back(entry.pid);
    }
    return result;
}

inline bool is_alive(pid_t pid)
{
    const auto entry = read_process(pid);
    return entry && entry->alive();
}

// `transport` names a namespace too where tests open both.
using any_transport = transport;

// What a transport told, in order.
class recorder final : public transport_events
{
public:
    std::vector<std::string> story;
    std::vector<std::string> lines;
    std::vector<std::string> error_lines;
    std::optional<int> pid;
    std::optional<start_failure> failure;
    std::optional<std::size_t> oversized;
    std::optional<error_code> write_failure;
    std::optional<end_report> end;
    std::size_t waiting = 0;
    std::size_t line_bytes = 0;
    bool output_ended = false;
    // Called after each event, which may destroy the transport.
    std::function<void(const std::string& event)> after;

    [[nodiscard]] bool told(const std::string& event) const
    {
        return std::ranges::find(story, event) != story.end();
    }
    [[nodiscard]] bool has_line(const std::string& line) const
    {
        return std::ranges::find(lines, line) != lines.end();
    }
    // What stands after `beginning` in the first line that has it.
    [[nodiscard]] std::string value_of(const std::string& beginning) const
    {
        for (const std::string& line : lines) {
            if (line.starts_with(beginning + " "))
                return line.substr(beginning.size() + 1);
        }
        BOOST_FAIL("no line begins with " << beginning);
        return {};
    }
    // The pids of all lines "grandchild N".
    [[nodiscard]] std::vector<pid_t> grandchildren() const
    {
        std::vector<pid_t> result;
        for (const std::string& line : lines) {
            if (line.starts_with("grandchild "))
                result.push_back(std::stoi(line.substr(11)));
        }
        return result;
    }

private:
    void note(std::string event)
    {
        story.push_back(std::move(event));
        if (after) {
            // It may replace or destroy this function.
            const auto call = after;
            call(story.back());
        }
    }

    void on_started(int new_pid) override
    {
        pid = new_pid;
        note("started");
    }
    void on_start_failed(start_failure why) override
    {
        failure = std::move(why);
        note("start failed");
    }
    void on_first_output() override { note("first output"); }
    void on_line(std::string_view line) override
    {
        line_bytes = line.size();
        lines.emplace_back(line.substr(0, 1000));
        note("line");
    }
    void on_stderr_line(std::string line) override
    {
        error_lines.push_back(std::move(line));
        note("stderr line");
    }
    void on_oversized_line(std::size_t bytes) override
    {
        oversized = bytes;
        note("oversized");
    }
    void on_end_of_output() override
    {
        output_ended = true;
        note("end of output");
    }
    void on_write_progress(std::size_t left) override
    {
        waiting = left;
        note("write progress");
    }
    void on_write_failed(error_code code) override
    {
        write_failure = code;
        note("write failed");
    }
    void on_ended(end_report report) override
    {
        end = std::move(report);
        note("ended");
    }
};

// One io_context, one transport on a strand of it.
class scene
{
public:
    explicit scene(std::shared_ptr<const stdio_server> what, stdio_limits limits = default_limits())
        : io(make_stdio_transport(
            connection_strand(context.get_executor()), events, std::move(what), limits))
    {}

    // Runs the context until `predicate`.
    template <class Predicate>
    void until(Predicate predicate, std::source_location here = std::source_location::current())
    {
        const auto end = std::chrono::steady_clock::now() + deadline;
        while (!predicate()) {
            context.restart();
            if (context.run_one_until(end) == 0) {
                std::string story;
                for (const std::string& event : events.story)
                    story += " " + event + ";";
                BOOST_FAIL((std::chrono::steady_clock::now() < end ? "nothing left to wait for"
                                                                   : "did not happen in time")
                    << ", waited for at line " << here.line() << ", told were:" << story);
            }
        }
    }

    void until_line(
        const std::string& line, std::source_location here = std::source_location::current())
    {
        until([&] { return events.has_line(line); }, here);
    }
    void until_started(std::source_location here = std::source_location::current())
    {
        until([&] { return events.pid || events.failure; }, here);
        if (events.failure)
            BOOST_FAIL(events.failure->message << ", at line " << here.line());
    }
    const start_failure& until_failed(std::source_location here = std::source_location::current())
    {
        until([&] { return events.pid || events.failure; }, here);
        if (!events.failure)
            BOOST_FAIL("it started, at line " << here.line());
        return *events.failure;
    }
    const end_report& until_ended(std::source_location here = std::source_location::current())
    {
        until([&] { return events.end.has_value(); }, here);
        return *events.end;
    }
    void start_and_wait_for(
        const std::string& line, std::source_location here = std::source_location::current())
    {
        io->start();
        until_started(here);
        until_line(line, here);
    }
    // A line there and back.
    void echo(const std::string& line, std::source_location here = std::source_location::current())
    {
        io->send(line + "\n");
        until_line(line, here);
    }

    asio::io_context context;
    recorder events;
    std::unique_ptr<transport> io;
};

// After a test there are no processes of it, and no descriptors that were not there before.
class balance
{
public:
    balance()
    {
        {
            // What the library keeps for good is made now.
            scene first(server("exit", "0"));
            first.io->start();
            first.until_ended();
        }
        BOOST_TEST(happens(&balance::is_at_rest));
        before_ = open_descriptors();
    }
    ~balance()
    {
        BOOST_TEST(happens([] { return processes_of_this_test().empty(); }));
        BOOST_TEST(happens(&balance::is_at_rest));
        BOOST_TEST(happens([this] { return open_descriptors() == before_; }),
            "descriptors: " << open_descriptors() << ", before: " << before_);
    }

private:
    // The process thread, which looks into /proc and closes descriptors in its own time, has nothing
    // to do.
    static bool is_at_rest() { return process_thread::instance().processes() == 0; }

    std::size_t before_ = 0;
};

// A seam set for one test.
class without
{
public:
    explicit without(std::atomic<bool>& seam)
        : seam_(seam)
    {
        seam_ = true;
    }
    without(const without&) = delete;
    without& operator=(const without&) = delete;
    ~without() { seam_ = false; }

private:
    std::atomic<bool>& seam_;
};

} // namespace mcp_pool::transport::testing
