#include "protocol/envelope.hpp"
#include "protocol/request_table.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <map>
#include <random>
#include <set>

using namespace mcp_pool;
using namespace mcp_pool::protocol;
using namespace std::chrono_literals;

namespace {

const time_point t0{1000h};

pending_request pending(
    std::int64_t id, time_point deadline = time_point::max(), std::size_t grant = 0)
{
    pending_request r;
    r.id = id;
    r.grant = grant;
    r.sent_at = t0;
    r.deadline = deadline;
    return r;
}

answer_match take(request_table& t, std::int64_t id, bool* was_counted = nullptr)
{
    pending_request taken;
    bool counted = false;
    const answer_match match = t.take(id, taken, counted);
    if (match == answer_match::pending)
        BOOST_TEST(taken.id == id);
    if (was_counted)
        *was_counted = counted;
    return match;
}

} // namespace

BOOST_AUTO_TEST_SUITE(request_table_of_a_connection)

BOOST_AUTO_TEST_CASE(an_answer_is_taken_once)
{
    request_table t;
    t.insert(pending(1));
    BOOST_TEST((take(t, 2) == answer_match::unknown));
    BOOST_TEST((take(t, 1) == answer_match::pending));
    BOOST_TEST((take(t, 1) == answer_match::unknown));
    BOOST_TEST(t.empty());
}

BOOST_AUTO_TEST_CASE(a_buried_request_counts_until_its_answer_or_until_it_is_settled)
{
    request_table t;
    for (std::int64_t id : {1, 2, 3})
        t.insert(pending(id));
    BOOST_TEST(t.bury(1) == 0u);
    BOOST_TEST(t.bury(2) == 0u);
    BOOST_TEST(t.unsettled(0) == 2u);
    bool counted = false;
    BOOST_TEST((take(t, 1, &counted) == answer_match::late));
    BOOST_TEST(counted);
    BOOST_TEST((take(t, 1) == answer_match::unknown));
    BOOST_TEST(t.settle(0) == 1u);
    BOOST_TEST((take(t, 2, &counted) == answer_match::late));
    BOOST_TEST(!counted);
    BOOST_TEST(t.unsettled(0) == 0u);
    BOOST_TEST(t.size() == 1u);
}

BOOST_AUTO_TEST_CASE(graves_are_bounded_and_the_oldest_goes_first)
{
    request_table t;
    std::size_t forgotten = 0;
    for (std::int64_t id = 1; id <= 300; ++id) {
        t.insert(pending(id));
        forgotten += t.bury(id);
    }
    BOOST_TEST(forgotten == 300 - request_table::max_tombstones);
    BOOST_TEST(t.unsettled(0) == request_table::max_tombstones);
    BOOST_TEST((take(t, 1) == answer_match::unknown));
    BOOST_TEST((take(t, 300) == answer_match::late));
    BOOST_TEST(t.bury(17) == 0u);
}

BOOST_AUTO_TEST_CASE(what_was_given_up_is_settled_for_one_grant_at_a_time)
{
    request_table t(3);
    for (std::int64_t id = 1; id <= 6; ++id)
        t.insert(pending(id, time_point::max(), static_cast<std::size_t>(id) % 3));
    for (std::int64_t id = 1; id <= 6; ++id)
        BOOST_TEST(t.bury(id) == 0u);
    BOOST_TEST(t.settle(1) == 2u);
    BOOST_TEST(t.unsettled(0) == 2u);
    BOOST_TEST(t.unsettled(1) == 0u);
    BOOST_TEST(t.unsettled(2) == 2u);
    pending_request taken;
    bool counted = false;
    BOOST_TEST((t.take(5, taken, counted) == answer_match::late));
    BOOST_TEST(taken.grant == 2u);
    BOOST_TEST(counted);
    BOOST_TEST((t.take(4, taken, counted) == answer_match::late));
    BOOST_TEST(taken.grant == 1u);
    BOOST_TEST(!counted);
    BOOST_TEST(t.unsettled(2) == 1u);
    BOOST_TEST(t.settle(1) == 0u);
}

BOOST_AUTO_TEST_CASE(a_grant_that_gives_up_many_requests_makes_no_other_forget_its_own)
{
    request_table t(2);
    t.insert(pending(1, time_point::max(), 1));
    t.bury(1);
    std::size_t forgotten = 0;
    for (std::int64_t id = 2; id <= 1000; ++id) {
        t.insert(pending(id));
        forgotten += t.bury(id);
    }
    BOOST_TEST(forgotten == 999 - request_table::max_tombstones);
    BOOST_TEST(t.unsettled(0) == request_table::max_tombstones);
    BOOST_TEST(t.unsettled(1) == 1u);
    BOOST_TEST((take(t, 1) == answer_match::late));
    BOOST_TEST((take(t, 2) == answer_match::unknown));
    BOOST_TEST((take(t, 1000) == answer_match::late));
}

BOOST_AUTO_TEST_CASE(deadlines_are_the_earlier_of_total_and_idle)
{
    request_table t;
    BOOST_TEST((t.next_deadline() == time_point::max()));
    t.insert(pending(1, t0 + 60s));
    pending_request idle = pending(2, t0 + 60s);
    idle.idle = 5s;
    idle.idle_deadline = t0 + 5s;
    t.insert(idle);
    BOOST_TEST((t.next_deadline() == t0 + 5s));
    std::vector<pending_request> late;
    t.expired(t0 + 4s, late);
    BOOST_TEST(late.empty());
    BOOST_TEST(t.progressed(2, t0 + 4s) != nullptr);
    BOOST_TEST((t.next_deadline() == t0 + 9s));
    BOOST_TEST(t.progressed(1, t0 + 4s) != nullptr);
    BOOST_TEST(t.progressed(3, t0 + 4s) == nullptr);
    t.expired(t0 + 9s, late);
    BOOST_TEST_REQUIRE(late.size() == 1u);
    BOOST_TEST(late[0].id == 2);
    late.clear();
    t.expired(t0 + 60s, late);
    BOOST_TEST(late.size() == 2u);
}

BOOST_AUTO_TEST_CASE(it_agrees_with_a_naive_table_whatever_happens)
{
    std::mt19937 random(11);
    for (int round = 0; round < 200; ++round) {
        request_table t;
        std::set<std::int64_t> waiting;
        std::map<std::int64_t, bool> buried;
        std::int64_t next = 1;
        for (int i = 0; i < 200; ++i) {
            const std::int64_t id = 1 + static_cast<std::int64_t>(random() % 60);
            switch (random() % 5) {
            case 0:
            case 1:
                if (next <= 60) {
                    t.insert(pending(next));
                    waiting.insert(next++);
                }
                break;
            case 2:
                if (waiting.erase(id) > 0) {
                    t.bury(id);
                    buried[id] = true;
                } else {
                    BOOST_TEST_REQUIRE(t.find(id) == nullptr);
                }
                break;
            case 3: {
                bool counted = false;
                const answer_match match = take(t, id, &counted);
                if (waiting.erase(id) > 0) {
                    BOOST_TEST_REQUIRE((match == answer_match::pending));
                } else if (const auto grave = buried.find(id); grave != buried.end()) {
                    BOOST_TEST_REQUIRE((match == answer_match::late));
                    BOOST_TEST_REQUIRE(counted == grave->second);
                    buried.erase(grave);
                } else {
                    BOOST_TEST_REQUIRE((match == answer_match::unknown));
                }
                break;
            }
            default:
                if (random() % 20 == 0) {
                    t.settle(0);
                    for (auto& [grave, counts] : buried)
                        counts = false;
                }
                break;
            }
            BOOST_TEST_REQUIRE(t.size() == waiting.size());
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(envelopes)

BOOST_AUTO_TEST_CASE(a_plain_legacy_request_has_nothing_but_what_was_given)
{
    envelope e(era::legacy, "2025-11-25");
    BOOST_TEST(e.request(1, "ping", {}, {}, false)
        == "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n");
    json::object params;
    params["name"] = "n";
    BOOST_TEST(e.request(2, "m", params, {}, false)
        == "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"m\",\"params\":{\"name\":\"n\"}}\n");
    BOOST_TEST(e.request(3, "m", params, {}, true)
        == "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"m\",\"params\":{\"_meta\":{"
           "\"progressToken\":3},"
           "\"name\":\"n\"}}\n");
}

BOOST_AUTO_TEST_CASE(meta_of_the_caller_is_merged_in_both_eras)
{
    for (const era which : {era::legacy, era::modern}) {
        envelope e(which, which == era::legacy ? "2025-11-25" : "2026-07-28");
        json::object params;
        params["_meta"] = json::parse(R"({"a":1,"b":1,"progressToken":9})");
        json::object meta;
        meta["b"] = 2;
        meta["c"] = 3;
        const json::value back = json::parse(e.request(5, "m", params, meta, true));
        const json::object& merged = back.at("params").at("_meta").as_object();
        BOOST_TEST(merged.at("a").as_int64() == 1);
        BOOST_TEST(merged.at("b").as_int64() == 2);
        BOOST_TEST(merged.at("c").as_int64() == 3);
        BOOST_TEST(merged.at("progressToken").as_int64() == 5);
        BOOST_TEST(merged.size() == (which == era::legacy ? 4u : 7u));
        BOOST_TEST(back.at("params").as_object().size() == 1u);
    }
}

BOOST_AUTO_TEST_CASE(a_meta_that_is_no_object_is_left_to_the_server_to_refuse)
{
    envelope e(era::legacy, "2025-11-25");
    json::object params;
    params["_meta"] = 7;
    const json::value back = json::parse(e.request(1, "m", params, {}, false));
    BOOST_TEST(back.at("params").at("_meta").as_int64() == 7);
    // Where there has to be one, it is replaced.
    envelope modern(era::modern, "2026-07-28");
    const json::value whole = json::parse(modern.request(1, "m", params, {}, false));
    BOOST_TEST(whole.at("params").at("_meta").as_object().size() == 3u);
}

BOOST_AUTO_TEST_CASE(every_modern_request_has_params)
{
    envelope e(era::modern, "2026-07-28");
    const json::value back = json::parse(e.probe(4));
    BOOST_TEST(back.at("method").as_string() == "server/discover");
    BOOST_TEST(back.at("params").at("_meta").as_object().size() == 3u);
}

BOOST_AUTO_TEST_CASE(cancellation_names_the_request)
{
    envelope e(era::legacy, "2025-11-25");
    const json::value back = json::parse(e.cancelled(12, "why"));
    BOOST_TEST(back.at("params").at("requestId").as_int64() == 12);
    BOOST_TEST(!back.as_object().contains("id"));
}

BOOST_AUTO_TEST_CASE(answers_to_requests_of_the_server)
{
    const auto request = [](const char* text) { return rpc::classify(json::parse(text)); };
    BOOST_TEST(answer_to(request(R"({"id":0,"method":"ping"})"), era::legacy)
        == "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}\n");
    const json::value refused = json::parse(
        answer_to(request(R"({"id":0,"method":"roots/list"})"), era::legacy));
    BOOST_TEST(refused.at("error").at("code").as_int64() == -32601);
    BOOST_TEST(answer_to(request(R"({"id":0,"method":"ping"})"), era::modern).empty());
}

BOOST_AUTO_TEST_SUITE_END()
