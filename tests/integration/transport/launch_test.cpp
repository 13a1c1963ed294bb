// How servers start: what a child is given, and what people read when it cannot start.
#include "scene.hpp"
#include "transport/process_thread.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <link.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

using namespace mcp_pool;
using namespace mcp_pool::transport;
using namespace mcp_pool::transport::testing;

namespace {

namespace fs = std::filesystem;

// Where a program of this machine names its loader, without the zero at the end, and how long the
// name is.
std::pair<std::size_t, std::size_t> loader_in(const std::string& content)
{
    ElfW(Ehdr) header = {};
    BOOST_REQUIRE(content.size() >= sizeof header);
    std::memcpy(&header, content.data(), sizeof header);
    for (std::size_t i = 0; i < header.e_phnum; ++i) {
        ElfW(Phdr) segment = {};
        const std::size_t at = header.e_phoff + i * header.e_phentsize;
        BOOST_REQUIRE(content.size() >= at + sizeof segment);
        std::memcpy(&segment, content.data() + at, sizeof segment);
        if (segment.p_type == PT_INTERP) {
            BOOST_REQUIRE(segment.p_filesz > 10u);
            BOOST_REQUIRE(content.size() >= segment.p_offset + segment.p_filesz);
            return {segment.p_offset, segment.p_filesz - 1};
        }
    }
    BOOST_FAIL("the fixture names no loader");
    return {};
}

struct launch_scene : balance
{
    fs::path directory;

    launch_scene()
    {
        std::string name = (fs::temp_directory_path() / "mcp_pool_XXXXXX").native();
        BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
        directory = name;
    }
    ~launch_scene() { fs::remove_all(directory); }

    std::string program(const std::string& content) const
    {
        const fs::path path = directory / "program";
        std::ofstream(path, std::ios::binary) << content;
        fs::permissions(path, fs::perms::owner_all);
        return path.native();
    }

    static start_failure failure_of(const stdio_server& server)
    {
        scene s(std::make_shared<stdio_server>(server));
        s.io->start();
        const start_failure result = s.until_failed();
        BOOST_TEST_MESSAGE(result.message);
        // The last event.
        BOOST_TEST(s.events.story == std::vector<std::string>{"start failed"},
            boost::test_tools::per_element());
        BOOST_TEST(s.io->send("too late\n") == 0U);
        s.io->stop(stop_step::kill);
        return result;
    }

    static void report(scene& s) { s.start_and_wait_for("end of report"); }
};

stdio_server command(std::string text)
{
    stdio_server result;
    result.command = std::move(text);
    return result;
}

bool contains(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

std::string content_of(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    return content.str();
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(launch, launch_scene)

BOOST_AUTO_TEST_CASE(a_server_gets_arguments_directory_and_environment_and_no_shell)
{
    ::setenv("MCP_POOL_TEST_PASSED", "yes", 1);
    ::setenv("MCP_POOL_TEST_KEPT", "no", 1);
    auto what = server("report", "$HOME; `id` 'x' *");
    what->cwd = directory;
    what->env = {{"SECRET", "a=b $x"}};
    what->env_passthrough = {"*_TEST_PASSED"};
    scene s(what);
    report(s);
    BOOST_TEST(s.events.has_line("argument " + fixture));
    BOOST_TEST(s.events.has_line("argument $HOME; `id` 'x' *"));
    BOOST_TEST(s.events.has_line("variable SECRET=a=b $x"));
    BOOST_TEST(s.events.has_line("variable MCP_POOL_TEST_PASSED=yes"));
    BOOST_TEST(!s.events.has_line("variable MCP_POOL_TEST_KEPT=no"));
    BOOST_TEST(s.events.value_of("directory") == fs::canonical(directory).native());
}

BOOST_AUTO_TEST_CASE(a_relative_command_counts_from_the_servers_directory)
{
    fs::create_symlink(fixture, directory / "tool");
    stdio_server what = command("./tool");
    what.args = {"echo"};
    what.cwd = directory;
    scene s(std::make_shared<stdio_server>(what));
    s.io->start();
    s.echo("hello");
}

BOOST_AUTO_TEST_CASE(a_child_leads_its_own_session_and_dies_with_its_host)
{
    scene s(server("report"));
    report(s);
    BOOST_TEST(s.events.value_of("session leader") == "1");
    BOOST_TEST(s.events.value_of("group leader") == "1");
    BOOST_TEST(s.events.value_of("parent death signal") == std::to_string(SIGKILL));
    BOOST_TEST(s.events.value_of("core") == "0");
}

BOOST_AUTO_TEST_CASE(the_kernel_ends_servers_before_their_host_when_memory_runs_out)
{
    int before = -1;
    std::ifstream("/proc/self/oom_score_adj") >> before;
    scene s(server("report"));
    report(s);
    BOOST_TEST(s.events.value_of("badness") == std::to_string(std::max(before, 500)));
    int after = -1;
    std::ifstream("/proc/self/oom_score_adj") >> after;
    BOOST_TEST(after == before);
}

BOOST_AUTO_TEST_CASE(signals_are_at_their_defaults_whatever_the_host_has_done_to_them)
{
    const int numbers[] = {SIGINT, SIGQUIT, SIGHUP, SIGPIPE, SIGUSR1, SIGTERM, SIGRTMIN + 3};
    sigset_t blocked;
    sigset_t former;
    ::sigemptyset(&blocked);
    std::vector<void (*)(int)> handlers;
    for (const int number : numbers) {
        ::sigaddset(&blocked, number);
        handlers.push_back(::signal(number, SIG_IGN));
    }
    ::pthread_sigmask(SIG_BLOCK, &blocked, &former);
    {
        scene s(server("report"));
        report(s);
        BOOST_TEST(s.events.value_of("signals not default") == "0");
        BOOST_TEST(s.events.value_of("signals blocked") == "0");
    }
    ::pthread_sigmask(SIG_SETMASK, &former, nullptr);
    for (std::size_t i = 0; i < handlers.size(); ++i)
        ::signal(numbers[i], handlers[i]);
}

BOOST_AUTO_TEST_CASE(a_child_holds_its_three_streams_and_nothing_else_of_what_the_host_left_open)
{
    for (const bool old_kernel : {false, true}) {
        std::optional<without> seam;
        if (old_kernel)
            seam.emplace(seams().no_close_range);
        // None of them close-on-exec: a file, a listening socket, a pair, a far number.
        const descriptor file(::open("/dev/null", O_RDONLY));
        const descriptor acceptor(::socket(AF_INET, SOCK_STREAM, 0));
        BOOST_REQUIRE(::listen(acceptor.get(), 1) == 0);
        int pair[2];
        BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
        const descriptor one(pair[0]);
        const descriptor two(pair[1]);
        const descriptor far(::fcntl(file.get(), F_DUPFD, 900));
        BOOST_REQUIRE(far.get() >= 900);
        scene s(server("report"));
        report(s);
        BOOST_TEST(s.events.value_of("descriptors") == "0 1 2");
    }
}

BOOST_AUTO_TEST_CASE(a_child_of_a_host_that_has_died_meanwhile_does_not_run)
{
    const without seam(seams().parent_has_died);
    const start_failure why = failure_of(*server("echo"));
    BOOST_TEST(why.code == make_error_code(errc::start_failed));
    BOOST_TEST(contains(why.message, "host process ended"));
}

BOOST_AUTO_TEST_CASE(a_start_copies_nothing_of_the_hosts_memory)
{
    // A fork would write-protect all pages, and each write after it would fault once.
    constexpr std::size_t pages = 4 * 1024;
    constexpr std::size_t page = 4096;
    void* const memory = ::mmap(
        nullptr, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    BOOST_REQUIRE((memory != MAP_FAILED));
    ::madvise(memory, pages * page, MADV_NOHUGEPAGE);
    volatile char* const bytes = static_cast<char*>(memory);
    const auto touch_all = [bytes] {
        for (std::size_t i = 0; i < pages; ++i)
            bytes[i * page] = static_cast<char>(bytes[i * page] + 1);
    };
    const auto faults = [] {
        rusage usage = {};
        ::getrusage(RUSAGE_THREAD, &usage);
        return static_cast<std::size_t>(usage.ru_minflt);
    };
    touch_all();
    scene s(server("echo"));
    s.io->start();
    s.until_started();
    const std::size_t before = faults();
    touch_all();
    BOOST_TEST(faults() - before < pages / 2);
    ::munmap(memory, pages * page);
}

BOOST_AUTO_TEST_CASE(a_thread_that_ends_takes_no_session_along)
{
    // The parent-death signal is bound to the thread that makes the child.
    scene s(server("echo"));
    std::thread of_a_shrinking_pool([&s] {
        s.io->start();
        s.until_started();
    });
    of_a_shrinking_pool.join();
    s.echo("still here");
    BOOST_TEST(is_alive(*s.events.pid));
}

BOOST_AUTO_TEST_CASE(the_time_that_starts_take_is_measured)
{
    const auto spawns = process_thread::instance().spawns();
    const auto time = process_thread::instance().time_spawning();
    scene s(server("echo"));
    s.io->start();
    s.until_started();
    BOOST_TEST(process_thread::instance().spawns() == spawns + 1);
    BOOST_TEST((process_thread::instance().time_spawning() > time));
}

BOOST_AUTO_TEST_CASE(a_command_that_is_not_found_is_a_permanent_failure)
{
    stdio_server what = command("no-such-server");
    what.env = {{"PATH", directory.native()}};
    const start_failure why = failure_of(what);
    BOOST_TEST(why.code == make_error_code(errc::start_failed));
    BOOST_TEST(why.permanent);
    BOOST_TEST(contains(why.message, directory.native()));
}

BOOST_AUTO_TEST_CASE(a_missing_script_interpreter_is_named)
{
    const start_failure why = failure_of(command(program("#! /no/such/python3 -u\nprint()\n")));
    BOOST_TEST(why.permanent);
    BOOST_TEST(contains(why.message, "\"/no/such/python3\""));
}

BOOST_AUTO_TEST_CASE(a_missing_loader_of_a_program_is_named)
{
    std::string content = content_of(fixture);
    const auto [at, size] = loader_in(content);
    const std::string gone = "/gone/" + std::string(size - 6, 'x');
    content.replace(at, size, gone);
    const start_failure why = failure_of(command(program(content)));
    BOOST_TEST(why.permanent);
    BOOST_TEST(contains(why.message, gone));
    BOOST_TEST(contains(why.message, "loader"));
}

BOOST_AUTO_TEST_CASE(a_file_in_no_executable_format_is_not_handed_to_a_shell)
{
    const start_failure why = failure_of(command(program("touch " + directory.native() + "/x\n")));
    BOOST_TEST(why.permanent);
    BOOST_TEST(contains(why.message, "no format"));
    BOOST_TEST(!fs::exists(directory / "x"));
}

BOOST_AUTO_TEST_CASE(files_and_directories_that_cannot_be_used_are_told_apart)
{
    const std::string path = program("#!/bin/sh\n");
    fs::permissions(path, fs::perms::owner_read);
    BOOST_TEST(contains(failure_of(command(path)).message, "not executable"));
    stdio_server what = command("/bin/sh");
    what.cwd = directory / "absent";
    BOOST_TEST(contains(failure_of(what).message, "working directory"));
    const std::string script = directory / "script";
    std::ofstream(script) << "#!" << path << "\n";
    fs::permissions(script, fs::perms::owner_all);
    BOOST_TEST(contains(failure_of(command(script)).message, "interpreter"));
}

BOOST_AUTO_TEST_CASE(too_much_environment_is_explained)
{
    stdio_server what = *server("echo");
    what.env = {{"HUGE", std::string(200'000, 'x')}};
    const start_failure why = failure_of(what);
    BOOST_TEST(why.permanent);
    BOOST_TEST(contains(why.message, "too big"));
    BOOST_TEST(contains(why.message, "131072"));
}

BOOST_AUTO_TEST_CASE(a_program_that_is_being_written_is_tried_four_times_while_others_start)
{
    const fs::path path = directory / "program";
    fs::copy_file(fixture, path);
    const descriptor writer(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    BOOST_REQUIRE(writer.get() >= 0);
    const auto spawns = process_thread::instance().spawns();
    scene busy(std::make_shared<stdio_server>(command(path.native())));
    busy.io->start();
    scene other(server("echo"));
    other.io->start();
    other.until_started();
    const start_failure& why = busy.until_failed();
    BOOST_TEST(contains(why.message, "being written"));
    BOOST_TEST(!why.permanent);
    BOOST_TEST(process_thread::instance().spawns() == spawns + 1 + 4);
}

BOOST_AUTO_TEST_CASE(a_program_that_has_been_written_meanwhile_starts_at_the_next_try)
{
    const fs::path path = directory / "program";
    fs::copy_file(fixture, path);
    descriptor writer(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    BOOST_REQUIRE(writer.get() >= 0);
    const auto spawns = process_thread::instance().spawns();
    stdio_server what = *server("echo");
    what.command = path.native();
    scene s(std::make_shared<stdio_server>(what));
    s.io->start();
    eventually([spawns] { return process_thread::instance().spawns() > spawns; });
    writer.reset();
    s.until_started();
    s.echo("written");
    const auto tries = process_thread::instance().spawns() - spawns;
    BOOST_TEST((tries >= 2u && tries <= 4u), tries << " tries");
}

BOOST_AUTO_TEST_CASE(a_host_out_of_descriptors_is_not_blamed_on_the_server)
{
    rlimit former = {};
    BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &former) == 0);
    scene s(server("echo"));
    s.io->start();
    s.until_started();
    scene starved(server("echo"));
    rlimit none = former;
    none.rlim_cur = 3;
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    starved.io->start();
    starved.until([&] { return starved.events.failure || starved.events.pid; });
    ::setrlimit(RLIMIT_NOFILE, &former);
    const start_failure& why = starved.until_failed();
    BOOST_TEST(why.code == make_error_code(errc::resource_exhausted));
    BOOST_TEST(!why.permanent);
    BOOST_TEST(contains(why.message, "RLIMIT_NOFILE is 3"));
    s.echo("others go on");
}

BOOST_AUTO_TEST_CASE(start_hints_name_what_the_host_has_and_the_child_did_not_get)
{
    ::setenv("HTTPS_PROXY", "http://user:secret@proxy", 1);
    ::setenv("TMPDIR", directory.c_str(), 1);
    auto what = server("echo");
    what->env_passthrough = {"TMPDIR"};
    scene s(what);
    s.io->start();
    s.until_started();
    ::unsetenv("HTTPS_PROXY");
    ::unsetenv("TMPDIR");
    BOOST_TEST(contains(s.io->start_hints(), "HTTPS_PROXY"));
    BOOST_TEST(!contains(s.io->start_hints(), "TMPDIR"));
    BOOST_TEST(!contains(s.io->start_hints(), "secret"));
}

BOOST_AUTO_TEST_SUITE_END()
