#include "rpc/text.hpp"

#include <boost/test/unit_test.hpp>

#include <map>

using namespace mcp_pool::rpc;

BOOST_AUTO_TEST_SUITE(foreign_text)

BOOST_AUTO_TEST_CASE(harmless_text_stays)
{
    for (const char* text : {"", "plain", "Größe 漢字 🙂", "a \"quoted\" 'word'"})
        BOOST_TEST(escape_foreign(text, 100) == text);
}

BOOST_AUTO_TEST_CASE(what_acts_on_a_terminal_or_deceives_is_escaped)
{
    const std::map<std::string, std::string> table = {
        {"a\nb\r\tc", "a\\nb\\r\\tc"},
        {"\x1b[2J", "\\x1b[2J"},
        {std::string("\0", 1), "\\x00"},
        {"\x7f", "\\x7f"},
        {"C:\\new", "C:\\\\new"},
        {"\xc2\x9b"
         "31m",
            "\\u{9b}31m"},
        {"user\xe2\x80\xae"
         "nimda",
            "user\\u{202e}nimda"},
        {"\xef\xbb\xbf"
         "bom",
            "\\u{feff}bom"},
        {"half \xe6\xbc", "half \\xe6\\xbc"},
        {"\xc0\xaf", "\\xc0\\xaf"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
    };
    for (const auto& [text, escaped] : table)
        BOOST_TEST(escape_foreign(text, 100) == escaped);
}

BOOST_AUTO_TEST_CASE(the_bound_holds_and_cuts_no_character_or_escape)
{
    const std::string text = "ab\n\xe6\xbc\xa2\xff z";
    const std::string whole = escape_foreign(text, 100);
    for (std::size_t max = 0; max <= whole.size() + 2; ++max) {
        const std::string cut = escape_foreign(text, max);
        BOOST_TEST(cut.size() <= max);
        if (max >= whole.size()) {
            BOOST_TEST(cut == whole);
        } else if (max >= 3) {
            BOOST_TEST_REQUIRE(cut.ends_with("..."));
            const std::string kept = cut.substr(0, cut.size() - 3);
            BOOST_TEST(whole.starts_with(kept));
            // Whole steps only: what is kept is the escaped form of a prefix.
            bool prefix = false;
            for (std::size_t n = 0; n <= text.size(); ++n)
                prefix = prefix || escape_foreign(std::string_view(text).substr(0, n), 100) == kept;
            BOOST_TEST(prefix);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_tail_keeps_its_lines_and_its_end)
{
    BOOST_TEST(escape_foreign_tail("\n\na\r\nb\x1b\n\n", 100) == "a\nb\\x1b");
    BOOST_TEST(escape_foreign_tail("", 100).empty());
    BOOST_TEST(escape_foreign_tail("\n\r\n", 100).empty());
    BOOST_TEST(escape_foreign_tail("first\nsecond\nthird", 12) == "...\nthird");
    BOOST_TEST(escape_foreign_tail("0123456789", 6) == "...789");
    for (std::size_t max = 0; max < 30; ++max)
        BOOST_TEST(escape_foreign_tail("漢字漢字\n漢字漢字\xff\xff\xff", max).size() <= max);
}

BOOST_AUTO_TEST_CASE(invalid_utf8_is_replaced_by_maximal_subparts)
{
    const std::string mark = "\xef\xbf\xbd";
    const std::map<std::string, std::pair<std::string, std::size_t>> table = {
        {"ok \xf0\x9f\x99\x82", {"ok \xf0\x9f\x99\x82", 0}},
        {"\xff\xfe", {mark + mark, 2}},
        {"\xe6\xbc"
         "x",
            {mark + "x", 1}},
        {"\xf0\x9f\x99", {mark, 1}},
        {"\xc0\x80", {mark + mark, 2}},
        {"\xed\xa0\x80", {mark + mark + mark, 3}},
        {"\xe0\x80\x80", {mark + mark + mark, 3}},
    };
    for (const auto& [text, expected] : table) {
        std::size_t replaced = 0;
        BOOST_TEST(repair_utf8(text, replaced) == expected.first);
        BOOST_TEST(replaced == expected.second);
    }
}

BOOST_AUTO_TEST_SUITE_END()
