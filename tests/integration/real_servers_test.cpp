// The servers that the world runs, on Node.js: installed by the test `install_node_servers`.
#include "support/node_servers.hpp"
#include "support/process_fixture.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <set>

namespace ut = boost::unit_test;
using namespace mcp_pool;
using namespace mcp_pool::testing;
namespace fs = std::filesystem;

namespace {

// A directory that is gone with its object.
struct temporary_directory
{
    temporary_directory()
    {
        std::string name = (fs::temp_directory_path() / "mcp-pool-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(name.data()));
        path = fs::canonical(name);
    }
    temporary_directory(const temporary_directory&) = delete;
    temporary_directory& operator=(const temporary_directory&) = delete;
    ~temporary_directory() { fs::remove_all(path); }

    fs::path path;
};

struct node_fixture : process_fixture
{
    // Starts `node` itself: no npx, no shell.
    void open_node(const fs::path& script, std::vector<std::string> args = {},
        pool_overrides options = {}, era_choice era = era_choice::auto_detect)
    {
        args.insert(args.begin(), script.string());
        stdio_server process;
        process.command = "node";
        process.args = std::move(args);
        process.env = environment;
        server_config config("tested", std::move(process));
        config.pool = options;
        config.era = era;
        pool.emplace(context.get_executor(), std::move(config));
    }

    tool_result call(lease& session, std::string tool, json::object arguments,
        std::source_location where = std::source_location::current())
    {
        const auto result = finish(
            session->call_tool(std::move(tool), std::move(arguments)), where);
        BOOST_TEST_CONTEXT("line " << where.line())
        BOOST_REQUIRE_MESSAGE(!result->failure, why(result));
        return *result->value;
    }

    std::set<std::string> tool_names(lease& session)
    {
        const auto listed = finish(session->list_tools());
        BOOST_REQUIRE_MESSAGE(!listed->failure, why(listed));
        std::set<std::string> names;
        for (const tool& t : *listed->value)
            names.insert(std::string(t.name()));
        return names;
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(server_everything, node_fixture, *ut::precondition(node_is_installed))

BOOST_AUTO_TEST_CASE(is_found_to_be_legacy_and_serves_lease_after_lease)
{
    open_node(script_of("server-everything"));
    int pid = 0;
    {
        lease session = acquire();
        pid = session->pid();
        BOOST_TEST((session->era() == era::legacy));
        BOOST_TEST(session->protocol_version() == "2025-11-25");
        BOOST_TEST(tool_names(session).contains("echo"));
        BOOST_TEST(call(session, "echo", object("message", "hi")).text() == "Echo: hi");
        BOOST_TEST(!finish(session->ping())->failure);
    }
    lease again = acquire();
    BOOST_TEST(again.reused());
    BOOST_TEST(again->pid() == pid);
    BOOST_TEST(call(again, "echo", object("message", "again")).text() == "Echo: again");
    BOOST_TEST(pool->stats().start_failures == 0u);
}

BOOST_AUTO_TEST_CASE(answers_wrong_calls_with_error_results)
{
    open_node(script_of("server-everything"));
    lease session = acquire();
    BOOST_TEST(call(session, "nope", {}).is_error());
    BOOST_TEST(call(session, "echo", {}).is_error());
    check_failure(finish(session->request("no/such/method", {})),
        error_code(-32601, rpc_category()), {"no/such/method", "-32601"});
    BOOST_TEST(call(session, "echo", object("message", "hi")).text() == "Echo: hi");
}

BOOST_AUTO_TEST_CASE(reports_progress_and_stops_when_cancelled)
{
    open_node(script_of("server-everything"));
    int pid = 0;
    {
        lease session = acquire();
        pid = session->pid();
        json::object arguments;
        arguments["duration"] = 1;
        arguments["steps"] = 4;
        std::vector<double> steps;
        call_options watched;
        watched.progress = [&steps](const progress& p) { steps.push_back(p.value); };
        const auto done = finish(session->call_tool(
            "trigger-long-running-operation", std::move(arguments), std::move(watched)));
        BOOST_REQUIRE_MESSAGE(!done->failure, why(done));
        BOOST_TEST(steps == (std::vector<double>{1, 2, 3, 4}), boost::test_tools::per_element());

        json::object longer;
        longer["duration"] = 3600;
        longer["steps"] = 3600;
        check_failure(finish(session->call_tool("trigger-long-running-operation", std::move(longer),
                          call_options(500ms))),
            errc::call_timeout, {"500 ms"});
    }
    lease again = acquire();
    BOOST_TEST(again->pid() == pid);
    BOOST_TEST(call(again, "echo", object("message", "hi")).text() == "Echo: hi");
}

BOOST_AUTO_TEST_CASE(testifies_its_pid_and_every_executed_call)
{
    const temporary_directory directory;
    const fs::path tokens = directory.path / "tokens";
    environment["MCP_POOL_WITNESS"] = tokens.string();
    stdio_server process;
    process.command = "node";
    process.args = {"--import", (node_servers / "witness.mjs").string(),
        script_of("server-everything").string()};
    process.env = environment;
    pool.emplace(context.get_executor(), server_config("tested", std::move(process)));
    {
        lease session = acquire();
        const tool_result result = call(session, "echo", object("message", "token-1"));
        BOOST_TEST(result.text() == "Echo: token-1\npid " + std::to_string(session->pid()));
        call(session, "echo", object("message", "token-2"));
    }
    std::ifstream file(tokens);
    std::string first, second;
    file >> first >> second;
    BOOST_TEST(first == "token-1");
    BOOST_TEST(second == "token-2");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(server_filesystem, node_fixture, *ut::precondition(node_is_installed))

BOOST_AUTO_TEST_CASE(reads_the_directory_that_it_was_given_and_nothing_else)
{
    const temporary_directory directory;
    std::ofstream(directory.path / "note.txt") << "written by the test";
    open_node(script_of("server-filesystem"), {directory.path.string()});
    lease session = acquire();
    BOOST_TEST(tool_names(session).contains("read_text_file"));
    const std::string inside = (directory.path / "note.txt").string();
    BOOST_TEST(call(session, "read_text_file", object("path", json::string(inside))).text()
        == "written by the test");
    BOOST_TEST(call(session, "read_text_file", object("path", "/etc/passwd")).is_error());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(server_memory, node_fixture, *ut::precondition(node_is_installed))

BOOST_AUTO_TEST_CASE(remembers_across_leases_in_its_one_process)
{
    const temporary_directory directory;
    environment["MEMORY_FILE_PATH"] = (directory.path / "memory.jsonl").string();
    pool_overrides alone;
    alone.max_size = 1;
    open_node(script_of("server-memory"), {}, alone);
    {
        lease session = acquire();
        json::object entity;
        entity["name"] = "pool";
        entity["entityType"] = "thing";
        entity["observations"] = json::array();
        json::array entities;
        entities.push_back(std::move(entity));
        BOOST_TEST(
            !call(session, "create_entities", object("entities", std::move(entities))).is_error());
    }
    lease session = acquire();
    const tool_result graph = call(session, "read_graph", {});
    BOOST_TEST(graph.structured_content().at("entities").at(0).at("name") == "pool");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(dual_era_server, node_fixture, *ut::precondition(node_is_installed))

BOOST_AUTO_TEST_CASE(is_spoken_to_in_the_modern_era)
{
    open_node(node_servers / "dual-era-server.mjs");
    lease session = acquire();
    BOOST_TEST((session->era() == era::modern));
    BOOST_TEST(session->protocol_version() == "2026-07-28");
    BOOST_TEST(session->server_info().at("name") == "dual-era-server");
    BOOST_TEST(tool_names(session) == (std::set<std::string>{"add", "echo", "fail"}),
        boost::test_tools::per_element());
    BOOST_TEST(call(session, "echo", object("message", "hi")).text() == "hi");
    json::object numbers;
    numbers["a"] = 2;
    numbers["b"] = 40;
    BOOST_TEST(call(session, "add", std::move(numbers)).structured_content().at("sum") == 42);
    BOOST_TEST(call(session, "fail", {}).is_error());
    check_failure(finish(session->call_tool("nope", {})), error_code(-32602, rpc_category()),
        {"tools/call", "nope"});
    BOOST_TEST(!finish(session->ping())->failure);
}

BOOST_AUTO_TEST_CASE(is_spoken_to_in_the_legacy_era_if_so_configured)
{
    open_node(node_servers / "dual-era-server.mjs", {}, {}, era_choice::legacy);
    lease session = acquire();
    BOOST_TEST((session->era() == era::legacy));
    BOOST_TEST(session->protocol_version() == "2025-11-25");
    BOOST_TEST(call(session, "echo", object("message", "hi")).text() == "hi");
    BOOST_TEST(!finish(session->ping())->failure);
}

BOOST_AUTO_TEST_SUITE_END()
