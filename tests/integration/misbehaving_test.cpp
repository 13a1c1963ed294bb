// What a user of a pool sees when its servers misbehave, and that nothing of them is left.
#include "support/process_fixture.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <cstdlib>
#include <optional>

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

using words = std::vector<std::string>;

struct misbehaving_fixture : process_fixture
{
    // The first failed start is the last, so that acquires fail with its cause.
    pool_overrides options = [] {
        pool_overrides o;
        o.breaker_threshold = 1;
        return o;
    }();

    void open(words args, era_choice era = era_choice::auto_detect)
    {
        open_server("misbehaving-server", std::move(args), options, era);
    }

    // What an acquire fails with.
    std::shared_ptr<outcome<lease>> failed_acquire()
    {
        auto result = finish(pool->acquire(60s));
        BOOST_TEST_REQUIRE(!result->value.has_value());
        return result;
    }

    // A new lease works.
    void check_recovered()
    {
        lease session = acquire();
        check_echo(session);
    }

    void check_echo(lease& session)
    {
        const auto result = echo(session);
        BOOST_TEST_REQUIRE(!result->failure, why(result));
        BOOST_TEST(result->value->text() == "hi");
    }
};

// A variable of the host while it exists.
class host_variable
{
public:
    host_variable(const char* name, const char* value)
        : name_(name)
    {
        if (const char* const former = std::getenv(name))
            former_ = former;
        ::setenv(name, value, 1);
    }
    host_variable(const host_variable&) = delete;
    host_variable& operator=(const host_variable&) = delete;
    ~host_variable()
    {
        if (former_)
            ::setenv(name_, former_->c_str(), 1);
        else
            ::unsetenv(name_);
    }

private:
    const char* name_;
    std::optional<std::string> former_;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_server_that_ends, misbehaving_fixture)

BOOST_AUTO_TEST_CASE(at_its_start)
{
    open({"exit-on", "start", "3"});
    check_failure(failed_acquire(), errc::circuit_open,
        {"tested", "could not be started", "the process ended", "exit status 3"});
}

BOOST_AUTO_TEST_CASE(on_anything_but_initialize_is_started_anew_as_a_legacy_server)
{
    open({"rmcp"});
    check_recovered();
    const auto stats = pool->stats();
    BOOST_TEST(stats.created == 1u);
    BOOST_TEST(stats.start_failures == 0u);
}

BOOST_AUTO_TEST_CASE(on_initialize)
{
    open({"exit-on", "initialize", "4"});
    check_failure(failed_acquire(), errc::circuit_open, {"initialize", "exit status 4"});
}

BOOST_AUTO_TEST_CASE(with_last_words_on_stderr_which_are_told_without_their_control_characters)
{
    open({"last-words", "initialize"});
    const auto result = failed_acquire();
    check_failure(result, errc::circuit_open, {"exit status 1", "fatal", "database", "is on fire"});
    BOOST_TEST(result->failure->diagnostics().stderr_tail.find('\x1b') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(right_after_the_handshake_counts_as_a_failed_start)
{
    open({"exit-on", "notifications/initialized", "5"});
    for (;;) {
        auto result = finish(pool->acquire(60s));
        if (!result->value) {
            check_failure(result, errc::circuit_open, {"tested", "in a row"});
            // Whether the end of its output or of its input is seen first is a matter of luck.
            const std::string_view what = result->failure->what();
            const bool named = what.find("closed its output") != what.npos
                || what.find("Broken pipe") != what.npos;
            BOOST_TEST(named, what);
            break;
        }
        const auto call = echo(*result->value);
        BOOST_TEST_REQUIRE(call->failure.has_value());
        const bool typed = call->code() == errc::session_closed || call->code() == errc::not_sent;
        BOOST_TEST(typed, call->failure->what());
    }
}

BOOST_AUTO_TEST_CASE(during_a_call)
{
    // No request was answered, so it counts as a failed start.
    options.breaker_threshold = 2;
    open({"exit-on", "tools/call", "6"});
    int first = 0;
    {
        lease session = acquire();
        first = session->pid();
        const auto call = echo(session);
        check_failure(call, errc::session_closed, {"tested", "under way", "exit status 6"});
        BOOST_TEST_REQUIRE(call->failure->diagnostics().exit_status.has_value());
        BOOST_TEST(call->failure->diagnostics().exit_status->value == 6);
        BOOST_TEST(!is_safe_to_retry(call->code()));
    }
    BOOST_TEST(acquire()->pid() != first);
}

BOOST_AUTO_TEST_CASE(by_a_signal)
{
    open({"signal-on", "tools/call", std::to_string(SIGKILL)});
    lease session = acquire();
    check_failure(echo(session), errc::session_closed, {"SIGKILL"});
}

BOOST_AUTO_TEST_CASE(in_the_middle_of_its_answer)
{
    open({"exit-mid-answer", "tools/call"});
    lease session = acquire();
    check_failure(echo(session), errc::session_closed, {"under way", "exit status 0"});
}

BOOST_AUTO_TEST_CASE(by_closing_its_output_alone)
{
    open({"close-output-on", "tools/call"});
    lease session = acquire();
    check_failure(echo(session), errc::session_closed, {"closed its output"});
}

BOOST_AUTO_TEST_CASE(after_some_calls_is_replaced_without_a_failed_start)
{
    open({"exit-after", "2"});
    {
        lease session = acquire();
        check_echo(session);
        check_echo(session);
    }
    until([this] { return pool->stats().replaced.died == 1; });
    check_recovered();
    BOOST_TEST(pool->stats().start_failures == 0u);
    BOOST_TEST(pool->stats().created == 2u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(a_server_that_is_mute, misbehaving_fixture)

BOOST_AUTO_TEST_CASE(from_its_start)
{
    // Half of it belongs to the question about the era: less is too short for a slow machine.
    options.start_timeout = 3s;
    open({"mute-on", "start"});
    check_failure(failed_acquire(), errc::circuit_open,
        {"did not become ready within 3 s", "waiting for the answer to initialize"});
}

BOOST_AUTO_TEST_CASE(on_initialize)
{
    options.start_timeout = 500ms;
    open({"mute-on", "initialize"}, era_choice::legacy);
    check_failure(failed_acquire(), errc::circuit_open,
        {"did not become ready within 500 ms", "waiting for the answer to initialize"});
}

BOOST_AUTO_TEST_CASE(on_the_probe_of_its_era_is_a_legacy_one)
{
    options.start_timeout = 1s;
    // The first start may be too slow for so short a time, the retry is not.
    options.breaker_threshold = 100;
    open({"ignore", "server/discover"});
    check_recovered();
}

BOOST_AUTO_TEST_CASE(on_a_call)
{
    options.stop_grace = 100ms;
    options.reset_timeout = 100ms;
    open({"mute-on", "tools/call"});
    {
        lease session = acquire();
        check_failure(echo(session, call_options(200ms)), errc::call_timeout,
            {"tools/call", "no answer within 200 ms", "raise the timeout"});
    }
    // Nothing says that it is past the call.
    until([this] { return pool->stats().replaced.reset == 1; });
}

BOOST_AUTO_TEST_CASE(on_a_probe_is_replaced)
{
    options.probe_interval = 10ms;
    options.probe_timeout = 100ms;
    open({"ignore", "ping"});
    acquire().release();
    until([this] { return pool->stats().replaced.probe >= 1; });
}

BOOST_AUTO_TEST_CASE(and_reads_nothing_more)
{
    options.write_timeout = 300ms;
    options.stop_grace = 100ms;
    open({"stop-reading-on", "notifications/initialized"});
    lease session = acquire();
    const auto call = finish(
        session->call_tool("echo", object("message", json::string(1 << 20, 'x'))));
    check_failure(call, errc::session_closed, {"does not read its input", "300 ms"});
}

BOOST_AUTO_TEST_CASE(for_a_while_at_its_start_is_waited_for)
{
    open({"slow-start", "300"});
    check_recovered();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(a_start_without_a_variable_of_the_host, misbehaving_fixture)

BOOST_DATA_TEST_CASE(that_fails_names_it_and_not_its_value,
    boost::unit_test::data::make({"mute-on", "exit-on"}), how)
{
    const host_variable proxy("HTTPS_PROXY", "http://user:secret@proxy.invalid");
    const host_variable certificates("NODE_EXTRA_CA_CERTS", "/secret/certificates.pem");
    options.start_timeout = 1s;
    open({how, "start"});
    const auto result = failed_acquire();
    check_failure(
        result, errc::circuit_open, {"HTTPS_PROXY", "NODE_EXTRA_CA_CERTS", "env_passthrough"});
    const auto& told = result->failure->diagnostics();
    for (const std::string& text :
        {std::string(result->failure->what()), told.message, told.last_start_error})
        BOOST_TEST(text.find("secret") == text.npos, text);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(a_server_that_will_not_go, misbehaving_fixture)

BOOST_AUTO_TEST_CASE(is_killed)
{
    options.stop_grace = 100ms;
    open({"stubborn"});
    check_recovered();
    const auto report = finish(pool->close(20s));
    BOOST_TEST(report->value->killed == 1u);
    BOOST_TEST(marked_processes().empty());
}

BOOST_AUTO_TEST_CASE(with_its_child_in_its_group_is_ended_with_it)
{
    options.stop_grace = 100ms;
    open({"grandchild"});
    {
        lease session = acquire();
        BOOST_TEST(echo(session)->value->text() != std::to_string(session->pid()));
        BOOST_TEST(marked_processes().size() == 2u);
    }
    finish(pool->close(20s));
    BOOST_TEST(marked_processes().empty());
}

BOOST_DATA_TEST_CASE(with_its_child_in_another_session_is_ended_with_it,
    boost::unit_test::data::make({false, true}), stubborn)
{
    options.stop_grace = 100ms;
    open(stubborn ? words{"grandchild-session", "stubborn"} : words{"grandchild-session"});
    acquire().release();
    BOOST_TEST(marked_processes().size() == 2u);
    finish(pool->close(20s));
    BOOST_TEST(marked_processes().empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(a_server_that_says_too_much, misbehaving_fixture)

BOOST_DATA_TEST_CASE(is_understood_all_the_same,
    boost::unit_test::data::make<std::string>({"garbage", "flood-stderr", "chatter", "drip", "crlf",
        "batch", "double-answer", "unknown-id"}),
    mode)
{
    open({mode});
    {
        lease session = acquire();
        check_echo(session);
        check_echo(session);
        const auto tools = finish(session->list_tools());
        BOOST_TEST_REQUIRE(!tools->failure, why(tools));
        BOOST_TEST(tools->value->size() == 1u);
    }
    BOOST_TEST(pool->stats().created == 1u);
}

BOOST_DATA_TEST_CASE(is_understood_in_the_modern_era_too,
    boost::unit_test::data::make<std::string>({"garbage", "chatter", "crlf", "double-answer"}),
    mode)
{
    open({"--modern", mode});
    lease session = acquire();
    BOOST_TEST((session->era() == era::modern));
    check_echo(session);
    check_echo(session);
}

BOOST_AUTO_TEST_CASE(and_nothing_that_is_json_rpc_fails_to_start)
{
    options.start_timeout = 1s;
    open({"garbage-only"});
    check_failure(failed_acquire(), errc::circuit_open,
        {"did not become ready", "no JSON-RPC", "{\"level\":\"info\"}"});
}

BOOST_AUTO_TEST_CASE(after_a_cancel_is_not_taken_for_the_next_answer)
{
    open({"late-answer"});
    lease session = acquire();
    check_failure(echo(session, call_options(200ms)), errc::call_timeout, {"tools/call"});
    const auto second = finish(session->call_tool("echo", object("message", "second")));
    BOOST_TEST_REQUIRE(!second->failure, why(second));
    BOOST_TEST(second->value->text() == "second");
}

BOOST_AUTO_TEST_CASE(in_one_line_of_100_mib_loses_the_session)
{
    open({"long-line", "100"});
    {
        lease session = acquire();
        check_failure(
            echo(session), errc::message_too_large, {"67108864 bytes", "raise max_message_bytes"});
    }
    until([this] { return pool->stats().replaced.protocol == 1; });
}

BOOST_AUTO_TEST_CASE(in_one_line_of_8_mib_is_heard)
{
    open({"long-line", "8"});
    lease session = acquire();
    const auto call = echo(session);
    BOOST_TEST_REQUIRE(!call->failure, why(call));
    BOOST_TEST(call->value->text().size() == std::size_t{8} << 20);
}

BOOST_AUTO_TEST_CASE(about_tools_is_stopped)
{
    open({"endless-pages"});
    lease session = acquire();
    check_failure(finish(session->list_tools()), errc::protocol_error, {"tools/list", "1000"});
}

BOOST_AUTO_TEST_CASE(about_the_same_page_of_tools_is_stopped)
{
    open({"endless-pages", "1"});
    lease session = acquire();
    check_failure(finish(session->list_tools()), errc::protocol_error, {"tools/list", "cursor"});
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(a_server_that_says_the_wrong_thing, misbehaving_fixture)

BOOST_AUTO_TEST_CASE(in_invalid_utf8_is_heard_with_replacements)
{
    open({"invalid-utf8"});
    lease session = acquire();
    const auto call = echo(session);
    BOOST_TEST_REQUIRE(!call->failure, why(call));
    BOOST_TEST(call->value->text().starts_with("caf\xef\xbf\xbd "));
    check_echo(session);
}

BOOST_AUTO_TEST_CASE(in_a_thousand_nested_arrays_does_not_hurt_the_session)
{
    open({"deep"});
    lease session = acquire();
    const auto call = echo(session, call_options(500ms));
    BOOST_TEST_REQUIRE(call->failure.has_value());
    const bool typed = call->code() == errc::protocol_error || call->code() == errc::call_timeout;
    BOOST_TEST(typed, call->failure->what());
    check_echo(session);
}

BOOST_DATA_TEST_CASE(as_a_result_breaks_the_protocol,
    boost::unit_test::data::make<std::string>({"42", "\"text\"", "[]", "null"}), result)
{
    open({"strange-result", result});
    lease session = acquire();
    check_failure(echo(session), errc::protocol_error, {"tools/call", "cannot be used"});
}

BOOST_AUTO_TEST_CASE(as_an_error_is_told_briefly_and_without_its_control_characters)
{
    open({"error", "tools/call", "-32603"});
    lease session = acquire();
    const auto call = echo(session);
    check_failure(call, error_code(-32603, rpc_category()), {"tools/call", "-32603", "such"});
    BOOST_TEST(std::string(call->failure->what()).size() < 2000u);
    BOOST_TEST_REQUIRE(call->failure->diagnostics().rpc.has_value());
    BOOST_TEST(call->failure->diagnostics().rpc->message.size() > 100'000u);
}

BOOST_AUTO_TEST_CASE(about_its_version)
{
    open({"wrong-version", "1999-01-01"});
    check_failure(failed_acquire(), errc::circuit_open, {"initialize", "version", "1999-01-01"});
}

BOOST_AUTO_TEST_CASE(about_its_modern_version)
{
    open({"--modern", "wrong-discover", "2999-01-01"});
    check_failure(failed_acquire(), errc::circuit_open, {"version", "2999-01-01"});
}

BOOST_AUTO_TEST_CASE(about_the_era_is_asked_again)
{
    open({"refuse-initialize"});
    lease session = acquire();
    BOOST_TEST((session->era() == era::modern));
    check_echo(session);
}

BOOST_AUTO_TEST_CASE(about_the_era_that_was_configured_is_not_asked_again)
{
    open({"refuse-initialize"}, era_choice::legacy);
    check_failure(failed_acquire(), errc::circuit_open, {"only the modern era", "`era`"});
}

BOOST_AUTO_TEST_CASE(about_the_era_only_after_initialize_is_modern)
{
    options.era_timeout = 100ms;
    options.start_timeout = 2s;
    open({"late-discover"});
    lease session = acquire();
    BOOST_TEST((session->era() == era::modern));
    check_echo(session);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(a_server_that_asks, misbehaving_fixture)

BOOST_AUTO_TEST_CASE(for_a_ping_during_a_call_gets_it)
{
    open({"ask", "ping"});
    lease session = acquire();
    const auto call = echo(session);
    BOOST_TEST_REQUIRE(!call->failure, why(call));
    const auto reply = json::parse(call->value->text());
    BOOST_TEST(reply.at("result").as_object().empty());
}

BOOST_DATA_TEST_CASE(for_what_nobody_offers_is_told_so,
    boost::unit_test::data::make<std::string>(
        {"roots/list", "sampling/createMessage", "never/heard"}),
    method)
{
    open({"ask", method});
    lease session = acquire();
    const auto call = echo(session);
    BOOST_TEST_REQUIRE(!call->failure, why(call));
    const auto reply = json::parse(call->value->text());
    BOOST_TEST(reply.at("error").at("code") == -32601);
}

BOOST_AUTO_TEST_CASE(for_a_person_is_told_that_nobody_will_answer)
{
    open({"ask", "elicitation/create"});
    lease session = acquire();
    const auto call = echo(session);
    BOOST_TEST_REQUIRE(!call->failure, why(call));
    const auto reply = json::parse(call->value->text());
    BOOST_TEST(reply.at("result").at("action") == "cancel");
}

BOOST_AUTO_TEST_CASE(while_nobody_has_a_lease_is_answered)
{
    open({"ask-idle", "ping"});
    check_recovered();
    lease session = acquire();
    // A call may come to the server before the reply that it waits for; such a one is only echoed.
    std::string told = "hi";
    for (int calls = 0; calls != 1000 && told == "hi"; ++calls) {
        const auto call = echo(session);
        BOOST_TEST_REQUIRE(!call->failure, why(call));
        told = call->value->text();
    }
    BOOST_TEST_REQUIRE(told != "hi");
    BOOST_TEST(json::parse(told).at("result").as_object().empty());
}

BOOST_AUTO_TEST_CASE(in_the_modern_era_is_not_answered)
{
    open({"--modern", "ask", "ping"});
    lease session = acquire();
    check_failure(echo(session, call_options(300ms)), errc::call_timeout, {"tools/call"});
}

BOOST_AUTO_TEST_SUITE_END()
