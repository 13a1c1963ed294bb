#include "programs/echo_server/server.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <sstream>
#include <vector>

using namespace std::chrono_literals;
using namespace mcp_pool::echo_server;
namespace json = boost::json;

namespace {

constexpr const char* modern_meta =
    R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
    R"("io.modelcontextprotocol/clientCapabilities":{})";

// A server with its client, on a clock that stands still.
struct conversation
{
    explicit conversation(options configured = {})
        : peer(
            std::move(configured), [this](std::string_view token) { tokens.emplace_back(token); })
    {}

    // Says one line and returns what was said since the last time.
    std::vector<json::value> say(const std::string& line)
    {
        peer.receive(line, now);
        return heard();
    }

    json::value ask(const std::string& line)
    {
        auto answers = say(line);
        BOOST_TEST_REQUIRE(answers.size() == 1u);
        return answers[0];
    }

    json::value call(const std::string& name, const std::string& arguments)
    {
        return ask(call_line(name, arguments));
    }

    static std::string call_line(
        const std::string& name, const std::string& arguments, const std::string& meta = "{}")
    {
        return R"({"jsonrpc":"2.0","id":"c","method":"tools/call","params":{"name":")" + name
            + R"(","arguments":)" + arguments + ",\"_meta\":" + meta + "}}";
    }

    std::vector<json::value> wait(std::chrono::milliseconds time)
    {
        now += time;
        peer.advance(now);
        return heard();
    }

    std::string initialize(const std::string& version = "2025-11-25")
    {
        const auto answer = ask(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":)"
                                R"({"capabilities":{},"clientInfo":{},"protocolVersion":")"
            + version + "\"}}");
        return json::value_to<std::string>(answer.at("result").at("protocolVersion"));
    }

    std::vector<json::value> heard()
    {
        std::vector<json::value> result;
        std::istringstream lines(std::exchange(peer.output(), ""));
        for (std::string line; std::getline(lines, line);) {
            result.push_back(json::parse(line));
        }
        return result;
    }

    std::vector<std::string> tokens;
    server::time_point now{};
    server peer;
};

std::string text_of(const json::value& answer, std::size_t block = 0)
{
    return json::value_to<std::string>(answer.at("result").at("content").at(block).at("text"));
}

std::int64_t code_of(const json::value& answer)
{
    return answer.at("error").at("code").as_int64();
}

} // namespace

BOOST_AUTO_TEST_SUITE(echo_server)

BOOST_AUTO_TEST_CASE(initialize_echoes_each_known_version_and_offers_the_newest_to_others)
{
    for (const char* version : {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"}) {
        BOOST_TEST(conversation().initialize(version) == version);
    }
    BOOST_TEST(conversation().initialize("2026-07-28") == "2025-11-25");
    BOOST_TEST(conversation().initialize("1999-01-01") == "2025-11-25");
}

BOOST_AUTO_TEST_CASE(only_ping_is_answered_before_initialize)
{
    conversation c({.eras = era_support::legacy});
    BOOST_TEST(c.ask(R"({"jsonrpc":"2.0","id":7,"method":"ping"})")
        == json::parse(R"({"jsonrpc":"2.0","id":7,"result":{}})"));
    BOOST_TEST(code_of(c.ask(R"({"jsonrpc":"2.0","id":8,"method":"tools/list"})")) == -32600);
    BOOST_TEST(code_of(c.ask(R"({"jsonrpc":"2.0","id":9,"method":"server/discover"})")) == -32601);
    c.initialize();
    BOOST_TEST(
        c.ask(R"({"jsonrpc":"2.0","id":10,"method":"tools/list"})").at("result").is_object());
}

BOOST_AUTO_TEST_CASE(discover_and_modern_results_carry_the_members_of_their_revision)
{
    conversation c;
    const auto discovered = c.ask(
        std::string(R"({"jsonrpc":"2.0","id":"d","method":"server/discover","params":{)")
        + modern_meta + "}}}");
    const auto& result = discovered.at("result");
    BOOST_TEST(result.at("resultType") == "complete");
    BOOST_TEST(result.at("supportedVersions") == json::parse(R"(["2026-07-28"])"));
    BOOST_TEST(result.at("ttlMs").is_int64());
    BOOST_TEST(result.at("cacheScope") == "public");
    const auto listed = c.ask(
        std::string(R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{)") + modern_meta
        + "}}}");
    BOOST_TEST(listed.at("result").at("resultType") == "complete");
    BOOST_TEST(listed.at("result").at("cacheScope") == "public");
}

BOOST_AUTO_TEST_CASE(a_modern_request_without_its_meta_is_refused)
{
    conversation c;
    BOOST_TEST(code_of(c.ask(R"({"jsonrpc":"2.0","id":1,"method":"server/discover"})")) == -32602);
    BOOST_TEST(
        code_of(c.ask(R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}})")) == -32602);
    BOOST_TEST(code_of(c.ask(R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":)"
                             R"({"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})"))
        == -32602);
    BOOST_TEST(code_of(c.ask(std::string(R"({"jsonrpc":"2.0","id":1,"method":"ping","params":{)")
                   + modern_meta + "}}}"))
        == -32601);
}

BOOST_AUTO_TEST_CASE(another_version_in_meta_is_answered_with_the_supported_ones)
{
    conversation c;
    const auto answer = c.ask(R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{)"
                              R"("io.modelcontextprotocol/protocolVersion":"1900-01-01",)"
                              R"("io.modelcontextprotocol/clientCapabilities":{}}}})");
    BOOST_TEST(code_of(answer) == -32022);
    BOOST_TEST(answer.at("error").at("data")
        == json::parse(R"({"supported":["2026-07-28"],"requested":"1900-01-01"})"));
    conversation modern({.eras = era_support::modern});
    BOOST_TEST(code_of(modern.ask(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":)"
                                  R"({"protocolVersion":"2025-11-25"}})"))
        == -32022);
}

BOOST_AUTO_TEST_CASE(tools_answer)
{
    conversation c;
    c.initialize();
    BOOST_TEST(text_of(c.call("echo", R"({"message":"a \"b\"\n\u0001ü"})")) == "a \"b\"\n\u0001ü");
    const auto sum = c.call("add", R"({"a":2,"b":40})");
    BOOST_TEST(text_of(sum) == "42");
    BOOST_TEST(sum.at("result").at("structuredContent").at("sum") == 42);
    BOOST_TEST(
        text_of(c.call("add", R"({"a":9223372036854775807,"b":1})")) == "9223372036854775808");
    BOOST_TEST(c.call("add", R"({"a":1.7e308,"b":1.7e308})").at("result").at("isError") == true);
    const auto failed = c.call("fail", R"({"message":"no"})");
    BOOST_TEST(failed.at("result").at("isError") == true);
    BOOST_TEST(text_of(failed) == "no");
    BOOST_TEST(c.call("add", R"({"a":1})").at("result").at("isError") == true);
    BOOST_TEST(code_of(c.call("nope", "{}")) == -32602);
    BOOST_TEST(code_of(c.call("echo", "[]")) == -32602);
}

BOOST_AUTO_TEST_CASE(a_sleeping_call_lets_others_pass_and_ends_in_time)
{
    conversation c;
    c.initialize();
    BOOST_TEST(c.say(conversation::call_line("sleep", R"({"seconds":2})")).empty());
    BOOST_TEST(text_of(c.call("echo", R"({"message":"meanwhile"})")) == "meanwhile");
    BOOST_TEST((c.peer.next_event() == c.now + 2s));
    BOOST_TEST(c.wait(1999ms).empty());
    const auto answers = c.wait(1ms);
    BOOST_TEST_REQUIRE(answers.size() == 1u);
    BOOST_TEST(text_of(answers[0]) == "slept 2 s");
    BOOST_TEST(!c.peer.next_event());
}

BOOST_AUTO_TEST_CASE(a_cancelled_call_is_never_answered)
{
    conversation c;
    c.initialize();
    c.say(conversation::call_line("sleep", R"({"seconds":1})"));
    BOOST_TEST(
        c.say(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"c"}})")
            .empty());
    BOOST_TEST(!c.peer.next_event());
    BOOST_TEST(c.wait(2000ms).empty());
}

BOOST_AUTO_TEST_CASE(progress_is_reported_to_those_who_ask)
{
    conversation c;
    c.initialize();
    c.say(conversation::call_line(
        "progress", R"({"steps":3,"interval":0.1})", R"({"progressToken":"t"})"));
    const auto first = c.wait(100ms);
    BOOST_TEST_REQUIRE(first.size() == 1u);
    BOOST_TEST(first[0].at("method") == "notifications/progress");
    BOOST_TEST(
        first[0].at("params") == json::parse(R"({"progressToken":"t","progress":1,"total":3})"));
    const auto rest = c.wait(200ms);
    BOOST_TEST_REQUIRE(rest.size() == 3u);
    BOOST_TEST(text_of(rest[2]) == "3 steps");

    c.say(conversation::call_line("progress", R"({"steps":3})"));
    BOOST_TEST(c.wait(0ms).size() == 1u);
}

BOOST_AUTO_TEST_CASE(pages_hold_every_tool_once)
{
    conversation c({.page_size = 4, .extra_tools = 7});
    c.initialize();
    std::vector<std::string> names;
    std::string cursor;
    do {
        const auto page = c.ask(R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{)"
            + (cursor.empty() ? "" : "\"cursor\":\"" + cursor + '"') + "}}");
        const auto& result = page.at("result").as_object();
        for (const auto& tool : result.at("tools").as_array()) {
            names.push_back(json::value_to<std::string>(tool.at("name")));
        }
        const auto* next = result.if_contains("nextCursor");
        cursor = next ? json::value_to<std::string>(*next) : "";
    } while (!cursor.empty());
    BOOST_TEST(names.size() == 13u);
    BOOST_TEST(names.front() == "echo");
    BOOST_TEST(names.back() == "extra_7");
    BOOST_TEST(text_of(c.call("extra_7", "{}")) == "extra_7");
    BOOST_TEST(code_of(c.call("extra_8", "{}")) == -32602);
    BOOST_TEST(code_of(c.ask(R"({"jsonrpc":"2.0","id":1,"method":"tools/list",)"
                             R"("params":{"cursor":"13"}})"))
        == -32602);
}

BOOST_AUTO_TEST_CASE(witnesses_tell_the_process_and_every_executed_call)
{
    conversation c({.write_pid = true});
    c.initialize();
    BOOST_TEST(text_of(c.call("echo", R"({"message":"m","token":"t1"})"), 1).starts_with("pid "));
    c.call("echo", R"({"message":"t2"})");
    c.call("echo", R"({})");
    BOOST_TEST(
        c.tokens == (std::vector<std::string>{"t1", "t2"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_batch_is_answered_as_one_where_its_revision_says_so)
{
    const std::string batch = R"([{"jsonrpc":"2.0","id":1,"method":"ping"},)"
                              R"({"jsonrpc":"2.0","method":"notifications/initialized"},)"
        + conversation::call_line("sleep", R"({"seconds":1})") + "]";
    conversation c;
    c.initialize("2025-03-26");
    BOOST_TEST(c.say(batch).empty());
    const auto answers = c.wait(1000ms);
    BOOST_TEST_REQUIRE(answers.size() == 1u);
    BOOST_TEST(answers[0].as_array().size() == 2u);

    conversation newer;
    newer.initialize("2025-06-18");
    BOOST_TEST(code_of(newer.ask(batch)) == -32600);
}

BOOST_AUTO_TEST_CASE(what_is_no_request_gets_an_error_or_silence)
{
    conversation c;
    c.initialize();
    const auto garbage = c.ask("garbage");
    BOOST_TEST(code_of(garbage) == -32700);
    BOOST_TEST(!garbage.as_object().contains("id"));
    BOOST_TEST(code_of(c.ask(R"({"jsonrpc":"2.0","id":null,"method":"ping"})")) == -32600);
    BOOST_TEST(code_of(c.ask(R"({"id":1,"method":"ping"})")) == -32600);
    BOOST_TEST(code_of(c.ask(R"({"jsonrpc":"2.0","id":1,"method":"nope"})")) == -32601);
    BOOST_TEST(c.say(R"({"jsonrpc":"2.0","id":1,"result":{}})").empty());
    BOOST_TEST(c.say(R"({"jsonrpc":"2.0","method":"notifications/unknown"})").empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(echo_server_command_line)

BOOST_AUTO_TEST_CASE(options_are_read_and_wrong_ones_named)
{
    const char* good[] = {"s", "--page-size", "5", "--era", "modern", "--write-pid"};
    const auto parsed = parse_command_line(6, good);
    BOOST_TEST(std::get<options>(parsed).page_size == 5u);
    BOOST_TEST(std::get<options>(parsed).write_pid);
    BOOST_TEST((std::get<options>(parsed).eras == era_support::modern));

    const char* bad[] = {"s", "--page-size", "five"};
    const auto refused = std::get<print_and_exit>(parse_command_line(3, bad));
    BOOST_TEST(refused.status == 2);
    BOOST_TEST(refused.text.find("'five'") != std::string::npos);
    BOOST_TEST(std::get<print_and_exit>(parse_command_line(2, bad)).status == 2);

    const char* help[] = {"s", "--help"};
    BOOST_TEST(std::get<print_and_exit>(parse_command_line(2, help)).status == 0);
}

BOOST_AUTO_TEST_SUITE_END()
