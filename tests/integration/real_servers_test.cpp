// The servers that the world runs, on Node.js: installed by the test `install_node_servers`.
#include "support/node_servers.hpp"
#include "support/process_fixture.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
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
        pool_overrides options = {}, era_choice era = era_choice::auto_detect,
        std::shared_ptr<const client_handlers> handlers = nullptr)
    {
        args.insert(args.begin(), script.string());
        stdio_server process;
        process.command = "node";
        process.args = std::move(args);
        process.env = environment;
        server_config config("tested", std::move(process));
        config.pool = options;
        config.era = era;
        config.handlers = std::move(handlers);
        pool.emplace(context.get_executor(), std::move(config));
    }

    tool_result call(lease& session, std::string tool, json::object arguments,
        std::source_location where = std::source_location::current())
    {
        return got(session->call_tool(std::move(tool), std::move(arguments)), where);
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

BOOST_AUTO_TEST_CASE(lists_and_reads_its_resources_as_text_and_as_bytes)
{
    open_node(script_of("server-everything"));
    lease session = acquire();
    const auto resources = got(session->list_resources());
    BOOST_TEST_REQUIRE(!resources.empty());
    const auto features = std::find_if(resources.begin(), resources.end(),
        [](const resource& r) { return r.name() == "features.md"; });
    BOOST_TEST_REQUIRE((features != resources.end()));
    BOOST_TEST(features->mime_type() == "text/markdown");
    BOOST_TEST(!features->description().empty());
    const resource_result document = got(session->read_resource(std::string(features->uri())));
    BOOST_TEST_REQUIRE(document.contents().size() == 1u);
    BOOST_TEST(document.contents()[0].uri() == features->uri());
    BOOST_TEST(document.text().starts_with("# Everything Server"));

    const auto templates = got(session->list_resource_templates());
    std::set<std::string_view> uris;
    for (const resource_template& t : templates)
        uris.insert(t.uri_template());
    BOOST_TEST(uris.contains("demo://resource/dynamic/text/{resourceId}"));
    BOOST_TEST(uris.contains("demo://resource/dynamic/blob/{resourceId}"));
    const resource_result blob = got(session->read_resource("demo://resource/dynamic/blob/3"));
    BOOST_TEST_REQUIRE(blob.contents().size() == 1u);
    BOOST_TEST(blob.contents()[0].is_blob());
    std::string bytes;
    for (const std::byte b : blob.contents()[0].bytes())
        bytes += static_cast<char>(b);
    BOOST_TEST(bytes.starts_with("Resource 3: This is a base64 blob"), bytes);
    check_failure(finish(session->read_resource("demo://nowhere")),
        error_code(-32602, rpc_category()), {"resources/read", "demo://nowhere"});
}

BOOST_AUTO_TEST_CASE(makes_messages_of_its_prompts_and_completes_their_arguments)
{
    open_node(script_of("server-everything"));
    lease session = acquire();
    std::set<std::string_view> names;
    const auto prompts = got(session->list_prompts());
    for (const prompt& p : prompts) {
        names.insert(p.name());
        if (p.name() != "args-prompt")
            continue;
        BOOST_TEST_REQUIRE(p.arguments().size() == 2u);
        BOOST_TEST(p.arguments()[0].name() == "city");
        BOOST_TEST(p.arguments()[0].required());
        BOOST_TEST(!p.arguments()[1].required());
    }
    BOOST_TEST(names.contains("simple-prompt"));
    const prompt_result weather = got(session->get_prompt("args-prompt", object("city", "Oslo")));
    BOOST_TEST_REQUIRE(weather.messages().size() == 1u);
    BOOST_TEST(weather.messages()[0].role() == "user");
    BOOST_TEST(weather.messages()[0].content().text() == "What's weather in Oslo?");
    json::object which = object("resourceType", "Text");
    which["resourceId"] = "1";
    const prompt_result embedded = got(session->get_prompt("resource-prompt", std::move(which)));
    BOOST_TEST_REQUIRE(embedded.messages().size() == 2u);
    const content_block block = embedded.messages()[1].content();
    BOOST_TEST((block.kind() == content_kind::resource));
    BOOST_TEST(block.uri() == "demo://resource/dynamic/text/1");
    BOOST_TEST(block.contents().text().starts_with("Resource 1: "));

    completion_argument name("name", "");
    name.known["department"] = "Sales";
    const completion team = got(
        session->complete(completion_reference::prompt("completable-prompt"), name));
    BOOST_TEST_REQUIRE(team.values().size() == 3u);
    BOOST_TEST(team.values()[0] == "David");
    BOOST_TEST(!team.has_more());
    const completion id = got(session->complete(
        completion_reference::resource("demo://resource/dynamic/text/{resourceId}"),
        completion_argument("resourceId", "7")));
    BOOST_TEST_REQUIRE(id.values().size() == 1u);
    BOOST_TEST(id.values()[0] == "7");
}

BOOST_AUTO_TEST_CASE(gives_content_of_every_kind)
{
    open_node(script_of("server-everything"));
    lease session = acquire();
    const tool_result image = call(session, "get-tiny-image", {});
    bool seen = false;
    for (const content_block block : image.blocks()) {
        if (block.kind() != content_kind::image)
            continue;
        seen = true;
        BOOST_TEST(block.mime_type() == "image/png");
        const std::vector<std::byte> bytes = block.bytes();
        BOOST_TEST_REQUIRE(bytes.size() > 4u);
        BOOST_TEST(std::to_integer<int>(bytes[1]) == 'P');
    }
    BOOST_TEST(seen);
    const tool_result links = call(session, "get-resource-links", object("count", 2));
    std::size_t linked = 0;
    for (const content_block block : links.blocks())
        if (block.kind() == content_kind::resource_link) {
            BOOST_TEST(block.uri().starts_with("demo://resource/dynamic/"));
            ++linked;
        }
    BOOST_TEST(linked == 2u);
}

BOOST_AUTO_TEST_CASE(forgets_the_subscriptions_and_the_log_level_of_a_lease)
{
    open_node(script_of("server-everything"));
    int pid = 0;
    {
        lease session = acquire();
        pid = session->pid();
        const std::string uri = "demo://resource/dynamic/text/1";
        BOOST_TEST(!finish(session->subscribe(uri))->failure);
        BOOST_TEST(!finish(session->subscribe("demo://resource/dynamic/text/2"))->failure);
        BOOST_TEST(!finish(session->unsubscribe(uri))->failure);
        BOOST_TEST(!finish(session->set_log_level(log_level::debug))->failure);
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

BOOST_AUTO_TEST_CASE(takes_the_log_level_with_each_request_of_the_modern_era)
{
    open_node(node_servers / "dual-era-server.mjs");
    lease session = acquire();
    BOOST_TEST(!finish(session->set_log_level(log_level::warning))->failure);
    BOOST_TEST(call(session, "echo", object("message", "hi")).text() == "hi");
    check_failure(finish(session->subscribe("test:a")), errc::method_not_supported,
        {"test:a", "acknowledges"});
    check_failure(
        finish(session->list_prompts()), error_code(-32601, rpc_category()), {"prompts/list"});
}

BOOST_AUTO_TEST_CASE(tells_those_who_listen_of_what_changes)
{
    std::vector<std::string> updates;
    std::size_t lists = 0;
    auto handlers = std::make_shared<client_handlers>();
    handlers->resource_updated = [&](const request_context& of, const json::object& params) {
        updates.push_back(of.isolation_key + ": " + std::string(params.at("uri").as_string()));
    };
    handlers->list_changed = [&](const request_context&, list_kind which) {
        BOOST_TEST((which == list_kind::tools));
        ++lists;
    };
    pool_overrides alone;
    alone.max_size = 1;
    open_node(node_servers / "dual-era-server.mjs", {"changing"}, alone, era_choice::auto_detect,
        handlers);
    const auto acquire_for = [&](std::string who) {
        acquire_options options(30s);
        options.isolation_key = std::move(who);
        return got(pool->acquire(std::move(options)));
    };
    int pid = 0;
    {
        lease session = acquire_for("Ada");
        pid = session->pid();
        call(session, "count", {});
        BOOST_TEST(updates.empty());
        BOOST_TEST(!finish(session->subscribe("test:other"))->failure);
        BOOST_TEST(!finish(session->subscribe("test:counter"))->failure);
        call(session, "count", {});
        until([&] { return updates.size() == 1; });
        BOOST_TEST(!finish(session->unsubscribe("test:other"))->failure);
        call(session, "count", {});
        until([&] { return updates.size() == 2; });
        BOOST_TEST(!finish(session->unsubscribe("test:counter"))->failure);
        BOOST_TEST(call(session, "count", {}).text() == "4");
        BOOST_TEST(!finish(session->subscribe("test:counter"))->failure);
        call(session, "grow", object("name", "another"));
        until([&] { return lists == 1; });
    }
    lease session = acquire_for("Ada");
    BOOST_TEST(session->pid() == pid);
    call(session, "count", {});
    BOOST_TEST(call(session, "count", {}).text() == "6");
    BOOST_TEST(updates == (std::vector<std::string>{"Ada: test:counter", "Ada: test:counter"}),
        boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(allows_results_to_be_kept_until_it_says_that_they_have_changed)
{
    pool_overrides alone;
    alone.max_size = 1;
    open_node(node_servers / "dual-era-server.mjs", {"changing"}, alone);
    const auto count = [this](lease& session, std::string_view expected) {
        const resource_result got_now = got(session->read_resource("test:counter"));
        BOOST_TEST(got_now.text() == expected);
    };
    {
        lease session = acquire();
        BOOST_TEST(tool_names(session) == (std::set<std::string>{"count", "grow"}),
            boost::test_tools::per_element());
        count(session, "0");
        call(session, "count", {});
        // It changed, but nobody asked to be told.
        count(session, "0");
        BOOST_TEST(!finish(session->subscribe("test:counter"))->failure);
        call(session, "count", {});
        // Its word comes before the answer of the tool.
        count(session, "2");
    }
    lease session = acquire();
    BOOST_TEST(tool_names(session).size() == 2u);
    BOOST_TEST(pool->stats().cache_hits == 2u);
    call(session, "grow", object("name", "another"));
    BOOST_TEST(tool_names(session).contains("another"));
    BOOST_TEST(pool->stats().cache_hits == 2u);
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
