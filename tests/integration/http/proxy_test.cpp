// Through a proxy.
#include "integration/http/scene.hpp"

using namespace mcp_pool;
using namespace mcp_pool::transport::http;
using namespace mcp_pool::transport::http::testing;

namespace {

// A client of server.test:443, which it reaches through the scripted server.
struct proxied_scene : scene
{
    explicit proxied_scene(bool secure = true)
        : authority(make_authority("Trusted"))
    {
        proxy through;
        through.host = "127.0.0.1";
        through.port = server->port();
        through.authorization = "Basic cHJveHk6c2VjcmV0";
        options.through = through;
        options.origin.secure = secure;
        options.origin.host = "server.test";
        options.origin.port = secure ? 443 : 80;
        const temporary_file file(authority.certificate_pem());
        tls_options trusted;
        trusted.ca_file = file.path();
        std::string problem;
        options.tls = make_tls_context(trusted, problem);
    }

    // What the proxy answers a CONNECT with.
    void tunnel_with(const std::string& answer)
    {
        server->on_accept = [answer](peer& connection) {
            connection.on_bytes = [answer](peer& self) { self.send(answer); };
        };
    }

    void refuses(const std::string& answer, std::string_view words,
        std::source_location here = std::source_location::current())
    {
        tunnel_with(answer);
        const exchange e = post("password");
        fails(e, http_errc::proxy_refused, words, here);
        BOOST_TEST(!e->failure->sent);
        BOOST_TEST(e->words().find("secret") == std::string::npos);
        until([&] { return server->peers.back()->ended; }, here);
        BOOST_TEST(server->peers.back()->received.find("password") == std::string::npos);
    }

    identity authority;
};

} // namespace

BOOST_AUTO_TEST_SUITE(http_through_a_proxy)

BOOST_AUTO_TEST_CASE(a_tunnel_leads_to_a_secure_server)
{
    const balance books;
    proxied_scene s;
    server_tls how;
    how.shown = issue(&s.authority, "DNS:server.test");
    std::string connect;
    s.server->on_accept = [&](peer& connection) {
        connection.on_bytes = [&, in_tunnel = false](peer& self) mutable {
            if (std::exchange(in_tunnel, true)) {
                self.send(ok("pong"));
                return;
            }
            connect = std::exchange(self.received, {});
            self.send("HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n");
            self.secure_when_sent(how);
        };
    };
    s.succeeds(s.post(), "pong");
    BOOST_TEST(connect
        == "CONNECT server.test:443 HTTP/1.1\r\nHost: server.test:443\r\n"
           "Proxy-Authorization: Basic cHJveHk6c2VjcmV0\r\n\r\n");
    BOOST_TEST(s.nth_peer(0).asked_for == "server.test");
    BOOST_TEST(s.nth_peer(0).received
        == "POST /mcp HTTP/1.1\r\nHost: server.test\r\nContent-Length: 4\r\n\r\nping");
    s.succeeds(s.post(), "pong");
    BOOST_TEST(s.client().stats().opened == 1u);
}

BOOST_AUTO_TEST_CASE(a_plain_server_is_asked_for_by_its_whole_url)
{
    const balance books;
    proxied_scene s(false);
    s.server->answer_with({ok("pong")});
    s.succeeds(s.post(), "pong");
    BOOST_TEST(s.nth_peer(0).received
        == "POST http://server.test/mcp HTTP/1.1\r\nHost: server.test\r\n"
           "Proxy-Authorization: Basic cHJveHk6c2VjcmV0\r\nContent-Length: 4\r\n\r\nping");
}

BOOST_AUTO_TEST_CASE(a_proxy_that_refuses_is_named_with_its_answer)
{
    const balance books;
    proxied_scene s;
    const std::string title = "the proxy " + s.options.through->title()
        + " made no tunnel to server.test:443: ";
    s.refuses("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 100000000\r\n\r\n",
        title + "it answered 407 Proxy Authentication Required");
    s.refuses("HTTP/1.1 302 Found\r\nLocation: http://login/\r\n\r\n", "it answered 302 Found");
    s.refuses("HTTP/1.1 500 \x1b[31m\r\n\r\n", "is no HTTP/1.1");
    s.refuses("SSH-2.0-x\r\n", "is no HTTP/1.1: bad version");
    s.refuses(
        "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "it sent something behind its answer");
    s.refuses("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x'), "is no HTTP/1.1");
}

BOOST_AUTO_TEST_CASE(a_proxy_that_breaks_off_or_hangs_is_given_up)
{
    const balance books;
    proxied_scene s;
    s.server->on_accept = [](peer& connection) {
        connection.on_bytes = [](peer& self) { self.close(); };
    };
    s.fails(s.post(), http_errc::proxy_refused, "it ended the connection");
    s.server->on_accept = nullptr;
    exchange_limits limits;
    limits.connect_timeout = 50ms;
    const exchange e = s.post("password", limits);
    s.fails(e, http_errc::connect_timeout, "made no tunnel to server.test:443 within 50 ms");
    BOOST_TEST(!e->failure->sent);
}

BOOST_AUTO_TEST_CASE(a_proxy_that_is_not_there_is_named)
{
    const balance books;
    proxied_scene s;
    s.options.through->port = refusing_port();
    s.fails(s.post(), http_errc::connect_failed,
        "connecting to the proxy " + s.options.through->title() + " failed");
}

BOOST_AUTO_TEST_SUITE_END()
