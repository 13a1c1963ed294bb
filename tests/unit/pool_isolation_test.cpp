// Isolation keys: who gets which session, and what of a former lease reaches the next.
#include "support/pool_fixture.hpp"
#include "support/witness.hpp"

#include <set>

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

acquire_options for_key(std::string key, duration timeout = 30s)
{
    acquire_options options(timeout);
    options.isolation_key = std::move(key);
    return options;
}

struct keyed_pool : pool_fixture
{
    using pool_fixture::acquire;

    explicit keyed_pool(personality p = personality::legacy)
        : pool_fixture(p)
    {}

    // The lease of an acquire with a key, which must succeed.
    lease acquire_for(std::string key, std::source_location where = std::source_location::current())
    {
        auto result = finish(pool->acquire(for_key(std::move(key))), where);
        BOOST_REQUIRE_MESSAGE(result->value, "line " << where.line());
        return std::move(*result->value);
    }
    // Somebody with this key who waits.
    std::shared_ptr<outcome<lease>> queue_for(std::string key, duration timeout = 30s)
    {
        const std::uint64_t before = pool->stats().waiting;
        auto waiter = spawn(pool->acquire(for_key(std::move(key), timeout)));
        until([&] { return waiter->done || pool->stats().waiting == before + 1; });
        return waiter;
    }
};

struct keyed_modern_pool : keyed_pool
{
    keyed_modern_pool()
        : keyed_pool(personality::modern)
    {}
};

pool_overrides fair(std::size_t sessions)
{
    pool_overrides options = at_most(sessions);
    options.queue = queue_policy::fair;
    return options;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(pool_isolation, keyed_pool)

BOOST_AUTO_TEST_CASE(a_key_gets_the_session_that_it_had_before)
{
    open(at_most(2));
    lease a = acquire_for("a"), b = acquire_for("b");
    const std::uint64_t of_a = a->id(), of_b = b->id();
    b.release();
    a.release();
    // Not the one that was used last.
    lease again = acquire_for("b");
    BOOST_TEST(again->id() == of_b);
    BOOST_TEST(again.reused());
    BOOST_TEST(acquire_for("a")->id() == of_a);
    BOOST_TEST(server.sessions_started() == 2u);
}

BOOST_AUTO_TEST_CASE(
    another_key_gets_a_new_session_where_there_is_room_and_a_respawned_one_where_not)
{
    open(at_most(2));
    acquire_for("a").release();
    lease b = acquire_for("b");
    BOOST_TEST(!b.reused());
    BOOST_TEST(pool->stats().replaced.rekeyed == 0u);
    // No room any more: the idle session of "a" ends for the third key.
    lease c = acquire_for("c");
    BOOST_TEST(!c.reused());
    BOOST_TEST(pool->stats().replaced.rekeyed == 1u);
    BOOST_TEST(server.sessions_started() == 3u);
    BOOST_TEST((server.alive() == std::vector<std::size_t>{2, 3}));
}

BOOST_AUTO_TEST_CASE(no_key_is_a_key_of_its_own)
{
    open(at_most(1));
    lease none = acquire();
    const std::uint64_t id = none->id();
    none.release();
    BOOST_TEST(!pool->try_acquire(for_key("a")));
    lease again = pool->try_acquire();
    BOOST_REQUIRE(again);
    BOOST_TEST(again->id() == id);
    again.release();
    BOOST_TEST(acquire_for("a")->id() != id);
}

BOOST_AUTO_TEST_CASE(what_a_server_says_to_a_former_lease_reaches_nobody)
{
    server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method == "tools/call")
            return reply::result(json::object()).held();
        return std::nullopt;
    });
    open(at_most(1));
    lease former = acquire_for("a");
    int reports = 0;
    call_options options;
    options.progress = [&](const progress&) { ++reports; };
    auto asking = spawn(former->call_tool("echo", {}, options));
    until([&] { return server.held() == 1; });
    const json::value token = server.received().back().params.at("_meta").at("progressToken");
    former.release();
    until([&] { return asking->done; });
    lease next = acquire_for("a");
    int reports_of_next = 0;
    call_options also;
    also.progress = [&](const progress&) { ++reports_of_next; };
    auto asking_too = spawn(next->call_tool("echo", {}, also));
    until([&] { return server.held() == 2; });
    json::object params;
    params["progressToken"] = token;
    params["progress"] = 1;
    json::object late;
    late["jsonrpc"] = "2.0";
    late["method"] = "notifications/progress";
    late["params"] = std::move(params);
    server.emit(1, json::serialize(late));
    server.emit(1, R"({"jsonrpc":"2.0","id":77,"method":"sampling/createMessage","params":{}})");
    server.emit(1, R"({"jsonrpc":"2.0","id":78,"method":"elicitation/create","params":{}})");
    until([&] { return server.answers().size() == 2; });
    const std::vector<json::object> answers = server.answers();
    BOOST_TEST(answers[0].at("id").as_int64() == 77);
    BOOST_TEST(answers[0].at("error").at("code").as_int64() == -32601);
    BOOST_TEST(answers[1].at("result").at("action").as_string() == "cancel");
    server.release();
    until([&] { return asking_too->done; });
    BOOST_TEST(asking_too->value.has_value());
    BOOST_TEST(reports == 0);
    BOOST_TEST(reports_of_next == 0);
    BOOST_TEST(server.sessions_started() == 1u);
}

BOOST_AUTO_TEST_CASE(with_reset_respawn_each_lease_has_a_process_of_its_own_and_a_warm_one_waits)
{
    pool_overrides options = at_most(3);
    options.min_size = 2;
    options.reset = reset_policy::respawn;
    open(options);
    BOOST_REQUIRE(finish(pool->wait_ready(2, 30s))->value);
    std::set<std::uint64_t> used;
    for (int i = 0; i != 6; ++i) {
        until([&] { return pool->stats().available >= 1; });
        lease mine = pool->try_acquire(for_key(std::to_string(i % 2)));
        BOOST_REQUIRE(mine);
        BOOST_TEST(!mine.reused());
        BOOST_TEST(used.insert(mine->id()).second);
    }
    BOOST_TEST(pool->stats().hits == 6u);
    BOOST_TEST(pool->stats().reused == 0u);
    until([&] { return pool->stats().replaced.reset == 6 && pool->stats().available == 2; });
}

BOOST_FIXTURE_TEST_CASE(sessions_of_the_modern_era_serve_every_key, keyed_modern_pool)
{
    open(at_most(1));
    lease a = acquire_for("a");
    const std::uint64_t id = a->id();
    a.release();
    lease b = acquire_for("b");
    BOOST_TEST(b->id() == id);
    BOOST_TEST(b.reused());
    BOOST_TEST(server.sessions_started() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_fair_queue_serves_the_keys_in_turn, keyed_modern_pool)
{
    open(fair(1));
    lease busy = acquire_for("flood");
    std::vector<std::shared_ptr<outcome<lease>>> flood;
    for (int i = 0; i != 20; ++i)
        flood.push_back(queue_for("flood"));
    auto light = queue_for("light");
    // Gives back what the flood has got; how many leases that were.
    const auto give_back = [&] {
        std::size_t leases = 0;
        for (const auto& w : flood) {
            if (!w->value || !*w->value)
                continue;
            w->value->release();
            ++leases;
        }
        return leases;
    };
    busy.release();
    std::size_t before_light = 0;
    until([&] {
        before_light += light->done ? 0 : give_back();
        return light->done;
    });
    BOOST_TEST(before_light <= 1u);
    light->value->release();
    until([&] {
        give_back();
        return flood.back()->done;
    });
    BOOST_TEST(flood.back()->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(
    a_key_waits_at_its_share_of_leases_though_a_session_is_free, keyed_modern_pool)
{
    pool_overrides options = fair(3);
    options.max_leases_per_key = 1;
    options.min_size = 3;
    open(options);
    BOOST_REQUIRE(finish(pool->wait_ready(3, 30s))->value);
    lease a = acquire_for("a");
    BOOST_TEST(!pool->try_acquire(for_key("a")));
    auto more = queue_for("a");
    BOOST_TEST(!more->done);
    BOOST_TEST(pool->stats().available == 2u);
    lease b = acquire_for("b");
    // Those without a key share one.
    lease none = acquire();
    BOOST_TEST(!pool->try_acquire());
    a.release();
    until([&] { return more->done; });
    BOOST_TEST(more->value.has_value());
    // A larger share, at run time.
    pool_overrides larger;
    larger.max_leases_per_key = 2;
    none.release();
    auto third = queue_for("a");
    BOOST_TEST(!third->done);
    pool->change_options(larger);
    until([&] { return third->done; });
    BOOST_TEST(third->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(
    a_key_at_its_share_of_waiters_is_refused_by_name_and_no_other, keyed_modern_pool)
{
    pool_overrides options = fair(1);
    options.max_waiters_per_key = 1;
    open(options);
    lease busy = acquire_for("a");
    auto first = queue_for("a");
    auto refused = finish(pool->acquire(for_key("a")));
    BOOST_TEST(refused->code() == errc::too_many_waiters);
    const std::string why = refused->failure->what();
    BOOST_TEST(
        why.find("server \"scripted\": already 1 acquires with this isolation key wait (") == 0u,
        why);
    BOOST_TEST(
        why.find("raise max_waiters_per_key or hold leases for less long") != std::string::npos,
        why);
    auto other = queue_for("b");
    BOOST_TEST(!other->done);
    BOOST_TEST(pool->stats().rejected == 1u);
    // The limit of all comes first where both hold.
    pool_overrides both;
    both.max_waiters = 2;
    pool->change_options(both);
    const auto by_all = finish(pool->acquire(for_key("a")));
    BOOST_TEST(
        std::string(by_all->failure->what()).find("raise max_waiters or") != std::string::npos,
        by_all->failure->what());
    busy.release();
    until([&] { return first->done; });
    first->value->release();
    until([&] { return other->done; });
    BOOST_TEST(other->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(
    what_is_kept_of_a_private_result_is_found_by_later_leases_with_its_key, keyed_modern_pool)
{
    server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method != "resources/read")
            return std::nullopt;
        json::object result;
        result["resultType"] = "complete";
        result["contents"] = json::array();
        result["ttlMs"] = 3'600'000;
        result["cacheScope"] = "private";
        return reply::result(std::move(result));
    });
    open();
    const auto read = [this](lease session) {
        const auto got = finish(session->read_resource("test:a"));
        BOOST_TEST(got->value.has_value());
        return server.count("resources/read");
    };
    BOOST_TEST(read(acquire_for("a")) == 1u);
    BOOST_TEST(read(acquire_for("a")) == 1u);
    BOOST_TEST(read(acquire_for("b")) == 2u);
    BOOST_TEST(read(acquire()) == 3u);
    BOOST_TEST(read(acquire_for("a")) == 3u);
    BOOST_TEST(read(acquire()) == 3u);
    BOOST_TEST(pool->stats().cache_hits == 3u);
    BOOST_TEST(pool->stats().created == 1u);
    // Another generation of servers is asked again.
    pool->evict_all();
    BOOST_TEST(read(acquire_for("a")) == 4u);
}

BOOST_AUTO_TEST_SUITE_END()
