// Every file of this folder, against the core in virtual time and against a pool with scripted
// sessions: a case for each of the two.
#include "runner.hpp"

#include <boost/test/tree/test_unit.hpp>
#include <boost/test/unit_test.hpp>

using namespace mcp_pool::scenario;

namespace {

namespace ut = boost::unit_test;

const std::filesystem::path folder(MCP_POOL_SOURCE_DIR "/tests/scenario");

void run(const std::filesystem::path& file, std::unique_ptr<target> (*make)(const scenario&))
{
    const scenario s = load(file);
    BOOST_TEST_CONTEXT(s.about)
    {
        const std::unique_ptr<target> t = make(s);
        const std::string wrong = replay(s, *t);
        BOOST_TEST(wrong.empty(), file.filename().string() << ": " << wrong);
    }
}

// Before main(), as the cases that macros make.
struct registration
{
    registration()
    {
        auto* const core = new ut::test_suite("core", __FILE__, __LINE__);
        auto* const pool = new ut::test_suite("pool", __FILE__, __LINE__);
        ut::framework::current_auto_test_suite().add(core);
        ut::framework::current_auto_test_suite().add(pool);
        for (const std::filesystem::path& file : files_in(folder)) {
            const std::string name = file.stem().string();
            bool for_core = true, for_pool = true;
            try {
                const scenario s = load(file);
                for_core = s.for_core;
                for_pool = s.for_pool;
            } catch (const malformed&) {
                // The case says so.
            }
            if (for_core)
                core->add(ut::make_test_case(
                    [file] { run(file, &make_core); }, name, __FILE__, __LINE__));
            if (for_pool)
                pool->add(ut::make_test_case(
                    [file] { run(file, &make_pool); }, name, __FILE__, __LINE__));
        }
    }
};

const registration registered;

// A scenario that would pass, with one thing in the place of another.
std::string refusal_of(std::string part, const std::string& other)
{
    std::string text = R"({
        "about": "somebody comes and goes",
        "options": {"max_size": 1, "idle_timeout": 0.5},
        "era": "legacy",
        "targets": ["core"],
        "operations": [
            {"do": "acquire", "as": "a", "timeout": 30},
            {"do": "together", "operations": [{"do": "release", "lease": "a"}]},
            {"do": "await", "event": "returned 1"},
            {"do": "expect", "acquire": "a", "is": "returned"},
            {"do": "advance", "by": 0.1}
        ],
        "events": ["waited", "starting 1", "started 1", "leased 1", "returned 1"]})";
    const std::size_t at = text.find(part);
    BOOST_TEST_REQUIRE(at != std::string::npos, part);
    text.replace(at, part.size(), other);
    try {
        const scenario s = parse(text, "x");
        const std::unique_ptr<target> t = make_core(s);
        return replay(s, *t);
    } catch (const malformed& e) {
        return e.what();
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(files)

BOOST_AUTO_TEST_CASE(that_are_malformed_are_refused_by_place_and_name)
{
    BOOST_TEST(refusal_of("max_size", "max_size") == "");
    BOOST_TEST(refusal_of("\"era\"", "era").find("x: no JSON: ") == 0u);
    BOOST_TEST(refusal_of("{", "[").find("x: no JSON: ") == 0u);
    BOOST_TEST(refusal_of(R"("about": "somebody comes and goes",)", "")
        == R"(x: the member "about" is missing)");
    BOOST_TEST(refusal_of("\"about\"", "\"abuot\"") == R"(x: unknown member "abuot")");
    BOOST_TEST(refusal_of("\"legacy\"", "\"antique\"")
        == R"(x: era="antique": expected legacy or modern)");
    BOOST_TEST(refusal_of("max_size", "maxsize") == R"(x: options: unknown option "maxsize")");
    BOOST_TEST(refusal_of(R"("max_size": 1)", R"("max_size": "one")")
        == R"(x: options: max_size="one": expected an integer from 0 on)");
    BOOST_TEST(refusal_of(R"("max_size": 1)", R"("max_size": 0)")
        == "x: options: max_size=0: expected an integer from 1 to 10000");
    BOOST_TEST(refusal_of(R"("idle_timeout": 0.5)", R"("idle_timeout": "soon")")
        == R"(x: options: idle_timeout="soon": expected seconds, from 0 on)");
    BOOST_TEST(refusal_of(R"("idle_timeout": 0.5)", R"("reset": "sometimes")")
        == R"(x: options: reset="sometimes": expected none, protocol or respawn)");
    BOOST_TEST(refusal_of("[\"core\"]", "[\"core\", \"kernel\"]")
        == R"(x: targets: unknown target "kernel")");
    BOOST_TEST(refusal_of("[\"core\"]", "[]") == R"(x: targets: expected "core", "pool" or both)");
    BOOST_TEST(refusal_of("[\"core\"]", "[\"core\", \"pool\"]")
        == R"(x: targets: "advance" needs virtual time: expected ["core"])");
    BOOST_TEST(refusal_of(R"("do": "acquire")", R"("do": "aquire")")
        == R"(x: operations[0]: unknown operation "aquire")");
    BOOST_TEST(refusal_of(R"("do": "acquire", )", "")
        == R"(x: operations[0]: the member "do" is missing, or no text)");
    BOOST_TEST(refusal_of(R"({"do": "await", "event": "returned 1"})", "3")
        == "x: operations[2]: expected an object");
    BOOST_TEST(refusal_of("\"timeout\"", "\"tiemout\"")
        == R"(x: operations[0] (acquire): unknown member "tiemout")");
    BOOST_TEST(refusal_of(R"("timeout": 30)", R"("timeout": -1)")
        == "x: operations[0] (acquire): timeout=-1: expected seconds, from 0 on");
    BOOST_TEST(refusal_of(R"("as": "a", )", "")
        == R"(x: operations[0] (acquire): the member "as" is missing)");
    BOOST_TEST(refusal_of(R"("lease": "a")", R"("lease": "b")")
        == R"(x: operations[1].operations[0] (release): nobody is called "b")");
    BOOST_TEST(refusal_of(R"({"do": "release", "lease": "a"})", R"({"do": "acquire", "as": "a"})")
        == R"(x: operations[1].operations[0] (acquire): there is a "a" already)");
    BOOST_TEST(refusal_of(R"({"do": "release", "lease": "a"})", R"({"do": "advance", "by": 1})")
        == "x: operations[1].operations[0]: advance cannot stand inside of together");
    BOOST_TEST(refusal_of(R"(, "is": "returned")", "")
        == R"(x: operations[3] (expect): "acquire" and "is" stand together)");
    BOOST_TEST(refusal_of(R"(, "acquire": "a", "is": "returned")", "")
        == "x: operations[3] (expect): expects nothing");
    BOOST_TEST(refusal_of("\"waited\"", "7") == "x: events[0]: expected a text");
    BOOST_TEST(refusal_of("\"waited\"", "\"dreamt\"") == R"(x: events[0]: unknown event "dreamt")");
}

BOOST_AUTO_TEST_CASE(that_expect_what_does_not_happen_fail_with_what_happened)
{
    const auto begins = [](const std::string& text, const std::string& with) {
        BOOST_TEST(text.find(with) == 0u, text);
    };
    begins(refusal_of(R"("is": "returned")", R"("is": "leased")"),
        "operations[3] (expect): a is returned, expected leased\n  so far:\n    waited\n");
    begins(refusal_of(R"("is": "returned")", R"("is": "returned", "session": 2)"),
        "operations[3] (expect): a has session 1, expected 2");
    begins(refusal_of(R"("is": "returned")", R"("is": "returned", "stats": {"created": 2})"),
        "operations[3] (expect): created is 1, expected 2");
    begins(refusal_of(R"("is": "returned")", R"("is": "returned", "stats": {"crated": 2})"),
        "operations[3] (expect): there is no number called \"crated\"");
    begins(refusal_of("\"returned 1\"}", "\"returned 2\"}"),
        "operations[2] (await): \"returned 2\" does not happen");
    begins(refusal_of("\"leased 1\"", "\"leased 2\""),
        "events[3]: expected \"leased 2\", got \"leased 1\"; all:\n    waited\n    starting 1");
    begins(refusal_of(", \"returned 1\"", ""), "events[4]: expected no more, got \"returned 1\"");
    begins(refusal_of("\"returned 1\"]", "\"returned 1\", \"ended 1\"]"),
        "events[5]: expected \"ended 1\", got no more");
}

BOOST_AUTO_TEST_CASE(are_as_many_as_there_were_meant_to_be)
{
    BOOST_TEST(files_in(folder).size() >= 20u);
    for (const std::filesystem::path& file : files_in(folder))
        BOOST_CHECK_NO_THROW(load(file));
}

BOOST_AUTO_TEST_SUITE_END()
