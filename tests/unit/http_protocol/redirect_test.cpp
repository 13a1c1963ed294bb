// Which redirects are followed, and where they lead.
#include "protocol/redirect.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace mcp_pool::protocol;

namespace {

http_origin origin(bool secure, std::string host, std::uint16_t port)
{
    http_origin o;
    o.secure = secure;
    o.host = std::move(host);
    o.port = port;
    return o;
}

const http_origin plain = origin(false, "a.example", 8080);
const http_origin secure = origin(true, "A.Example", 443);

} // namespace

BOOST_AUTO_TEST_SUITE(redirects)

BOOST_AUTO_TEST_CASE(a_location_is_resolved_against_what_was_asked_for)
{
    struct example
    {
        const char* target;
        const char* location;
        const char* next;
    };
    const example table[] = {
        {"/mcp", "/mcp/", "/mcp/"},
        {"/mcp", "http://a.example:8080/mcp/", "/mcp/"},
        {"/mcp", "HTTP://A.EXAMPLE:8080/x?y=1#z", "/x?y=1"},
        {"/mcp", "http://a.example:8080", "/"},
        {"/mcp", "http://a.example:8080?q", "/?q"},
        {"/mcp", "//a.example:8080/x", "/x"},
        {"/a/b?q=1", "c", "/a/c"},
        {"/a/b?q=1", "c?r", "/a/c?r"},
        {"/a/b?q=1", "?r=2", "/a/b?r=2"},
        {"/a/b?q=1", "#f", "/a/b?q=1"},
        {"/a/b/c", "../d", "/a/d"},
        {"/a/b/c", "./d", "/a/b/d"},
        {"/a/b/c", "../../../../d", "/d"},
        {"/a/b/c", "..", "/a/"},
        {"/a/b/c", ".", "/a/b/"},
        {"/a", "/x/../y/./z/..", "/y/"},
        {"/a", "/x/..?../..", "/?../.."},
        {"/a", "b?http://other.example/", "/b?http://other.example/"},
        {"/a", "/b//c", "/b//c"},
    };
    for (const example& e : table) {
        const redirect_result result = follow_redirect(plain, e.target, e.location);
        BOOST_TEST(result.target == e.next, e.location);
        BOOST_TEST(result.fault.empty(), e.location);
    }
    for (const char* location :
        {"https://a.example/x", "https://a.example:443/x", "https://A.EXAMPLE:/x", "//a.example/x"})
        BOOST_TEST(follow_redirect(secure, "/", location).target == "/x", location);
}

BOOST_AUTO_TEST_CASE(nothing_leaves_the_origin)
{
    for (const char* location : {"http://b.example:8080/", "http://a.example/",
             "http://a.example:80/", "https://a.example:8080/", "http://a.example.evil:8080/",
             "http://a.example:8080@evil.example/", "http://user@a.example:8080/",
             "http://a.example:8080.evil.example/", "http://a.example:08080/",
             "http://a.example%2f:8080/", "//evil.example/", "///evil.example/", "http:///x",
             "http:/x", "http:x", "ftp://a.example:8080/", "javascript:alert(1)", "mailto:a@b",
             "http://a.example:8080\\@evil.example/", "\\\\evil.example/", "/\\evil.example",
             "/..//evil.example/", "/.//evil.example", "http://a.example:8080//evil.example",
             "http://a.example:8080\tx/", " /x", "/x y", "/x\r\nEvil: 1", "/é", "/\x7f", ""}) {
        const redirect_result result = follow_redirect(plain, "/mcp", location);
        BOOST_TEST(result.target.empty(), location);
        BOOST_TEST(result.fault.find("is not followed") != std::string::npos, location);
        BOOST_TEST(result.fault.find('\n') == std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(an_address_of_ipv6_is_an_origin_too)
{
    const http_origin six = origin(false, "::1", 8080);
    BOOST_TEST(follow_redirect(six, "/", "http://[::1]:8080/x").target == "/x");
    for (const char* location : {"http://[::1]/x", "http://::1:8080/x", "http://[::2]:8080/x"})
        BOOST_TEST(follow_redirect(six, "/", location).target.empty(), location);
    BOOST_TEST(follow_redirect(origin(true, "::1", 443), "/", "https://[::1]/x").target == "/x");
}

BOOST_AUTO_TEST_CASE(secrets_in_a_location_are_not_shown)
{
    const std::pair<const char*, const char*> table[] = {
        {"https://a.example/mcp?token=secret#secret", "https://a.example/mcp"},
        {"https://user:secret@a.example:8080/mcp", "https://***@a.example:8080/mcp"},
        {"//secret@b@a.example", "//***@a.example"},
        {"secret@a.example/x", "***@a.example/x"},
        {"/path/@home", "/path/@home"},
        {"https://a.example/@home//x@y", "https://a.example/@home//x@y"},
        {"a\n", "a\\n"},
        {"", ""},
    };
    for (const auto& [location, shown] : table)
        BOOST_TEST(shown_location(location) == shown);
    BOOST_TEST(follow_redirect(plain, "/", "https://x:secret@b.example/?code=secret").fault
        == "the redirect to \"https://***@b.example/\" is not followed: it leads to another "
           "origin");
}

BOOST_AUTO_TEST_CASE(a_way_back_to_plain_http_is_named)
{
    const redirect_result result = follow_redirect(secure, "/mcp", "http://a.example/mcp");
    BOOST_TEST(result.fault
        == "the redirect to \"http://a.example/mcp\" is not followed: it leads from https to plain "
           "http");
}

BOOST_AUTO_TEST_CASE(locations_are_bounded_in_length_and_in_messages)
{
    const std::string longest = "/" + std::string(max_location_bytes - 1, 'x');
    BOOST_TEST(follow_redirect(plain, "/", longest).target == longest);
    const redirect_result result = follow_redirect(plain, "/", longest + "x");
    BOOST_TEST(result.target.empty());
    BOOST_TEST(result.fault.size() < 300U);

    // However many dots: linear.
    std::string dots;
    while (dots.size() < max_location_bytes - 8)
        dots += "/a/..";
    BOOST_TEST(follow_redirect(plain, "/", dots).target == "/");
}

BOOST_AUTO_TEST_SUITE_END()
