// The framing of stdio: bytes in any pieces, lines out.
#include "rpc/line_assembler.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

using mcp_pool::rpc::line_assembler;

namespace {

using lines = std::vector<std::string>;

lines pull(line_assembler& assembler, std::string_view chunk)
{
    lines result;
    assembler.feed(chunk);
    while (const auto line = assembler.next())
        result.emplace_back(*line);
    return result;
}

// The same stream in pieces of `size` bytes.
lines pull_in_pieces(line_assembler& assembler, std::string_view stream, std::size_t size)
{
    lines result;
    for (; !stream.empty(); stream.remove_prefix(std::min(size, stream.size()))) {
        for (std::string& line : pull(assembler, stream.substr(0, size)))
            result.push_back(std::move(line));
    }
    return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(line_assembly)

BOOST_AUTO_TEST_CASE(a_whole_line_is_handed_out_in_place)
{
    line_assembler assembler(100);
    const std::string chunk = "{\"a\":1}\n{\"b\":2}\n";
    assembler.feed(chunk);
    const auto first = assembler.next();
    BOOST_REQUIRE(first);
    BOOST_TEST(*first == "{\"a\":1}");
    BOOST_TEST((first->data() == chunk.data()));
    const auto second = assembler.next();
    BOOST_REQUIRE(second);
    BOOST_TEST((second->data() == chunk.data() + 8));
    BOOST_TEST(!assembler.next());
    BOOST_TEST(assembler.kept() == 0U);
}

BOOST_AUTO_TEST_CASE(lines_are_the_same_however_the_stream_is_cut)
{
    const std::string stream = "one\r\n\n\r\ntwo\n" + std::string(3000, 'x') + "\nlast\r\n";
    const lines expected{"one", "two", std::string(3000, 'x'), "last"};
    for (std::size_t size = 1; size <= stream.size(); size += size < 16 ? 1 : 97) {
        line_assembler assembler(3000);
        BOOST_TEST(
            pull_in_pieces(assembler, stream, size) == expected, boost::test_tools::per_element());
        BOOST_TEST(!assembler.finish());
    }
}

BOOST_AUTO_TEST_CASE(only_the_last_carriage_return_belongs_to_the_line_end)
{
    line_assembler assembler(100);
    const lines expected{"a\rb\r", "c"};
    BOOST_TEST(pull(assembler, "a\rb\r\r\nc\n") == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_line_of_exactly_the_limit_passes)
{
    for (const std::string_view end : {"\n", "\r\n"}) {
        const std::string stream = "12345678" + std::string(end);
        for (std::size_t size = 1; size <= stream.size(); ++size) {
            line_assembler assembler(8);
            BOOST_TEST(pull_in_pieces(assembler, stream, size) == lines{"12345678"},
                boost::test_tools::per_element());
            BOOST_TEST(!assembler.oversized());
        }
    }
}

BOOST_AUTO_TEST_CASE(a_longer_line_is_given_up_and_nothing_comes_after_it)
{
    for (std::size_t size = 1; size <= 14; ++size) {
        line_assembler assembler(8);
        BOOST_TEST(pull_in_pieces(assembler, "ok\n123456789\nok\n", size) == lines{"ok"},
            boost::test_tools::per_element());
        BOOST_TEST(assembler.oversized());
        BOOST_TEST(assembler.oversized_bytes() >= 9U);
        BOOST_TEST(!assembler.finish());
    }
}

BOOST_AUTO_TEST_CASE(what_is_kept_never_exceeds_the_limit_by_more_than_a_carriage_return)
{
    line_assembler assembler(1000);
    std::size_t most = 0;
    const std::string piece(7, 'x');
    for (int i = 0; i < 1000; ++i) {
        BOOST_TEST(pull(assembler, piece).empty());
        most = std::max(most, assembler.kept());
    }
    BOOST_TEST(most <= 1001U);
    BOOST_TEST(assembler.oversized());
    BOOST_TEST(assembler.kept() == 0U);
}

BOOST_AUTO_TEST_CASE(the_rest_without_a_line_end_comes_out_at_the_end)
{
    line_assembler assembler(100);
    BOOST_TEST(
        pull(assembler, "whole\nhalf\r") == lines{"whole"}, boost::test_tools::per_element());
    const auto rest = assembler.finish();
    BOOST_REQUIRE(rest);
    BOOST_TEST(*rest == "half");
}

BOOST_AUTO_TEST_CASE(bytes_of_any_value_pass_unchanged)
{
    line_assembler assembler(100);
    const std::string line("a\0b\xff\x80", 5);
    BOOST_TEST(pull(assembler, line + "\n") == lines{line}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_huge_line_in_many_pieces_is_assembled)
{
    // A search from the start of the line at each piece would take minutes here.
    constexpr std::size_t size = std::size_t{32} << 20;
    line_assembler assembler(size);
    const std::string piece(512, 'x');
    for (std::size_t fed = 0; fed < size; fed += piece.size())
        BOOST_REQUIRE(pull(assembler, piece).empty());
    assembler.feed("\n");
    const auto line = assembler.next();
    BOOST_REQUIRE(line);
    BOOST_TEST(line->size() == size);
}

BOOST_AUTO_TEST_SUITE_END()
