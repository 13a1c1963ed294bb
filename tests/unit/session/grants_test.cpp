// One session that several leases hold at the same time.
#include "support/talk.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>

#include <set>

using namespace mcp_pool;
using namespace mcp_pool::test;
using mcp_pool::testing::call;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

namespace {

constexpr std::size_t leases = 3;

// A session with three leases.
rig shared_session(personality p = personality::modern, std::size_t in_flight = 64)
{
    pool_options options = patient();
    options.max_requests_in_flight = in_flight;
    return rig(p, options, era_choice::auto_detect, leases);
}

using outcomes = std::vector<std::shared_ptr<outcome>>;

// A call of each lease, which its lease can tell by its text.
outcomes call_each(rig& r)
{
    outcomes out;
    for (std::size_t lease = 0; lease != leases; ++lease)
        out.push_back(r.call_of(lease, "tools/call", with_message(std::to_string(lease))));
    return out;
}

// The id of the call that the server received with this text.
std::int64_t id_of_call(const rig& r, std::string_view text)
{
    for (const call& c : all(r, "tools/call"))
        if (c.params.at("arguments").at("message").as_string() == json::string_view(text))
            return id_of(c);
    BOOST_FAIL("the server has received no call " << text);
    return 0;
}

void check_unanswered(rig& r, const std::vector<std::uint32_t>& expected,
    std::source_location place = std::source_location::current())
{
    for (std::size_t lease = 0; lease != expected.size(); ++lease)
        BOOST_TEST(r.unanswered(lease) == expected[lease],
            "lease " << lease << " has " << r.unanswered(lease) << " unanswered at line "
                     << place.line());
}

} // namespace

BOOST_AUTO_TEST_SUITE(grants_of_one_session)

BOOST_AUTO_TEST_CASE(ids_never_collide_and_each_lease_gets_its_own_answers)
{
    rig r = shared_session();
    r.lease();
    std::vector<outcomes> out(leases);
    for (int i = 0; i < 50; ++i)
        for (std::size_t lease = 0; lease != leases; ++lease)
            out[lease].push_back(r.call_of(lease, "tools/call",
                with_message(std::to_string(lease) + ":" + std::to_string(i))));
    for (std::size_t lease = 0; lease != leases; ++lease)
        for (std::size_t i = 0; i != out[lease].size(); ++i) {
            r.finish(out[lease][i]);
            BOOST_TEST(
                text_in(out[lease][i]->result) == std::to_string(lease) + ":" + std::to_string(i));
        }
    std::set<std::int64_t> ids;
    for (const call& c : all(r, "tools/call"))
        ids.insert(id_of(c));
    BOOST_TEST(ids.size() == 50 * leases);
    check_unanswered(r, {0, 0, 0});
}

BOOST_AUTO_TEST_CASE(each_lease_sees_only_its_own_progress)
{
    rig r = shared_session();
    r.server.on_request(answering("tools/call", reply::result(json::object()).held()));
    r.lease();
    outcomes out;
    call_options wants_progress;
    wants_progress.progress = [](const progress&) {};
    for (std::size_t lease = 0; lease != leases; ++lease)
        out.push_back(
            r.call_of(lease, "tools/call", with_message(std::to_string(lease)), wants_progress));
    r.until([&] { return r.server.held() == leases; });
    for (int i = 0; i < 4; ++i)
        for (const int lease : {2, 0, 1})
            r.server.emit(1,
                R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":)"
                    + std::to_string(id_of_call(r, std::to_string(lease))) + R"(,"progress":)"
                    + std::to_string(10 * lease + i) + "}}");
    r.until([&] { return out[1]->progress.size() == 4; });
    r.server.release();
    for (const auto& o : out)
        r.finish(o);
    BOOST_TEST(out[0]->progress == (std::vector<double>{0, 1, 2, 3}));
    BOOST_TEST(out[1]->progress == (std::vector<double>{10, 11, 12, 13}));
    BOOST_TEST(out[2]->progress == (std::vector<double>{20, 21, 22, 23}));
}

BOOST_AUTO_TEST_CASE(cancelling_a_call_of_one_lease_touches_no_other)
{
    rig r = shared_session();
    r.server.on_request(answering("tools/call", reply::result(json::object()).held()));
    r.lease();
    const auto first = r.call_of(0, "tools/call", with_message("0"));
    asio::cancellation_signal signal;
    const auto second = r.call_of(1, "tools/call", with_message("1"), {}, signal.slot());
    const auto third = r.call_of(2, "tools/call", with_message("2"));
    r.until([&] { return r.server.held() == leases; });
    signal.emit(asio::cancellation_type::terminal);
    r.finish(second);
    BOOST_TEST((second->code == asio::error::operation_aborted));
    r.until([&] { return !cancelled(r).empty(); });
    BOOST_TEST(cancelled(r) == std::vector<std::int64_t>{id_of_call(r, "1")});
    check_unanswered(r, {1, 1, 1});
    r.server.release();
    r.finish(first);
    r.finish(third);
    BOOST_TEST(!first->code);
    BOOST_TEST(!third->code);
    r.until([&] { return r.shared->late_answers == 1; });
    check_unanswered(r, {0, 0, 0});
}

BOOST_AUTO_TEST_CASE(a_late_answer_counts_for_the_lease_whose_call_it_answers)
{
    rig r = shared_session();
    r.server.on_request(answering("tools/call", reply::silence()));
    r.lease();
    outcomes out;
    for (std::size_t lease = 0; lease != leases; ++lease)
        out.push_back(
            r.call_of(lease, "tools/call", with_message(std::to_string(lease)), call_options(1ms)));
    for (const auto& o : out)
        r.finish(o);
    check_unanswered(r, {1, 1, 1});
    r.server.emit(1, answer_line(id_of_call(r, "1"), "{}"));
    r.until([&] { return r.shared->late_answers == 1; });
    check_unanswered(r, {1, 0, 1});
    r.server.emit(1, answer_line(id_of_call(r, "0"), "{}"));
    r.until([&] { return r.shared->late_answers == 2; });
    check_unanswered(r, {0, 0, 1});
}

BOOST_AUTO_TEST_CASE(resetting_one_lease_aborts_its_requests_alone)
{
    // Two in flight: the third lease's call waits, and one more of the first lease behind it.
    rig r = shared_session(personality::legacy, 2);
    r.server.on_request(answering("tools/call", reply::silence()));
    r.lease();
    const outcomes out = call_each(r);
    const auto behind = r.call_of(0, "tools/call", with_message("behind"));
    r.until([&] { return r.server.count("tools/call") == 2; });
    r.release(0);
    r.io->reset(0);
    r.finish(out[0]);
    r.finish(behind);
    BOOST_TEST((out[0]->code == asio::error::operation_aborted));
    BOOST_TEST((behind->code == asio::error::operation_aborted));
    r.until([&] { return r.told->reset_done == 1; });
    BOOST_TEST(r.told->reset_grants == std::vector<std::size_t>{0});
    BOOST_TEST(cancelled(r) == std::vector<std::int64_t>{id_of_call(r, "0")});
    // What was given up has made room for the call that waited.
    BOOST_TEST(r.server.count("tools/call") == 3u);
    check_unanswered(r, {0, 1, 1});
    BOOST_TEST(!out[1]->done);
    BOOST_TEST(!out[2]->done);
    for (const int lease : {2, 1}) {
        r.server.emit(1, answer_line(id_of_call(r, std::to_string(lease)), "{}"));
        r.finish(out[static_cast<std::size_t>(lease)]);
        BOOST_TEST(!out[static_cast<std::size_t>(lease)]->code);
    }
    check_unanswered(r, {0, 0, 0});
}

BOOST_AUTO_TEST_CASE(a_clean_lease_is_reset_at_once_while_another_has_a_call_that_was_given_up)
{
    rig r = shared_session();
    r.server.on_request(answering("tools/call", reply::silence()));
    r.lease();
    r.finish(r.call_of(0, "tools/call", {}, call_options(1ms)));
    r.finish(r.call_of(1, "tools/list"));
    const std::size_t probes = r.server.count("server/discover");
    r.release(1);
    r.io->reset(1);
    r.until([&] { return r.told->reset_done == 1; });
    BOOST_TEST(r.told->reset_grants == std::vector<std::size_t>{1});
    BOOST_TEST(r.server.count("server/discover") == probes);
    check_unanswered(r, {1, 0, 0});
}

BOOST_AUTO_TEST_CASE(leases_in_reset_at_the_same_time_are_confirmed_by_probes_of_their_own)
{
    rig r = shared_session(personality::legacy);
    r.server.on_request([](const call& c) -> std::optional<reply> {
        return c.method == "tools/call" || c.method == "ping" ? std::optional(reply::silence())
                                                              : std::nullopt;
    });
    r.lease();
    const outcomes out = call_each(r);
    r.until([&] { return r.server.count("tools/call") == leases; });
    r.release(0);
    r.io->reset(0);
    r.release(2);
    r.io->reset(2);
    r.until([&] { return r.server.count("ping") == 2; });
    BOOST_TEST(r.told->reset_done == 0);
    const std::vector<call> probes = all(r, "ping");
    r.server.emit(1, answer_line(id_of(probes[1]), "{}"));
    r.until([&] { return r.told->reset_done == 1; });
    BOOST_TEST(r.told->reset_grants == std::vector<std::size_t>{2});
    check_unanswered(r, {1, 1, 0});
    // The answer to a given-up call does not stand for the answer to the probe.
    r.server.emit(1, answer_line(id_of_call(r, "0"), "{}"));
    r.until([&] { return r.shared->late_answers == 1; });
    BOOST_TEST(r.told->reset_done == 1);
    r.server.emit(1, answer_line(id_of(probes[0]), "{}"));
    r.until([&] { return r.told->reset_done == 2; });
    BOOST_TEST(r.told->reset_grants == (std::vector<std::size_t>{2, 0}));
    check_unanswered(r, {0, 1, 0});
    BOOST_TEST(!out[1]->done);
}

BOOST_AUTO_TEST_CASE(requests_of_all_leases_go_in_the_order_of_their_arrival)
{
    rig r = shared_session(personality::legacy, 1);
    r.server.on_request(answering("tools/call", reply::result(json::object()).held()));
    r.lease();
    outcomes out;
    const std::vector<std::size_t> order = {2, 0, 0, 1, 2, 1, 0};
    for (std::size_t i = 0; i != order.size(); ++i)
        out.push_back(r.call_of(order[i], "tools/call", with_message(std::to_string(i))));
    for (const auto& o : out) {
        r.until([&] { return r.server.held() == 1; });
        r.server.release();
        r.finish(o);
        BOOST_TEST(!o->code);
    }
    const std::vector<call> calls = all(r, "tools/call");
    BOOST_TEST_REQUIRE(calls.size() == order.size());
    for (std::size_t i = 0; i != calls.size(); ++i)
        BOOST_TEST(calls[i].params.at("arguments").at("message").as_string() == std::to_string(i));
}

BOOST_AUTO_TEST_CASE(the_end_of_one_lease_is_not_the_end_of_the_others)
{
    rig r = shared_session();
    r.lease();
    r.release(1);
    const outcomes out = call_each(r);
    for (const auto& o : out)
        r.finish(o);
    BOOST_TEST(text_in(out[0]->result) == "0");
    BOOST_TEST((out[1]->code == errc::lease_released));
    BOOST_TEST(text_in(out[2]->result) == "2");
    // The next lease of the same grant is another one.
    r.lend(1);
    const auto next = r.call_of(1, "tools/call", with_message("next"));
    r.finish(next);
    BOOST_TEST(text_in(next->result) == "next");
    check_unanswered(r, {0, 0, 0});
}

BOOST_AUTO_TEST_CASE(a_session_that_dies_fails_the_calls_of_all_its_leases_with_the_cause)
{
    rig r = shared_session(personality::legacy, 2);
    r.server.on_request(answering("tools/call", reply::silence()));
    r.lease();
    const auto given_up = r.call_of(2, "tools/call", {}, call_options(1ms));
    r.finish(given_up);
    const outcomes out = call_each(r);
    r.until([&] { return r.server.count("tools/call") == 3; });
    r.server.write_stderr(1, "FATAL: heap out of memory\n");
    r.server.kill(1);
    for (const auto& o : out) {
        r.finish(o);
        BOOST_TEST(contains(o->details.message, "signal 9 (SIGKILL)"), o->details.message);
        BOOST_TEST(contains(o->details.message, "heap out of memory"), o->details.message);
    }
    BOOST_TEST((out[0]->code == errc::session_closed));
    BOOST_TEST((out[1]->code == errc::session_closed));
    BOOST_TEST((out[2]->code == errc::not_sent));
    r.until([&] { return r.told->ended_count == 1; });
    BOOST_TEST(r.told->broken_count == 1);
    check_unanswered(r, {0, 0, 0});
}

BOOST_AUTO_TEST_CASE(each_view_tells_of_its_own_lease_and_all_of_the_same_session)
{
    rig r = shared_session();
    r.lease();
    r.state->grant(0).uses = 4;
    r.state->grant(2).uses = 7;
    BOOST_TEST(r.view(0).uses() == 4u);
    BOOST_TEST(r.view(1).uses() == 0u);
    BOOST_TEST(r.view(2).uses() == 7u);
    BOOST_TEST(r.view(0).id() == r.view(2).id());
    BOOST_TEST(r.state->grants() == leases);
    for (std::size_t lease = 0; lease != leases; ++lease)
        BOOST_TEST(r.state->grant(lease).index == lease);
}

BOOST_AUTO_TEST_SUITE_END()
