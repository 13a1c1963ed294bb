#include "unit/house/snippets.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace fs = std::filesystem;
using mcp_pool::house::snippet;
using mcp_pool::house::stale_snippets;

namespace {

const fs::path top = MCP_POOL_SOURCE_DIR;

std::string read(const fs::path& path)
{
    std::ifstream in(path, std::ios::binary);
    BOOST_TEST_REQUIRE(in.good(), path);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

std::vector<fs::path> documents()
{
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(top))
        if (entry.path().extension() == ".md")
            found.push_back(entry.path());
    for (const auto& entry : fs::recursive_directory_iterator(top / "docs"))
        if (entry.path().extension() == ".md")
            found.push_back(entry.path());
    return found;
}

} // namespace

BOOST_AUTO_TEST_SUITE(documentation)

BOOST_AUTO_TEST_CASE(code_is_what_the_compiled_files_say_and_links_lead_somewhere)
{
    BOOST_TEST_REQUIRE(documents().size() >= 2u);
    for (const fs::path& document : documents()) {
        const std::string name = document.lexically_relative(top).generic_string();
        for (const std::string& sentence : stale_snippets(name, read(document), top))
            BOOST_TEST_ERROR(sentence);
    }
}

BOOST_AUTO_TEST_CASE(the_readme_shows_the_first_lease)
{
    BOOST_TEST(read(top / "README.md").find("<!-- snippet: docs/examples/first_lease.cpp lease -->")
        != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_snippet_loses_its_common_indentation_only)
{
    BOOST_TEST(snippet("x\n  // [snippet: a]\n  if (x)\n\n      y();\n  // [snippet end]\n", "a")
        == "if (x)\n\n    y();\n");
    BOOST_CHECK_THROW(snippet("// [snippet: a]\n", "a"), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(an_edited_block_an_unmarked_block_and_a_dead_link_are_found)
{
    const std::string mark = "<!-- snippet: docs/examples/first_lease.cpp lease -->\n";
    BOOST_TEST(stale_snippets("a.md", mark + "```cpp\nint x;\n```\n", top).size() == 1u);
    BOOST_TEST(stale_snippets("a.md", "```cpp\nint x;\n```\n", top).size() == 1u);
    BOOST_TEST(stale_snippets("a.md", "see [it](docs/nowhere.md)\n", top).size() == 1u);
    BOOST_TEST(stale_snippets("a.md", "```sh\nls\n```\n[run](run) [top](#top)\n", top).empty());
}

BOOST_AUTO_TEST_SUITE_END()
