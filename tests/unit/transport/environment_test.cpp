// What of the host's environment a server gets, and what people are told about the rest.
#include "transport/environment.hpp"

#include <boost/test/unit_test.hpp>

using mcp_pool::inherit;
using mcp_pool::stdio_server;
using namespace mcp_pool::transport;

namespace {

const environment host{
    {"HOME", "/home/ann"},
    {"PATH", "/bin"},
    {"SHELL", "() { :;}; echo gone"},
    {"HTTPS_PROXY", "http://user:secret@proxy"},
    {"no_proxy", "localhost"},
    {"SSL_CERT_FILE", "/etc/ca.pem"},
    {"LC_ALL", "de_DE.UTF-8"},
    {"LANG", ""},
    {"TMPDIR", "/scratch"},
    {"AWS_KEY", "secret"},
    {"AWS_TOKEN", "() { :;}"},
};

bool contains(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_SUITE(environment_of_servers)

BOOST_AUTO_TEST_CASE(by_default_a_server_gets_six_harmless_variables)
{
    const environment expected{{"HOME", "/home/ann"}, {"PATH", "/bin"}};
    BOOST_TEST((child_environment(stdio_server(), host) == expected));
}

BOOST_AUTO_TEST_CASE(exported_shell_functions_are_not_inherited)
{
    stdio_server server;
    server.env_passthrough = {"AWS_*"};
    const environment child = child_environment(server, host);
    BOOST_TEST(!child.contains("SHELL"));
    BOOST_TEST(child.contains("AWS_KEY"));
    BOOST_TEST(!child.contains("AWS_TOKEN"));
}

BOOST_AUTO_TEST_CASE(names_and_patterns_pass_further_variables)
{
    stdio_server server;
    server.inherit_env = inherit::none;
    server.env_passthrough = {"LC_*", "TMPDI?", "no_proxy", "NOT_SET"};
    const environment expected{
        {"LC_ALL", "de_DE.UTF-8"}, {"TMPDIR", "/scratch"}, {"no_proxy", "localhost"}};
    BOOST_TEST((child_environment(server, host) == expected));
}

BOOST_AUTO_TEST_CASE(configured_variables_win)
{
    stdio_server server;
    server.env = {{"PATH", "/opt/bin"}, {"EMPTY", ""}};
    server.env_passthrough = {"PATH"};
    const environment child = child_environment(server, host);
    BOOST_TEST(child.at("PATH") == "/opt/bin");
    BOOST_TEST(child.at("EMPTY") == "");
    BOOST_TEST(child.at("HOME") == "/home/ann");
}

BOOST_AUTO_TEST_CASE(none_and_all_are_what_they_say)
{
    stdio_server server;
    server.inherit_env = inherit::none;
    BOOST_TEST(child_environment(server, host).empty());
    server.inherit_env = inherit::all;
    BOOST_TEST((child_environment(server, host) == host));
}

BOOST_AUTO_TEST_CASE(patterns_match_whole_names)
{
    BOOST_TEST(matches_glob("LC_*", "LC_ALL"));
    BOOST_TEST(matches_glob("*", ""));
    BOOST_TEST(matches_glob("*_PROXY", "HTTPS_PROXY"));
    BOOST_TEST(matches_glob("A*B*C", "AxxBxBxC"));
    BOOST_TEST(matches_glob("A?C**", "ABC"));
    BOOST_TEST(!matches_glob("LC_*", "XLC_ALL"));
    BOOST_TEST(!matches_glob("A?C", "AC"));
    BOOST_TEST(!matches_glob("A*B", "AxxBx"));
    BOOST_TEST(!matches_glob("", "A"));
}

BOOST_AUTO_TEST_CASE(hints_name_what_the_child_lacks_and_never_a_value)
{
    stdio_server server;
    server.env_passthrough = {"TMPDIR"};
    const std::string hint = missing_variables_hint(host, child_environment(server, host));
    BOOST_TEST(contains(hint, "HTTPS_PROXY"));
    BOOST_TEST(contains(hint, "no_proxy"));
    BOOST_TEST(contains(hint, "SSL_CERT_FILE"));
    BOOST_TEST(contains(hint, "LC_ALL"));
    BOOST_TEST(contains(hint, "env_passthrough"));
    // It has that, it is empty at the host, it is nothing of the kind.
    BOOST_TEST(!contains(hint, "TMPDIR"));
    BOOST_TEST(!contains(hint, "LANG"));
    BOOST_TEST(!contains(hint, "AWS"));
    BOOST_TEST(!contains(hint, "secret"));
    BOOST_TEST(!contains(hint, "de_DE"));
}

BOOST_AUTO_TEST_CASE(every_kind_of_hint_is_known)
{
    for (const std::string name :
        {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy",
            "no_proxy", "all_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
            "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "LANG", "LC_CTYPE", "TMPDIR"})
        BOOST_TEST(contains(missing_variables_hint({{name, "x"}}, {}), name));
    BOOST_TEST(missing_variables_hint(host, host).empty());
    BOOST_TEST(missing_variables_hint({}, {}).empty());
}

BOOST_AUTO_TEST_CASE(a_host_with_very_many_variables_makes_a_bounded_hint)
{
    environment many;
    for (int i = 0; i < 1000; ++i)
        many.emplace("LC_" + std::to_string(i), "x");
    const std::string hint = missing_variables_hint(many, {});
    BOOST_TEST(hint.size() < 500U);
    BOOST_TEST(contains(hint, "988 more"));
}

BOOST_AUTO_TEST_SUITE_END()
