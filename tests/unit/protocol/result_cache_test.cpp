// What is kept of results, for whom and for how long.
#include "protocol/result_cache.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <string>

using namespace mcp_pool;
using namespace mcp_pool::protocol;
using namespace std::chrono_literals;

namespace {

json::value result(const std::string& ttl, const std::string& scope = "public")
{
    return json::parse(R"({"tools":[],"ttlMs":)" + ttl + R"(,"cacheScope":")" + scope + R"("})");
}

json::object params(const std::string& text)
{
    return json::parse(text).as_object();
}

cache_key key(std::string_view method, const std::string& of = "{}")
{
    return result_cache::key_of(method, params(of), {}).value();
}

cache_key reading(const std::string& uri)
{
    return key("resources/read", R"({"uri":")" + uri + R"("})");
}

struct scene
{
    explicit scene(std::size_t bytes = 1 << 20)
        : cache(bytes)
    {}

    bool keep(const cache_key& k, const json::value& r, std::string_view who = "",
        std::size_t bytes = 100)
    {
        return cache.keep(k, who, r, bytes, now, now);
    }
    bool has(const cache_key& k, std::string_view who = "")
    {
        return cache.find(k, who, now) != nullptr;
    }

    result_cache cache;
    time_point now{1h};
};

const cache_key tools = key("tools/list");

} // namespace

BOOST_AUTO_TEST_SUITE(kept_results)

BOOST_AUTO_TEST_CASE(a_result_is_fresh_for_as_long_as_it_says)
{
    scene s;
    BOOST_TEST(!s.has(tools));
    BOOST_TEST(s.keep(tools, result("1000")));
    s.now += 999ms;
    BOOST_TEST((*s.cache.find(tools, "", s.now) == result("1000")));
    s.now += 1ms;
    BOOST_TEST(!s.has(tools));
    BOOST_TEST(s.cache.size() == 0u);
    BOOST_TEST(s.cache.bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(nothing_nonsense_and_less_than_nothing_are_no_time)
{
    scene s;
    for (const char* said : {R"({})", R"({"ttlMs":0})", R"({"ttlMs":-5})", R"({"ttlMs":"9"})",
             R"({"ttlMs":null})", R"({"ttlMs":true})", R"({"ttlMs":[1]})", "[]", "17", "null"})
        BOOST_TEST((time_to_live(json::parse(said)) == 0s), said);
    BOOST_TEST((time_to_live(result("1")) == 1ms));
    BOOST_TEST((time_to_live(result("1500.5")) == 1500500us));
    for (const char* much : {"86400001", "18446744073709551615", "1e300"})
        BOOST_TEST((time_to_live(result(much)) == 24h), much);
    BOOST_TEST(!s.keep(tools, result("0")));
    BOOST_TEST(!s.has(tools));
}

BOOST_AUTO_TEST_CASE(what_is_private_is_found_by_its_principal_alone)
{
    for (const char* scope : {"private", "Public", ""}) {
        scene s;
        BOOST_TEST(s.keep(tools, result("1000", scope), "Ada"));
        BOOST_TEST(s.has(tools, "Ada"));
        for (const char* other : {"", "Ben", "Ada ", "3 Ada"})
            BOOST_TEST(!s.has(tools, other), other);
        // Each has its own.
        BOOST_TEST(s.keep(tools, result("2000", scope), "Ben"));
        BOOST_TEST((*s.cache.find(tools, "Ada", s.now) == result("1000", scope)));
        BOOST_TEST((*s.cache.find(tools, "Ben", s.now) == result("2000", scope)));
    }
    scene s;
    BOOST_TEST(s.keep(tools, result("1000"), "Ada"));
    BOOST_TEST(s.has(tools, "Ben"));
    BOOST_TEST(s.has(tools));
}

BOOST_AUTO_TEST_CASE(no_principal_and_key_give_the_name_of_another)
{
    scene s;
    const cache_key plain = key("tools/list");
    cache_key longer;
    longer.text = "x" + plain.text;
    BOOST_TEST(s.keep(plain, result("1000", "private"), "ax"));
    BOOST_TEST(!s.has(longer, "a"));
    cache_key starred;
    starred.text = "1 a" + plain.text;
    BOOST_TEST(s.keep(starred, result("1000")));
    BOOST_TEST(!s.has(plain, "a"));
}

BOOST_AUTO_TEST_CASE(the_last_answer_is_the_one_that_counts)
{
    scene s;
    s.keep(tools, result("1000"), "Ada");
    s.keep(tools, result("1000", "private"), "Ada");
    BOOST_TEST(!s.has(tools, "Ben"));
    BOOST_TEST(s.has(tools, "Ada"));
    s.keep(tools, result("2000"), "Ada");
    BOOST_TEST((*s.cache.find(tools, "Ada", s.now) == result("2000")));
    BOOST_TEST(s.cache.size() == 1u);
    // One that may not be kept takes the former one with it.
    BOOST_TEST(!s.keep(tools, result("0"), "Ada"));
    BOOST_TEST(s.cache.size() == 0u);
}

BOOST_AUTO_TEST_CASE(what_is_asked_for_makes_the_key)
{
    const auto of = [](std::string_view method, const std::string& p = "{}",
                        const std::string& meta = "{}") {
        const auto k = result_cache::key_of(method, params(p), params(meta));
        return k ? k->text : std::string("none");
    };
    for (const char* method : {"tools/list", "prompts/list", "resources/list",
             "resources/templates/list", "resources/read", "server/discover"})
        BOOST_TEST(of(method) == method);
    for (const char* method : {"tools/call", "prompts/get", "completion/complete", "ping", ""})
        BOOST_TEST(of(method) == "none");
    BOOST_TEST(of("tools/list", R"({"cursor":""})") == R"(tools/list "cursor":"")");
    BOOST_TEST(of("tools/list", R"({"cursor":"a b"})") != of("tools/list", R"({"cursor":"a"})"));
    BOOST_TEST(of("resources/read", R"({"uri":"x:a","vendor":1})")
        != of("resources/read", R"({"uri":"x:a"})"));
    // What cannot change the result, and what might.
    const std::string harmless =
        R"({"progressToken":1,"traceparent":"x","tracestate":"x","baggage":"x",)"
        R"("io.modelcontextprotocol/logLevel":"debug"})";
    BOOST_TEST(of("tools/list", "{}", harmless) == "tools/list");
    BOOST_TEST(of("tools/list", R"({"_meta":)" + harmless + "}") == "tools/list");
    BOOST_TEST(of("tools/list", "{}", R"({"com.example/tenant":"a"})") == "none");
    BOOST_TEST(of("tools/list", R"({"_meta":{"com.example/tenant":"a"}})") == "none");
    BOOST_TEST(of("tools/list", R"({"_meta":7})") == "none");
    BOOST_TEST(of("resources/read", R"({"uri":"x:a","inputResponses":{}})") == "none");
    BOOST_TEST(of("resources/read", R"({"uri":"x:a","requestState":"s"})") == "none");
    BOOST_TEST(of("resources/read", R"({"uri":")" + std::string(9000, 'x') + R"("})") == "none");
}

BOOST_AUTO_TEST_CASE(a_changed_list_is_forgotten_with_all_of_its_pages)
{
    scene s;
    const cache_key second = key("tools/list", R"({"cursor":"2"})");
    const cache_key prompts = key("prompts/list"), resources = key("resources/list"),
                    templates = key("resources/templates/list");
    const auto all = {tools, second, prompts, resources, templates, reading("x:a")};
    const auto left = [&] {
        std::string names;
        for (const cache_key& k : all)
            names += s.has(k) ? '+' : '-';
        return names;
    };
    for (const auto& [list, expected] : {std::pair(topic::kind::tools, "--++++"),
             std::pair(topic::kind::prompts, "++-+++"), std::pair(topic::kind::resources, "+++--+"),
             std::pair(topic::kind::resource, "++++++")}) {
        s.now += 1s;
        for (const cache_key& k : all)
            BOOST_TEST(s.keep(k, result("100000")));
        s.cache.list_changed(list, s.now);
        BOOST_TEST(left() == expected);
    }
    s.cache.discard_list("tools/list", s.now);
    BOOST_TEST(left() == "--++++");
    s.cache.clear(s.now);
    BOOST_TEST(left() == "------");
    // Nor is it believed what a former server answers yet.
    BOOST_TEST(!s.keep(tools, result("1000")));
    s.now += 1ms;
    BOOST_TEST(s.keep(tools, result("1000")));
    s.cache.clear(s.now);
    BOOST_TEST(s.cache.bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(a_changed_resource_takes_those_that_contain_it)
{
    scene s;
    for (const char* uri : {"x:dir", "x:dir/a", "x:dir/b", "x:other"})
        s.keep(reading(uri), result("1000", "private"), "Ada");
    s.cache.resource_changed("x:dir/a", s.now);
    BOOST_TEST(!s.has(reading("x:dir"), "Ada"));
    BOOST_TEST(!s.has(reading("x:dir/a"), "Ada"));
    BOOST_TEST(s.has(reading("x:dir/b"), "Ada"));
    BOOST_TEST(s.has(reading("x:other"), "Ada"));
}

BOOST_AUTO_TEST_CASE(what_was_asked_for_before_the_change_is_not_kept)
{
    scene s;
    const time_point asked = s.now;
    s.now += 1s;
    s.cache.list_changed(topic::kind::tools, s.now);
    s.cache.resource_changed("x:a", s.now);
    s.now += 1s;
    BOOST_TEST(!s.cache.keep(tools, "", result("9000"), 100, asked, s.now));
    BOOST_TEST(!s.cache.keep(reading("x:b"), "", result("9000"), 100, asked, s.now));
    BOOST_TEST(s.cache.keep(key("prompts/list"), "", result("9000"), 100, asked, s.now));
    BOOST_TEST(s.keep(tools, result("9000")));
    BOOST_TEST(s.keep(reading("x:b"), result("9000")));
}

BOOST_AUTO_TEST_CASE(what_was_not_used_for_longest_makes_room)
{
    scene s(3000);
    const auto page = [](int n) {
        return key("tools/list", R"({"cursor":")" + std::to_string(n) + R"("})");
    };
    for (int n = 0; n != 3; ++n)
        BOOST_TEST(s.keep(page(n), result("1000"), "", 700));
    BOOST_TEST(s.cache.size() == 3u);
    BOOST_TEST(s.has(page(0)));
    BOOST_TEST(s.keep(page(3), result("1000"), "", 700));
    BOOST_TEST(s.has(page(0)));
    BOOST_TEST(!s.has(page(1)));
    BOOST_TEST(s.has(page(2)));
    BOOST_TEST(s.cache.bytes() <= 3000u);
    // Too large for all of it: nothing has to go.
    BOOST_TEST(!s.keep(page(4), result("1000"), "", 3000));
    BOOST_TEST(s.cache.size() == 3u);
    scene none(0);
    BOOST_TEST(!none.keep(tools, result("1000"), "", 0));
    scene many(std::size_t{1} << 30);
    for (int n = 0; n != 5000; ++n)
        many.keep(page(n), result("1000"), "", 10);
    BOOST_TEST(many.cache.size() == result_cache::max_entries);
    BOOST_TEST(!many.has(page(0)));
    BOOST_TEST(many.has(page(4999)));
}

BOOST_AUTO_TEST_SUITE_END()
