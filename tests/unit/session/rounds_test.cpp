// Calls that a server of the modern era answers with questions.
#include "support/asking.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>

#include <set>

using namespace mcp_pool;
using namespace mcp_pool::test;
using mcp_pool::testing::call;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

namespace {

rig modern(std::shared_ptr<const client_handlers> handlers, std::size_t leases = 1)
{
    return rig(
        personality::modern, patient(), era_choice::auto_detect, leases, std::move(handlers));
}

reply input_required(std::string_view members)
{
    return reply::result(parsed(R"({"resultType":"input_required",)" + std::string(members) + "}"));
}

const std::string for_roots = R"("inputRequests":{"where":{"method":"roots/list"}})";

bool is_again(const call& c)
{
    return c.params.contains("inputResponses") || c.params.contains("requestState");
}

// Answers the first try of a call with these members, the next one with `last`.
testing::script asking_once(std::string members, std::optional<reply> last = std::nullopt)
{
    return [members = std::move(members), last](const call& c) -> std::optional<reply> {
        if (c.method != "tools/call")
            return std::nullopt;
        return is_again(c) ? last : input_required(members);
    };
}

void check_failure(const std::shared_ptr<outcome>& out, const error_code& code,
    std::string_view words, std::source_location place = std::source_location::current())
{
    BOOST_TEST((out->code == code), out->code.message() << " at line " << place.line());
    BOOST_TEST(
        contains(out->details.message, words), out->details.message << " at line " << place.line());
}

} // namespace

BOOST_AUTO_TEST_SUITE(calls_in_several_rounds)

BOOST_AUTO_TEST_CASE(what_is_asked_is_answered_and_the_call_is_sent_again)
{
    witness seen;
    rig r = modern(all_handlers(seen));
    r.server.on_request(asking_once(
        R"("requestState":"s\u00e9 \"1","inputRequests":{"who":{"method":"elicitation/create","params":)"
        + std::string(form_params) + R"(},"where":{"method":"roots/list"}})"));
    r.start();
    lend_to(r, "Ada");
    call_options options;
    options.meta["traceparent"] = "00-1";
    const auto out = r.call("tools/call", with_message("hi"), options);
    r.finish(out);
    BOOST_TEST(!out->code, out->details.message);
    BOOST_TEST(text_in(out->result) == "hi");
    const std::vector<call> tries = all(r, "tools/call");
    BOOST_TEST_REQUIRE(tries.size() == 2u);
    BOOST_TEST(id_of(tries[0]) != id_of(tries[1]));
    json::object again = tries[1].params;
    BOOST_TEST(again.at("requestState") == parsed(R"("s\u00e9 \"1")"));
    BOOST_TEST(again.at("inputResponses")
        == parsed(R"({"who":{"action":"accept","content":{"name":"Ada"}},"where":{"roots":[]}})"));
    again.erase("requestState");
    again.erase("inputResponses");
    BOOST_TEST(json::value(again) == json::value(tries[0].params));
    BOOST_TEST(again.at("_meta").at("io.modelcontextprotocol/clientCapabilities")
        == parsed(R"({"sampling":{},"elicitation":{"form":{},"url":{}},"roots":{}})"));
    BOOST_TEST_REQUIRE(seen.form.size() == 1u);
    BOOST_TEST(name_in(seen.form[0].of) == "Ada");
    BOOST_TEST(seen.form[0].of.request_id == json::value("who"));
    BOOST_TEST(r.unanswered() == 0u);
}

BOOST_AUTO_TEST_CASE(a_server_that_only_wants_to_be_asked_again_is_without_any_handler)
{
    rig r = modern(nullptr);
    r.server.on_request(asking_once(R"("requestState":"later")"));
    r.start();
    lend_to(r, "Ada");
    const auto out = r.call("tools/call", with_message("hi"));
    r.finish(out);
    BOOST_TEST(!out->code, out->details.message);
    const call again = last(r, "tools/call");
    BOOST_TEST(again.params.at("requestState") == json::value("later"));
    BOOST_TEST(!again.params.contains("inputResponses"));
}

BOOST_AUTO_TEST_CASE(progress_goes_on_under_the_id_of_each_round)
{
    witness seen;
    rig r = modern(all_handlers(seen));
    r.server.on_request(asking_once(for_roots, reply::result(json::object()).held()));
    r.start();
    lend_to(r, "Ada");
    call_options options;
    options.progress = [](const progress&) {};
    const auto out = r.call("tools/call", with_message("hi"), options);
    r.until([&] { return r.server.held() == 1; });
    const call again = last(r, "tools/call");
    BOOST_TEST(again.params.at("_meta").at("progressToken").as_int64() == id_of(again));
    r.server.emit(1,
        report(
            "progress", R"({"progress":5,"progressToken":)" + std::to_string(id_of(again)) + "}"));
    r.until([&] { return out->progress.size() == 1; });
    r.server.release();
    r.finish(out);
    BOOST_TEST(!out->code);
}

BOOST_AUTO_TEST_CASE(silence_is_not_counted_while_handlers_run)
{
    const auto slow = [](request_context, json::object) -> asio::awaitable<json::value> {
        asio::steady_timer timer(co_await asio::this_coro::executor, 600ms);
        co_await timer.async_wait(asio::use_awaitable);
        co_return parsed(R"({"roots":[]})");
    };
    rig r = modern(roots_handler(slow));
    r.server.on_request(asking_once(for_roots));
    r.start();
    lend_to(r, "Ada");
    call_options options;
    options.idle_timeout = 300ms;
    const auto out = r.call("tools/call", with_message("hi"), options);
    r.finish(out);
    BOOST_TEST(!out->code, out->details.message);
}

BOOST_AUTO_TEST_CASE(each_lease_of_a_session_is_asked_for_its_own_call)
{
    std::vector<asked> seen;
    rig r = modern(roots_handler(answering_with(seen, R"({"roots":[]})")), 3);
    r.server.on_request(asking_once(for_roots));
    r.start();
    std::vector<std::shared_ptr<outcome>> out;
    for (std::size_t lease = 0; lease != 3; ++lease)
        lend_to(r, std::to_string(lease), lease);
    for (std::size_t lease = 0; lease != 3; ++lease)
        out.push_back(r.call_of(lease, "tools/call", with_message(std::to_string(lease))));
    std::set<std::string> names;
    for (std::size_t lease = 0; lease != 3; ++lease) {
        r.finish(out[lease]);
        BOOST_TEST(text_in(out[lease]->result) == std::to_string(lease));
        names.insert(name_in(seen.at(lease).of));
    }
    BOOST_TEST(names == (std::set<std::string>{"0", "1", "2"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_fulfilled_is_a_fault_of_the_server)
{
    witness seen;
    auto handlers = all_handlers(seen);
    handlers->roots = nullptr;
    rig r = modern(handlers);
    r.start();
    lend_to(r, "Ada");
    const auto failing = [&](std::string method, reply answer, std::string_view words) {
        r.server.on_request(answering(method, std::move(answer)));
        const auto out = r.call(method, with_message("x"));
        r.finish(out);
        check_failure(out, errc::protocol_error, words);
    };
    failing("tools/call", input_required(for_roots), "asks for what was not declared");
    failing("prompts/get", input_required(R"("inputRequests":7)"), "inputRequests is no object");
    failing("resources/read", input_required(R"("x":1)"), "neither inputRequests nor requestState");
    failing("tools/list", input_required(for_roots), "no answer to this method may do");
    failing("tools/call", reply::result(parsed(R"({"resultType":"task"})")), "\"task\"");
    BOOST_TEST(seen.calls() == 0u);
    BOOST_TEST(r.unanswered() == 0u);
}

BOOST_AUTO_TEST_CASE(a_server_that_never_has_enough_is_given_up_after_ten_rounds)
{
    std::vector<asked> seen;
    rig r = modern(roots_handler(answering_with(seen, R"({"roots":[]})")));
    r.server.on_request(answering("tools/call", input_required(for_roots)));
    r.start();
    lend_to(r, "Ada");
    const auto out = r.call();
    r.finish(out);
    check_failure(out, errc::protocol_error, "more than 10 rounds");
    BOOST_TEST(seen.size() == 10u);
    BOOST_TEST(r.server.count("tools/call") == 11u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(rounds_that_end_early)

BOOST_AUTO_TEST_CASE(a_handler_that_fails_ends_the_call_with_what_it_says)
{
    const auto with = [](request_handler f, int code, std::string_view words) {
        rig r = modern(roots_handler(std::move(f)));
        r.server.on_request(asking_once(for_roots));
        r.start();
        lend_to(r, "Ada");
        const auto out = r.call();
        r.finish(out);
        check_failure(out, error_code(code, rpc_category()), words);
        BOOST_TEST(!contains(out->details.message, "secret"));
        BOOST_TEST_REQUIRE(out->details.rpc.has_value());
        BOOST_TEST(out->details.rpc->code == code);
        BOOST_TEST(r.server.count("tools/call") == 1u);
        BOOST_TEST(r.unanswered() == 0u);
    };
    std::vector<asked> seen;
    with(throwing([] { throw refusal(-7, "not today"); }), -7, "not today");
    with(throwing([] { throw std::runtime_error("secret"); }), -32603, "roots/list failed");
    with(answering_with(seen, "{}"), -32603, "roots is no array");
}

BOOST_AUTO_TEST_CASE(a_released_lease_is_not_asked_and_nothing_is_sent_again)
{
    witness seen;
    rig r = modern(roots_handler(waiting_for_ever(seen)));
    r.server.on_request(asking_once(for_roots));
    r.start();
    lend_to(r, "Ada");
    const auto out = r.call();
    r.until([&] { return seen.waiting == 1; });
    BOOST_TEST(give_back(r));
    r.finish(out);
    BOOST_TEST((out->code == asio::error::operation_aborted));
    r.until([&] { return r.told->reset_done == 1 && seen.cancelled == 1; });
    BOOST_TEST(r.server.count("tools/call") == 1u);
    BOOST_TEST(r.unanswered() == 0u);
}

BOOST_AUTO_TEST_CASE(a_call_is_cancelled_in_whichever_round_it_is)
{
    witness seen;
    rig r = modern(roots_handler(waiting_for_ever(seen)));
    r.server.on_request(asking_once(for_roots));
    r.start();
    lend_to(r, "Ada");
    asio::cancellation_signal signal;
    const auto asked = r.call("tools/call", {}, {}, signal.slot());
    r.until([&] { return seen.waiting == 1; });
    signal.emit(asio::cancellation_type::terminal);
    r.finish(asked);
    BOOST_TEST((asked->code == asio::error::operation_aborted));
    r.until([&] { return seen.cancelled == 1; });
    // The server has nothing to be told of: it has answered.
    BOOST_TEST(cancelled(r).empty());

    std::vector<test::asked> answered;
    rig again = modern(roots_handler(answering_with(answered, R"({"roots":[]})")));
    again.server.on_request(asking_once(for_roots, reply::silence()));
    again.start();
    lend_to(again, "Ada");
    const auto sent = again.call("tools/call", {}, {}, signal.slot());
    again.until([&] { return again.server.count("tools/call") == 2; });
    signal.emit(asio::cancellation_type::terminal);
    again.finish(sent);
    BOOST_TEST((sent->code == asio::error::operation_aborted));
    again.until([&] { return !cancelled(again).empty(); });
    BOOST_TEST(cancelled(again) == std::vector<std::int64_t>{id_of(last(again, "tools/call"))});
}

BOOST_AUTO_TEST_CASE(the_timeout_of_a_call_is_for_all_its_rounds)
{
    witness seen;
    rig r = modern(roots_handler(waiting_for_ever(seen)));
    r.server.on_request(asking_once(for_roots));
    r.start();
    lend_to(r, "Ada");
    const auto asked = r.call("tools/call", {}, call_options(50ms));
    r.finish(asked);
    check_failure(asked, errc::call_timeout, "50 ms");
    r.until([&] { return seen.cancelled == seen.waiting; });
    // While it waits to ask again, too.
    r.server.on_request(asking_once(R"("requestState":"later")"));
    const auto pausing = r.call("tools/call", {}, call_options(100ms));
    r.finish(pausing);
    check_failure(pausing, errc::call_timeout, "100 ms");
    BOOST_TEST(r.unanswered() == 0u);
}

BOOST_AUTO_TEST_CASE(a_session_that_dies_between_two_rounds_may_have_executed_the_call)
{
    witness seen;
    rig r = modern(roots_handler(waiting_for_ever(seen)));
    r.server.on_request(asking_once(for_roots));
    r.start();
    lend_to(r, "Ada");
    const auto out = r.call();
    r.until([&] { return seen.waiting == 1; });
    r.server.kill(1);
    r.finish(out);
    check_failure(out, errc::session_closed, "may have been executed");
    r.until([&] { return seen.cancelled == 1; });
}

BOOST_AUTO_TEST_CASE(a_stop_or_an_end_at_every_stage_leaves_nothing_behind)
{
    for (int i = 0; i != 40; ++i) {
        witness seen;
        rig r = modern(all_handlers(seen));
        r.server.on_request(asking_once(for_roots));
        r.start();
        lend_to(r, "Ada");
        const auto out = r.call("tools/call", with_message("hi"));
        r.context.restart();
        for (int n = 0; n != i && r.context.poll_one() != 0; ++n)
            ;
        // Every other one ends with its context.
        if (i % 2 == 0)
            continue;
        r.io->stop(transport::stop_step::kill, "the pool is closed");
        r.finish(out);
        r.until([&] { return r.told->ended_count == 1; });
        BOOST_TEST(r.unanswered() == 0u);
    }
}

BOOST_AUTO_TEST_SUITE_END()
