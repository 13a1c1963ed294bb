// Servers behind TLS, and those that only seem to be who they should be.
#include "integration/http/scene.hpp"

using namespace mcp_pool;
using namespace mcp_pool::transport::http;
using namespace mcp_pool::transport::http::testing;

namespace {

std::shared_ptr<tls_context> context_of(const tls_options& options)
{
    std::string problem;
    auto made = make_tls_context(options, problem);
    BOOST_TEST_REQUIRE(!!made, problem);
    return made;
}

std::string complaint_about(const tls_options& options)
{
    std::string problem;
    BOOST_TEST(!make_tls_context(options, problem));
    return problem;
}

std::shared_ptr<tls_context> trusting(const identity& authority)
{
    const temporary_file file(authority.certificate_pem());
    tls_options options;
    options.ca_file = file.path();
    return context_of(options);
}

// A client of https://server.test, which is on the loopback.
struct secure_scene : scene
{
    explicit secure_scene(const identity& trusted, const std::string& host = "server.test")
    {
        options.origin.secure = true;
        options.origin.host = host;
        options.addresses = {"127.0.0.1"};
        options.tls = trusting(trusted);
    }
};

server_tls showing(identity who)
{
    server_tls how;
    how.shown = std::move(who);
    return how;
}

// A server that shows `shown` to a client that trusts `trusted` is refused.
void refused(const identity& trusted, const identity& shown, error_code code,
    std::string_view words, const std::string& host = "server.test",
    std::source_location here = std::source_location::current())
{
    const balance books;
    secure_scene s(trusted, host);
    s.server->answer_with({ok("secret")}, showing(shown));
    const exchange e = s.post("password");
    s.fails(e, code, words, here);
    BOOST_TEST(!e->failure->sent, "line " << here.line());
    s.until([&] { return s.nth_peer(0).ended; }, here);
    BOOST_TEST(s.nth_peer(0).received == "", "line " << here.line());
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_over_tls)

BOOST_AUTO_TEST_CASE(a_server_with_a_certificate_of_a_trusted_authority_is_talked_to)
{
    const balance books;
    const identity authority = make_authority("Trusted");
    secure_scene s(authority);
    s.server->answer_with({ok("pong"), chunked({std::string(100'000, 'x')})},
        showing(issue(&authority, "DNS:other.test,DNS:server.test")));
    s.succeeds(s.post(), "pong");
    s.succeeds(s.post(), std::string(100'000, 'x'));
    BOOST_TEST(s.client().stats().opened == 1u);
    BOOST_TEST(s.client().stats().reused == 1u);
    BOOST_TEST(s.nth_peer(0).asked_for == "server.test");
    // The connection is closed by the server while it is idle.
    s.nth_peer(0).close();
    s.until([&] { return s.client().stats().connections == 0; });
    s.succeeds(s.post(), "pong");
}

BOOST_AUTO_TEST_CASE(a_wildcard_stands_for_one_label)
{
    const identity authority = make_authority("Trusted");
    const identity wild = issue(&authority, "DNS:*.example.test");
    secure_scene s(authority, "a.example.test");
    s.server->answer_with({ok("pong")}, showing(wild));
    s.succeeds(s.post(), "pong");
    refused(authority, wild, http_errc::tls_wrong_host, "", "a.b.example.test");
    refused(authority, issue(&authority, "DNS:a*.example.test"), http_errc::tls_wrong_host, "",
        "ab.example.test");
}

BOOST_AUTO_TEST_CASE(an_address_has_to_stand_in_the_certificate_as_one)
{
    const identity authority = make_authority("Trusted");
    secure_scene s(authority, "127.0.0.1");
    s.server->answer_with({ok("pong")}, showing(issue(&authority, "IP:127.0.0.1")));
    s.succeeds(s.post(), "pong");
    // An address is no name that a server could look for.
    BOOST_TEST(s.nth_peer(0).asked_for == "");
    refused(
        authority, issue(&authority, "DNS:127.0.0.1"), http_errc::tls_wrong_host, "", "127.0.0.1");
}

BOOST_AUTO_TEST_CASE(a_certificate_for_another_host_is_refused)
{
    const identity authority = make_authority("Trusted");
    refused(authority, issue(&authority, "DNS:other.test"), http_errc::tls_wrong_host,
        "the TLS handshake with server.test:");
    refused(authority, issue(&authority, "DNS:server.test.evil"), http_errc::tls_wrong_host,
        "hostname mismatch");
}

BOOST_AUTO_TEST_CASE(a_certificate_that_signs_itself_is_refused)
{
    refused(make_authority("Trusted"), issue(nullptr, "DNS:server.test"), http_errc::tls_untrusted,
        "self-signed certificate");
}

BOOST_AUTO_TEST_CASE(a_certificate_of_an_unknown_authority_is_refused)
{
    const identity unknown = make_authority("Unknown");
    refused(make_authority("Trusted"), issue(&unknown, "DNS:server.test"), http_errc::tls_untrusted,
        "unable to get local issuer certificate");
    // One of the same name is not the same.
    const identity twin = make_authority("Trusted");
    refused(
        make_authority("Trusted"), issue(&twin, "DNS:server.test"), http_errc::tls_untrusted, "");
}

BOOST_AUTO_TEST_CASE(a_certificate_out_of_its_time_is_refused)
{
    const identity authority = make_authority("Trusted");
    refused(authority, issue(&authority, "DNS:server.test", {-5, -1}), http_errc::tls_expired,
        "certificate has expired");
    refused(authority, issue(&authority, "DNS:server.test", {1, 5}), http_errc::tls_expired,
        "not yet valid");
}

BOOST_AUTO_TEST_CASE(the_systems_authorities_are_trusted_where_no_others_are_given)
{
    const balance books;
    const identity authority = make_authority("Unknown to the system");
    secure_scene s(authority);
    s.options.tls = context_of({});
    s.server->answer_with({ok("pong")}, showing(issue(&authority, "DNS:server.test")));
    s.fails(s.post(), http_errc::tls_untrusted);
}

BOOST_AUTO_TEST_CASE(a_handshake_that_hangs_is_given_up)
{
    const balance books;
    secure_scene s(make_authority("Trusted"));
    exchange_limits limits;
    limits.tls_timeout = 50ms;
    const exchange e = s.post("password", limits);
    s.fails(e, http_errc::tls_timeout, "no TLS handshake with server.test:");
    BOOST_TEST(!e->failure->sent);
    s.until([&] { return s.nth_peer(0).ended; });
}

BOOST_AUTO_TEST_CASE(a_server_that_speaks_no_tls_or_breaks_off_is_refused)
{
    const balance books;
    for (const bool talks : {true, false}) {
        secure_scene s(make_authority("Trusted"));
        s.server->on_accept = [talks](peer& connection) {
            connection.on_bytes = [talks](peer& self) {
                if (talks)
                    self.send("HTTP/1.1 400 Bad Request\r\n\r\n");
                self.close();
            };
        };
        const exchange e = s.post("password");
        s.fails(e, http_errc::tls_failed, talks ? "" : "the server ended the connection");
        BOOST_TEST(!e->failure->sent);
    }
}

BOOST_AUTO_TEST_CASE(a_body_without_a_length_has_to_end_with_the_tls_session)
{
    const balance books;
    const identity authority = make_authority("Trusted");
    for (const bool in_order : {true, false}) {
        secure_scene s(authority);
        s.server->answer_with(
            {"HTTP/1.1 200 OK\r\n\r\npart of it"}, showing(issue(&authority, "DNS:server.test")));
        const exchange e = s.get();
        s.until([&] { return e->body == "part of it"; });
        if (in_order) {
            s.nth_peer(0).close();
            s.succeeds(e, "part of it");
        } else {
            // Anybody in between can do this.
            s.nth_peer(0).break_off();
            s.fails(e, http_errc::truncated);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_client_can_show_a_certificate)
{
    const balance books;
    const identity authority = make_authority("Trusted");
    const identity clients = make_authority("Clients");
    const identity me = issue(&clients, "DNS:client.test");
    const temporary_file ca(authority.certificate_pem());
    const temporary_file certificate(me.certificate_pem());
    const temporary_file key(me.key_pem());
    tls_options tls;
    tls.ca_file = ca.path();
    server_tls how = showing(issue(&authority, "DNS:server.test"));
    how.clients_by = clients.certificate;
    for (const bool shows : {true, false}) {
        tls.certificate_file = shows ? certificate.path() : "";
        tls.key_file = shows ? key.path() : "";
        secure_scene s(authority);
        s.options.tls = context_of(tls);
        s.server->answer_with({ok("pong")}, how);
        const exchange e = s.post();
        if (shows) {
            s.succeeds(e, "pong");
            BOOST_TEST(s.nth_peer(0).client_certificate);
        } else {
            s.finish(e);
            BOOST_TEST(e->code().failed());
        }
    }
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_used_are_named_with_the_reason)
{
    const identity me = issue(nullptr, "DNS:client.test");
    const identity other = issue(nullptr, "DNS:client.test");
    const temporary_file certificate(me.certificate_pem());
    const temporary_file key(me.key_pem());
    const temporary_file others_key(other.key_pem());
    const temporary_file locked_key(me.key_pem("pass phrase"));
    const temporary_file nothing("no PEM");
    const auto with = [](std::string ca, std::string cert, std::string k) {
        tls_options options;
        options.ca_file = std::move(ca);
        options.certificate_file = std::move(cert);
        options.key_file = std::move(k);
        return options;
    };
    BOOST_TEST(complaint_about(with("/nonexistent/ca.pem", "", ""))
                   .starts_with("the file of trusted authorities \"/nonexistent/ca.pem\" cannot be "
                                "read as PEM: "));
    BOOST_TEST(
        complaint_about(with(nothing.path(), "", "")).find(nothing.path()) != std::string::npos);
    BOOST_TEST(complaint_about(with("", certificate.path(), "")).find("only one is given")
        != std::string::npos);
    BOOST_TEST(complaint_about(with("", nothing.path(), key.path()))
                   .starts_with("the client certificate \"" + nothing.path()));
    for (const temporary_file* bad : {&nothing, &others_key, &locked_key}) {
        const std::string problem = complaint_about(with("", certificate.path(), bad->path()));
        BOOST_TEST(
            problem.starts_with("the key of the client certificate \"" + bad->path()), problem);
        BOOST_TEST(problem.find("unknown reason") == std::string::npos, problem);
    }
    // A good one after the bad ones.
    context_of(with("", certificate.path(), key.path()));
}

BOOST_AUTO_TEST_SUITE_END()
