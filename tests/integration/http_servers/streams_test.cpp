// What goes on in the streams of a session over HTTP: calls that are cancelled, streams that break, and
// what the server reports.
#include "http_servers/scene.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>

namespace data = boost::unit_test::data;
namespace ut = boost::unit_test;
using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

const std::vector<std::string> both_eras{"legacy over HTTP", "modern over HTTP"};

struct streams_fixture : http_fixture
{
    // The tool `hold`, until the server has it.
    std::shared_ptr<outcome<tool_result>> held(
        lease& session, const std::string& token, call_options options = {})
    {
        auto call = spawn(
            session->call_tool("hold", object("token", json::string(token)), std::move(options)));
        until([&] { return process->has_printed("holding " + token) || call->done; });
        BOOST_TEST(!call->done);
        return call;
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(http_streams, streams_fixture, *ut::precondition(node_is_installed))

BOOST_DATA_TEST_CASE(let_the_server_know_of_calls_that_are_cancelled, data::make(both_eras))
{
    open_features(sample, at_most(1));
    {
        lease session = acquire();
        check_failure(finish(session->call_tool("hold", object("token", "slow"), call_options(1s))),
            errc::call_timeout, {"1 s"});
        until([&] { return process->has_printed("cancelled slow"); });
        BOOST_TEST(said(session, "echo", object("message", "hi")) == "hi");
    }
    {
        lease session = acquire();
        const auto call = held(session, "left");
        session.release();
        until([&] { return call->done; });
        BOOST_TEST((call->code() == asio::error::operation_aborted));
        until([&] { return process->has_printed("cancelled left"); });
    }
    lease session = acquire();
    BOOST_TEST(said(session, "echo", object("message", "hi")) == "hi");
    BOOST_TEST(pool->stats().created == 1u);
}

BOOST_DATA_TEST_CASE(go_on_while_a_call_of_theirs_is_held, data::make(both_eras))
{
    pool_overrides options = at_most(1);
    options.max_requests_in_flight = 4;
    open_features(sample, options);
    lease session = acquire();
    const auto call = held(session, "long");
    BOOST_TEST(said(session, "echo", object("message", "hi")) == "hi");
    BOOST_TEST(!call->done);
}

BOOST_AUTO_TEST_CASE(take_up_a_stream_that_broke_before_the_answer)
{
    open_features("legacy over HTTP");
    lease session = acquire();
    for (const char* message : {"one", "two", "three"})
        BOOST_TEST(said(session, "lose_stream", object("message", message)) == message);
    BOOST_TEST(pool->stats().created == 1u);
}

BOOST_AUTO_TEST_CASE(take_up_their_own_stream_and_hear_what_was_said_meanwhile)
{
    handlers = answers.handlers();
    open_features("legacy over HTTP", at_most(1));
    lease session = acquire();
    // The server numbers what it says, but not the stream as such: from the first event on it can be
    // asked for the rest.
    BOOST_TEST(said(session, "change_tools") == "changed");
    until([&] { return answers.changed.size() == 1; });
    BOOST_TEST(said(session, "lose_session_stream") == "lost");
    BOOST_TEST(said(session, "change_tools") == "changed");
    until([&] { return answers.changed.size() == 2; });
    BOOST_TEST(pool->stats().created == 1u);
}

BOOST_AUTO_TEST_CASE(tell_of_resources_and_lists_that_have_changed)
{
    handlers = answers.handlers();
    open_features("legacy over HTTP", at_most(2));
    lease watching = acquire();
    BOOST_TEST(!finish(watching->subscribe("test://note"))->failure);
    lease changing = acquire();
    BOOST_TEST(said(changing, "touch", object("uri", "test://note")) == "touched");
    BOOST_TEST(said(changing, "touch", object("uri", "test://bytes")) == "touched");
    until([&] { return !answers.updated.empty(); });
    BOOST_TEST(!finish(watching->unsubscribe("test://note"))->failure);
    BOOST_TEST(said(changing, "touch", object("uri", "test://note")) == "touched");
    BOOST_TEST(said(changing, "change_tools") == "changed");
    // Both sessions are told, each in its own stream, after all that was said before.
    until([&] { return answers.changed.size() == 2; });
    BOOST_TEST(answers.updated == (std::vector<std::string>{"test://note"}),
        boost::test_tools::per_element());
    BOOST_TEST((answers.changed.front() == list_kind::tools));
}

BOOST_AUTO_TEST_CASE(hear_what_their_very_first_request_brings_about)
{
    handlers = answers.handlers();
    open_features("legacy over HTTP", at_most(1));
    for (int i = 0; i != 5; ++i) {
        // The server says it once, and not in the answer.
        lease session = acquire();
        BOOST_TEST(said(session, "change_tools") == "changed");
        until([&] { return answers.changed.size() == static_cast<std::size_t>(i + 1); });
        session.discard();
    }
}

BOOST_AUTO_TEST_CASE(of_server_everything_report_progress_and_updates)
{
    handlers = answers.handlers();
    serve_everything();
    open_http();
    lease session = acquired_as("Ada");
    std::vector<double> steps;
    call_options watched;
    watched.progress = [&steps](const progress& p) { steps.push_back(p.value); };
    json::object arguments = object("duration", 1);
    arguments["steps"] = 4;
    got(session->call_tool(
        "trigger-long-running-operation", std::move(arguments), std::move(watched)));
    BOOST_TEST(steps == (std::vector<double>{1, 2, 3, 4}), boost::test_tools::per_element());
    const std::string uri = "demo://resource/dynamic/text/1";
    BOOST_TEST(!finish(session->subscribe(uri))->failure);
    call(session, "toggle-subscriber-updates");
    until([&] { return !answers.updated.empty(); });
    BOOST_TEST(answers.updated.front() == uri);
    BOOST_TEST(!answers.logged.empty());
}

BOOST_AUTO_TEST_SUITE_END()
