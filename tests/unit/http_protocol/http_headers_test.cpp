// Header fields of messages on their way to a server over HTTP.
#include "protocol/http_headers.hpp"
#include "protocol/tool_headers.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <map>
#include <string>

using namespace mcp_pool;
using namespace mcp_pool::protocol;

namespace {

// "name: value" per field.
std::vector<std::string> lines(const header_fields& fields)
{
    std::vector<std::string> result;
    for (const header_field& f : fields)
        result.push_back(f.name + ": " + f.value);
    return result;
}

json::object object(std::string_view text)
{
    return json::parse(text).as_object();
}

http_session modern()
{
    http_session s;
    s.era = era::modern;
    s.version = "2026-07-28";
    // What a server gives all the same.
    s.session_id = "never-sent";
    return s;
}

http_session legacy(std::string version, std::string id = {})
{
    http_session s;
    s.version = std::move(version);
    s.session_id = std::move(id);
    return s;
}

using expected = std::vector<std::string>;

void check(const header_fields& fields, const expected& wanted)
{
    BOOST_TEST(lines(fields) == wanted, boost::test_tools::per_element());
}

const std::string content = "Content-Type: application/json";
const std::string accepts = "Accept: application/json, text/event-stream";

// Undoes the encoding as a server does.
std::string decoded(std::string_view value)
{
    constexpr std::string_view begin = "=?base64?", end = "?=";
    if (!value.starts_with(begin) || !value.ends_with(end))
        return std::string(value);
    value.remove_prefix(begin.size());
    value.remove_suffix(end.size());
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bytes;
    BOOST_TEST_REQUIRE(value.size() % 4 == 0U);
    for (; !value.empty(); value.remove_prefix(4)) {
        unsigned bits = 0;
        std::size_t size = 3;
        for (std::size_t i = 0; i < 4; ++i) {
            if (value[i] == '=')
                --size;
            else
                BOOST_TEST_REQUIRE(alphabet.find(value[i]) != std::string_view::npos);
            bits = bits << 6
                | (value[i] == '=' ? 0U : static_cast<unsigned>(alphabet.find(value[i])));
        }
        for (std::size_t i = 0; i < size; ++i)
            bytes += static_cast<char>(bits >> (16 - 8 * i) & 0xffU);
    }
    return bytes;
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_header_fields)

BOOST_AUTO_TEST_CASE(a_modern_request_says_in_fields_what_it_says_in_its_body)
{
    const header_result call = post_headers(modern(), "tools/call",
        object(R"({"name":"get_weather","arguments":{"location":"Oslo"}})"));
    check(call.fields,
        {content, accepts, "MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call",
            "Mcp-Name: get_weather"});
    BOOST_TEST(call.fault.empty());
    check(
        post_headers(modern(), "resources/read", object(R"({"uri":"file:///a%20b.json"})")).fields,
        {content, accepts, "MCP-Protocol-Version: 2026-07-28", "Mcp-Method: resources/read",
            "Mcp-Name: file:///a%20b.json"});
    check(post_headers(modern(), "prompts/get", object(R"({"name":"p"})")).fields,
        {content, accepts, "MCP-Protocol-Version: 2026-07-28", "Mcp-Method: prompts/get",
            "Mcp-Name: p"});
    check(post_headers(modern(), "tools/list", object(R"({"name":"no"})")).fields,
        {content, accepts, "MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/list"});
    check(post_headers(modern(), "notifications/cancelled", {}).fields,
        {content, accepts, "MCP-Protocol-Version: 2026-07-28",
            "Mcp-Method: notifications/cancelled"});
}

BOOST_AUTO_TEST_CASE(a_name_that_a_field_cannot_hold_is_encoded)
{
    const auto name_in = [](const json::object& params) {
        return post_headers(modern(), "tools/call", params).fields.back().value;
    };
    json::object params;
    params["name"] = "Hello, 世界";
    BOOST_TEST(name_in(params) == "=?base64?SGVsbG8sIOS4lueVjA==?=");
    params["name"] = "x\r\nEvil: 1";
    BOOST_TEST(name_in(params) == "=?base64?eA0KRXZpbDogMQ==?=");
}

BOOST_AUTO_TEST_CASE(a_name_that_is_none_is_left_to_the_server_to_refuse)
{
    for (const char* params : {"{}", R"({"name":1})", R"({"uri":"a"})", R"({"name":null})"}) {
        const header_result call = post_headers(modern(), "tools/call", object(params));
        BOOST_TEST(call.fault.empty());
        BOOST_TEST(call.fields.back().name == "Mcp-Method");
    }
}

BOOST_AUTO_TEST_CASE(a_legacy_session_sends_its_version_and_id_with_everything_but_initialize)
{
    check(post_headers(legacy("", "stale"), "initialize", {}).fields, {content, accepts});
    check(post_headers(legacy("2025-11-25", "abc"), "initialize", {}).fields, {content, accepts});
    check(post_headers(legacy("2025-11-25", "abc"), "tools/call", object(R"({"name":"t"})")).fields,
        {content, accepts, "MCP-Protocol-Version: 2025-11-25", "Mcp-Session-Id: abc"});
    // An answer to a request of the server.
    check(post_headers(legacy("2025-06-18", "abc"), "", {}).fields,
        {content, accepts, "MCP-Protocol-Version: 2025-06-18", "Mcp-Session-Id: abc"});
    check(post_headers(legacy("2025-06-18"), "ping", {}).fields,
        {content, accepts, "MCP-Protocol-Version: 2025-06-18"});
}

BOOST_AUTO_TEST_CASE(revisions_before_the_version_field_do_not_get_it)
{
    for (const char* version : {"2024-11-05", "2025-03-26"})
        check(post_headers(legacy(version, "abc"), "ping", {}).fields,
            {content, accepts, "Mcp-Session-Id: abc"});
}

BOOST_AUTO_TEST_CASE(the_stream_and_the_end_of_a_legacy_session)
{
    check(get_headers(legacy("2025-11-25", "abc")),
        {"Accept: text/event-stream", "MCP-Protocol-Version: 2025-11-25", "Mcp-Session-Id: abc"});
    check(get_headers(legacy("2025-11-25", "abc"), "event 7"),
        {"Accept: text/event-stream", "MCP-Protocol-Version: 2025-11-25", "Mcp-Session-Id: abc",
            "Last-Event-ID: event 7"});
    check(delete_headers(legacy("2025-11-25", "abc")),
        {"MCP-Protocol-Version: 2025-11-25", "Mcp-Session-Id: abc"});
}

BOOST_AUTO_TEST_CASE(values_are_encoded_as_the_specification_shows)
{
    // Source: MCP 2026-07-28, basic/transports/streamable-http, "Value Encoding".
    const std::map<std::string, std::string> table = {
        {"us-west1", "us-west1"},
        {"Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="},
        {" padded ", "=?base64?IHBhZGRlZCA=?="},
        {"line1\nline2", "=?base64?bGluZTEKbGluZTI=?="},
        {"=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="},
        // Beyond the examples.
        {"", ""},
        {"us west 1", "us west 1"},
        {" us-west1", "=?base64?IHVzLXdlc3Qx?="},
        {"us-west1 ", "=?base64?dXMtd2VzdDEg?="},
        {"line1\r\nline2", "=?base64?bGluZTENCmxpbmUy?="},
        {"\tindented", "=?base64?CWluZGVudGVk?="},
        {"in\tside", "=?base64?aW4Jc2lkZQ==?="},
        {"=?base64?literal", "=?base64?literal"},
        {"literal?=", "literal?="},
        {"=?BASE64?literal?=", "=?BASE64?literal?="},
        {"=?base64?=", "=?base64?PT9iYXNlNjQ/PQ==?="},
        {"\x7f", "=?base64?fw==?="},
        {std::string("\0", 1), "=?base64?AA==?="},
        {"~!", "~!"},
    };
    for (const auto& [value, field] : table)
        BOOST_TEST(encode_header_value(value) == field);
}

BOOST_AUTO_TEST_CASE(every_value_is_safe_in_a_field_and_comes_back)
{
    std::string all;
    for (int c = 0; c < 256; ++c)
        all += static_cast<char>(c);
    for (std::size_t begin = 0; begin < all.size(); ++begin)
        for (std::size_t size = 0; size <= 5 && begin + size <= all.size(); ++size) {
            const std::string value = all.substr(begin, size);
            const std::string field = encode_header_value(value);
            if (!is_header_value(field) || decoded(field) != value)
                BOOST_TEST(false, "lost: byte " << begin << ", " << size << " bytes");
        }
}

BOOST_AUTO_TEST_CASE(a_method_that_no_field_can_hold_is_not_sent)
{
    for (const std::string method : {"a b", "x\r\nEvil: 1", "größe", "\x7f"}) {
        const header_result result = post_headers(modern(), method, {});
        BOOST_TEST(result.fields.empty());
        BOOST_TEST(result.fault.find("Mcp-Method") != std::string::npos);
        BOOST_TEST(result.fault.find('\n') == std::string::npos);
    }
    // Without fields for it there is nothing against it.
    BOOST_TEST(post_headers(legacy("2025-11-25"), "a b", {}).fault.empty());
}

BOOST_AUTO_TEST_CASE(a_value_that_is_too_long_is_not_sent)
{
    json::object params;
    params["name"] = std::string(max_header_value, 'x');
    BOOST_TEST(post_headers(modern(), "tools/call", params).fault.empty());
    params["name"] = std::string(max_header_value + 1, 'x');
    const header_result result = post_headers(modern(), "tools/call", params);
    BOOST_TEST(result.fields.empty());
    BOOST_TEST(result.fault
        == "the value of the header field Mcp-Name would have 8193 bytes, at most 8192 are sent");
    BOOST_TEST(!post_headers(modern(), std::string(max_header_value + 1, 'x'), {}).fault.empty());
}

BOOST_AUTO_TEST_CASE(a_session_id_is_visible_ascii_and_bounded)
{
    std::string visible;
    for (char c = 0x21; c < 0x7f; ++c)
        visible += c;
    BOOST_TEST(is_session_id(visible));
    BOOST_TEST(is_session_id(std::string(max_foreign_id, 'x')));
    BOOST_TEST(!is_session_id(std::string(max_foreign_id + 1, 'x')));
    BOOST_TEST(!is_session_id(""));
    for (const char* bad : {"a b", " a", "a\t", "a\r\nEvil: 1", "\x7f", "é", "a\x01"})
        BOOST_TEST(!is_session_id(bad));
    BOOST_TEST(!is_session_id(std::string("a\0b", 3)));
}

BOOST_AUTO_TEST_CASE(what_arrives_unchanged_without_an_encoding)
{
    for (const char* good : {"", "a", "a b", "a\tb", "größe", "!~"})
        BOOST_TEST(is_header_value(good));
    for (const char* bad : {" a", "a ", "\ta", "a\t", "a\nb", "a\rb", "\x7f", "\x01"})
        BOOST_TEST(!is_header_value(bad));
    BOOST_TEST(!is_header_value(std::string("a\0b", 3)));
    BOOST_TEST(is_header_value(std::string(max_header_value, 'x')));
    BOOST_TEST(!is_header_value(std::string(max_header_value + 1, 'x')));
}

BOOST_AUTO_TEST_SUITE_END()
