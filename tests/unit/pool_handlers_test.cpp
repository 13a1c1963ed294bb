// Handlers of a pool: who is asked on behalf of which acquire, and where that runs.
#include "support/asking.hpp"
#include "support/pool_fixture.hpp"

using namespace mcp_pool;
using namespace mcp_pool::testing;
using mcp_pool::test::name_in;
using mcp_pool::test::question;

namespace {

struct asking_pool : pool_fixture
{
    std::vector<mcp_pool::test::asked> seen;

    void open_with_handlers()
    {
        server.on_request([](const call& c) -> std::optional<reply> {
            if (c.method == "tools/call")
                return reply::result(json::object()).held();
            return std::nullopt;
        });
        server_config c = config(at_most(1));
        c.handlers = mcp_pool::test::roots_handler(
            mcp_pool::test::answering_with(seen, R"({"roots":[]})"));
        pool.emplace(context.get_executor(), c, server.source());
    }

    static acquire_options as(const std::string& who)
    {
        acquire_options options(30s);
        options.isolation_key = "key";
        options.context = std::make_shared<std::string>(who);
        return options;
    }

    // Makes a call with the lease, during which the server asks; gives the lease back.
    void ask_in_a_call(lease session)
    {
        const std::size_t before = server.answers().size();
        const auto out = spawn(session->call_tool("x", {}));
        until([&] { return server.held() == 1; });
        server.emit(1, question("q", "roots/list", "{}"));
        until([&] { return server.answers().size() == before + 1; });
        server.release();
        until([&] { return out->done; });
        BOOST_TEST(!out->failure);
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(pool_handlers, asking_pool)

BOOST_AUTO_TEST_CASE(each_way_to_acquire_tells_handlers_who_it_was)
{
    open_with_handlers();
    auto awaited = finish(pool->acquire(as("Ada")));
    BOOST_TEST_REQUIRE(awaited->value.has_value());
    ask_in_a_call(std::move(*awaited->value));

    lease later;
    pool->async_acquire(as("Ben"), [&](error_code, lease got) { later = std::move(got); });
    until([&] { return static_cast<bool>(later); });
    ask_in_a_call(std::move(later));

    until([&] { return pool->stats().available == 1; });
    lease at_once = pool->try_acquire(as("Eve"));
    BOOST_TEST_REQUIRE(static_cast<bool>(at_once));
    ask_in_a_call(std::move(at_once));

    BOOST_TEST_REQUIRE(seen.size() == 3u);
    BOOST_TEST(name_in(seen[0].of) == "Ada");
    BOOST_TEST(name_in(seen[1].of) == "Ben");
    BOOST_TEST(name_in(seen[2].of) == "Eve");
    BOOST_TEST(seen[2].of.isolation_key == "key");
    BOOST_TEST(server.sessions_started() == 1u);
    // A used session is settled with a ping before it is lent again.
    until([&] { return pool->stats().available == 1; });
    BOOST_TEST(server.count("ping") == 3u);
}

BOOST_AUTO_TEST_CASE(a_waiter_is_asked_on_his_own_executor)
{
    open_with_handlers();
    asio::io_context waiters;
    auto first = finish(pool->acquire(as("Ada")));
    BOOST_TEST_REQUIRE(first->value.has_value());
    lease second;
    pool->async_acquire(as("Ben"),
        asio::bind_executor(
            waiters.get_executor(), [&](error_code, lease got) { second = std::move(got); }));
    first->value->release();
    until([&] {
        waiters.restart();
        waiters.poll();
        return static_cast<bool>(second);
    });
    const auto out = spawn(second->call_tool("x", {}));
    until([&] { return server.held() == 1; });
    server.emit(1, question("q", "roots/list", "{}"));
    server.emit(1, question("p", "ping", "{}"));
    until([&] { return server.answers().size() == 1; });
    BOOST_TEST(seen.empty());
    waiters.restart();
    waiters.poll();
    BOOST_TEST_REQUIRE(seen.size() == 1u);
    BOOST_TEST(name_in(seen[0].of) == "Ben");
    until([&] { return server.answers().size() == 2; });
    server.release();
    until([&] { return out->done; });
}

BOOST_AUTO_TEST_CASE(the_context_of_a_lease_is_let_go_of_when_it_ends)
{
    open_with_handlers();
    acquire_options options = as("Ada");
    const std::weak_ptr<void> kept = options.context;
    {
        auto awaited = finish(pool->acquire(std::move(options)));
        BOOST_TEST_REQUIRE(awaited->value.has_value());
        ask_in_a_call(std::move(*awaited->value));
        seen.clear();
    }
    until([&] { return kept.expired(); });
}

BOOST_AUTO_TEST_SUITE_END()
