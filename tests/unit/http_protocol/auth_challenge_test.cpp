// What WWW-Authenticate says.
#include "protocol/auth_challenge.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace mcp_pool::protocol;

namespace {

// `scheme(name=value,…)` for each challenge.
std::string shown(const std::vector<auth_challenge>& challenges)
{
    std::string text;
    for (const auth_challenge& c : challenges) {
        text += text.empty() ? "" : " ";
        text += c.scheme + '(';
        for (const auto& [name, value] : c.parameters) {
            text += text.ends_with('(') ? "" : ",";
            text += name + '=' + value;
        }
        text += ')';
    }
    return text;
}

struct example
{
    const char* field;
    const char* seen;
};

} // namespace

BOOST_AUTO_TEST_SUITE(auth_challenges)

BOOST_AUTO_TEST_CASE(challenges_are_read_as_http_writes_them)
{
    const example table[] = {
        {R"(Bearer)", "bearer()"},
        {R"(Bearer realm="a, b", scope="read write")", "bearer(realm=a, b,scope=read write)"},
        {R"(bEaReR ERROR = "x" ,, scope=y)", "bearer(error=x,scope=y)"},
        {R"(Bearer realm="say \"hi\" \\")", R"(bearer(realm=say "hi" \))"},
        {R"(Basic realm="r", Bearer error="invalid_token")",
            "basic(realm=r) bearer(error=invalid_token)"},
        {R"(Negotiate, Bearer, Basic realm=x)", "negotiate() bearer() basic(realm=x)"},
        {R"(Negotiate YWJj==, Bearer a=b)", "negotiate(=YWJj==) bearer(a=b)"},
        {R"(NTLM YWJj=)", "ntlm(=YWJj=)"},
        {R"(NTLM a/b+c)", "ntlm(=a/b+c)"},
        {R"(, ,Bearer a=b,)", "bearer(a=b)"},
        {R"(Bearer realm="")", "bearer(realm=)"},
        // Not as HTTP writes them, but as some servers do.
        {R"(Bearer resource_metadata=https://a.example/x?y=1, scope=s)",
            "bearer(resource_metadata=https://a.example/x?y=1,scope=s)"},
    };
    for (const example& e : table)
        BOOST_TEST(shown(parse_challenges(e.field)) == e.seen, e.field);
}

BOOST_AUTO_TEST_CASE(reading_ends_where_there_is_no_meaning)
{
    const example table[] = {
        {"", ""},
        {" , ,", ""},
        {"=", ""},
        {"\"", ""},
        {R"(Bearer a="open)", "bearer()"},
        {R"(Bearer a="open\)", "bearer()"},
        {R"(Bearer a="1" b="2", Basic c=d)", "bearer(a=1)"},
        {R"(Bearer a=1, =2)", "bearer(a=1)"},
        {"Bearer(x)", "bearer()"},
        {"Bearer \x01", "bearer()"},
    };
    for (const example& e : table)
        BOOST_TEST(shown(parse_challenges(e.field)) == e.seen, e.field);
}

BOOST_AUTO_TEST_CASE(what_is_read_is_bounded)
{
    std::string many;
    for (std::size_t i = 0; i < 100; ++i)
        many.append("S").append(std::to_string(i)).append(", ");
    BOOST_TEST(parse_challenges(many).size() == max_challenges);

    std::string parameters = "Bearer ";
    for (std::size_t i = 0; i < 100; ++i)
        parameters.append("p").append(std::to_string(i)).append("=v, ");
    BOOST_TEST(parse_challenges(parameters).at(0).parameters.size() == max_challenge_parameters);

    const std::string value(max_challenge_bytes, 'v');
    BOOST_TEST(parse_challenges("Bearer a=\"" + value + "\", b=c").at(0).parameters.empty());
    BOOST_TEST(
        parse_challenges("Bearer a=" + value).at(0).find("a").size() == max_challenge_bytes - 9);
    for (const char* flood : {",", "a ", "\"", "a=", "\\", "Bearer a=\"", "=", " "}) {
        std::string text;
        while (text.size() < 1000000)
            text += flood;
        BOOST_TEST(parse_challenges(text).size() <= max_challenges, flood);
    }
}

BOOST_AUTO_TEST_CASE(the_challenge_for_tokens_is_preferred)
{
    const auth_challenge c = bearer_challenge(
        R"(Basic realm="x", Bearer resource_metadata="https://a.example/.well-known/x", scope="s")");
    BOOST_TEST(c.scheme == "bearer");
    BOOST_TEST(c.find("resource_metadata") == "https://a.example/.well-known/x");
    BOOST_TEST(c.find("scope") == "s");
    BOOST_TEST(c.find("error").empty());
    BOOST_TEST(bearer_challenge("Basic realm=x, Digest realm=y").scheme == "basic");
    BOOST_TEST(bearer_challenge("").scheme.empty());
}

BOOST_AUTO_TEST_SUITE_END()
