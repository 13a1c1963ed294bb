// The table of README.md: each bug that others had is held by a test that there is.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace fs = std::filesystem;

namespace {

const fs::path tests(MCP_POOL_SOURCE_DIR "/tests");

std::string read(const fs::path& file)
{
    std::ifstream in(file);
    BOOST_TEST_REQUIRE(in.good(), file);
    return {std::istreambuf_iterator<char>(in), {}};
}

// All sources of tests, one behind the other.
std::string sources()
{
    std::string all;
    for (const auto& entry : fs::recursive_directory_iterator(tests)) {
        if (entry.path().extension() == ".cpp"
            && entry.path().string().find("node_modules") == std::string::npos)
            all += read(entry.path());
    }
    return all;
}

struct row
{
    std::string number, lesson, holds;
};

// The rows of the table whose first column is a number.
std::vector<row> rows()
{
    std::vector<row> found;
    std::ifstream in(tests / "scenario/README.md");
    for (std::string line; std::getline(in, line);) {
        std::vector<std::string> cells;
        for (std::size_t at = line.find('|'), end; at != std::string::npos; at = end) {
            end = line.find('|', at + 1);
            if (end != std::string::npos)
                cells.push_back(line.substr(at + 1, end - at - 1));
        }
        if (cells.size() != 3)
            continue;
        std::string number = cells[0];
        std::erase(number, ' ');
        if (!number.empty() && std::all_of(number.begin(), number.end(), [](unsigned char c) {
                return std::isdigit(c) != 0;
            }))
            found.push_back({number, cells[1], cells[2]});
    }
    return found;
}

std::vector<std::string> names_in(const std::string& text)
{
    std::vector<std::string> names;
    for (std::size_t at = text.find('`'); at != std::string::npos; at = text.find('`', at)) {
        const std::size_t end = text.find('`', at + 1);
        BOOST_TEST_REQUIRE(end != std::string::npos, text);
        names.push_back(text.substr(at + 1, end - at - 1));
        at = end + 1;
    }
    return names;
}

bool is_case(const std::string& name, const std::string& all)
{
    return all.find("TEST_CASE(" + name + ")") != std::string::npos
        || all.find("TEST_CASE(" + name + ",") != std::string::npos
        || all.find("TEST_CASE(\n    " + name + ",") != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_SUITE(bugs_of_others)

BOOST_AUTO_TEST_CASE(are_each_held_by_a_test_that_there_is_or_do_not_apply)
{
    const std::vector<row> table = rows();
    const std::string all = sources();
    BOOST_TEST_REQUIRE(table.size() == 23u);
    for (std::size_t i = 0; i != table.size(); ++i) {
        BOOST_TEST(table[i].number == std::to_string(i + 1));
        const std::vector<std::string> names = names_in(table[i].holds);
        const bool applies = table[i].holds.find("does not apply:") == std::string::npos;
        BOOST_TEST((!names.empty() || !applies), "bug " << table[i].number);
        for (const std::string& name : names) {
            const bool there = name.ends_with(".json") ? fs::exists(tests / "scenario" / name)
                                                       : is_case(name, all);
            BOOST_TEST(there, "bug " << table[i].number << ": there is no " << name);
        }
    }
}

BOOST_AUTO_TEST_CASE(would_be_missed_if_a_test_went)
{
    const std::string all = sources();
    BOOST_TEST(is_case("fifo_handoff", all));
    BOOST_TEST(!is_case("fifo_handof", all));
    BOOST_TEST(!is_case("handoff", all));
}

BOOST_AUTO_TEST_SUITE_END()
