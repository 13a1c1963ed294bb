// Every verdict is the one that the tests of JSON Schema's authors ask for, or there is none.
#include "support/schema_library.hpp"

#include <mcp_pool/output_schema.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

using namespace mcp_pool;

namespace {

struct tally
{
    std::size_t verdicts = 0;
    // Files that have a schema which is not checked.
    std::set<std::string> unchecked;
    std::size_t unchecked_schemas = 0;
};

void check_group(const json::value& group, const std::string& file, bool draft7, tally& total)
{
    json::object of;
    of["outputSchema"] = group.at("schema");
    if (json::object* const schema = of["outputSchema"].if_object(); schema && draft7)
        (*schema)["$schema"] = "http://json-schema.org/draft-07/schema#";
    const output_schema schema{tool(json::value(of))};
    BOOST_TEST(schema.checked() == schema.reason().empty());
    if (!schema.checked()) {
        total.unchecked.insert(file);
        ++total.unchecked_schemas;
        return;
    }
    for (const json::value& test : group.at("tests").as_array()) {
        json::object result;
        result["structuredContent"] = test.at("data");
        const auto problems = schema.check(tool_result(json::value(result)));
        BOOST_TEST(problems.empty() == test.at("valid").as_bool(),
            file << ": " << group.at("description") << ", " << test.at("description") << ": "
                 << json::serialize(test.at("data")) << " by "
                 << json::serialize(group.at("schema")));
        ++total.verdicts;
    }
}

tally check_all(const std::string& dialect)
{
    tally total;
    const std::filesystem::path folder = MCP_POOL_SOURCE_DIR "/tests/fixtures/json-schema";
    for (const auto& entry : std::filesystem::directory_iterator(folder / dialect)) {
        std::ifstream in(entry.path(), std::ios::binary);
        const json::value groups = json::parse(std::string(std::istreambuf_iterator<char>(in), {}));
        for (const json::value& group : groups.as_array())
            check_group(group, entry.path().stem(), dialect == "draft7", total);
    }
    return total;
}

} // namespace

BOOST_AUTO_TEST_SUITE(verdicts, *boost::unit_test::precondition(test::schemas_are_checked))

BOOST_AUTO_TEST_CASE(of_2020_12_are_right_or_not_given)
{
    const tally total = check_all("draft2020-12");
    BOOST_TEST(total.verdicts >= 1000u);
    BOOST_TEST(total.unchecked_schemas <= 104u);
    // What a schema uses that is not checked.
    const std::set<std::string> expected = {"additionalProperties", "anchor", "defs", "dynamicRef",
        "maxContains", "minContains", "not", "pattern", "patternProperties", "ref", "refRemote",
        "unevaluatedItems", "unevaluatedProperties", "vocabulary"};
    for (const std::string& file : total.unchecked)
        BOOST_TEST(expected.contains(file), file);
}

BOOST_AUTO_TEST_CASE(of_draft_7_are_right_or_not_given)
{
    const tally total = check_all("draft7");
    BOOST_TEST(total.verdicts >= 130u);
    for (const std::string& file : total.unchecked)
        BOOST_TEST((file == "ref" || file == "definitions"), file);
}

BOOST_AUTO_TEST_SUITE_END()
