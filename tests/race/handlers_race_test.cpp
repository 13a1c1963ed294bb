// Users on several threads whose calls make the server ask: each question reaches the user whose call it
// was born of, while leases end, calls are cut off and handlers come too late.
#include <mcp_pool/mcp_pool.hpp>
#include <mcp_pool/testing/scripted_server.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

using namespace mcp_pool;
using namespace std::chrono_literals;
using mcp_pool::testing::call;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

namespace {

constexpr int users = 8;
constexpr int rounds = 200;

std::string name_of(const call& c)
{
    return std::string(c.params.at("arguments").at("message").as_string());
}

json::object form_for(const std::string& name)
{
    json::object params;
    params["message"] = name;
    params["requestedSchema"] = json::parse(R"({"type":"object","properties":{}})");
    return params;
}

// In the modern era the first answer is a question. In the legacy era the question comes while the call
// is held, and the answer soon after: the handler may be at work when its call, and often its lease, ends.
testing::script asking(testing::scripted_server& server)
{
    return [&server](const call& c) -> std::optional<reply> {
        if (c.method != "tools/call" || c.params.contains("inputResponses"))
            return std::nullopt;
        json::object request;
        request["method"] = "elicitation/create";
        request["params"] = form_for(name_of(c));
        if (!c.params.contains("_meta")) {
            request["jsonrpc"] = "2.0";
            request["id"] = 1;
            server.emit(c.session, json::serialize(request));
            return reply::result(json::object()).held();
        }
        json::object asked;
        asked["who"] = std::move(request);
        json::object result;
        result["resultType"] = "input_required";
        result["inputRequests"] = std::move(asked);
        return reply::result(std::move(result));
    };
}

struct scene
{
    std::atomic<int> asked{0}, mistaken{0}, done{0};
    asio::thread_pool threads{4};

    asio::awaitable<json::value> answer(request_context of, json::object params)
    {
        ++asked;
        const auto who = std::static_pointer_cast<std::string>(of.context);
        if (*who != std::string(params.at("message").as_string()))
            ++mistaken;
        // Somewhere in between, the lease may end.
        const asio::any_io_executor mine = co_await asio::this_coro::executor;
        co_await asio::post(mine, asio::use_awaitable);
        json::object result;
        result["action"] = "accept";
        co_return result;
    }

    asio::awaitable<void> user(session_pool& pool, std::string name)
    {
        for (int i = 0; i != rounds; ++i) {
            acquire_options options(30s);
            options.context = std::make_shared<std::string>(name);
            lease session = co_await pool.acquire(std::move(options));
            json::object arguments;
            arguments["message"] = name;
            call_options limit;
            // Every third call is cut off, wherever it is.
            limit.timeout = i % 3 == 2 ? duration(1us) : duration(30s);
            try {
                co_await session->call_tool("x", std::move(arguments), std::move(limit));
            } catch (const error&) {
            }
        }
        ++done;
    }

    void run(personality p, sharing_policy sharing)
    {
        testing::scripted_server server(p);
        server.on_request(asking(server));
        stdio_server process;
        process.command = "scripted";
        server_config config("scripted", process);
        config.pool.max_size = 2;
        config.pool.sharing = sharing;
        if (sharing == sharing_policy::multiplexed)
            config.pool.max_leases_per_session = 4;
        auto handlers = std::make_shared<client_handlers>();
        handlers->elicit_form = [this](request_context of, json::object params) {
            return answer(std::move(of), std::move(params));
        };
        config.handlers = std::move(handlers);
        session_pool pool(threads.get_executor(), config, server.source());
        std::atomic<bool> over{false};
        std::thread answering([&] {
            const auto something = [&](const testing::scripted_server& of) {
                return of.held() > 0 || over;
            };
            while (!over)
                if (server.wait_until(something, 100ms))
                    server.release();
        });
        std::vector<std::future<void>> all;
        for (int i = 0; i != users; ++i)
            all.push_back(asio::co_spawn(
                asio::make_strand(threads), user(pool, std::to_string(i)), asio::use_future));
        for (std::future<void>& one : all) {
            BOOST_TEST_REQUIRE((one.wait_for(120s) == std::future_status::ready));
            one.get();
        }
        over = true;
        answering.join();
        asio::co_spawn(threads, pool.close(5s), asio::use_future).get();
        threads.join();
        BOOST_TEST(done == users);
        BOOST_TEST(asked > 0);
        BOOST_TEST(mistaken == 0);
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(questions_of_the_server)

BOOST_AUTO_TEST_CASE(in_the_legacy_era_each_reaches_the_user_of_its_call)
{
    scene().run(personality::legacy, sharing_policy::exclusive);
}

BOOST_AUTO_TEST_CASE(in_the_modern_era_each_reaches_the_user_of_its_call)
{
    scene().run(personality::modern, sharing_policy::multiplexed);
}

BOOST_AUTO_TEST_SUITE_END()
