// Real servers that ask their client: each question reaches the user whose call it was born of.
#include "support/node_servers.hpp"
#include "support/process_fixture.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>

namespace ut = boost::unit_test;
using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

struct asking_fixture : process_fixture
{
    std::shared_ptr<client_handlers> handlers = std::make_shared<client_handlers>();
    // Whom the server has asked, and for what.
    std::vector<std::string> asked;
    std::vector<std::string> logged;

    void note(const request_context& of, std::string_view what)
    {
        const auto who = std::static_pointer_cast<std::string>(of.context);
        BOOST_TEST(of.isolation_key == "tenant");
        asked.push_back(*who + ": " + std::string(what));
    }

    request_handler answer(std::string what, std::string result)
    {
        return [this, what = std::move(what), result = std::move(result)](
                   request_context of, json::object) -> asio::awaitable<json::value> {
            note(of, what);
            co_return json::parse(result);
        };
    }

    // server-everything, with one process.
    void open_everything()
    {
        stdio_server process;
        process.command = "node";
        process.args = {script_of("server-everything").string()};
        process.env = environment;
        server_config config("tested", std::move(process));
        config.pool.max_size = 1;
        config.handlers = handlers;
        pool.emplace(context.get_executor(), std::move(config));
    }

    // With equal keys, so that one process serves one after the other.
    lease acquire_for(const std::string& who)
    {
        acquire_options options(30s);
        options.isolation_key = "tenant";
        options.context = std::make_shared<std::string>(who);
        const auto result = finish(pool->acquire(std::move(options)));
        BOOST_REQUIRE_MESSAGE(result->value, why(result));
        return std::move(*result->value);
    }

    std::string call(lease& session, std::string tool, json::object arguments = {})
    {
        const auto result = finish(session->call_tool(std::move(tool), std::move(arguments)));
        BOOST_REQUIRE_MESSAGE(!result->failure, why(result));
        BOOST_TEST(!result->value->is_error(), result->value->text());
        return result->value->text();
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_server_that_asks, asking_fixture, *ut::precondition(node_is_installed))

BOOST_AUTO_TEST_CASE(gets_the_answers_of_the_user_whose_call_it_works_on)
{
    handlers->sampling = answer("sampling",
        R"({"role":"assistant","model":"m","content":{"type":"text","text":"forty-two"}})");
    handlers->elicit_form = answer("form", R"({"action":"accept","content":{"name":"Ada"}})");
    handlers->roots = answer("roots", R"({"roots":[{"uri":"file:///ada","name":"ada"}]})");
    open_everything();
    lease session = acquire_for("Ada");
    BOOST_TEST(call(session, "trigger-sampling-request", object("prompt", "why")).find("forty-two")
        != std::string::npos);
    const std::string form = call(session, "trigger-elicitation-request");
    BOOST_TEST(form.find("Ada") != std::string::npos, form);
    // A default of its schema.
    BOOST_TEST(form.find("3.14") != std::string::npos, form);
    BOOST_TEST(call(session, "get-roots-list").find("file:///ada") != std::string::npos);
    BOOST_TEST(asked == (std::vector<std::string>{"Ada: sampling", "Ada: form", "Ada: roots"}),
        boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(never_reaches_the_next_user_with_what_it_asked_the_former_one)
{
    bool patient = true;
    handlers->elicit_form = [&](request_context of, json::object) -> asio::awaitable<json::value> {
        note(of, "form");
        if (patient) {
            asio::steady_timer never(co_await asio::this_coro::executor, std::chrono::hours(1));
            co_await never.async_wait(asio::use_awaitable);
        }
        co_return json::parse(R"({"action":"decline"})");
    };
    open_everything();
    int pid = 0;
    {
        lease ada = acquire_for("Ada");
        pid = ada->pid();
        spawn(ada->call_tool("trigger-elicitation-request", {}));
        until([&] { return asked.size() == 1; });
        // Given back while the server asks.
    }
    patient = false;
    lease ben = acquire_for("Ben");
    BOOST_TEST(ben->pid() == pid);
    call(ben, "echo", object("message", "hi"));
    BOOST_TEST(asked.size() == 1u);
    call(ben, "trigger-elicitation-request");
    ben.release();
    lease eve = acquire_for("Eve");
    call(eve, "trigger-elicitation-request");
    BOOST_TEST(asked == (std::vector<std::string>{"Ada: form", "Ben: form", "Eve: form"}),
        boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
