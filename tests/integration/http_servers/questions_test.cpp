// What servers ask of their client while they work: in the legacy era requests on the stream of the
// call, in the modern one results that want input.
#include "http_servers/scene.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>

#include <algorithm>

namespace data = boost::unit_test::data;
namespace ut = boost::unit_test;
using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

struct questions_fixture : http_fixture
{
    questions_fixture() { handlers = answers.handlers(); }

    // One user with a lease of his own who is asked again and again. True: each time it was he.
    asio::awaitable<bool> be_asked(std::string name, int times)
    {
        bool always = true;
        for (int i = 0; i != times; ++i) {
            lease session = co_await acquire_as(name);
            json::object question = object("question", "who is there?");
            const tool_result answer = co_await session->call_tool("ask", std::move(question));
            always = always && answer.text() == name + " in 12A";
        }
        co_return always;
    }

    // The same by four at once.
    void ask_all(int times)
    {
        std::vector<std::shared_ptr<outcome<bool>>> users;
        for (const char* name : {"Ada", "Ben", "Eve", "Mia"})
            users.push_back(spawn(be_asked(name, times)));
        for (const auto& one : users) {
            until([&] { return one->done; });
            BOOST_REQUIRE_MESSAGE(!one->failure, why(one));
            BOOST_TEST(*one->value);
        }
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(questions, questions_fixture, *ut::precondition(node_is_installed))

BOOST_DATA_TEST_CASE(
    find_the_user_of_the_call_and_get_the_defaults_of_the_form, data::make(every_way))
{
    open_features(sample, at_most(1));
    for (const char* name : {"Ada", "Ben"}) {
        lease session = acquired_as(name);
        BOOST_TEST(said(session, "ask", object("question", "who is there?"))
            == std::string(name) + " in 12A");
    }
    BOOST_TEST(answers.asked == (std::vector<std::string>{"Ada", "Ben"}),
        boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(come_in_rounds_with_a_state_that_is_given_back, data::make(every_way))
{
    open_features(sample);
    lease session = acquired_as("Ada");
    BOOST_TEST(said(session, "ask_in_rounds") == "{\"round\": 1} yes, 1 roots");
    BOOST_TEST(answers.asked == (std::vector<std::string>{"Ada", "Ada"}),
        boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(of_one_lease_never_reach_the_user_of_another, data::make(every_way))
{
    open_features(sample, at_most(2));
    constexpr int times = 20;
    ask_all(times);
    for (const char* name : {"Ada", "Ben", "Eve", "Mia"})
        BOOST_TEST(std::count(answers.asked.begin(), answers.asked.end(), name) == times);
    BOOST_TEST(pool->stats().created <= 2u);
}

BOOST_DATA_TEST_CASE(of_leases_of_one_session_find_their_users,
    data::make(std::vector<std::string>{"modern over HTTP", "modern over stdio"}))
{
    pool_overrides shared = at_most(1);
    shared.sharing = sharing_policy::multiplexed;
    shared.max_leases_per_session = 4;
    open_features(sample, shared);
    constexpr int times = 20;
    ask_all(times);
    BOOST_TEST(answers.asked.size() == 4u * times);
    BOOST_TEST(pool->stats().created == 1u);
}

BOOST_AUTO_TEST_CASE(outside_of_any_call_find_nobody_and_harm_nobody)
{
    serve_everything();
    open_http();
    lease session = acquired_as("Ada");
    // It asks for roots some time after it was initialised, and says so when it gets none.
    until([&] { return process->lines("Failed to request roots") == 1; });
    BOOST_TEST(answers.asked.empty());
    BOOST_TEST(said(session, "echo", object("message", "hi")) == "Echo: hi");
}

BOOST_AUTO_TEST_CASE(of_server_everything_are_answered)
{
    serve_everything();
    open_http();
    lease session = acquired_as("Ada");
    const std::string form = said(session, "trigger-elicitation-request");
    BOOST_TEST((form.find("- Name: Ada") != std::string::npos), form);
    BOOST_TEST((form.find("- Favorite Integer: 42") != std::string::npos), form);
    BOOST_TEST((form.find("\"titledSingleSelectEnum\": \"hero-1\"") != std::string::npos), form);
    json::object prompt = object("prompt", "yes or no?");
    prompt["maxTokens"] = 10;
    const std::string model = said(session, "trigger-sampling-request", std::move(prompt));
    BOOST_TEST((model.find("\"text\": \"yes\"") != std::string::npos), model);
    // Not tied to the call on the wire: it comes in the stream of the session. Before, the server may
    // have asked for them by itself.
    const std::string roots = said(session, "get-roots-list");
    BOOST_TEST((roots.find("file:///home") != std::string::npos), roots);
    BOOST_TEST(answers.asked.size() >= 3u);
    BOOST_TEST(
        std::count(answers.asked.begin(), answers.asked.end(), "Ada") == answers.asked.size());
}

BOOST_AUTO_TEST_SUITE_END()
