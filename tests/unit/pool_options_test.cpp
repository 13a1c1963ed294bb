// Options: environment, precedence, refusals.
#include "support/pool_fixture.hpp"

#include <mcp_pool/mcp_pool.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <string>

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

// Sets a variable of this process for the time of a test.
class variable
{
public:
    variable(const char* name, const char* value)
        : name_(name)
    {
        ::setenv(name, value, 1);
    }
    variable(const variable&) = delete;
    variable& operator=(const variable&) = delete;
    ~variable() { ::unsetenv(name_); }

private:
    const char* name_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(options_of_a_pool)

BOOST_AUTO_TEST_CASE(the_environment_is_read_when_asked_for_and_only_then)
{
    const variable size("MCP_POOL_SIZE", "7");
    const variable wait("MCP_POOL_MAX_WAIT", "0.25");
    const variable scaling("MCP_POOL_SCALING", "adaptive");
    const pool_overrides read = pool_overrides::from_environment();
    BOOST_TEST(read.max_size.value() == 7u);
    BOOST_TEST((read.max_wait.value() == 250ms));
    BOOST_TEST((read.scaling.value() == scaling_policy::adaptive));
    BOOST_TEST(!read.min_size);
    BOOST_TEST(resolve().max_size == 10u);
}

BOOST_AUTO_TEST_CASE(the_first_override_that_says_something_wins)
{
    pool_overrides servers_own, environment;
    servers_own.max_size = 1;
    environment.max_size = 10;
    environment.max_waiters = 5;
    const pool_options o = resolve(servers_own, environment);
    BOOST_TEST(o.max_size == 1u);
    BOOST_TEST(o.max_waiters == 5u);
    BOOST_TEST((o.max_wait == 30s));
}

BOOST_AUTO_TEST_CASE(impossible_values_are_refused_by_name_value_and_range)
{
    const auto from = [](const char* name, const char* value) {
        const variable v(name, value);
        return refusal_of([] { pool_overrides::from_environment(); });
    };
    BOOST_TEST(from("MCP_POOL_SIZE", "ten")
        == R"(MCP_POOL_SIZE="ten": expected an integer from 1 to 10000)");
    BOOST_TEST(from("MCP_POOL_SIZE", "0").find("from 1 to 10000") != std::string::npos);
    BOOST_TEST(from("MCP_POOL_SIZE", "10001").find("from 1 to 10000") != std::string::npos);
    BOOST_TEST(from("MCP_POOL_SIZE", "").find("expected an integer") != std::string::npos);
    BOOST_TEST(from("MCP_POOL_SIZE", " 5").find("expected an integer") != std::string::npos);
    BOOST_TEST(from("MCP_POOL_MAX_WAIT", "-1").find("expected seconds") != std::string::npos);
    BOOST_TEST(from("MCP_POOL_MAX_WAIT", "nan").find("expected seconds") != std::string::npos);
    BOOST_TEST(from("MCP_POOL_MAX_WAIT", "5s").find("expected seconds") != std::string::npos);
    BOOST_TEST(from("MCP_POOL_SCALING", "auto")
        == R"(MCP_POOL_SCALING="auto": expected fixed or adaptive)");
    // Control characters do not reach a terminal.
    BOOST_TEST(from("MCP_POOL_SIZE", "\x1b[2J").find('\x1b') == std::string::npos);

    pool_overrides more_min_than_max;
    more_min_than_max.min_size = 11;
    BOOST_TEST(refusal_of([&] { resolve(more_min_than_max); })
        == "min_size=11: expected at most max_size, which is 10");
    pool_overrides no_probe_timeout;
    no_probe_timeout.probe_timeout = 0s;
    BOOST_TEST(refusal_of([&] { resolve(no_probe_timeout); }).find("probe_timeout=0 s")
        != std::string::npos);
}

BOOST_AUTO_TEST_CASE(options_that_contradict_each_other_are_refused_by_name)
{
    const auto with = [](const std::function<void(pool_overrides&)>& change) {
        pool_fixture fixture;
        pool_overrides o;
        change(o);
        return refusal_of([&] { fixture.open(o); });
    };
    BOOST_TEST(with([](auto& o) { o.max_leases_per_session = 4; })
        == "max_leases_per_session=4: expected 1, or sharing=multiplexed beside it");
    BOOST_TEST(with([](auto& o) { o.max_leases_per_key = 2; })
        == "max_leases_per_key=2: expected 0, or queue=fair beside it");
    BOOST_TEST(with([](auto& o) { o.max_waiters_per_key = 3; })
        == "max_waiters_per_key=3: expected 0, or queue=fair beside it");
    BOOST_TEST(with([](auto&) {}) == "accepted");
}

BOOST_AUTO_TEST_CASE(options_change_while_the_pool_runs_or_are_refused_by_name)
{
    pool_fixture fixture;
    fixture.open();
    pool_overrides limits;
    limits.max_size = 4;
    limits.idle_timeout = 7s;
    limits.max_uses = 3;
    fixture.pool->change_options(limits);
    BOOST_TEST(fixture.pool->options().max_size == 4u);
    BOOST_TEST((fixture.pool->options().idle_timeout == 7s));
    BOOST_TEST(fixture.pool->options().max_uses == 3u);

    pool_overrides kind;
    kind.reset = reset_policy::respawn;
    BOOST_TEST(refusal_of([&] { fixture.pool->change_options(kind); })
        == "reset cannot be changed while the pool runs; make a new pool");
    pool_overrides impossible;
    impossible.max_size = 0;
    BOOST_TEST(refusal_of([&] { fixture.pool->change_options(impossible); })
        == "max_size=0: expected an integer from 1 to 10000");
    // Nothing has changed.
    BOOST_TEST(fixture.pool->options().max_size == 4u);
}

BOOST_AUTO_TEST_CASE(a_file_for_stderr_is_named_where_it_is_wanted_and_only_there)
{
    pool_overrides nameless;
    nameless.stderr = stderr_policy::file;
    BOOST_TEST(refusal_of([&] { resolve(nameless); })
        == "stderr=file: expected the name of a file in stderr_file");
    pool_overrides pointless;
    pointless.stderr_file = "server.log";
    BOOST_TEST(refusal_of([&] { resolve(pointless); })
        == "stderr_file=\"server.log\": expected stderr=file beside it");

    asio::io_context context;
    stdio_server server;
    server.command = "true";
    const auto open = [&](std::string file) {
        server_config c("x", server);
        c.pool.stderr = stderr_policy::file;
        c.pool.stderr_file = std::move(file);
        return refusal_of([&] { session_pool pool(context.get_executor(), c); });
    };
    BOOST_TEST(open("/no/such/directory/x.log")
        == "server \"x\": stderr_file=\"/no/such/directory/x.log\": cannot be appended to (No "
           "such file or directory); expected a regular file");
    BOOST_TEST(open("/").find("cannot be appended to") != std::string::npos);
    BOOST_TEST(open("/dev/null").find("expected a regular file") != std::string::npos);
    BOOST_TEST(
        open(std::string("a\0b", 3)).find("stderr_file contains a NUL") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_server_that_cannot_be_is_refused)
{
    asio::io_context context;
    const auto open = [&](const server_config& c) {
        return refusal_of([&] { session_pool pool(context.get_executor(), c); });
    };
    BOOST_TEST(open(server_config("", stdio_server())).find("server name") != std::string::npos);
    BOOST_TEST(open(server_config("x", stdio_server())).find("command") != std::string::npos);
    stdio_server odd;
    odd.command = "true";
    odd.env["A=B"] = "c";
    BOOST_TEST(open(server_config("x", odd)).find("A=B") != std::string::npos);
    stdio_server nul;
    nul.command = std::string("a\0b", 3);
    BOOST_TEST(open(server_config("x", nul)).find("NUL") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
