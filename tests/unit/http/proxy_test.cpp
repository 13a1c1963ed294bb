// Which proxy the variables of an environment ask for.
#include "rpc/base64.hpp"
#include "transport/http/proxy.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace mcp_pool::transport::http;

namespace {

proxy_choice chosen(std::string_view server, const proxy_variables& variables)
{
    std::string problem;
    const auto parsed = parse_url(server, problem);
    BOOST_TEST_REQUIRE(parsed.has_value(), problem);
    return choose_proxy(*parsed, variables);
}

// host:port of the proxy, "" for none, or the problem.
std::string way(std::string_view server, const proxy_variables& variables)
{
    const proxy_choice choice = chosen(server, variables);
    if (!choice.problem.empty())
        return choice.problem;
    return choice.through ? choice.through->title() : std::string();
}

bool exempt(std::string_view server, std::string_view no_proxy)
{
    std::string problem;
    return is_exempt(parse_url(server, problem).value(), no_proxy);
}

} // namespace

BOOST_AUTO_TEST_SUITE(proxies_by_environment)

BOOST_AUTO_TEST_CASE(without_a_variable_there_is_none)
{
    BOOST_TEST(way("https://example.com/", {}) == "");
    BOOST_TEST(way("https://example.com/", {{"https_proxy", ""}, {"HTTPS_PROXY", ""}}) == "");
    BOOST_TEST(way("https://example.com/", {{"ALL_PROXY", "http://p:1"}}) == "");
}

BOOST_AUTO_TEST_CASE(each_scheme_has_its_variable_and_lower_case_comes_first)
{
    const proxy_variables both{{"https_proxy", "http://low:1"}, {"HTTPS_PROXY", "http://up:2"},
        {"http_proxy", "http://plain:3"}};
    BOOST_TEST(way("https://example.com/", both) == "low:1");
    BOOST_TEST(way("http://example.com/", both) == "plain:3");
    BOOST_TEST(way("https://example.com/", {{"https_proxy", ""}, {"HTTPS_PROXY", "http://up:2"}})
        == "up:2");
    BOOST_TEST(way("https://example.com/", {{"http_proxy", "http://plain:3"}}) == "");
}

BOOST_AUTO_TEST_CASE(the_upper_case_variable_of_plain_http_is_not_believed)
{
    // A CGI program gets it from the Proxy field of the request.
    BOOST_TEST(way("http://example.com/", {{"HTTP_PROXY", "http://evil:1"}}) == "");
}

BOOST_AUTO_TEST_CASE(a_proxy_may_be_written_without_scheme_and_port_and_with_a_password)
{
    BOOST_TEST(
        way("https://example.com/", {{"https_proxy", "proxy.local:3128"}}) == "proxy.local:3128");
    BOOST_TEST(way("https://example.com/", {{"https_proxy", "proxy.local"}}) == "proxy.local:80");
    BOOST_TEST(
        way("https://example.com/", {{"https_proxy", "http://[::1]:3128/"}}) == "[::1]:3128");
    const proxy_choice secret = chosen(
        "https://example.com/", {{"https_proxy", "bob:p%40ss@proxy:3128"}});
    BOOST_TEST_REQUIRE(secret.through.has_value());
    BOOST_TEST(secret.through->authorization == "Basic " + mcp_pool::rpc::base64("bob:p@ss"));
    BOOST_TEST(secret.through->title() == "proxy:3128");
}

BOOST_AUTO_TEST_CASE(a_proxy_that_cannot_be_is_a_problem_and_not_a_way_around_it)
{
    for (const char* bad : {"https://bob:secret@proxy:3128", "socks5://bob:secret@proxy:1080",
             "http://bob:secret@proxy:0", "http://bob:sec\nret@proxy"}) {
        const proxy_choice choice = chosen("https://example.com/", {{"HTTPS_PROXY", bad}});
        BOOST_TEST(!choice.through.has_value());
        BOOST_TEST(choice.problem.starts_with("the variable HTTPS_PROXY: the URL \""));
        BOOST_TEST(choice.problem.ends_with("; http://[user:password@]host[:port] is allowed"));
        BOOST_TEST(choice.problem.find("sec") == std::string::npos, choice.problem);
        BOOST_TEST(choice.problem.find('\n') == std::string::npos);
    }
    BOOST_TEST(way("https://example.com/", {{"https_proxy", "https://p:1"}})
        == "the variable https_proxy: the URL \"https://p:1\": proxies that are reached by https "
           "are not supported; http://[user:password@]host[:port] is allowed");
}

BOOST_AUTO_TEST_CASE(exempt_servers_are_reached_directly)
{
    const proxy_variables variables{
        {"https_proxy", "http://p:1"}, {"NO_PROXY", "localhost,.internal.example"}};
    BOOST_TEST(way("https://localhost/", variables) == "");
    BOOST_TEST(way("https://a.internal.example/", variables) == "");
    BOOST_TEST(way("https://example.com/", variables) == "p:1");
    // An exempt server does not care for a bad proxy.
    BOOST_TEST(way("https://a/", {{"https_proxy", "socks5://p"}, {"no_proxy", "a"}}) == "");
    BOOST_TEST(
        way("https://a/", {{"https_proxy", "http://p:1"}, {"no_proxy", "b"}, {"NO_PROXY", "a"}})
        == "p:1");
}

BOOST_AUTO_TEST_CASE(a_domain_stands_for_itself_and_what_is_below_it)
{
    for (const char* list : {"example.com", ".example.com", "*.example.com", "EXAMPLE.com",
             "x, example.com", "x example.com\t", ",,example.com,", "example.com."}) {
        BOOST_TEST(exempt("https://example.com/", list), list);
        BOOST_TEST(exempt("https://a.b.example.com/", list), list);
        BOOST_TEST(!exempt("https://badexample.com/", list), list);
        BOOST_TEST(!exempt("https://example.com.evil/", list), list);
        BOOST_TEST(!exempt("https://com/", list), list);
    }
    BOOST_TEST(exempt("https://example.com./", "example.com"));
    BOOST_TEST(exempt("https://anything.at.all/", "*"));
    for (const char* list : {"", ",", ".", "*.", " ", "**", "*example.com"})
        BOOST_TEST(!exempt("https://example.com/", list), list);
}

BOOST_AUTO_TEST_CASE(an_entry_may_name_a_port)
{
    BOOST_TEST(exempt("https://example.com:8443/", "example.com:8443"));
    BOOST_TEST(exempt("https://a.example.com/", ".example.com:443"));
    BOOST_TEST(!exempt("https://example.com/", "example.com:8443"));
    for (const char* list :
        {"example.com:", "example.com:x", "example.com:443x", ":443", ":", "example.com:65979"})
        BOOST_TEST(!exempt("https://example.com/", list), list);
}

BOOST_AUTO_TEST_CASE(an_address_stands_for_itself_and_ranges_match_nothing)
{
    BOOST_TEST(exempt("http://10.1.2.3/", "10.1.2.3"));
    BOOST_TEST(exempt("http://10.1.2.3:81/", "10.1.2.3:81"));
    BOOST_TEST(exempt("http://[::1]/", "::1"));
    BOOST_TEST(exempt("http://[::1]/", "[::1]"));
    BOOST_TEST(exempt("http://[::1]:81/", "[::1]:81"));
    BOOST_TEST(!exempt("http://[::1]/", "[::1]:81"));
    // Addresses have no subdomains.
    BOOST_TEST(!exempt("http://10.1.2.3/", "2.3"));
    BOOST_TEST(!exempt("http://10.1.2.3/", ".3"));
    BOOST_TEST(!exempt("http://10.1.2.3/", "10.0.0.0/8"));
    BOOST_TEST(!exempt("http://[::1]/", "[]"));
    BOOST_TEST(!exempt("http://[::1]/", "["));
}

BOOST_AUTO_TEST_SUITE_END()
