// What a server of the legacy era asks while its session is lent: who is asked, and who is not.
#include "support/asking.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>

using namespace mcp_pool;
using namespace mcp_pool::test;
using mcp_pool::testing::call;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

namespace {

// A legacy session with these handlers whose calls are held until they are released.
struct scene : rig
{
    explicit scene(std::shared_ptr<const client_handlers> handlers, std::size_t leases = 1,
        pool_options options = patient())
        : rig(personality::legacy, with_room(std::move(options)), era_choice::auto_detect, leases,
            std::move(handlers))
    {
        server.on_request(answering("tools/call", reply::result(json::object()).held()));
        start();
    }

    void ask(std::string_view id, std::string_view method, std::string_view params = "{}")
    {
        server.emit(1, question(id, method, params));
    }

private:
    static pool_options with_room(pool_options o)
    {
        o.max_requests_in_flight = 8;
        return o;
    }
};

// The error of a server that asked for roots.
std::pair<std::int64_t, std::string> error_of(request_handler f)
{
    scene s(roots_handler(std::move(f)));
    lend_to(s, "Ada");
    const auto out = held_call(s);
    s.ask("q", "roots/list");
    const json::object answer = answer_to(s, "q");
    if (!answer.contains("error"))
        return {0, ""};
    return {code_in(answer), std::string(answer.at("error").at("message").as_string())};
}

using error_pair = std::pair<std::int64_t, std::string>;

} // namespace

BOOST_AUTO_TEST_SUITE(who_is_asked)

BOOST_AUTO_TEST_CASE(a_session_declares_what_it_has_handlers_for)
{
    witness seen;
    scene s(all_handlers(seen));
    BOOST_TEST(last(s, "initialize").params.at("capabilities")
        == parsed(R"({"sampling":{},"elicitation":{"form":{},"url":{}},"roots":{}})"));
    scene none(nullptr);
    BOOST_TEST(last(none, "initialize").params.at("capabilities") == parsed("{}"));
    scene empty(std::make_shared<client_handlers>());
    BOOST_TEST(last(empty, "initialize").params.at("capabilities") == parsed("{}"));
}

BOOST_AUTO_TEST_CASE(questions_during_a_call_are_answered_by_handlers_that_know_its_lease)
{
    witness seen;
    scene s(all_handlers(seen));
    lend_to(s, "Ada");
    const auto out = held_call(s);
    s.ask("s", "sampling/createMessage", sampling_params);
    s.ask("f", "elicitation/create", form_params);
    s.ask("u", "elicitation/create", url_params);
    s.ask("r", "roots/list");
    BOOST_TEST(answer_to(s, "s").at("result") == parsed(sampled));
    BOOST_TEST(answer_to(s, "f").at("result")
        == parsed(R"({"action":"accept","content":{"name":"Ada"}})"));
    BOOST_TEST(answer_to(s, "u").at("result") == parsed(R"({"action":"accept"})"));
    BOOST_TEST(answer_to(s, "r").at("result") == parsed(R"({"roots":[]})"));
    BOOST_TEST_REQUIRE(seen.calls() == 4u);
    BOOST_TEST(seen.sampling[0].params.at("maxTokens").as_int64() == 10);
    const request_context& of = seen.form[0].of;
    BOOST_TEST(of.server == "scripted");
    BOOST_TEST(of.session_id == 1u);
    BOOST_TEST(of.isolation_key == "Ada");
    BOOST_TEST(name_in(of) == "Ada");
    BOOST_TEST(of.request_id == json::value("f"));
    s.server.release();
    s.finish(out);
    BOOST_TEST(!out->code);
    BOOST_TEST(s.unanswered() == 0u);
}

BOOST_AUTO_TEST_CASE(a_mode_that_was_not_declared_is_refused_as_a_wrong_parameter)
{
    witness seen;
    auto handlers = all_handlers(seen);
    handlers->elicit_url = nullptr;
    scene s(handlers);
    lend_to(s, "Ada");
    const auto out = held_call(s);
    s.ask("u", "elicitation/create", url_params);
    BOOST_TEST(code_in(answer_to(s, "u")) == -32602);
    s.ask("p", "ping");
    BOOST_TEST(answer_to(s, "p").at("result") == parsed("{}"));
    s.ask("t", "tasks/list");
    BOOST_TEST(code_in(answer_to(s, "t")) == -32601);
    BOOST_TEST(seen.calls() == 0u);
}

BOOST_AUTO_TEST_CASE(without_a_call_under_way_nobody_is_asked)
{
    witness seen;
    scene s(all_handlers(seen));
    for (const std::string when : {"nobody's ", "idle "}) {
        s.ask(when + "s", "sampling/createMessage", sampling_params);
        s.ask(when + "f", "elicitation/create", form_params);
        s.ask(when + "r", "roots/list");
        BOOST_TEST(code_in(answer_to(s, when + "s")) == -32601);
        BOOST_TEST(answer_to(s, when + "f").at("result") == parsed(R"({"action":"cancel"})"));
        BOOST_TEST(code_in(answer_to(s, when + "r")) == -32601);
        if (when == "nobody's ")
            lend_to(s, "Ada");
    }
    BOOST_TEST(seen.calls() == 0u);
}

BOOST_AUTO_TEST_CASE(handlers_run_on_the_executor_of_the_acquirer_and_never_where_lines_are_read)
{
    witness seen;
    scene s(all_handlers(seen));
    asio::io_context acquirers;
    s.state->grant(0).context = std::make_shared<detail::lessee>(
        acquirers.get_executor(), "Ada", std::make_shared<std::string>("Ada"));
    s.lend();
    const auto out = held_call(s);
    s.ask("r", "roots/list");
    s.ask("p", "ping");
    answer_to(s, "p");
    s.settle();
    BOOST_TEST(seen.calls() == 0u);
    acquirers.poll();
    BOOST_TEST(seen.calls() == 1u);
    BOOST_TEST(answer_to(s, "r").at("result") == parsed(R"({"roots":[]})"));
}

BOOST_AUTO_TEST_CASE(of_several_leases_the_one_that_is_alone_in_flight_is_asked)
{
    witness seen;
    scene s(all_handlers(seen), 2);
    lend_to(s, "Ada", 0);
    lend_to(s, "Ben", 1);
    asio::cancellation_signal signal;
    const auto of_ben = held_call(s, 1);
    s.ask("1", "roots/list");
    answer_to(s, "1");
    BOOST_TEST_REQUIRE(seen.roots.size() == 1u);
    BOOST_TEST(name_in(seen.roots[0].of) == "Ben");
    // Two in flight: it cannot be known whose question it is.
    const auto of_ada = s.call_of(0, "tools/call", with_message("x"), {}, signal.slot());
    s.until([&] { return s.server.held() == 2; });
    s.ask("2", "roots/list");
    BOOST_TEST(code_in(answer_to(s, "2")) == -32601);
    // What one has given up the server may still be at work on.
    signal.emit(asio::cancellation_type::terminal);
    s.finish(of_ada);
    s.ask("3", "roots/list");
    BOOST_TEST(code_in(answer_to(s, "3")) == -32601);
    BOOST_TEST(seen.roots.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(who_is_not_asked_any_more)

BOOST_AUTO_TEST_CASE(a_lease_that_is_given_back_while_the_server_asks_answers_nothing)
{
    witness seen;
    scene s(roots_handler(waiting_for_ever(seen)));
    lend_to(s, "Ada");
    const auto out = held_call(s);
    s.ask("q", "roots/list");
    s.until([&] { return seen.waiting == 1; });
    BOOST_TEST(give_back(s));
    BOOST_TEST(code_in(answer_to(s, "q")) == -32601);
    s.finish(out);
    BOOST_TEST((out->code == asio::error::operation_aborted));
    s.until([&] { return seen.cancelled == 1; });
    s.until([&] { return s.told->reset_done == 1; });
    s.settle();
    BOOST_TEST(s.server.answers().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_question_that_comes_in_the_reset_is_put_to_nobody)
{
    witness seen;
    scene s(all_handlers(seen));
    // The answer of the probe has a question before it: born of Ada's call, it comes in her reset.
    s.server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method == "ping")
            return reply::result(json::object()).before(question("late", "roots/list", "{}"));
        return std::nullopt;
    });
    lend_to(s, "Ada");
    const auto out = s.call("tools/call", with_message("x"));
    s.finish(out);
    // Answered, and yet to be settled: what the server still had to ask must not reach Ben.
    BOOST_TEST(give_back(s));
    s.until([&] { return s.told->reset_done == 1; });
    lend_to(s, "Ben");
    BOOST_TEST(code_in(answer_to(s, "late")) == -32601);
    const auto next = s.call("tools/call", with_message("x"));
    s.finish(next);
    BOOST_TEST(seen.calls() == 0u);
    // A lease that has made no request has caused nothing.
    give_back(s);
    s.until([&] { return s.told->reset_done == 2; });
    lend_to(s, "Eve");
    BOOST_TEST(!give_back(s));
}

BOOST_AUTO_TEST_CASE(a_handler_that_ends_while_its_lease_is_given_back_is_not_heard)
{
    witness seen;
    scene s(all_handlers(seen));
    asio::io_context acquirers;
    s.state->grant(0).context = std::make_shared<detail::lessee>(
        acquirers.get_executor(), "Ada", std::make_shared<std::string>("Ada"));
    s.lend();
    const auto out = held_call(s);
    s.ask("q", "roots/list");
    s.ask("p", "ping");
    answer_to(s, "p");
    // It has answered, and the connection does not know it yet.
    acquirers.poll();
    BOOST_TEST(seen.roots.size() == 1u);
    give_back(s);
    BOOST_TEST(code_in(answer_to(s, "q")) == -32601);
    s.finish(out);
    s.until([&] { return s.told->reset_done == 1; });
    BOOST_TEST(s.server.answers().size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_lease_that_ends_before_its_handler_is_called_has_none_called)
{
    witness seen;
    scene s(all_handlers(seen));
    asio::io_context acquirers;
    s.state->grant(0).context = std::make_shared<detail::lessee>(
        acquirers.get_executor(), "Ada", nullptr);
    s.lend();
    const auto out = held_call(s);
    s.ask("q", "elicitation/create", form_params);
    s.ask("p", "ping");
    answer_to(s, "p");
    s.release();
    acquirers.poll();
    BOOST_TEST(answer_to(s, "q").at("result") == parsed(R"({"action":"cancel"})"));
    BOOST_TEST(seen.calls() == 0u);
}

BOOST_AUTO_TEST_CASE(the_end_of_the_call_ends_its_handlers)
{
    witness seen;
    scene s(roots_handler(waiting_for_ever(seen)));
    lend_to(s, "Ada");
    const auto first = held_call(s);
    s.ask("q", "roots/list");
    s.until([&] { return seen.waiting == 1; });
    s.server.release();
    s.finish(first);
    BOOST_TEST(!first->code);
    BOOST_TEST(code_in(answer_to(s, "q")) == -32601);
    s.until([&] { return seen.cancelled == 1; });
    // So does giving it up.
    asio::cancellation_signal signal;
    const auto second = s.call("tools/call", with_message("x"), {}, signal.slot());
    s.until([&] { return s.server.held() == 1; });
    s.ask("again", "roots/list");
    s.until([&] { return seen.waiting == 2; });
    signal.emit(asio::cancellation_type::terminal);
    s.finish(second);
    BOOST_TEST(code_in(answer_to(s, "again")) == -32601);
    s.until([&] { return seen.cancelled == 2; });
}

BOOST_AUTO_TEST_CASE(a_question_that_the_server_withdraws_gets_no_answer)
{
    witness seen;
    scene s(roots_handler(waiting_for_ever(seen)));
    lend_to(s, "Ada");
    const auto out = held_call(s);
    s.ask("q", "roots/list");
    s.until([&] { return seen.waiting == 1; });
    s.server.emit(1, report("cancelled", R"({"requestId":"another"})"));
    s.server.emit(1, report("cancelled", R"({"requestId":"q"})"));
    s.until([&] { return seen.cancelled == 1; });
    s.server.release();
    s.finish(out);
    s.settle();
    BOOST_TEST(s.server.answers().empty());
}

BOOST_AUTO_TEST_CASE(a_session_that_dies_takes_its_handlers_with_it)
{
    witness seen;
    scene s(roots_handler(waiting_for_ever(seen)));
    lend_to(s, "Ada");
    const auto out = held_call(s);
    s.ask("q", "roots/list");
    s.until([&] { return seen.waiting == 1; });
    s.server.kill(1);
    s.finish(out);
    BOOST_TEST((out->code == errc::session_closed));
    s.until([&] { return seen.cancelled == 1; });
}

BOOST_AUTO_TEST_CASE(a_server_that_asks_too_much_at_once_is_told_so)
{
    witness seen;
    scene s(roots_handler(waiting_for_ever(seen)));
    lend_to(s, "Ada");
    const auto out = held_call(s);
    for (int i = 0; i != 17; ++i)
        s.ask(std::to_string(i), "roots/list");
    BOOST_TEST(code_in(answer_to(s, "16")) == -32603);
    s.until([&] { return seen.waiting == 16; });
    BOOST_TEST(s.server.answers().size() == 1u);
    s.server.release();
    s.finish(out);
    s.until([&] { return s.server.answers().size() == 17 && seen.cancelled == 16; });
}

BOOST_AUTO_TEST_CASE(a_stop_at_every_stage_of_a_question_leaves_nothing_behind)
{
    for (int i = 0; i != 40; ++i) {
        witness seen;
        scene s(all_handlers(seen));
        lend_to(s, "Ada");
        const auto out = held_call(s);
        s.ask("q", "roots/list");
        s.context.restart();
        for (int n = 0; n != i && s.context.poll_one() != 0; ++n)
            ;
        s.io->stop(transport::stop_step::kill, "the pool is closed");
        s.until([&] { return s.told->ended_count == 1; });
        s.finish(out);
        s.settle();
        BOOST_TEST(s.unanswered() == 0u);
        BOOST_TEST(s.server.answers().size() <= 1u);
    }
}

BOOST_AUTO_TEST_CASE(a_context_that_ends_under_a_handler_takes_it_along)
{
    witness seen;
    scene s(roots_handler(waiting_for_ever(seen)));
    lend_to(s, "Ada");
    const auto out = held_call(s);
    s.ask("q", "roots/list");
    s.until([&] { return seen.waiting == 1; });
    BOOST_TEST(seen.cancelled == 0u);
    // The end of the scene is the test.
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(how_a_handler_fails)

BOOST_AUTO_TEST_CASE(an_exception_is_an_error_without_its_text)
{
    const error_pair internal(-32603, "Internal error");
    BOOST_TEST((error_of(throwing([] { throw std::runtime_error("secret"); })) == internal));
    BOOST_TEST((error_of(throwing([] { throw 7; })) == internal));
    // The error of a call to another server is that server's secret.
    BOOST_TEST((error_of(throwing([] {
        diagnostics details;
        details.rpc.emplace();
        details.rpc->code = -32000;
        details.rpc->message = "secret";
        throw error(error_code(-32000, rpc_category()), details);
    })) == internal));
    // Thrown before there is a coroutine.
    BOOST_TEST((error_of([](request_context, json::object) -> asio::awaitable<json::value> {
        throw std::runtime_error("secret");
    }) == internal));
}

BOOST_AUTO_TEST_CASE(a_refusal_is_the_error_that_it_says)
{
    BOOST_TEST((
        error_of(throwing([] { throw refusal(-7, "not today"); })) == error_pair(-7, "not today")));
    BOOST_TEST((error_of(throwing([] { throw user_rejected(); })).first == -1));
}

BOOST_AUTO_TEST_CASE(an_answer_that_cannot_be_sent_is_an_internal_error)
{
    const error_pair internal(-32603, "Internal error");
    std::vector<asked> seen;
    for (const auto answer : {"7", "{}", R"({"roots":7})"})
        BOOST_TEST((error_of(answering_with(seen, answer)) == internal));
    // One that no message may be as long as.
    pool_options small = patient();
    small.max_message_bytes = 2000;
    scene s(roots_handler(answering_with(
                seen, R"({"roots":[{"uri":"file:///)" + std::string(3000, 'x') + R"("}]})")),
        1, small);
    lend_to(s, "Ada");
    const auto out = held_call(s);
    s.ask("q", "roots/list");
    BOOST_TEST(code_in(answer_to(s, "q")) == -32603);
    s.server.release();
    s.finish(out);
    BOOST_TEST(!out->code);
}

BOOST_AUTO_TEST_SUITE_END()
