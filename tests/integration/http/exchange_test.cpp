// Exchanges that work, and the connections they share.
#include "integration/http/scene.hpp"

using namespace mcp_pool;
using namespace mcp_pool::transport::http;
using namespace mcp_pool::transport::http::testing;

BOOST_AUTO_TEST_SUITE(http_exchanges)

BOOST_AUTO_TEST_CASE(a_request_gets_its_answer)
{
    const balance books;
    scene s;
    s.server->answer_with({ok("pong", "X-Answer: 1\r\n")});
    http_request request;
    request.method = "POST";
    request.target = "/mcp?a=b";
    request.fields.emplace_back("X-Question", "why");
    request.body = "ping";
    const exchange e = s.start(std::move(request));
    s.succeeds(e, "pong");
    BOOST_TEST(*find_field(e->head->fields, "x-answer") == "1");
    BOOST_TEST(s.nth_peer(0).received
        == "POST /mcp?a=b HTTP/1.1\r\nHost: " + s.options.origin.authority()
            + "\r\nX-Question: why\r\nContent-Length: 4\r\n\r\nping");
}

BOOST_AUTO_TEST_CASE(connections_are_used_again)
{
    const balance books;
    scene s;
    s.server->answer_with({ok("pong"), chunked({"po", "ng"}), "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n" + ok("pong")});
    s.succeeds(s.post(), "pong");
    s.succeeds(s.post(), "pong");
    const exchange none = s.post();
    s.finish(none);
    BOOST_TEST(none->head->status == 204u);
    s.succeeds(s.get(), "pong");
    s.succeeds(s.post(), "pong");
    BOOST_TEST(s.server->peers.size() == 1u);
    const http_client_stats stats = s.client().stats();
    BOOST_TEST(stats.opened == 1u);
    BOOST_TEST(stats.reused == 4u);
    BOOST_TEST(stats.connections == 1u);
    BOOST_TEST(stats.idle == 1u);
    BOOST_TEST(stats.queued == 0u);
}

BOOST_AUTO_TEST_CASE(the_next_exchange_may_begin_in_the_last_event_and_takes_the_connection_over)
{
    const balance books;
    scene s;
    s.server->answer_with({ok("pong")});
    const exchange first = s.post();
    exchange second;
    first->after = [&](const std::string& event) {
        if (event == "end")
            second = s.post("next");
    };
    s.succeeds(first, "pong");
    BOOST_TEST_REQUIRE(!!second);
    s.succeeds(second, "pong");
    BOOST_TEST(s.client().stats().opened == 1u);
}

BOOST_AUTO_TEST_CASE(an_answer_may_come_in_single_bytes)
{
    const balance books;
    for (const std::string& answer : {ok("the body", "X: y\r\n"), chunked({"the", " ", "body"})}) {
        scene s;
        s.server->on_accept = [&](peer& connection) {
            connection.on_bytes = [&](peer& self) {
                for (const char byte : answer)
                    self.send(std::string(1, byte));
            };
        };
        const exchange e = s.post("");
        s.succeeds(e, "the body");
        BOOST_TEST(s.client().stats().idle == 1u);
    }
}

BOOST_AUTO_TEST_CASE(an_answer_may_be_split_at_every_byte)
{
    const balance books;
    const std::string answer =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nthe\r\n05\r\n body\r\n0\r\n"
        "T: t\r\n\r\n";
    scene s;
    for (std::size_t at = 1; at < answer.size(); ++at) {
        s.server->on_accept = nullptr;
        const exchange e = s.post("");
        peer& connection = s.requested(0, at);
        connection.send(answer.substr(0, at));
        // The client has what there is of it: the first part is read before the second is sent.
        if (at >= answer.find("3;x"))
            s.until([&] { return e->head.has_value(); });
        else
            s.context->poll();
        connection.send(answer.substr(at));
        s.succeeds(e, "the body");
    }
    BOOST_TEST(s.client().stats().opened == 1u);
}

BOOST_AUTO_TEST_CASE(pieces_of_a_stream_come_as_they_arrive_and_it_may_end_with_the_connection)
{
    const balance books;
    scene s;
    const exchange e = s.get();
    peer& connection = s.requested(0, 1);
    connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    s.until([&] { return e->head.has_value(); });
    for (const char* piece : {"data: 1\n\n", ": comment\n", "data: 2\n\n"}) {
        const std::string before = e->body;
        connection.send(piece);
        s.until([&] { return e->body == before + piece; });
    }
    BOOST_TEST(!e->over());
    connection.close();
    s.succeeds(e, "data: 1\n\n: comment\ndata: 2\n\n");
    BOOST_TEST(s.client().stats().connections == 0u);
}

BOOST_AUTO_TEST_CASE(a_large_request_and_a_large_answer_pass_each_other)
{
    const balance books;
    scene s;
    const std::string much(8 << 20, 'x');
    s.server->on_accept = [&](peer& connection) {
        connection.on_bytes = [&, asked = false](peer& self) mutable {
            // Before the request has come as a whole.
            if (!std::exchange(asked, true))
                self.send(ok(much));
        };
    };
    const exchange e = s.post(much);
    s.succeeds(e, much);
}

BOOST_AUTO_TEST_CASE(exchanges_above_the_bound_wait_in_order)
{
    const balance books;
    scene s;
    s.options.max_connections = 2;
    std::vector<exchange> all;
    for (const char* body : {"one", "two", "three", "four", "five"})
        all.push_back(s.post(body));
    BOOST_TEST(s.client().stats().connections == 2u);
    BOOST_TEST(s.client().stats().queued == 3u);
    s.requested(0, 1);
    s.requested(1, 1);
    // The third follows on whichever connection is free first, the fourth on the other one.
    s.server->peers[1]->send(ok("2"));
    s.requested(1, 2);
    BOOST_TEST(s.server->peers[1]->received.ends_with("three"));
    s.server->peers[0]->send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1");
    s.requested(2, 1);
    BOOST_TEST(s.server->peers[2]->received.ends_with("four"));
    BOOST_TEST(s.client().stats().queued == 1u);
    s.server->peers[1]->send(ok("3"));
    s.requested(1, 3);
    BOOST_TEST(s.server->peers[1]->received.ends_with("five"));
    s.server->peers[1]->send(ok("5"));
    s.server->peers[2]->send(ok("4"));
    s.until([&] { return all[3]->over() && all[4]->over(); });
    BOOST_TEST(all[0]->body + all[1]->body + all[2]->body + all[3]->body + all[4]->body == "12345");
    BOOST_TEST(s.server->peers.size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_failure_makes_room_for_who_waits)
{
    const balance books;
    scene s;
    s.options.max_connections = 1;
    const exchange first = s.post("one");
    const exchange cancelled = s.post("two");
    const exchange third = s.post("three");
    cancelled->handle.cancel();
    BOOST_TEST(s.client().stats().queued == 1u);
    s.requested(0, 1).reset();
    s.fails(first, http_errc::no_answer);
    s.requested(1, 1).send(ok("3"));
    s.succeeds(third, "3");
    BOOST_TEST(!cancelled->told_anything());
    BOOST_TEST(s.server->peers.size() == 2u);
}

BOOST_AUTO_TEST_CASE(redirects_and_errors_are_answers_like_others)
{
    const balance books;
    scene s;
    s.server->answer_with(
        {"HTTP/1.1 307 Temporary Redirect\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"});
    const exchange redirect = s.post();
    s.finish(redirect);
    BOOST_TEST(redirect->head->status == 307u);
    BOOST_TEST(*find_field(redirect->head->fields, "location") == "/other");
    const exchange missing = s.post();
    s.finish(missing);
    BOOST_TEST(missing->head->status == 404u);
    BOOST_TEST(missing->body == "gone");
    BOOST_TEST(s.server->peers[0]->requests() == 2u);
}

BOOST_AUTO_TEST_CASE(a_request_that_cannot_be_written_fails_later_and_is_not_sent)
{
    const balance books;
    scene s;
    http_request request;
    request.method = "GET";
    request.target = "/\r\nX: y";
    const exchange e = s.start(std::move(request));
    s.fails(e, http_errc::bad_request, "the target has to begin with '/'");
    BOOST_TEST(!e->failure->sent);
    BOOST_TEST(s.client().stats().opened == 0u);
}

BOOST_AUTO_TEST_CASE(the_name_of_a_host_is_resolved_and_all_its_addresses_are_tried)
{
    const balance books;
    scene s;
    s.server->answer_with({ok("pong")});
    // On many systems first ::1, where nobody listens.
    s.options.origin.host = "localhost";
    s.succeeds(s.post(), "pong");
    scene several;
    several.server->answer_with({ok("pong")});
    several.options.origin.host = "server.test";
    several.options.addresses = {"127.0.0.3", "127.0.0.2", "127.0.0.1"};
    several.succeeds(several.post(), "pong");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(http_keep_alive)

BOOST_AUTO_TEST_CASE(a_connection_that_the_server_closed_while_idle_is_not_used)
{
    const balance books;
    scene s;
    s.server->answer_with({ok("pong")});
    s.succeeds(s.post(), "pong");
    s.nth_peer(0).close();
    s.until([&] { return s.client().stats().connections == 0; });
    s.succeeds(s.post(), "pong");
    BOOST_TEST(s.client().stats().opened == 2u);
    BOOST_TEST(s.client().stats().resent == 0u);
}

BOOST_AUTO_TEST_CASE(one_that_was_closed_unnoticed_is_found_out_before_a_byte_is_written)
{
    const balance books;
    scene s;
    s.server->answer_with({ok("pong")});
    s.succeeds(s.post(), "pong");
    // The system knows, the client has not been told yet.
    s.nth_peer(0).reset();
    const exchange e = s.post();
    BOOST_TEST(s.client().stats().opened == 2u);
    s.succeeds(e, "pong");
    BOOST_TEST(s.client().stats().resent == 0u);
}

BOOST_AUTO_TEST_CASE(bytes_that_nobody_asked_for_end_an_idle_connection)
{
    const balance books;
    scene s;
    s.server->answer_with({ok("pong") + ok("who asked?")});
    s.succeeds(s.post(), "pong");
    BOOST_TEST(s.client().stats().connections == 0u);
    s.server->answer_with({ok("pong")});
    s.succeeds(s.post(), "pong");
    s.nth_peer(1).send(ok("and now?"));
    s.until([&] { return s.client().stats().connections == 0; });
}

BOOST_AUTO_TEST_CASE(
    a_kept_connection_closed_under_a_request_is_replaced_where_the_caller_allows_it)
{
    const balance books;
    for (const bool allowed : {true, false}) {
        scene s;
        s.server->on_accept = [&](peer& connection) {
            connection.on_bytes = [&](peer& self) {
                // The first connection dies of its second request.
                if (&self == s.server->peers.front().get() && self.requests() == 2)
                    self.reset();
                else
                    self.send(ok("pong"));
            };
        };
        s.succeeds(s.post(), "pong");
        exchange_limits limits;
        limits.may_resend = allowed;
        const exchange e = s.post("again", limits);
        if (allowed) {
            s.succeeds(e, "pong");
            BOOST_TEST(s.nth_peer(1).received.ends_with("again"));
        } else {
            s.fails(e, http_errc::no_answer, "ended before an answer came");
            BOOST_TEST(e->failure->sent);
        }
        BOOST_TEST(s.client().stats().resent == (allowed ? 1u : 0u));
    }
}

BOOST_AUTO_TEST_CASE(it_is_written_once_more_and_not_twice)
{
    const balance books;
    scene s;
    s.server->on_accept = [&](peer& connection) {
        connection.on_bytes = [&](peer& self) {
            if (&self == s.server->peers.front().get() && self.requests() == 1)
                self.send(ok("pong"));
            else
                self.reset();
        };
    };
    s.succeeds(s.post(), "pong");
    exchange_limits limits;
    limits.may_resend = true;
    s.fails(s.post("again", limits), http_errc::no_answer);
    BOOST_TEST(s.server->peers.size() == 2u);
    // Nor on a connection of its own.
    s.fails(s.post("first", limits), http_errc::no_answer);
    BOOST_TEST(s.server->peers.size() == 3u);
    BOOST_TEST(s.client().stats().resent == 1u);
}

BOOST_AUTO_TEST_CASE(once_an_answer_has_begun_nothing_is_written_again)
{
    const balance books;
    scene s;
    s.server->on_accept = [&](peer& connection) {
        connection.on_bytes = [&](peer& self) {
            self.send(self.requests() == 1 ? ok("pong") : "HTTP/1.1 100 Continue\r\n\r\n");
            if (self.requests() == 2)
                self.close();
        };
    };
    s.succeeds(s.post(), "pong");
    exchange_limits limits;
    limits.may_resend = true;
    s.fails(s.post("again", limits), http_errc::truncated);
    BOOST_TEST(s.server->peers.size() == 1u);
}

BOOST_AUTO_TEST_CASE(idle_connections_end_after_their_time_and_on_request)
{
    const balance books;
    scene s;
    s.options.keep_alive = 50ms;
    s.server->answer_with({ok("pong")});
    s.succeeds(s.post(), "pong");
    s.until([&] { return s.client().stats().connections == 0; });
    s.until([&] { return s.nth_peer(0).ended; });

    scene never;
    never.options.keep_alive = 0ms;
    never.server->answer_with({ok("pong")});
    never.succeeds(never.post(), "pong");
    BOOST_TEST(never.client().stats().connections == 0u);

    scene asked;
    asked.server->answer_with({ok("pong")});
    asked.succeeds(asked.post(), "pong");
    BOOST_TEST(asked.client().stats().idle == 1u);
    asked.client().close_idle();
    BOOST_TEST(asked.client().stats().connections == 0u);
    asked.succeeds(asked.post(), "pong");
}

BOOST_AUTO_TEST_CASE(idle_connections_end_before_the_server_ends_them)
{
    const balance books;
    scene s;
    // Kept for half a second, and not at all.
    s.server->answer_with({ok("pong", "Keep-Alive: timeout=1\r\n")});
    s.succeeds(s.post(), "pong");
    BOOST_TEST(s.client().stats().idle == 1u);
    s.until([&] { return s.client().stats().connections == 0; });
    s.until([&] { return s.nth_peer(0).ended; });
    s.server->answer_with({ok("pong", "Keep-Alive: max=5, timeout=0\r\n")});
    s.succeeds(s.post(), "pong");
    BOOST_TEST(s.client().stats().connections == 0u);
}

BOOST_AUTO_TEST_CASE(the_connection_that_was_used_last_is_used_first)
{
    const balance books;
    scene s;
    const exchange one = s.post("one");
    const exchange two = s.post("two");
    s.requested(0, 1);
    s.requested(1, 1).send(ok("2"));
    s.succeeds(two, "2");
    s.nth_peer(0).send(ok("1"));
    s.succeeds(one, "1");
    const exchange three = s.post("three");
    s.requested(0, 2).send(ok("3"));
    s.succeeds(three, "3");
}

BOOST_AUTO_TEST_SUITE_END()
