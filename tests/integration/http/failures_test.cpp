// Servers that are not there, hang, break off or send too much.
#include "integration/http/scene.hpp"

#include <sys/resource.h>

using namespace mcp_pool;
using namespace mcp_pool::transport::http;
using namespace mcp_pool::transport::http::testing;

namespace {

// So short that a test need not wait, for what never happens.
constexpr auto soon = 50ms;

// What comes of `answer`, whose sender then `closes`, or waits.
void answered(std::string_view answer, bool closes, error_code code, std::string_view words,
    exchange_limits limits = {}, std::source_location here = std::source_location::current())
{
    const balance books;
    scene s;
    s.server->on_accept = [&](peer& connection) {
        connection.on_bytes = [&](peer& self) {
            self.send(std::string(answer));
            if (closes)
                self.close();
        };
    };
    const exchange e = s.post("ping", limits);
    s.fails(e, code, words, here);
    BOOST_TEST(e->failure->sent, "line " << here.line());
    BOOST_TEST(s.client().stats().connections == 0u);
    // The server sees that nobody listens any more.
    s.until([&] { return s.nth_peer(0).ended; }, here);
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_without_a_connection)

BOOST_AUTO_TEST_CASE(a_server_that_is_not_there_is_named_with_the_reason)
{
    const balance books;
    scene s;
    s.options.origin.port = refusing_port();
    const exchange e = s.post();
    s.fails(e, http_errc::connect_failed,
        std::string("connecting to ")
            .append(s.options.origin.host_and_port())
            .append(" failed (1 address tried): Connection refused"));
    BOOST_TEST(!e->failure->sent);
    scene several;
    several.options.origin = s.options.origin;
    several.options.addresses = {"127.0.0.2", "127.0.0.3"};
    several.fails(several.post(), http_errc::connect_failed, "(2 addresses tried)");
}

BOOST_AUTO_TEST_CASE(a_name_that_is_none_cannot_be_resolved)
{
    const balance books;
    scene s;
    // Longer than a label may be: no name server is asked.
    s.options.origin.host.assign(64, 'a').append(".test");
    const exchange e = s.post();
    s.fails(e, http_errc::resolve_failed, "aaaa.test cannot be resolved: ");
    BOOST_TEST(!e->failure->sent);
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_answer_the_door_is_given_up)
{
    const balance books;
    const swallowing_port hole;
    scene s;
    s.options.origin.port = hole.port();
    exchange_limits limits;
    limits.connect_timeout = soon;
    const exchange e = s.post("ping", limits);
    s.fails(e, http_errc::connect_timeout, "within 50 ms");
    BOOST_TEST(!e->failure->sent);
}

BOOST_AUTO_TEST_CASE(an_address_that_swallows_everything_keeps_no_other_from_being_tried)
{
    const balance books;
    scene s;
    s.server->answer_with({ok("pong")});
    const swallowing_port hole("127.0.0.2", s.server->port());
    s.options.origin.host = "server.test";
    s.options.addresses = {"127.0.0.2", "127.0.0.1"};
    exchange_limits limits;
    limits.connect_timeout = 4s;
    s.succeeds(s.post("ping", limits), "pong");
}

BOOST_AUTO_TEST_CASE(a_host_without_descriptors_says_so)
{
    const balance books;
    scene s;
    // The reactor has what it needs.
    s.options.origin.port = refusing_port();
    s.fails(s.post(), http_errc::connect_failed);
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    rlimit none = before;
    none.rlim_cur = 3;
    ::setrlimit(RLIMIT_NOFILE, &none);
    const exchange e = s.post();
    s.until([&] { return e->over(); });
    ::setrlimit(RLIMIT_NOFILE, &before);
    s.fails(e, errc::resource_exhausted, "RLIMIT_NOFILE");
    BOOST_TEST(!e->failure->sent);
    s.fails(s.post(), http_errc::connect_failed);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(http_servers_that_break_off)

BOOST_AUTO_TEST_CASE(before_the_request)
{
    const balance books;
    scene s;
    s.server->on_accept = [](peer& connection) { connection.reset(); };
    const exchange e = s.post();
    s.finish(e);
    // Whether the connection was made is a matter of who looks first.
    BOOST_TEST((e->code() == make_error_code(http_errc::no_answer)
        || e->code() == make_error_code(http_errc::connect_failed)));
}

BOOST_AUTO_TEST_CASE(at_each_stage_of_the_answer)
{
    answered("", true, http_errc::no_answer, "ended before an answer came");
    answered("HTTP/1.1", true, http_errc::truncated, "ended within the answer");
    answered("HTTP/1.1 200 OK\r\nX: y\r\n", true, http_errc::truncated, "");
    answered("HTTP/1.1 100 Continue\r\n\r\n", true, http_errc::truncated, "");
    answered("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", true, http_errc::truncated, "");
    answered(
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n012345678", true, http_errc::truncated, "");
    const std::string chunks = chunked({"0123456789"});
    for (const std::size_t left : {1, 4, 8, 15, 18})
        answered(chunks.substr(0, chunks.size() - left), true, http_errc::truncated, "");
}

BOOST_AUTO_TEST_CASE(by_a_reset_in_the_middle_of_a_body_without_a_length)
{
    const balance books;
    scene s;
    const exchange e = s.get();
    peer& connection = s.requested(0, 1);
    connection.send("HTTP/1.1 200 OK\r\n\r\nhalf of");
    s.until([&] { return e->body == "half of"; });
    connection.reset();
    s.fails(e, http_errc::truncated, "Connection reset");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(http_servers_that_hang)

BOOST_AUTO_TEST_CASE(before_the_first_byte)
{
    exchange_limits limits;
    limits.first_byte_timeout = soon;
    answered("", false, http_errc::first_byte_timeout, "did not answer within 50 ms", limits);
    // An interim answer is none.
    answered("HTTP/1.1 100 Continue\r\n\r\n", false, http_errc::first_byte_timeout, "", limits);
}

BOOST_AUTO_TEST_CASE(within_the_answer)
{
    exchange_limits limits;
    limits.idle_timeout = soon;
    for (const char* beginning :
        {"H", "HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n012345678",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"})
        answered(beginning, false, http_errc::idle_timeout, "stood still for 50 ms", limits);
}

BOOST_AUTO_TEST_CASE(a_head_that_drips_is_given_up)
{
    const balance books;
    scene s;
    exchange_limits limits;
    limits.idle_timeout = soon;
    limits.max_header_bytes = 0;
    limits.max_fields = 0;
    const exchange e = s.post("ping", limits);
    peer& dripping = s.requested(0, 1);
    dripping.send("HTTP/1.1 200 OK\r\n");
    // It never pauses; nothing but the deadline of the head as a whole ends it.
    s.until([&] {
        if (!e->over())
            dripping.send("X: y\r\n");
        return e->over();
    });
    s.fails(e, http_errc::idle_timeout);
}

BOOST_AUTO_TEST_CASE(a_body_that_drips_is_not)
{
    const balance books;
    scene s;
    exchange_limits limits;
    limits.idle_timeout = 2s;
    const exchange e = s.get(limits);
    peer& dripping = s.requested(0, 1);
    dripping.send("HTTP/1.1 200 OK\r\n\r\n");
    const auto longer_than_any_pause = std::chrono::steady_clock::now() + 2500ms;
    s.until([&] {
        dripping.send("x");
        return e->over() || std::chrono::steady_clock::now() > longer_than_any_pause;
    });
    BOOST_TEST(!e->over(), e->words());
    dripping.close();
    s.finish(e);
    BOOST_TEST(e->ended);
}

BOOST_AUTO_TEST_CASE(a_deadline_of_zero_is_none)
{
    const balance books;
    scene s;
    exchange_limits limits;
    limits.connect_timeout = limits.tls_timeout = limits.first_byte_timeout = limits.idle_timeout =
        duration::zero();
    const exchange e = s.post("ping", limits);
    s.requested(0, 1).send(ok("pong"));
    s.succeeds(e, "pong");
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_read_is_given_up)
{
    const balance books;
    scene s;
    exchange_limits limits;
    limits.first_byte_timeout = soon;
    s.server->on_accept = [](peer& connection) {
        connection.on_bytes = [](peer& self) { self.deaf = true; };
    };
    const exchange e = s.post(std::string(64 << 20, 'x'), limits);
    s.fails(e, http_errc::first_byte_timeout);
}

BOOST_AUTO_TEST_CASE(a_stream_may_be_given_more_time_and_room_once_it_is_known_to_be_one)
{
    const balance books;
    scene s;
    exchange_limits limits;
    limits.max_body_bytes = 10;
    limits.idle_timeout = 10s;
    const exchange e = s.get(limits);
    e->after = [&](const std::string& event) {
        if (event == "head")
            e->handle.loosen(0, soon);
    };
    peer& connection = s.requested(0, 1);
    connection.send(std::string("HTTP/1.1 200 OK\r\n\r\n").append(1000, 'x'));
    s.until([&] { return e->body.size() == 1000; });
    s.fails(e, http_errc::idle_timeout, "stood still for 50 ms");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(http_servers_that_send_too_much)

BOOST_AUTO_TEST_CASE(a_gigabyte_that_is_announced_is_refused_at_once)
{
    answered("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", false,
        http_errc::body_too_large, "1073741824 bytes; at most 67108864");
    answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40000000\r\n", false,
        http_errc::body_too_large, "1073741824 bytes; at most 67108864");
}

BOOST_AUTO_TEST_CASE(a_flood_of_fields_is_refused)
{
    std::string flood = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 10'000; ++i)
        flood += "X-Flood: 0123456789\r\n";
    answered(flood, false, http_errc::header_too_large, "");
    answered(std::string("HTTP/1.1 200 OK\r\nX: ").append(1 << 20, 'x'), false,
        http_errc::header_too_large, "");
}

BOOST_AUTO_TEST_CASE(a_body_without_end_is_refused)
{
    exchange_limits limits;
    limits.max_body_bytes = 100'000;
    answered(std::string("HTTP/1.1 200 OK\r\n\r\n").append(1 << 20, 'x'), false,
        http_errc::body_too_large, "at most 100000", limits);
}

BOOST_AUTO_TEST_CASE(what_is_no_http_is_refused_and_shown_escaped)
{
    answered("SSH-2.0-OpenSSH_9.2p1\r\n", false, http_errc::malformed, "is refused: bad version");
    answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: \xff\r\n\r\n", false, http_errc::malformed,
        "its transfer coding is \"\\xff\"");
}

BOOST_AUTO_TEST_SUITE_END()
