// URLs and Location fields, as people and servers write them.
#include "rpc/base64.hpp"
#include "transport/http/url.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace mcp_pool::transport::http;

namespace {

url good(std::string_view text)
{
    std::string problem;
    const auto result = parse_url(text, problem);
    BOOST_TEST_REQUIRE(result.has_value(), problem);
    return *result;
}

std::string complaint_about(std::string_view text)
{
    std::string problem;
    BOOST_TEST(!parse_url(text, problem).has_value(), text);
    return problem;
}

} // namespace

BOOST_AUTO_TEST_SUITE(urls_of_servers)

BOOST_AUTO_TEST_CASE(a_url_is_taken_apart)
{
    const url u = good("https://API.Example.com:8443/mcp/v1?key=a%20b&x=1#part");
    BOOST_TEST(u.secure);
    BOOST_TEST(u.host == "api.example.com");
    BOOST_TEST(u.port == 8443);
    BOOST_TEST(u.target == "/mcp/v1?key=a%20b&x=1");
    BOOST_TEST(u.authorization == "");
    BOOST_TEST(u.authority() == "api.example.com:8443");
    BOOST_TEST(u.origin() == "https://api.example.com:8443");
    BOOST_TEST(u.host_and_port() == "api.example.com:8443");
}

BOOST_AUTO_TEST_CASE(what_is_left_out_has_its_usual_value)
{
    const url plain = good("http://localhost");
    BOOST_TEST(plain.port == 80);
    BOOST_TEST(plain.target == "/");
    BOOST_TEST(plain.authority() == "localhost");
    BOOST_TEST(plain.host_and_port() == "localhost:80");
    const url secure = good("HTTPS://localhost:/?q");
    BOOST_TEST(secure.port == 443);
    BOOST_TEST(secure.target == "/?q");
    BOOST_TEST(good("https://localhost:443").authority() == "localhost");
    BOOST_TEST(good("http://localhost:443").authority() == "localhost:443");
}

BOOST_AUTO_TEST_CASE(addresses_are_hosts_and_ipv6_loses_its_brackets_where_it_is_connected_to)
{
    BOOST_TEST(good("http://127.0.0.1:1/").host == "127.0.0.1");
    const url six = good("https://[2001:DB8::1]:8443/x");
    BOOST_TEST(six.host == "2001:db8::1");
    BOOST_TEST(six.authority() == "[2001:db8::1]:8443");
    BOOST_TEST(six.origin() == "https://[2001:db8::1]:8443");
    BOOST_TEST(good("https://[::1]/").authority() == "[::1]");
}

BOOST_AUTO_TEST_CASE(user_and_password_become_an_authorization_and_are_shown_to_nobody)
{
    const url u = good("https://Aladdin:open%20sesame@example.com/");
    BOOST_TEST(u.authorization == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    BOOST_TEST(u.origin() == "https://example.com");
    BOOST_TEST(good("https://token@example.com/").authorization == "Basic dG9rZW4=");
    for (const char* bad : {"ftp://bob:secret@example.com/x?token=secret",
             "http://bob:secret@example.com:99999/", "http://bob:sec ret@example.com/",
             "http://bob:s/secret@example.com/%", "bob:secret@example.com", "http:bob:secret@x",
             "http://bob:secret@[v1.x]/", "//secret@example.com"}) {
        const std::string problem = complaint_about(bad);
        BOOST_TEST(problem.find("secret") == std::string::npos, problem);
        BOOST_TEST(problem.find("sec ") == std::string::npos, problem);
    }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_refused_with_what_was_found_and_what_is_allowed)
{
    BOOST_TEST(complaint_about("")
        == "the URL \"\": it is empty; http://host/path or https://host/path is allowed");
    BOOST_TEST(complaint_about("ws://example.com/")
        == "the URL \"ws://example.com/\": the scheme is \"ws\"; http and https are allowed");
    BOOST_TEST(complaint_about("http://example.com:0/")
        == "the URL \"http://example.com:0/\": the port is 0; 1 to 65535 is allowed");
    BOOST_TEST(complaint_about("http://example.com:65536/")
        == "the URL \"http://example.com:65536/\": the port is 65536; 1 to 65535 is allowed");
    BOOST_TEST(complaint_about("http:///path") == "the URL \"http:///path\": it names no host");
    BOOST_TEST(complaint_about("http:/path") == "the URL \"http:/path\": it names no host");
    BOOST_TEST(complaint_about("http://exa%20mple.com/")
        == "the URL \"http://exa%20mple.com/\": the host is \"exa%20mple.com\"; letters, digits, "
           "'-', '.' and '_' are allowed, other letters in their form \"xn--…\"");
    BOOST_TEST(
        complaint_about("http://[v1.fe]/").find("of an unknown version") != std::string::npos);
    BOOST_TEST(complaint_about("http://b\xc3\xbc"
                               "cher.example/")
                   .find("belongs into the form %xx")
        != std::string::npos);
    BOOST_TEST(complaint_about("example.com/mcp").find("cannot be read") != std::string::npos);
    BOOST_TEST(complaint_about("http://" + std::string(300, 'a') + "/").find("has 300 characters")
        != std::string::npos);
    BOOST_TEST(complaint_about("http://a/" + std::string(9000, 'a')).find("has 9009 characters")
        != std::string::npos);
}

BOOST_AUTO_TEST_CASE(line_breaks_and_other_tricks_reach_neither_the_wire_nor_a_message)
{
    for (const char* bad : {"http://example.com/a\r\nHost: evil", "http://example.com/a b",
             "http://example.com/\x01", "http://exam\nple.com/", "http://example.com/%zz",
             "http://a@b@c/", "http://[::1/", "http://[::g]/"}) {
        const std::string problem = complaint_about(bad);
        BOOST_TEST(problem.find_first_of("\r\n\x01") == std::string::npos, problem);
    }
    BOOST_TEST(
        complaint_about(std::string("http://example.com/\0x", 21)).find('\0') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_origin_is_scheme_host_and_port)
{
    const url base = good("https://example.com/a");
    BOOST_TEST(base.same_origin(good("https://EXAMPLE.com:443/b?c")));
    BOOST_TEST(!base.same_origin(good("http://example.com:443/a")));
    BOOST_TEST(!base.same_origin(good("https://example.com:444/a")));
    BOOST_TEST(!base.same_origin(good("https://example.com.evil/a")));
}

BOOST_AUTO_TEST_CASE(base64_is_that_of_the_rfc)
{
    BOOST_TEST(mcp_pool::rpc::base64("") == "");
    BOOST_TEST(mcp_pool::rpc::base64("f") == "Zg==");
    BOOST_TEST(mcp_pool::rpc::base64("fo") == "Zm8=");
    BOOST_TEST(mcp_pool::rpc::base64("foo") == "Zm9v");
    BOOST_TEST(mcp_pool::rpc::base64("foobar") == "Zm9vYmFy");
    BOOST_TEST(mcp_pool::rpc::base64("\xff\xfe\xfd") == "//79");
}

BOOST_AUTO_TEST_SUITE_END()
