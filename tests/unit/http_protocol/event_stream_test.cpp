// The framing of MCP over HTTP: bytes in any pieces, events out.
#include "rpc/event_stream.hpp"

#include <boost/test/unit_test.hpp>

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
using mcp_pool::rpc::event_stream;

namespace {

// What a stream has said.
struct outcome
{
    // "type|data", in order.
    std::vector<std::string> events;
    std::string last_id = "(none)";
    long long retry = -1;
    std::uint64_t said = 0;

    bool operator==(const outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const outcome& o)
{
    for (const std::string& e : o.events)
        out << '[' << e << ']';
    return out << " id " << o.last_id << " retry " << o.retry << " said " << o.said;
}

void pull(event_stream& stream, std::string_view chunk, outcome& into)
{
    stream.feed(chunk);
    while (const auto event = stream.next())
        into.events.push_back(std::string(event->type) + '|' + std::string(event->data));
}

outcome finish(const event_stream& stream, outcome seen)
{
    if (stream.last_event_id())
        seen.last_id = *stream.last_event_id();
    if (stream.retry())
        seen.retry = stream.retry()->count();
    seen.said = stream.events();
    return seen;
}

// The chunks are copies of their own, so that the sanitizer sees a look beyond one.
outcome read(const std::vector<std::string>& chunks, std::size_t max = 1000)
{
    event_stream stream(max);
    outcome seen;
    for (const std::string& chunk : chunks)
        pull(stream, chunk, seen);
    return finish(stream, seen);
}

outcome expect(std::vector<std::string> events, std::string last_id = "(none)",
    long long retry = -1, std::uint64_t said = 0)
{
    outcome o;
    o.events = std::move(events);
    o.last_id = std::move(last_id);
    o.retry = retry;
    o.said = said;
    return o;
}

struct example
{
    const char* what;
    std::string stream;
    outcome seen;
};

std::vector<example> examples()
{
    using namespace std::string_literals;
    return {
        {"one event", "data: {}\n\n", expect({"|{}"}, "(none)", -1, 1)},
        {"CR", "data: {}\r\rdata: 1\r\r", expect({"|{}", "|1"}, "(none)", -1, 2)},
        {"CRLF", "data: {}\r\n\r\ndata: 1\r\n\r\n", expect({"|{}", "|1"}, "(none)", -1, 2)},
        {"mixed line ends", "data: 1\r\n\ndata: 2\n\r\ndata: 3\r\n\rdata: 4\n\r",
            expect({"|1", "|2", "|3", "|4"}, "(none)", -1, 4)},
        {"LF behind CRLF ends an event", "data: 1\r\n\ndata: 2\n\n",
            expect({"|1", "|2"}, "(none)", -1, 2)},
        {"several data lines", "data: a\ndata: b\ndata\ndata:c\n\n",
            expect({"|a\nb\n\nc"}, "(none)", -1, 1)},
        {"several data lines with CRLF", "data: a\r\ndata: b\r\n\r\n",
            expect({"|a\nb"}, "(none)", -1, 1)},
        {"two empty data lines are a line end", "data\ndata\n\n", expect({"|\n"}, "(none)", -1, 1)},
        {"only the first space goes", "data:  a \n\ndata:b\n\n",
            expect({"| a ", "|b"}, "(none)", -1, 2)},
        {"a type", "event: message\ndata: 1\n\nevent: ping\ndata: 2\n\ndata: 3\n\n",
            expect({"message|1", "ping|2", "|3"}, "(none)", -1, 3)},
        {"the last type counts", "event: a\nevent:b\ndata: 1\n\n",
            expect({"b|1"}, "(none)", -1, 1)},
        {"a type without data is forgotten", "event: ping\n\ndata: 1\n\n",
            expect({"|1"}, "(none)", -1, 1)},
        {"comments", ": hello\n:\ndata: 1\n: between\ndata: 2\n\n:\n\n",
            expect({"|1\n2"}, "(none)", -1, 1)},
        {"unknown fields", "datum: 1\ndat: 2\nDATA: 3\nid2: 4\ndata : 5\n\n", expect({})},
        {"a priming event", "id: 7\ndata:\n\n", expect({}, "7", -1, 1)},
        {"a priming event without data", "id: 7\n\n", expect({}, "7", -1, 1)},
        {"the conformance suite's stream", "id: event-0\nretry: 500\ndata: \n\n",
            expect({}, "event-0", 500, 1)},
        {"ids last until the next", "id: 1\ndata: a\n\ndata: b\n\n",
            expect({"|a", "|b"}, "1", -1, 2)},
        {"an empty id takes the id back", "id: 1\ndata: a\n\nid\ndata: b\n\n",
            expect({"|a", "|b"}, "", -1, 2)},
        {"an id with NUL is none", "id: 1\ndata: a\n\nid: 2\0 3\ndata: b\n\n"s,
            expect({"|a", "|b"}, "1", -1, 2)},
        {"retry", "retry: 1500\n\n", expect({}, "(none)", 1500, 1)},
        {"retry takes digits only",
            "retry: 10\nretry: 1.5\nretry: -1\nretry: +1\nretry:\nretry: 1 "
            "\nretry: 0x1\nretry:  2\n\n",
            expect({}, "(none)", 10, 1)},
        {"retry counts before its event is complete", "retry: 250\n", expect({}, "(none)", 250, 0)},
        {"retry without end", "retry: 99999999999999999999999999\n\n",
            expect({}, "(none)", std::chrono::milliseconds::max().count(), 1)},
        {"a byte order mark",
            "\xef\xbb\xbf"
            "data: 1\n\n",
            expect({"|1"}, "(none)", -1, 1)},
        {"half a byte order mark",
            "\xef\xbb"
            "data: 1\ndata: 2\n\n",
            expect({"|2"}, "(none)", -1, 1)},
        {"a second byte order mark",
            "\xef\xbb\xbf\xef\xbb\xbf"
            "data: 1\n\n",
            expect({})},
        {"a byte order mark and nothing", "\xef\xbb\xbf\n\n", expect({})},
        {"the end cuts an event off", "id: 1\ndata: a\n\nid: 2\ndata: b\n",
            expect({"|a"}, "1", -1, 1)},
        {"empty lines", "\n\r\n\r\r\n\n", expect({})},
        {"nothing", "", expect({})},
        {"any bytes", "data: \0\xff\x80\xe6\xbc\n\n"s,
            expect({"|\0\xff\x80\xe6\xbc"s}, "(none)", -1, 1)},
        {"a colon in the data", "data: {\"a\":\"b: c\"}\n\n",
            expect({"|{\"a\":\"b: c\"}"}, "(none)", -1, 1)},
    };
}

} // namespace

BOOST_AUTO_TEST_SUITE(event_streams)

BOOST_AUTO_TEST_CASE(a_stream_says_what_the_standard_says)
{
    for (const example& e : examples())
        BOOST_TEST_CONTEXT(e.what)
    BOOST_TEST(read({e.stream}) == e.seen);
}

BOOST_AUTO_TEST_CASE(events_are_the_same_wherever_the_stream_is_cut)
{
    for (const example& e : examples()) {
        const std::string& s = e.stream;
        for (std::size_t i = 0; i <= s.size(); ++i)
            for (std::size_t k = i; k <= s.size(); ++k) {
                const outcome seen = read({s.substr(0, i), s.substr(i, k - i), s.substr(k)});
                if (!(seen == e.seen))
                    BOOST_TEST(seen == e.seen, e.what << ", cut at " << i << " and " << k);
            }
        std::vector<std::string> bytes;
        for (const char c : s)
            bytes.emplace_back(1, c);
        BOOST_TEST(read(bytes) == e.seen, e.what << ", byte by byte");
    }
}

BOOST_AUTO_TEST_CASE(an_id_counts_once_its_event_is_complete)
{
    // A client that resumed behind an event that it has not seen would lose it.
    event_stream stream(100);
    outcome seen;
    pull(stream, "id: 1\ndata: a\n\nid: 2\nda", seen);
    BOOST_TEST(*stream.last_event_id() == "1");
    pull(stream, "ta: b\n", seen);
    BOOST_TEST(*stream.last_event_id() == "1");
    pull(stream, "\n", seen);
    BOOST_TEST(*stream.last_event_id() == "2");
}

BOOST_AUTO_TEST_CASE(only_events_without_a_type_or_of_the_type_message_are_messages)
{
    event_stream stream(100);
    stream.feed("data: 1\n\nevent: message\ndata: 2\n\nevent: endpoint\ndata: 3\n\n");
    BOOST_TEST(stream.next()->is_message());
    BOOST_TEST(stream.next()->is_message());
    BOOST_TEST(!stream.next()->is_message());
    BOOST_TEST(!stream.next());
}

BOOST_AUTO_TEST_CASE(data_of_exactly_the_limit_passes)
{
    for (const std::string_view stream : {"data: 12345678\n\n", "data: 123\ndata: 5678\r\n\r\n",
             "data: 1234567\ndata\n\n", "id: 0123456789\ndata:12345678\n\n"}) {
        for (std::size_t size = 1; size <= stream.size(); ++size) {
            event_stream parser(8);
            outcome seen;
            for (std::string_view rest = stream; !rest.empty();
                 rest.remove_prefix(std::min(size, rest.size())))
                pull(parser, rest.substr(0, size), seen);
            BOOST_TEST(seen.events.size() == 1U);
            BOOST_TEST(!parser.oversized());
        }
    }
}

BOOST_AUTO_TEST_CASE(a_larger_event_is_given_up_and_nothing_comes_after_it)
{
    for (const std::string_view stream : {"data: ok\n\ndata: 123456789\n\ndata: ok\n\n",
             "data: ok\n\ndata: 12345678\ndata\n\ndata: ok\n\n",
             "data: ok\n\ndata: 12345678\ndata: 9\n\n"})
        for (std::size_t size = 1; size <= stream.size(); ++size) {
            event_stream parser(8);
            outcome seen;
            for (std::string_view rest = stream; !rest.empty();
                 rest.remove_prefix(std::min(size, rest.size())))
                pull(parser, rest.substr(0, size), seen);
            BOOST_TEST(
                seen.events == std::vector<std::string>{"|ok"}, boost::test_tools::per_element());
            BOOST_TEST(parser.oversized());
            BOOST_TEST(parser.oversized_bytes() >= 9U);
            BOOST_TEST(parser.kept() == 0U);
        }
}

BOOST_AUTO_TEST_CASE(floods_of_every_kind_are_bounded)
{
    const std::size_t limit = 1000;
    const std::string flood(97, 'x');
    for (const std::string_view begin :
        {"data: ", "id: ", "event: ", "retry: ", ": ", "unknown: ", "", "data"}) {
        event_stream stream(limit);
        outcome seen;
        pull(stream, begin, seen);
        std::size_t most = 0;
        for (int i = 0; i < 1000; ++i) {
            pull(stream, flood, seen);
            most = std::max(most, stream.kept());
        }
        BOOST_TEST(most <= std::max(limit, event_stream::max_field_bytes), begin);
        BOOST_TEST(stream.oversized() == (begin == "data: "), begin);
        BOOST_TEST(seen.events.empty(), begin);
    }
    for (const std::string_view line : {"data\n", "data:\n", "data: \r\n", "data:x\r"}) {
        event_stream stream(limit);
        outcome seen;
        std::size_t most = 0;
        for (int i = 0; i < 2000; ++i) {
            pull(stream, line, seen);
            most = std::max(most, stream.kept());
        }
        BOOST_TEST(most <= limit, line);
        BOOST_TEST(stream.oversized(), line);
    }
}

BOOST_AUTO_TEST_CASE(an_id_that_is_too_long_to_keep_makes_the_stream_unresumable)
{
    const std::string longest(event_stream::max_field_bytes, 'x');
    BOOST_TEST(read({"id: " + longest + "\n\n"}).last_id == longest);
    BOOST_TEST(read({"id: 1\n\nid: " + longest + "x\n\n"}).last_id.empty());
    BOOST_TEST(read({"id: 1\n\nid: " + longest, "xx", "x\n\nid: 2\n\n"}).last_id == "2");
}

BOOST_AUTO_TEST_CASE(a_huge_event_in_many_pieces_is_assembled)
{
    // A copy or a search from its beginning at each piece would take minutes.
    constexpr std::size_t size = std::size_t{32} << 20;
    event_stream stream(size);
    stream.feed("data: ");
    BOOST_REQUIRE(!stream.next());
    const std::string piece(512, 'x');
    for (std::size_t fed = 0; fed < size; fed += piece.size()) {
        stream.feed(piece);
        BOOST_REQUIRE(!stream.next());
    }
    stream.feed("\n\ndata: small\n\n");
    const auto event = stream.next();
    BOOST_REQUIRE(event);
    BOOST_TEST(event->data.size() == size);
    BOOST_TEST(stream.next()->data == "small");
}

BOOST_AUTO_TEST_CASE(a_huge_chunk_of_short_lines_is_searched_once)
{
    // Lines end with CR; a search for LF to the end of the chunk at each of them would take hours.
    std::string chunk;
    constexpr std::size_t lines = std::size_t{4} << 20;
    chunk.reserve(lines * 2 + 16);
    for (std::size_t i = 0; i < lines; ++i)
        chunk += ":\r";
    chunk += "data: end\r\r";
    event_stream stream(100);
    stream.feed(chunk);
    const auto event = stream.next();
    BOOST_REQUIRE(event);
    BOOST_TEST(event->data == "end");
}

BOOST_AUTO_TEST_SUITE_END()
