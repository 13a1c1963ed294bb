// How a server over HTTP is configured: what is refused, TLS, proxies.
#include "integration/http/web_server.hpp"

#include <cstdlib>

using namespace mcp_pool;
using namespace mcp_pool::testing;
using namespace std::chrono_literals;

namespace {

http_server somewhere(const std::string& url = "https://example.org/mcp")
{
    return http_server(url);
}

pool_overrides one_try()
{
    pool_overrides options = at_most(1);
    options.backoff_initial = 1ms;
    options.breaker_threshold = 1;
    return options;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(web_configuration, web_fixture)

BOOST_AUTO_TEST_CASE(what_cannot_be_is_refused_with_what_was_found_and_what_is_allowed)
{
    const auto refused = [&](const http_server& how, const std::string& words) {
        const std::string text = refusal_of([&] { open_web(how); });
        BOOST_TEST(text.find(words) != std::string::npos, text);
        BOOST_TEST(text.find("server \"web\"") == 0u, text);
        BOOST_TEST(text.find("secret") == std::string::npos, text);
    };
    refused(somewhere("ftp://example.org/"), "ftp");
    refused(somewhere(""), "it is empty");
    http_server how = somewhere();
    how.headers["Bad Name"] = "secret";
    refused(how, "header \"Bad Name\": expected a name");
    how = somewhere();
    how.headers["MCP-Session-Id"] = "secret";
    refused(how, "header \"MCP-Session-Id\": is set by the protocol");
    how = somewhere();
    how.headers["X-Key"] = "secret\r\nX-Other: 1";
    refused(how, "the value of header \"X-Key\"");
    how = somewhere();
    how.headers["Authorization"] = "secret";
    how.credentials = [](credential_request) -> asio::awaitable<std::string> { co_return ""; };
    refused(how, "header \"Authorization\": expected none beside `credentials`");
    how.headers.clear();
    how.url = "https://user:secret@example.org/mcp";
    refused(how, "expected none beside `credentials`");
    how = somewhere();
    how.max_connections = 0;
    refused(how, "max_connections=0: expected an integer from 1 to 1000");
    how = somewhere();
    how.idle_timeout = -1s;
    refused(how, "a negative timeout");
    how = somewhere();
    how.tls.ca_file = "/nowhere/ca.pem";
    refused(how, "/nowhere/ca.pem");
    how = somewhere();
    how.proxies["https_proxy"] = "socks5://user:secret@proxy.example";
    refused(how, "https_proxy");
}

BOOST_AUTO_TEST_CASE(a_server_behind_tls_has_to_be_trusted_and_the_one_that_was_meant)
{
    const auto authority = wire::make_authority("Trusted");
    const wire::temporary_file trusted(authority.certificate_pem());
    const auto stranger = wire::make_authority("Stranger");
    http_server how("https://127.0.0.1:" + std::to_string(web->port()) + "/mcp");
    how.tls.ca_file = trusted.path();
    tls.emplace();

    tls->shown = wire::issue(&authority, "IP:127.0.0.1");
    open_web(how);
    lease session = acquire();
    BOOST_TEST(echo(session)->value.has_value());
    BOOST_TEST(web->peers.back()->secured);
    session.release();

    const std::size_t before = requests.size();
    const auto refused = [&](const std::string& words) {
        open_web(how, one_try());
        const auto none = finish(pool->acquire(20s));
        BOOST_TEST(none->code() == errc::circuit_open);
        BOOST_TEST(why(none).find(words) != std::string::npos, why(none));
    };
    tls->shown = wire::issue(&stranger, "IP:127.0.0.1");
    refused("issuer certificate");
    tls->shown = wire::issue(&authority, "IP:127.0.0.2");
    refused("127.0.0.1");
    BOOST_TEST(requests.size() == before);
}

BOOST_AUTO_TEST_CASE(a_proxy_is_gone_through_and_named_when_it_is_in_the_way)
{
    http_server how("http://server.test/mcp");
    how.proxies["http_proxy"] = "http://user:secret@127.0.0.1:" + std::to_string(web->port());
    open_web(how);
    lease session = acquire();
    BOOST_TEST(echo(session)->value.has_value());
    BOOST_TEST(requests.back().target == "http://server.test/mcp");
    BOOST_TEST(requests.back().field("host") == "server.test");
    session.release();

    how.proxies["http_proxy"] = "127.0.0.1:" + std::to_string(wire::refusing_port());
    open_web(how, one_try());
    const auto none = finish(pool->acquire(20s));
    BOOST_TEST(none->code() == errc::circuit_open);
    BOOST_TEST(why(none).find("proxy 127.0.0.1") != std::string::npos, why(none));
    // Except for those that are reached directly.
    http_server direct = target();
    direct.proxies = how.proxies;
    direct.proxies["no_proxy"] = "127.0.0.1";
    open_web(direct);
    session = acquire();
    BOOST_TEST(echo(session)->value.has_value());
}

BOOST_AUTO_TEST_CASE(deadlines_of_the_connection_end_a_call_that_has_none)
{
    special = [&](const web_request& r) { return r.rpc_method() == "tools/call"; };
    http_server how = target();
    how.first_byte_timeout = 1ms;
    open_web(how);
    lease session = acquire();
    const auto failed = echo(session);
    BOOST_TEST(failed->code() == errc::http_error, why(failed));
    BOOST_TEST(why(failed).find("may have been executed") != std::string::npos, why(failed));
}

BOOST_AUTO_TEST_CASE(single_writer_goes_by_the_url)
{
    pool_overrides options;
    options.single_writer = true;
    open_web(options);
    lease session = acquire();
    server_config same("again", target());
    same.pool = options;
    session_pool second(context.get_executor(), std::move(same));
    const auto waiting = spawn(second.acquire(20s));
    context.poll();
    BOOST_TEST(!waiting->done);
    session.release();
    pool.reset();
    until([&] { return waiting->done; });
    BOOST_TEST(waiting->value.has_value(), why(waiting));
}

BOOST_AUTO_TEST_SUITE_END()
