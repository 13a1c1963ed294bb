// Broken event streams of the legacy era, in virtual time.
#include "protocol/stream_resumption.hpp"

#include <boost/test/unit_test.hpp>

#include <ostream>
#include <string>
#include <string_view>

using namespace mcp_pool;
using namespace mcp_pool::protocol;
using namespace std::chrono_literals;
using step = stream_resumption::step;
using purpose = stream_resumption::purpose;

namespace mcp_pool::protocol {

std::ostream& boost_test_print_type(std::ostream& out, step s)
{
    switch (s) {
    case step::none:
        return out << "none";
    case step::wait:
        return out << "wait";
    case step::reconnect:
        return out << "reconnect";
    case step::give_up:
        return out << "give up";
    }
    return out;
}

} // namespace mcp_pool::protocol

namespace {

const time_point t0{1000h};

// A connection that brought `text` and ended.
rpc::event_stream brought(std::string_view text)
{
    rpc::event_stream stream(1000);
    stream.feed(text);
    while (stream.next()) {
    }
    return stream;
}

step end(stream_resumption& machine, std::string_view text, time_point now)
{
    const rpc::event_stream stream = brought(text);
    return machine.ended(stream, now);
}

// How long the machine waits from `now` on, at which it has said so.
duration waits(const stream_resumption& machine, time_point now)
{
    return machine.deadline() - now;
}

} // namespace

BOOST_AUTO_TEST_SUITE(stream_resumptions)

BOOST_AUTO_TEST_CASE(a_server_that_names_a_time_is_asked_again_at_that_time_and_not_before)
{
    // The conformance suite's sse-retry: 450 ms at the earliest, 700 ms at the latest. 500 ms is what
    // was said; whatever the timer adds stays within.
    stream_resumption machine(era::legacy, purpose::answer);
    BOOST_TEST(end(machine, "id: event-0\nretry: 500\ndata: \n\n", t0) == step::wait);
    BOOST_TEST((machine.deadline() == t0 + 500ms));
    BOOST_TEST(machine.tick(t0 + 500ms - 1ns) == step::wait);
    BOOST_TEST((machine.deadline() == t0 + 500ms));
    BOOST_TEST(machine.tick(t0 + 500ms) == step::reconnect);
    BOOST_TEST(machine.last_event_id() == "event-0");
    BOOST_TEST((machine.deadline() == time_point::max()));
}

BOOST_AUTO_TEST_CASE(without_a_time_the_waits_grow_up_to_a_limit_and_two_tries_are_all)
{
    stream_resumption machine(era::legacy, purpose::answer);
    BOOST_TEST(end(machine, "id: 1\n\n", t0) == step::wait);
    BOOST_TEST((waits(machine, t0) == 1s));
    BOOST_TEST(machine.tick(t0 + 1s) == step::reconnect);
    BOOST_TEST(machine.failed(t0 + 2s) == step::wait);
    BOOST_TEST((waits(machine, t0 + 2s) == 1500ms));
    BOOST_TEST(machine.tick(t0 + 10s) == step::reconnect);
    BOOST_TEST(machine.failed(t0 + 11s) == step::give_up);
    BOOST_TEST((machine.deadline() == time_point::max()));
    BOOST_TEST(machine.tick(t0 + 1h) == step::none);
}

BOOST_AUTO_TEST_CASE(the_time_that_was_named_holds_for_every_try_until_another_is)
{
    stream_resumption machine(era::legacy, purpose::answer);
    end(machine, "id: 1\nretry: 70\n\n", t0);
    machine.tick(t0 + 70ms);
    BOOST_TEST(machine.failed(t0) == step::wait);
    BOOST_TEST((waits(machine, t0) == 70ms));
    machine.tick(t0 + 70ms);
    machine.opened();
    end(machine, "data: {}\n\n", t0);
    BOOST_TEST((waits(machine, t0) == 70ms));
    machine.tick(t0 + 70ms);
    machine.opened();
    end(machine, "retry: 90\n\n", t0);
    BOOST_TEST((waits(machine, t0) == 90ms));
}

BOOST_AUTO_TEST_CASE(a_stream_that_was_opened_again_makes_the_tries_count_anew)
{
    stream_resumption machine(era::legacy, purpose::answer);
    BOOST_TEST(end(machine, "id: 1\n\n", t0) == step::wait);
    for (int i = 0; i < 10; ++i) {
        BOOST_TEST(machine.tick(machine.deadline()) == step::reconnect);
        BOOST_TEST(machine.failed(t0) == step::wait);
        BOOST_TEST((waits(machine, t0) == 1500ms));
        BOOST_TEST(machine.tick(machine.deadline()) == step::reconnect);
        machine.opened();
        BOOST_TEST(end(machine, "id: 2\n\n", t0) == step::wait);
        BOOST_TEST((waits(machine, t0) == 1s));
    }
}

BOOST_AUTO_TEST_CASE(the_stream_goes_on_behind_the_last_complete_event)
{
    stream_resumption machine(era::legacy, purpose::answer);
    end(machine, "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: cut o", t0);
    BOOST_TEST(machine.last_event_id() == "2");
    machine.tick(t0 + 1h);
    machine.opened();
    // No id in this one: the former holds.
    end(machine, "data: c\n\n", t0);
    BOOST_TEST(machine.last_event_id() == "2");
    machine.tick(t0 + 1h);
    machine.opened();
    end(machine, "id: 4\ndata: d\n\n", t0);
    BOOST_TEST(machine.last_event_id() == "4");
}

BOOST_AUTO_TEST_CASE(an_answer_whose_stream_has_no_id_is_lost_at_once)
{
    for (const std::string& text :
        {std::string(), std::string("data: {}\n\n"), std::string("id:\ndata: {}\n\n"),
            std::string("id: 1\n\nid\n\n"), std::string("id: 1\n"),
            std::string("id: 1\n\nid: bell\x07\n\n"), std::string("id: 1\n\nid: end \n\n"),
            "id: 1\n\nid: " + std::string(4097, 'x') + "\n\n"}) {
        rpc::event_stream stream(100000);
        stream.feed(text);
        while (stream.next()) {
        }
        stream_resumption machine(era::legacy, purpose::answer);
        BOOST_TEST(machine.ended(stream, t0) == step::give_up, text);
        BOOST_TEST(machine.last_event_id().empty());
    }
}

BOOST_AUTO_TEST_CASE(a_stream_of_unasked_messages_is_opened_again_with_an_id_or_without)
{
    stream_resumption machine(era::legacy, purpose::listening);
    BOOST_TEST(end(machine, "data: {}\n\n", t0) == step::wait);
    BOOST_TEST((waits(machine, t0) == 1s));
    BOOST_TEST(machine.tick(t0 + 1s) == step::reconnect);
    BOOST_TEST(machine.last_event_id().empty());
}

BOOST_AUTO_TEST_CASE(nothing_is_resumed_in_the_modern_era)
{
    for (const purpose what : {purpose::answer, purpose::listening}) {
        stream_resumption machine(era::modern, what);
        BOOST_TEST(end(machine, "id: 1\nretry: 1\ndata: {}\n\n", t0) == step::give_up);
        BOOST_TEST((machine.deadline() == time_point::max()));
        BOOST_TEST(machine.tick(t0 + 1h) == step::none);
    }
}

BOOST_AUTO_TEST_CASE(nothing_is_resumed_once_the_answer_has_come)
{
    stream_resumption before(era::legacy, purpose::answer);
    before.finished();
    BOOST_TEST(end(before, "id: 1\ndata: {}\n\n", t0) == step::none);
    BOOST_TEST((before.deadline() == time_point::max()));

    stream_resumption waiting(era::legacy, purpose::answer);
    end(waiting, "id: 1\n\n", t0);
    waiting.finished();
    BOOST_TEST((waiting.deadline() == time_point::max()));
    BOOST_TEST(waiting.tick(t0 + 1h) == step::none);
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_know_the_stream_is_not_asked_again)
{
    stream_resumption machine(era::legacy, purpose::answer);
    end(machine, "id: 1\n\n", t0);
    machine.tick(t0 + 1s);
    BOOST_TEST(machine.refused() == step::give_up);
    BOOST_TEST(machine.refused() == step::none);
    BOOST_TEST(machine.tick(t0 + 1h) == step::none);
}

BOOST_AUTO_TEST_CASE(streams_that_end_without_a_word_are_waited_for_longer_and_longer)
{
    // A server that says retry: 0 and hangs up would otherwise be asked without a pause.
    stream_resumption machine(era::legacy, purpose::listening);
    end(machine, "id: 1\nretry: 0\n\n", t0);
    BOOST_TEST((waits(machine, t0) == 0s));
    duration expected[] = {0s, 1s, 1500ms, 2250ms};
    for (const duration wait : expected) {
        BOOST_TEST(machine.tick(machine.deadline()) == step::reconnect);
        machine.opened();
        BOOST_TEST(end(machine, ": nothing\n\n", t0) == step::wait);
        BOOST_TEST((waits(machine, t0) == wait));
    }
    for (int i = 0; i < 100; ++i) {
        machine.tick(machine.deadline());
        machine.opened();
        BOOST_TEST(end(machine, "", t0) == step::wait);
    }
    BOOST_TEST((waits(machine, t0) == 30s));
    // A word, and the server's time holds again.
    machine.tick(machine.deadline());
    machine.opened();
    end(machine, "data: {}\n\n", t0);
    BOOST_TEST((waits(machine, t0) == 0s));
}

BOOST_AUTO_TEST_CASE(a_time_without_end_is_no_overflow)
{
    stream_resumption machine(era::legacy, purpose::answer);
    BOOST_TEST(end(machine, "id: 1\nretry: 99999999999999999999\n\n", t0) == step::wait);
    BOOST_TEST((machine.deadline() == time_point::max()));
    BOOST_TEST(machine.tick(t0 + 24h * 365) == step::wait);
}

BOOST_AUTO_TEST_CASE(late_and_early_inputs_change_nothing)
{
    stream_resumption machine(era::legacy, purpose::answer);
    BOOST_TEST(machine.tick(t0) == step::none);
    BOOST_TEST(machine.failed(t0) == step::none);
    BOOST_TEST(machine.refused() == step::none);
    machine.opened();
    BOOST_TEST(end(machine, "id: 1\n\n", t0) == step::wait);
    BOOST_TEST(end(machine, "id: 2\n\n", t0 + 500ms) == step::none);
    BOOST_TEST(machine.failed(t0) == step::none);
    machine.opened();
    BOOST_TEST((machine.deadline() == t0 + 1s));
    BOOST_TEST(machine.last_event_id() == "1");
    BOOST_TEST(machine.tick(t0 + 1s) == step::reconnect);
    BOOST_TEST(machine.tick(t0 + 1s) == step::none);
    BOOST_TEST(end(machine, "id: 3\n\n", t0 + 1s) == step::none);
    BOOST_TEST(machine.last_event_id() == "1");
}

BOOST_AUTO_TEST_SUITE_END()
