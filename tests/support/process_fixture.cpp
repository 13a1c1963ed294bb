#include "support/process_fixture.hpp"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include <unistd.h>

namespace mcp_pool::testing {

namespace {

namespace fs = std::filesystem;

std::string read_all(const fs::path& path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// What our open descriptors refer to, sorted.
std::vector<std::string> open_descriptors()
{
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
        std::error_code closed_meanwhile;
        std::string target = fs::read_symlink(entry.path(), closed_meanwhile).string();
        // The directory that is being read.
        if (!closed_meanwhile && target.find("/proc/") != 0)
            all.push_back(entry.path().filename().string() + " -> " + target);
    }
    std::sort(all.begin(), all.end());
    return all;
}

// What the library keeps for the whole process is made by the first server.
void start_one_server()
{
    pool_fixture first;
    stdio_server process;
    process.command = MCP_POOL_TEST_BIN "/misbehaving-server";
    process.args = {"polite"};
    first.pool.emplace(first.context.get_executor(), server_config("first", std::move(process)));
    first.acquire().release();
    first.finish(first.pool->close(10s));
}

std::string make_mark()
{
    static std::atomic<unsigned> counter{0};
    return std::to_string(::getpid()) + "-" + std::to_string(++counter);
}

// Tries until `done()`, for as long as anything reasonable takes.
template <class Done>
bool eventually(Done done)
{
    const auto limit = std::chrono::steady_clock::now() + 30s;
    while (!done()) {
        if (std::chrono::steady_clock::now() > limit)
            return false;
        // There is no event for the end of what another process or thread has.
        std::this_thread::sleep_for(5ms);
    }
    return true;
}

std::string joined(const std::vector<std::string>& lines)
{
    std::string all;
    for (const std::string& line : lines)
        all += "\n  " + line;
    return all;
}

} // namespace

leftovers_check::leftovers_check()
    : mark_(make_mark())
{
    static const bool started = (start_one_server(), true);
    BOOST_TEST_REQUIRE(started);
    open_before_ = open_descriptors();
}

leftovers_check::~leftovers_check()
{
    BOOST_TEST(await_no_marked_process(), "processes are left: " << marked_processes().size());
    BOOST_TEST(eventually([this] { return open_descriptors().size() <= open_before_.size(); }),
        "descriptors are left; before:" << joined(open_before_)
                                        << "\nnow:" << joined(open_descriptors()));
}

std::vector<int> leftovers_check::marked_processes() const
{
    const std::string variable = std::string(mark_name) + "=" + mark_;
    std::vector<int> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const std::string name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos)
            continue;
        // A zombie has no environment any more.
        const std::string variables = '\0' + read_all(entry.path() / "environ");
        if (variables.find('\0' + variable + '\0') != std::string::npos)
            found.push_back(std::stoi(name));
    }
    return found;
}

bool leftovers_check::await_no_marked_process() const
{
    return eventually([this] { return marked_processes().empty(); });
}

process_fixture::process_fixture()
{
    environment[mark_name] = mark_;
}

session_pool& process_fixture::open_server(const std::string& command,
    std::vector<std::string> args, const pool_overrides& overrides, era_choice era)
{
    stdio_server process;
    process.command = command.find('/') == std::string::npos ? MCP_POOL_TEST_BIN "/" + command
                                                             : command;
    process.args = std::move(args);
    process.env = environment;
    server_config config("tested", std::move(process));
    config.pool = overrides;
    config.era = era;
    pool.emplace(context.get_executor(), std::move(config));
    return *pool;
}

std::shared_ptr<outcome<tool_result>> process_fixture::echo(lease& session, call_options options)
{
    return finish(session->call_tool("echo", object("message", "hi"), std::move(options)));
}

void process_fixture::teardown()
{
    if (!pool)
        return;
    const auto report = finish(pool->close(20s));
    BOOST_REQUIRE(report->value);
    BOOST_TEST(report->value->survivors == 0u);
    BOOST_TEST(report->value->forced == 0u);
    BOOST_TEST(marked_processes().empty());
}

} // namespace mcp_pool::testing
