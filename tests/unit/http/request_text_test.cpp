// Requests as bytes, and what cannot be smuggled into them.
#include "transport/http/request_text.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>

using namespace mcp_pool::transport::http;

namespace {

url server(std::string_view text)
{
    std::string problem;
    return parse_url(text, problem).value();
}

http_request request(std::string method, std::string target, std::string body = {})
{
    http_request made;
    made.method = std::move(method);
    made.target = std::move(target);
    made.body = std::move(body);
    return made;
}

request_text written(http_request what, std::string_view where, const proxy* through = nullptr)
{
    std::string problem;
    request_text text = write_request(std::move(what), server(where), through, problem);
    BOOST_TEST(problem == "");
    return text;
}

std::string complaint_about(http_request what)
{
    std::string problem;
    const request_text text = write_request(
        std::move(what), server("http://example.com/"), nullptr, problem);
    BOOST_TEST(text.head == "");
    return problem;
}

std::string refusal_of_field(std::string name, std::string value)
{
    http_request made = request("POST", "/");
    made.fields.emplace_back(std::move(name), std::move(value));
    return complaint_about(std::move(made));
}

proxy some_proxy()
{
    proxy p;
    p.host = "proxy";
    p.port = 3128;
    p.authorization = "Basic cDpw";
    return p;
}

} // namespace

BOOST_AUTO_TEST_SUITE(requests_as_bytes)

BOOST_AUTO_TEST_CASE(a_post_announces_its_body)
{
    http_request post = request("POST", "/mcp?x=1", "{\"a\":1}");
    post.fields.emplace_back("Accept", "application/json, text/event-stream");
    post.fields.emplace_back("Mcp-Session-Id", "1868a90c");
    const request_text text = written(std::move(post), "https://example.com:8443/other");
    BOOST_TEST(text.head
        == "POST /mcp?x=1 HTTP/1.1\r\nHost: example.com:8443\r\n"
           "Accept: application/json, text/event-stream\r\nMcp-Session-Id: 1868a90c\r\n"
           "Content-Length: 7\r\n\r\n");
    BOOST_TEST(text.body == "{\"a\":1}");
}

BOOST_AUTO_TEST_CASE(a_length_is_announced_where_a_server_expects_one)
{
    const std::string empty_post = written(request("POST", "/"), "http://a/").head;
    BOOST_TEST(empty_post == "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    for (const char* method : {"GET", "DELETE", "HEAD", "OPTIONS"})
        BOOST_TEST(written(request(method, "/"), "http://a/").head
            == std::string(method) + " / HTTP/1.1\r\nHost: a\r\n\r\n");
    BOOST_TEST(written(request("DELETE", "/", "x"), "http://a/").head
        == "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(the_authorization_of_the_url_gives_way_to_one_of_the_request)
{
    BOOST_TEST(written(request("GET", "/"), "http://u:p@a/").head
        == "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic dTpw\r\n\r\n");
    http_request own = request("GET", "/");
    own.fields.emplace_back("authorization", "Bearer x");
    BOOST_TEST(written(std::move(own), "http://u:p@a/").head
        == "GET / HTTP/1.1\r\nHost: a\r\nauthorization: Bearer x\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(a_proxy_gets_the_whole_url_and_its_password_where_there_is_no_tunnel)
{
    const proxy through = some_proxy();
    BOOST_TEST(written(request("GET", "/x"), "http://a:81/", &through).head
        == "GET http://a:81/x HTTP/1.1\r\nHost: a:81\r\nProxy-Authorization: Basic cDpw\r\n\r\n");
    // Through a tunnel the server would see it.
    BOOST_TEST(written(request("GET", "/x"), "https://a/", &through).head
        == "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    BOOST_TEST(write_connect(server("https://[::1]/"), through).head
        == "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nProxy-Authorization: Basic cDpw\r\n"
           "\r\n");
}

BOOST_AUTO_TEST_CASE(nothing_can_be_smuggled_in)
{
    BOOST_TEST(refusal_of_field("X", "a\r\nHost: evil")
        == "the value of the field X has a control character");
    BOOST_TEST(refusal_of_field("X", "a\nb") == "the value of the field X has a control character");
    BOOST_TEST(refusal_of_field("X", std::string("a\0b", 3))
        == "the value of the field X has a control character");
    BOOST_TEST(
        refusal_of_field("X", "a\x7f") == "the value of the field X has a control character");
    BOOST_TEST(refusal_of_field("X\r\nY", "a") == "the field name \"X\\r\\nY\" is no HTTP token");
    BOOST_TEST(refusal_of_field("X:", "a") == "the field name \"X:\" is no HTTP token");
    BOOST_TEST(refusal_of_field("", "a") == "the field name \"\" is no HTTP token");
    for (const char* target :
        {"", "x", "*", "http://a/", "/a b", "/a\r\nX: y", "/\x7f", "/\xc3\xa9"})
        BOOST_TEST(
            complaint_about(request("GET", target)).starts_with("the target has to begin with '/'"),
            target);
    BOOST_TEST(complaint_about(request("GE T", "/")) == "the method \"GE T\" is no HTTP token");
    BOOST_TEST(complaint_about(request("", "/")) == "the method \"\" is no HTTP token");
    BOOST_TEST(complaint_about(request("CONNECT", "/")) == "a CONNECT is no request to a server");
}

BOOST_AUTO_TEST_CASE(values_are_not_shown_and_what_is_not_ascii_passes)
{
    BOOST_TEST(
        refusal_of_field("Authorization", "Bearer secret\n").find("secret") == std::string::npos);
    http_request made = request("GET", "/");
    made.fields.emplace_back("X", "\tcaf\xc3\xa9 ");
    BOOST_TEST(written(std::move(made), "http://a/").head
        == "GET / HTTP/1.1\r\nHost: a\r\nX: \tcaf\xc3\xa9 \r\n\r\n");
}

BOOST_AUTO_TEST_CASE(the_clients_own_fields_are_nobody_elses)
{
    for (const char* name :
        {"Host", "content-length", "Transfer-Encoding", "CONNECTION", "Proxy-Authorization"})
        BOOST_TEST(refusal_of_field(name, "1").ends_with("is written by the client itself"), name);
}

BOOST_AUTO_TEST_SUITE_END()
