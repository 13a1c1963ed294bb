// Host applications that have done odd things to their process before they use the library. Exit
// status 0: everything was as it should be; else the story is in the file named by the last argument.
#include "transport/descriptor.hpp"
#include "transport/process_table.hpp"
#include "transport/stdio.hpp"
#include "transport/test_seams.hpp"

#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

using namespace mcp_pool;
using namespace mcp_pool::transport;

#ifdef __SANITIZE_ADDRESS__
#define MCP_POOL_HOST_IS_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MCP_POOL_HOST_IS_SANITIZED
#endif
#endif

#ifdef MCP_POOL_HOST_IS_SANITIZED
// The undefined-behaviour sanitizer makes a pipe for a moment to see whether memory can be read, each
// time it meets an object with virtual functions that it has not in its cache. In a host without
// standard streams such a pipe stands at 1 and 2: what the host prints goes into it, and a plug that
// is made meanwhile leaves a hole behind. The runtime calls this function instead of the C library's.
extern "C" int pipe(int* ends) noexcept
{
    const low_descriptors_plug plug;
    return ::pipe2(ends, 0);
}
#endif

namespace {

std::FILE* story = nullptr;

[[noreturn]] void fail(const std::string& why)
{
    std::fprintf(story, "%s\n", why.c_str());
    std::fclose(story);
    ::_exit(1);
}

void expect(bool condition, const std::string& what)
{
    if (!condition)
        fail("not so: " + what);
}

template <class Predicate>
void eventually(Predicate predicate, const std::string& what)
{
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!predicate()) {
        expect(std::chrono::steady_clock::now() < end, what);
        ::poll(nullptr, 0, 1);
    }
}

struct events final : transport_events
{
    std::optional<int> pid;
    std::vector<std::string> lines;
    std::optional<end_report> end;

    void on_started(int new_pid) override { pid = new_pid; }
    void on_start_failed(start_failure why) override { fail(why.message); }
    void on_first_output() override {}
    void on_line(std::string_view line) override { lines.emplace_back(line); }
    void on_stderr_line(std::string) override { fail("a line of stderr"); }
    void on_oversized_line(std::size_t) override { fail("oversized"); }
    void on_end_of_output() override {}
    void on_write_progress(std::size_t) override {}
    void on_write_failed(error_code) override { fail("write failed"); }
    void on_ended(end_report report) override { end = std::move(report); }
};

struct session
{
    asio::io_context context;
    events told;
    std::unique_ptr<transport::transport> io;

    explicit session(const char* mode)
    {
        auto server = std::make_shared<stdio_server>();
        server->command = MCP_POOL_TEST_BIN "/mcp_pool_transport_fixture";
        server->args = {mode};
        io = make_stdio_transport(
            connection_strand(context.get_executor()), told, server, stdio_limits(pool_options()));
        io->start();
        until([this] { return told.pid.has_value(); }, "a start");
    }

    template <class Predicate>
    void until(Predicate predicate, const std::string& what)
    {
        while (!predicate()) {
            context.restart();
            expect(context.run_one_for(std::chrono::seconds(60)) == 1, what);
        }
    }

    void echo(const std::string& line)
    {
        told.lines.clear();
        io->send(line + "\n");
        until([this] { return !told.lines.empty(); }, "an echo");
        expect(told.lines.front() == line, "\"" + told.lines.front() + "\" is what was sent");
    }
};

// For whoever wants to read or write: a plug of the library is there and still of no use.
bool is_open(int fd)
{
    const int flags = ::fcntl(fd, F_GETFL);
    return flags != -1 && (flags & O_PATH) == 0;
}

// Not through the C library: a thread sanitizer takes a closed descriptor for a race. Longer than 8
// bytes or an eventfd would refuse it, so that nobody notices.
long print(int fd)
{
    constexpr std::string_view text = "noise of the host\n";
    return ::syscall(SYS_write, fd, text.data(), text.size());
}

// A host that prints all the time, into whatever stands at 1 and 2.
class printing_host
{
public:
    // `closed`: which of descriptors 0, 1 and 2 are closed, as bits.
    explicit printing_host(int closed)
        : closed_(closed)
    {
        for (int fd = 0; fd < 3; ++fd) {
            if (is_closed(fd))
                ::close(fd);
        }
        printer_ = std::thread([this] {
            while (!enough_) {
                print_once();
                ::poll(nullptr, 0, 1);
            }
        });
    }

    // Where the host's own thread stands between two steps, no luck with the time is needed.
    void print_once()
    {
        for (const int fd : {1, 2}) {
            if (print(fd) >= 0 && is_closed(fd))
                fail("a descriptor of the library took what the host printed");
        }
        ++printed_;
    }

    void expect_untouched() const
    {
        for (int fd = 0; fd < 3; ++fd)
            expect(is_open(fd) != is_closed(fd), "the host's streams are untouched");
    }

    void finish()
    {
        const std::size_t before = printed_;
        eventually([&] { return printed_ > before; }, "the host prints on");
        enough_ = true;
        printer_.join();
    }

private:
    [[nodiscard]] bool is_closed(int fd) const { return (closed_ & (1 << fd)) != 0; }

    const int closed_;
    std::atomic<bool> enough_{false};
    std::atomic<std::size_t> printed_{0};
    std::thread printer_;
};

// argument: which of descriptors 0, 1 and 2 are closed, as bits.
void print_with_closed_streams(const char* argument)
{
    printing_host host(std::atoi(argument));
    for (int i = 0; i < 20; ++i) {
        session s(i % 2 == 0 ? "echo" : "report");
        if (i % 2 == 1) {
            s.until([&] { return !s.told.lines.empty() && s.told.lines.back() == "end of report"; },
                "a report");
            bool only_three = false;
            for (const std::string& line : s.told.lines)
                only_three = only_three || line == "descriptors 0 1 2";
            expect(only_three, "a child has descriptors 0, 1 and 2 and no other");
        }
        for (int line = 0; line < 10; ++line)
            s.echo("line " + std::to_string(line));
        host.expect_untouched();
        s.io->stop(stop_step::close_input);
        s.until([&] { return s.told.end.has_value(); }, "an end");
    }
    host.finish();
}

asio::awaitable<void> use_pool(session_pool& pool, printing_host& host)
{
    const std::string message = "through the pool";
    {
        lease session = co_await pool.acquire(std::chrono::seconds(60));
        json::object arguments;
        arguments["message"] = message;
        const tool_result answer = co_await session->call_tool("echo", std::move(arguments));
        expect(answer.text() == message, "\"" + answer.text() + "\" is what was sent");
        host.print_once();
        host.expect_untouched();
    }
    co_await pool.close(std::chrono::seconds(20));
}

// The same with pools: each is the first to use a context, whose reactor has descriptors of its own.
// argument: which of descriptors 0, 1 and 2 are closed, as bits.
void print_beside_pools(const char* argument)
{
    printing_host host(std::atoi(argument));
    for (int i = 0; i < 5; ++i) {
        stdio_server server;
        server.command = MCP_POOL_TEST_BIN "/mcp-pool-echo-server";
        server_config config("echo", std::move(server));
        config.pool.max_size = 1;
        asio::io_context context;
        session_pool pool(context.get_executor(), std::move(config));
        host.print_once();
        host.expect_untouched();
        bool done = false;
        asio::co_spawn(context, use_pool(pool, host), [&done](const std::exception_ptr& e) {
            if (e)
                std::rethrow_exception(e);
            done = true;
        });
        try {
            context.run_for(std::chrono::seconds(120));
        } catch (const std::exception& e) {
            fail(e.what());
        }
        expect(done, "the pool closes");
    }
    host.finish();
}

void expect_ends(bool may_be_known)
{
    for (const stop_step step : {stop_step::close_input, stop_step::terminate, stop_step::kill}) {
        session s("grandchild");
        s.until([&] { return !s.told.lines.empty(); }, "a line");
        const int grandchild = std::stoi(s.told.lines.front().substr(11));
        s.io->stop(step);
        s.until([&] { return s.told.end.has_value(); }, "an end");
        expect(s.told.end->status.has_value(), "there is a status");
        const bool taken = s.told.end->status->how == exit_status::kind::taken_by_host;
        expect(taken || may_be_known, "the status was taken by the host");
        expect(s.told.end->survivors.empty(), "there are no survivors");
        const auto left = read_process(grandchild);
        expect(!left || !left->alive(), "the grandchild has gone");
    }
    // And one that dies by itself, and one that is destroyed.
    session dying("echo");
    ::kill(*dying.told.pid, SIGKILL);
    dying.until([&] { return dying.told.end.has_value(); }, "an end");
    int pid = 0;
    {
        session destroyed("stubborn");
        pid = *destroyed.told.pid;
    }
    eventually([pid] { return !read_process(pid); }, "a destroyed transport's process is reaped");
}

void ignore_children(const char*)
{
    ::signal(SIGCHLD, SIG_IGN);
    expect_ends(false);
    seams().no_pidfd = true;
    expect_ends(false);
}

void wait_for_every_child(const char*)
{
    // Something to wait for, always.
    int keep[2];
    expect(::pipe2(keep, O_CLOEXEC) == 0, "a pipe");
    if (::fork() == 0) {
        char ignored;
        ::close(keep[1]);
        [[maybe_unused]] const auto size = ::read(keep[0], &ignored, 1);
        ::_exit(0);
    }
    ::close(keep[0]);
    std::thread reaper([] {
        while (::waitpid(-1, nullptr, 0) > 0) {
        }
    });
    for (int i = 0; i < 10; ++i) {
        seams().no_pidfd = i >= 8;
        expect_ends(true);
    }
    ::close(keep[1]);
    reaper.join();
}

// argument: what SIGPIPE is before the library is used.
void look_at_sigpipe(const char* argument)
{
    const std::string present = argument;
    const auto handler = [](int) {};
    if (present == "handled")
        ::signal(SIGPIPE, handler);
    else
        ::signal(SIGPIPE, SIG_DFL);
    session s("close_input");
    const auto now = ::signal(SIGPIPE, SIG_DFL);
    if (present == "handled")
        expect(now == static_cast<void (*)(int)>(handler), "a handler of the host is kept");
    else
        expect(now == SIG_IGN, "SIGPIPE is ignored");
    session second("echo");
    expect(::signal(SIGPIPE, SIG_DFL) == SIG_DFL, "it was changed once");
}

// Says who its child is, and waits to be killed.
void be_killed(const char*)
{
    session s("stubborn");
    s.until([&] { return !s.told.lines.empty(); }, "a line");
    std::printf("%d\n", *s.told.pid);
    std::fflush(stdout);
    for (;;)
        ::pause();
}

} // namespace

int main(int argc, char** argv)
{
    if (argc != 4)
        return 2;
    const descriptor file(::open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    // Not below 3, whatever the test closes.
    story = ::fdopen(::fcntl(file.get(), F_DUPFD_CLOEXEC, 10), "w");
    if (std::strcmp(argv[1], "closed") == 0)
        print_with_closed_streams(argv[2]);
    else if (std::strcmp(argv[1], "pools") == 0)
        print_beside_pools(argv[2]);
    else if (std::strcmp(argv[1], "ignore") == 0)
        ignore_children(argv[2]);
    else if (std::strcmp(argv[1], "wait") == 0)
        wait_for_every_child(argv[2]);
    else if (std::strcmp(argv[1], "sigpipe") == 0)
        look_at_sigpipe(argv[2]);
    else if (std::strcmp(argv[1], "killed") == 0)
        be_killed(argv[2]);
    else
        return 2;
    return 0;
}
