// The handshake, stepped by hand in virtual time.
#include "protocol/era.hpp"
#include "protocol/handshake.hpp"
#include "protocol/versions.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <fstream>
#include <random>
#include <sstream>

using namespace mcp_pool;
using namespace mcp_pool::protocol;
using namespace std::chrono_literals;
using outcome = handshake::outcome;
using verdict = era_verdict::kind;

namespace {

const time_point t0{1000h};

handshake_settings settings(
    era_choice choice = era_choice::auto_detect, std::optional<era> learnt = std::nullopt)
{
    handshake_settings s;
    s.choice = choice;
    s.learnt = learnt;
    s.era_timeout = 5s;
    s.start_timeout = 60s;
    return s;
}

std::string method_of(const handshake::step& s)
{
    return s.line.empty() ? "" : json::parse(s.line).at("method").as_string().c_str();
}

rpc::message message(const std::string& text)
{
    return rpc::classify(json::parse(text));
}

// An answer to the request in `to`.
rpc::message answer(const handshake::step& to, const std::string& body)
{
    json::value v = json::parse("{" + body + "}");
    v.as_object()["id"] = json::parse(to.line).at("id");
    return rpc::classify(std::move(v));
}

const std::string modern_result =
    R"("result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"instructions":"i"})";
const std::string legacy_result =
    R"("result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"n"}})";
const std::string unknown_method = R"("error":{"code":-32601,"message":"Method not found"})";
const std::string refused_version =
    R"("error":{"code":-32022,"message":"v","data":{"supported":["2026-07-28"],"requested":"x"}})";

std::string data_file(const std::string& name)
{
    std::ifstream file(std::string(MCP_POOL_SOURCE_DIR "/tests/unit/data/") + name);
    BOOST_TEST_REQUIRE(file.good(), name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

struct judged
{
    const char* answer;
    verdict expected;
    const char* version;
};

} // namespace

BOOST_AUTO_TEST_SUITE(era_verdicts)

BOOST_AUTO_TEST_CASE(answers_to_discover)
{
    const judged table[] = {
        // DiscoverResults.
        {R"({"id":1,"result":{"supportedVersions":["2026-07-28"]}})", verdict::modern,
            "2026-07-28"},
        {R"({"id":1,"result":{"supportedVersions":["2027-01-01","2026-07-28"]}})", verdict::modern,
            "2026-07-28"},
        {R"({"id":1,"result":{"supportedVersions":["2025-11-25","2024-11-05"]}})", verdict::legacy,
            ""},
        {R"({"id":1,"result":{"supportedVersions":["2027-01-01","2025-06-18"]}})", verdict::legacy,
            ""},
        {R"({"id":1,"result":{"supportedVersions":["2027-01-01"]}})", verdict::no_common_version,
            ""},
        {R"({"id":1,"result":{"supportedVersions":[]}})", verdict::legacy, ""},
        {R"({"id":1,"result":{"supportedVersions":["DRAFT-2027"]}})", verdict::legacy, ""},
        {R"({"id":1,"result":{"supportedVersions":[1,null]}})", verdict::legacy, ""},
        // Results of servers that answer everything.
        {R"({"id":1,"result":{}})", verdict::legacy, ""},
        {R"({"id":1,"result":null})", verdict::legacy, ""},
        {R"({"id":1,"result":{"supportedVersions":"2026-07-28"}})", verdict::legacy, ""},
        // The recognized modern error, with and without its evidence.
        {R"({"id":1,"error":{"code":-32022,"data":{"supported":["2026-07-28"]}}})",
            verdict::modern_retry, "2026-07-28"},
        {R"({"id":1,"error":{"code":-32022,"data":{"supported":["2025-11-25"]}}})", verdict::legacy,
            ""},
        {R"({"id":1,"error":{"code":-32022,"data":{"supported":["2027-01-01"]}}})",
            verdict::no_common_version, ""},
        {R"({"id":1,"error":{"code":-32022,"data":{"supported":["1999-01-01"]}}})",
            verdict::no_common_version, ""},
        {R"({"id":1,"error":{"code":-32022,"data":{"supported":[]}}})", verdict::legacy, ""},
        {R"({"id":1,"error":{"code":-32022,"data":{"supported":["2026-07-28",1]}}})",
            verdict::legacy, ""},
        {R"({"id":1,"error":{"code":-32022,"data":["2026-07-28"]}})", verdict::legacy, ""},
        {R"({"id":1,"error":{"code":-32022}})", verdict::legacy, ""},
        // Every other error.
        {R"({"id":1,"error":{"code":-32601}})", verdict::legacy, ""},
        {R"({"id":1,"error":{"code":-32602}})", verdict::legacy, ""},
        {R"({"id":1,"error":{"code":-32600}})", verdict::legacy, ""},
        {R"({"id":1,"error":{"code":-32000,"message":"Server not initialized"}})", verdict::legacy,
            ""},
        {R"({"id":1,"error":{"code":-32020,"data":{"supported":["2026-07-28"]}}})", verdict::legacy,
            ""},
        {R"({"id":1,"error":{"code":-32021,"data":{"requiredCapabilities":{}}}})", verdict::legacy,
            ""},
        {R"({"id":1,"error":{"code":0}})", verdict::legacy, ""},
    };
    for (const auto& [text, expected, version] : table) {
        const era_verdict v = judge_discover_answer(message(text));
        BOOST_TEST((v.type == expected), text);
        BOOST_TEST(v.version == version, text);
    }
}

BOOST_AUTO_TEST_CASE(the_examples_of_the_specification)
{
    const era_verdict discover = judge_discover_answer(
        message(data_file("discover-result-response.json")));
    BOOST_TEST((discover.type == verdict::modern));
    const rpc::message refused = message(data_file("unsupported-version.json"));
    BOOST_TEST(is_modern_refusal(refused.error));
    BOOST_TEST((judge_discover_answer(refused).type == verdict::modern_retry));
}

BOOST_AUTO_TEST_CASE(revisions_are_dates)
{
    for (const char* modern : {"2026-07-28", "2026-07-29", "2030-01-01"})
        BOOST_TEST(is_modern(modern), modern);
    for (const char* other : {"2025-11-25", "2026-07-27", "", "draft", "DRAFT-2026-v1", "2026-7-28",
             "2026-07-281", "zzzz-zz-zz"})
        BOOST_TEST(!is_modern(other), other);
    for (const auto version : legacy_versions)
        BOOST_TEST((is_supported(version, era::legacy) && !is_supported(version, era::modern)));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(handshake_steps)

BOOST_AUTO_TEST_CASE(modern)
{
    handshake h(settings());
    BOOST_TEST(h.stage() == "waiting for the process to start");
    const auto discover = h.started(t0);
    BOOST_TEST(method_of(discover) == "server/discover");
    BOOST_TEST(h.stage() == "waiting for the answer to server/discover");
    const auto done = h.answer(answer(discover, modern_result), t0 + 1s);
    BOOST_TEST((done.next == outcome::ready));
    BOOST_TEST(done.line.empty());
    BOOST_TEST((h.assumed_era() == era::modern));
    const server_facts facts = h.take_facts();
    BOOST_TEST((facts.era == era::modern));
    BOOST_TEST(facts.version == "2026-07-28");
    BOOST_TEST(facts.instructions == "i");
    BOOST_TEST(facts.capabilities.contains("tools"));
}

BOOST_AUTO_TEST_CASE(server_info_of_the_modern_era_may_be_in_either_place)
{
    for (const char* body :
        {R"("result":{"supportedVersions":["2026-07-28"],"serverInfo":{"name":"n"}})",
            R"("result":{"supportedVersions":["2026-07-28"],
                "_meta":{"io.modelcontextprotocol/serverInfo":{"name":"n"}}})"}) {
        handshake h(settings());
        const auto discover = h.started(t0);
        h.answer(answer(discover, body), t0);
        BOOST_TEST(h.take_facts().server_info.at("name").as_string() == "n");
    }
}

BOOST_AUTO_TEST_CASE(legacy_after_an_error)
{
    handshake h(settings());
    const auto discover = h.started(t0);
    const auto initialize = h.answer(answer(discover, unknown_method), t0);
    BOOST_TEST(method_of(initialize) == "initialize");
    const json::value params = json::parse(initialize.line).at("params");
    BOOST_TEST(params.at("protocolVersion").as_string() == "2025-11-25");
    BOOST_TEST(params.at("capabilities").as_object().empty());
    BOOST_TEST(params.at("clientInfo").at("name").as_string() == "mcp-pool");
    const auto done = h.answer(answer(initialize, legacy_result), t0);
    BOOST_TEST((done.next == outcome::ready));
    BOOST_TEST(method_of(done) == "notifications/initialized");
    BOOST_TEST((h.take_facts().era == era::legacy));
}

BOOST_AUTO_TEST_CASE(every_legacy_version_is_accepted_and_no_other)
{
    for (const auto version :
        {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28", "2024-10-07", ""}) {
        handshake h(settings(era_choice::legacy));
        const auto initialize = h.started(t0);
        const auto done = h.answer(
            answer(initialize, std::string(R"("result":{"protocolVersion":")") + version + "\"}"),
            t0);
        const bool known = is_supported(version, era::legacy);
        BOOST_TEST((done.next == (known ? outcome::ready : outcome::failed)), version);
        if (!known)
            BOOST_TEST((h.failure().code == errc::unsupported_version));
    }
}

BOOST_AUTO_TEST_CASE(the_era_clock_starts_with_the_first_output)
{
    handshake h(settings());
    h.started(t0);
    BOOST_TEST((h.deadline() == t0 + 30s));
    BOOST_TEST(method_of(h.tick(t0 + 29s)).empty());
    h.first_output(t0 + 10s);
    BOOST_TEST((h.deadline() == t0 + 15s));
    BOOST_TEST(method_of(h.tick(t0 + 14s)).empty());
    BOOST_TEST(method_of(h.tick(t0 + 15s)) == "initialize");
    BOOST_TEST((h.deadline() == time_point::max()));
    BOOST_TEST(method_of(h.tick(t0 + 59s)).empty());
}

BOOST_AUTO_TEST_CASE(a_silent_server_is_not_waited_for_for_ever_where_the_start_has_no_limit)
{
    handshake_settings s = settings();
    s.start_timeout = duration::max();
    handshake h(s);
    h.started(t0);
    BOOST_TEST((h.deadline() == t0 + 30s));
    BOOST_TEST(method_of(h.tick(t0 + 30s)) == "initialize");
}

BOOST_AUTO_TEST_CASE(a_late_first_output_leaves_time_for_initialize)
{
    handshake_settings s = settings();
    s.era_timeout = 60s;
    handshake h(s);
    h.started(t0);
    h.first_output(t0 + 1s);
    BOOST_TEST((h.deadline() == t0 + 45s));
}

BOOST_AUTO_TEST_CASE(a_late_answer_to_discover_is_dropped)
{
    handshake h(settings());
    const auto discover = h.started(t0);
    const auto initialize = h.tick(t0 + 30s);
    BOOST_TEST(method_of(initialize) == "initialize");
    const auto late = h.answer(answer(discover, modern_result), t0 + 31s);
    BOOST_TEST((late.next == outcome::pending));
    BOOST_TEST(late.line.empty());
    BOOST_TEST((h.answer(answer(initialize, legacy_result), t0 + 32s).next == outcome::ready));
    // And twice.
    BOOST_TEST((h.answer(answer(initialize, legacy_result), t0 + 33s).next == outcome::pending));
}

BOOST_AUTO_TEST_CASE(a_refused_version_is_tried_once_more_even_if_it_is_the_same)
{
    handshake h(settings());
    const auto first = h.started(t0);
    const auto second = h.answer(answer(first, refused_version), t0);
    BOOST_TEST(method_of(second) == "server/discover");
    BOOST_TEST(json::parse(second.line).at("id").as_string()
        != json::parse(first.line).at("id").as_string());
    BOOST_TEST((h.deadline() == time_point::max()));
    BOOST_TEST((h.assumed_era() == era::modern));
    BOOST_TEST((h.answer(answer(first, modern_result), t0).next == outcome::pending));
    BOOST_TEST((h.answer(answer(second, modern_result), t0).next == outcome::ready));
}

BOOST_AUTO_TEST_CASE(a_version_that_is_refused_twice_is_no_version)
{
    handshake h(settings());
    const auto first = h.started(t0);
    const auto second = h.answer(answer(first, refused_version), t0);
    BOOST_TEST((h.answer(answer(second, refused_version), t0).next == outcome::failed));
    BOOST_TEST((h.failure().code == errc::unsupported_version));
}

BOOST_AUTO_TEST_CASE(a_proven_modern_server_never_gets_initialize)
{
    handshake h(settings());
    const auto second = h.answer(answer(h.started(t0), refused_version), t0);
    BOOST_TEST(method_of(h.tick(t0 + 1h)).empty());
    const auto done = h.answer(answer(second, unknown_method), t0);
    BOOST_TEST((done.next == outcome::failed));
    BOOST_TEST(done.line.empty());
}

BOOST_AUTO_TEST_CASE(a_refusal_of_initialize_is_probed_once)
{
    handshake h(settings());
    h.started(t0);
    const auto initialize = h.tick(t0 + 30s);
    const auto again = h.answer(answer(initialize, refused_version), t0);
    BOOST_TEST(method_of(again) == "server/discover");
    BOOST_TEST((h.answer(answer(again, modern_result), t0).next == outcome::ready));
    BOOST_TEST((h.take_facts().era == era::modern));
}

BOOST_AUTO_TEST_CASE(a_stale_legacy_verdict_is_corrected_in_place)
{
    handshake h(settings(era_choice::auto_detect, era::legacy));
    const auto initialize = h.started(t0);
    BOOST_TEST(method_of(initialize) == "initialize");
    const auto probe = h.answer(answer(initialize, refused_version), t0);
    BOOST_TEST(method_of(probe) == "server/discover");
    BOOST_TEST((h.answer(answer(probe, modern_result), t0).next == outcome::ready));
}

BOOST_AUTO_TEST_CASE(an_end_before_the_verdict_is_no_failure_and_after_it_is_one)
{
    handshake h(settings());
    h.started(t0);
    BOOST_TEST((h.end_of_output().next == outcome::respawn_as_legacy));
    BOOST_TEST((h.end_of_output().next == outcome::pending));

    handshake next = handshake::after_exit(settings());
    BOOST_TEST(method_of(next.started(t0)) == "initialize");
    BOOST_TEST((next.end_of_output().next == outcome::failed));
    BOOST_TEST(next.failure().text.find("initialize") != std::string::npos);

    handshake proven(settings());
    proven.answer(answer(proven.started(t0), refused_version), t0);
    BOOST_TEST((proven.end_of_output().next == outcome::failed));

    handshake pinned(settings(era_choice::modern));
    pinned.started(t0);
    BOOST_TEST((pinned.end_of_output().next == outcome::failed));
}

BOOST_AUTO_TEST_CASE(a_server_known_to_be_modern_is_not_given_up_for_being_slow)
{
    handshake h(settings(era_choice::auto_detect, era::modern));
    h.started(t0);
    h.first_output(t0);
    BOOST_TEST((h.deadline() == time_point::max()));
    BOOST_TEST((h.end_of_output().next == outcome::failed));
}

BOOST_AUTO_TEST_CASE(any_order_of_inputs_ends_at_most_once)
{
    const std::vector<std::string> bodies = {modern_result, legacy_result, unknown_method,
        refused_version, R"("result":{})", R"("error":{"code":-32022})", R"("result":[])"};
    std::mt19937 random(7);
    for (int round = 0; round < 20000; ++round) {
        const auto choice = static_cast<era_choice>(random() % 3);
        const std::optional<era> learnt = random() % 3 == 0
            ? std::nullopt
            : std::optional(random() % 2 ? era::legacy : era::modern);
        handshake h(settings(choice, learnt));
        time_point now = t0;
        int ends = 0;
        int lines = 0;
        handshake::step asked;
        for (int i = 0; i < 12; ++i) {
            handshake::step s;
            now += std::chrono::seconds(random() % 20);
            switch (random() % 6) {
            case 0:
                s = h.started(now);
                break;
            case 1:
                h.first_output(now);
                break;
            case 2:
                s = h.tick(now);
                break;
            case 3:
                if (random() % 4 == 0)
                    s = h.end_of_output();
                break;
            default:
                if (!asked.line.empty())
                    s = h.answer(answer(asked, bodies[random() % bodies.size()]), now);
                break;
            }
            if (s.next != outcome::pending)
                ++ends;
            if (!s.line.empty()) {
                ++lines;
                if (s.next == outcome::pending)
                    asked = s;
                // Only the end of a legacy handshake sends and ends.
                else
                    BOOST_TEST(method_of(s) == "notifications/initialized");
            }
        }
        BOOST_TEST_REQUIRE(ends <= 1);
        BOOST_TEST_REQUIRE(lines <= 6);
    }
}

BOOST_AUTO_TEST_SUITE_END()
