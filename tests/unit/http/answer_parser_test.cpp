// Answers in pieces of any size, good ones and bad ones.
#include "transport/http/answer_parser.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace mcp_pool::transport::http;
using part = answer_parser::part;

namespace {

// What came of an answer.
struct outcome
{
    unsigned status = 0;
    std::string reason;
    header_fields fields;
    std::optional<std::uint64_t> length;
    std::string body;
    bool complete = false;
    bool keeps_alive = false;
    std::string rest;
    mcp_pool::error_code code;
    std::string words;
    std::size_t pieces = 0;
};

class reader
{
public:
    explicit reader(const exchange_limits& limits = {}, bool bodiless = false)
    {
        parser_.begin(limits, bodiless);
    }

    // Everything that `bytes` bring.
    void take(std::string_view bytes)
    {
        parser_.feed(bytes);
        for (;;) {
            switch (parser_.next()) {
            case part::need_more:
                return;
            case part::head: {
                answer_head head = parser_.take_head();
                result.status = head.status;
                result.reason = std::move(head.reason);
                result.fields = std::move(head.fields);
                result.length = head.content_length;
                break;
            }
            case part::body:
                BOOST_TEST(!parser_.piece().empty());
                result.body += parser_.piece();
                ++result.pieces;
                break;
            case part::end:
                return complete();
            case part::bad:
                return refuse();
            }
        }
    }

    void end_of_connection()
    {
        if (parser_.finish() == part::end)
            complete();
        else
            refuse();
    }

    [[nodiscard]] bool over() const { return result.complete || result.code; }

    outcome result;

private:
    void complete()
    {
        result.complete = true;
        result.keeps_alive = parser_.keeps_alive();
        result.rest = std::string(parser_.rest());
    }
    void refuse()
    {
        result.code = parser_.code();
        result.words = parser_.words();
        BOOST_TEST(static_cast<int>(parser_.next()) == static_cast<int>(part::bad));
    }

    answer_parser parser_;
};

// In pieces of `size` bytes; each piece lives in a buffer of its own and no longer than its turn.
outcome read(const std::string& text, std::size_t size = std::string::npos,
    const exchange_limits& limits = {}, bool bodiless = false, bool until_end = false)
{
    reader r(limits, bodiless);
    for (std::size_t at = 0; at < text.size() && !r.over(); at += std::min(size, text.size())) {
        const std::vector<char> piece(text.begin() + static_cast<std::ptrdiff_t>(at),
            text.begin()
                + static_cast<std::ptrdiff_t>(
                    std::min(text.size(), at + std::min(size, text.size()))));
        r.take({piece.data(), piece.size()});
    }
    if (until_end && !r.over())
        r.end_of_connection();
    return r.result;
}

exchange_limits limited(std::uint64_t body, std::size_t header = 64 << 10, std::size_t fields = 256)
{
    exchange_limits limits;
    limits.max_body_bytes = body;
    limits.max_header_bytes = header;
    limits.max_fields = fields;
    return limits;
}

void is_refused(const outcome& got, http_errc code, std::string_view words)
{
    BOOST_TEST(!got.complete);
    BOOST_TEST(got.code == make_error_code(code), got.code.message() << ": " << got.words);
    BOOST_TEST(got.words.find(words) != std::string::npos, got.words);
}

const std::string with_length = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                "Content-Length: 13\r\nX-Empty:\r\n\r\n{\"answer\":42}";
const std::string in_chunks =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    "1\r\n{\r\n00a;name=value;q=\"a b\"\r\n\"answer\":4\r\n02\r\n2}\r\n0;last\r\n"
    "X-Trailer: t\r\nY: z\r\n\r\n";

} // namespace

BOOST_AUTO_TEST_SUITE(answers_in_pieces)

BOOST_AUTO_TEST_CASE(an_answer_with_a_length_is_read)
{
    const outcome got = read(with_length);
    BOOST_TEST(got.complete);
    BOOST_TEST(got.status == 200u);
    BOOST_TEST(got.reason == "OK");
    BOOST_TEST(got.length.value() == 13u);
    BOOST_TEST(got.body == "{\"answer\":42}");
    BOOST_TEST(got.keeps_alive);
    BOOST_TEST_REQUIRE(got.fields.size() == 3u);
    BOOST_TEST(*find_field(got.fields, "content-TYPE") == "application/json");
    BOOST_TEST(*find_field(got.fields, "x-empty") == "");
    BOOST_TEST((find_field(got.fields, "x") == nullptr));
}

BOOST_AUTO_TEST_CASE(where_it_is_split_makes_no_difference)
{
    const std::string interim =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    for (const std::string& text : {with_length, interim + with_length}) {
        for (std::size_t size = 1; size <= text.size(); ++size) {
            const outcome got = read(text, size);
            BOOST_TEST(got.complete, size);
            BOOST_TEST(got.status == 200u);
            BOOST_TEST(got.body == "{\"answer\":42}");
            BOOST_TEST(got.fields.size() == 3u);
        }
    }
    // And at each place once.
    for (std::size_t at = 0; at <= with_length.size(); ++at) {
        reader r;
        r.take(with_length.substr(0, at));
        if (!r.over())
            r.take(with_length.substr(at));
        BOOST_TEST(r.result.complete, at);
        BOOST_TEST(r.result.body == "{\"answer\":42}");
    }
}

BOOST_AUTO_TEST_CASE(pieces_of_a_body_come_as_they_arrive)
{
    reader r;
    r.take("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
    BOOST_TEST(r.result.body == "ab");
    r.take("c");
    BOOST_TEST(r.result.body == "abc");
    r.take("de");
    BOOST_TEST(r.result.body == "abcde");
    BOOST_TEST(r.result.pieces == 3u);
    r.take("\r\n0\r\n\r");
    BOOST_TEST(!r.result.complete);
    r.take("\n");
    BOOST_TEST(r.result.complete);
}

BOOST_AUTO_TEST_CASE(what_comes_behind_an_answer_is_kept_apart)
{
    BOOST_TEST(read(with_length + "HTTP/1.1 ").rest == "HTTP/1.1 ");
    BOOST_TEST(read(with_length).rest == "");
}

BOOST_AUTO_TEST_CASE(a_body_can_end_with_the_connection)
{
    const std::string text = "HTTP/1.1 200 OK\r\n\r\nall of it";
    for (std::size_t size = 1; size <= text.size(); ++size) {
        const outcome got = read(text, size, {}, false, true);
        BOOST_TEST(got.complete);
        BOOST_TEST(got.body == "all of it");
        BOOST_TEST(!got.keeps_alive);
    }
}

BOOST_AUTO_TEST_CASE(what_has_no_body_ends_with_its_head)
{
    for (const char* status : {"204 No Content", "304 Not Modified"}) {
        const outcome got = read(
            std::string("HTTP/1.1 ") + status + "\r\nContent-Length: 5\r\n\r\n");
        BOOST_TEST(got.complete);
        BOOST_TEST(got.keeps_alive);
    }
    // A HEAD's answer announces what it does not bring, however much.
    const outcome head = read("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n",
        std::string::npos, limited(10), true);
    BOOST_TEST(head.complete);
    BOOST_TEST(head.length.value() == 1'000'000'000u);
    BOOST_TEST(read("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").complete);
}

BOOST_AUTO_TEST_CASE(the_server_decides_whether_the_connection_is_kept)
{
    const auto keeps = [](const std::string& version, const std::string& field) {
        return read("HTTP/" + version + " 200 OK\r\nContent-Length: 0\r\n" + field + "\r\n")
            .keeps_alive;
    };
    BOOST_TEST(keeps("1.1", ""));
    BOOST_TEST(!keeps("1.1", "Connection: close\r\n"));
    BOOST_TEST(!keeps("1.1", "Connection: x, CLOSE\r\n"));
    BOOST_TEST(!keeps("1.0", ""));
    BOOST_TEST(keeps("1.0", "Connection: keep-alive\r\n"));
}

BOOST_AUTO_TEST_CASE(a_connection_that_ends_too_early_says_where)
{
    for (std::size_t end = 0; end < with_length.size(); ++end) {
        const outcome got = read(with_length.substr(0, end), 7, {}, false, true);
        BOOST_TEST(!got.complete, end);
        BOOST_TEST(
            got.code == make_error_code(end == 0 ? http_errc::no_answer : http_errc::truncated));
    }
    for (std::size_t end = 1; end < in_chunks.size(); ++end)
        BOOST_TEST(read(in_chunks.substr(0, end), 7, {}, false, true).code
                == make_error_code(http_errc::truncated),
            end);
    // After interim answers alone there is no answer, but it had begun.
    BOOST_TEST(read("HTTP/1.1 100 Continue\r\n\r\n", 100, {}, false, true).code
        == make_error_code(http_errc::truncated));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(chunks)

BOOST_AUTO_TEST_CASE(extensions_and_trailers_are_left_out_wherever_it_is_split)
{
    for (std::size_t size = 1; size <= in_chunks.size(); ++size) {
        const outcome got = read(in_chunks, size);
        BOOST_TEST(got.complete, size);
        BOOST_TEST(got.body == "{\"answer\":42}");
        BOOST_TEST(got.fields.size() == 1u);
        BOOST_TEST(!got.length.has_value());
        BOOST_TEST(got.keeps_alive);
    }
}

BOOST_AUTO_TEST_CASE(what_is_no_chunk_is_refused)
{
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const char* bad : {"x\r\n", "\r\n", "-1\r\n", "0x5\r\nabcde\r\n\r\n", "5 5\r\nabcde\r\n",
             "5\r\nabcdeXX0\r\n\r\n", "1ffffffffffffffff\r\n", "5;\x01=\r\nabcde\r\n"}) {
        for (std::size_t size = 1; size <= 40; ++size) {
            const outcome got = read(head + bad, size);
            BOOST_TEST((got.code == make_error_code(http_errc::malformed)
                           || got.code == make_error_code(http_errc::body_too_large)),
                bad << " by " << size);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_chunk_beyond_the_limit_is_refused_when_it_is_announced)
{
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const outcome got = read(head + "a\r\n0123456789\r\n40000000\r\n", 1, limited(1 << 20));
    is_refused(got, http_errc::body_too_large, "10 + 1073741824 bytes; at most 1048576");
    // Exactly the limit passes, in however many chunks.
    BOOST_TEST(read(head + "4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n", 3, limited(10)).complete);
    is_refused(read(head + "4\r\n0123\r\n7\r\n4567890\r\n0\r\n\r\n", 3, limited(10)),
        http_errc::body_too_large, "4 + 7 bytes");
}

BOOST_AUTO_TEST_CASE(extensions_and_trailers_are_bounded)
{
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    // One that never ends, and many that do.
    is_refused(read(head + "1;" + std::string(5000, 'x'), 100, limited(0, 1000)),
        http_errc::header_too_large, "exceed 1000 bytes");
    is_refused(read(head + "0\r\nX: " + std::string(5000, 'x'), 100, limited(0, 1000)),
        http_errc::header_too_large, "exceed 1000 bytes");
    std::string fields = head + "0\r\n";
    for (int i = 0; i < 300; ++i)
        fields += "X: y\r\n";
    is_refused(read(fields + "\r\n", 100, limited(0, 64 << 10)), http_errc::header_too_large,
        "256 in number");
}

BOOST_AUTO_TEST_CASE(a_stream_that_lasts_may_have_an_extension_in_every_chunk)
{
    std::string text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 100; ++i)
        text += "1;" + std::string(50, 'x') + "\r\na\r\n";
    BOOST_TEST(read(text + "0\r\n\r\n", 7, limited(0, 1000)).body == std::string(100, 'a'));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(answers_that_are_refused)

BOOST_AUTO_TEST_CASE(a_gigabyte_that_is_announced_is_refused_before_it_is_told)
{
    const outcome got = read(
        "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", 10, limited(64 << 20));
    BOOST_TEST(got.status == 0u);
    is_refused(got, http_errc::body_too_large, "1073741824 bytes; at most 67108864");
    BOOST_TEST(
        read("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", 3, limited(10)).complete);
}

BOOST_AUTO_TEST_CASE(a_body_that_was_not_announced_is_bounded_too)
{
    is_refused(read("HTTP/1.1 200 OK\r\n\r\n" + std::string(100, 'x'), 7, limited(50)),
        http_errc::body_too_large, "at most 50");
}

BOOST_AUTO_TEST_CASE(a_flood_of_fields_is_refused_however_it_comes)
{
    std::string fields = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 1000; ++i)
        fields += "X: 0123456789\r\n";
    for (const std::size_t size : {std::size_t{1}, std::size_t{100}, std::string::npos})
        is_refused(read(fields + "\r\n", size, limited(0, 2000, 0)), http_errc::header_too_large,
            "exceed 2000 bytes");
    // Each message for itself may be within the limit, and all of them together over it.
    std::string interim;
    for (int i = 0; i < 5; ++i)
        interim += "HTTP/1.1 103 Early Hints\r\nLink: " + std::string(500, 'x') + "\r\n\r\n";
    BOOST_TEST(read(interim + with_length, 100, limited(0, 3000)).complete);
    is_refused(read(interim + with_length, 100, limited(0, 2000)), http_errc::header_too_large,
        "exceed 2000 bytes");
    is_refused(
        read(fields + "\r\n", 100, limited(0, 0, 50)), http_errc::header_too_large, "50 in number");
    is_refused(read("HTTP/1.1 200 OK\r\nX: " + std::string(5000, 'x'), 10, limited(0, 1000)),
        http_errc::header_too_large, "");
    is_refused(read("HTTP/1.1 200 " + std::string(5000, 'x'), 10, limited(0, 1000)),
        http_errc::header_too_large, "");
}

BOOST_AUTO_TEST_CASE(a_field_at_a_time_is_a_flood_as_well)
{
    // Each packet ends where a field ends: a parser that forgets what it understood has no limit.
    reader r(limited(0, 2000, 0));
    r.take("HTTP/1.1 200 OK\r\n");
    std::size_t fields = 0;
    for (; !r.over() && fields < 10'000; ++fields)
        r.take("X: 0123456789\r\n");
    BOOST_TEST(fields < 140u);
    is_refused(r.result, http_errc::header_too_large, "exceed 2000 bytes");
}

BOOST_AUTO_TEST_CASE(interim_answers_are_skipped_up_to_a_number)
{
    std::string text;
    for (int i = 0; i < 16; ++i)
        text += "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n";
    BOOST_TEST(read(text + with_length, 11).complete);
    is_refused(read(text + "HTTP/1.1 102 Processing\r\n\r\n", 11), http_errc::header_too_large,
        "more than 16 interim answers");
    is_refused(
        read("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        http_errc::malformed, "another protocol");
}

BOOST_AUTO_TEST_CASE(two_opinions_of_where_a_body_ends_are_refused)
{
    for (const char* fields : {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
             "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
             "Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5, 6\r\n",
             "Content-Length: -5\r\n", "Content-Length: 0x5\r\n",
             "Content-Length: 99999999999999999999\r\n", "Content-Length: \r\n",
             "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: gzip, chunked\r\n",
             "Transfer-Encoding: identity\r\n",
             "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"})
        BOOST_TEST(read(std::string("HTTP/1.1 200 OK\r\n") + fields + "\r\n5\r\nabcde").code
                == make_error_code(http_errc::malformed),
            fields);
    is_refused(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: x\n\r\n\r\n"), http_errc::malformed, "");
    is_refused(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: br\r\n\r\n"), http_errc::malformed,
        "its transfer coding is \"br\"; only chunked is allowed");
}

BOOST_AUTO_TEST_CASE(what_is_no_http_is_refused)
{
    for (const char* bad : {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/2.0 200 OK\r\n\r\n",
             "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 X\r\n\r\n",
             "HTTP/1.1 200 OK\nX: y\n\n", "HTTP/1.1 200 OK\r\nX\r\n\r\n",
             "HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "HTTP/1.1 200 OK\r\n\x01: y\r\n\r\n",
             "HTTP/1.1 200 OK\r\nX: \x01\r\n\r\n", "<html>not found</html>",
             "\r\n\r\n<html></html>", "\x15\x03\x03\x01\x02\x02\x16 and more"}) {
        BOOST_TEST(read(std::string(bad)).code == make_error_code(http_errc::malformed), bad);
        // In single bytes it may take until the end of a line, or of the connection, to see it.
        const outcome slow = read(std::string(bad), 1, {}, false, true);
        BOOST_TEST((slow.code == make_error_code(http_errc::malformed)
                       || slow.code == make_error_code(http_errc::truncated)),
            bad);
    }
}

BOOST_AUTO_TEST_CASE(a_stream_can_be_given_another_limit_once_its_head_is_known)
{
    answer_parser parser;
    parser.begin(limited(10), false);
    parser.feed("HTTP/1.1 200 OK\r\n\r\n");
    BOOST_TEST(static_cast<int>(parser.next()) == static_cast<int>(part::head));
    parser.limit_body(0);
    BOOST_TEST(static_cast<int>(parser.next()) == static_cast<int>(part::need_more));
    const std::string much(1000, 'x');
    parser.feed(much);
    BOOST_TEST(static_cast<int>(parser.next()) == static_cast<int>(part::body));
    BOOST_TEST(parser.piece().size() == 1000u);
}

BOOST_AUTO_TEST_SUITE_END()
