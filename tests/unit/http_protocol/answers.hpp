// What a server answers over HTTP, for tests that judge it.
#pragma once

#include "protocol/http_answer.hpp"
#include "support/print.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace mcp_pool::protocol {

inline std::ostream& boost_test_print_type(std::ostream& out, http_answer::kind k)
{
    constexpr const char* names[] = {"messages", "event stream", "accepted", "not offered",
        "redirect", "era", "session lost", "unauthorized", "failed"};
    return out << names[static_cast<std::size_t>(k)];
}

inline std::ostream& boost_test_print_type(std::ostream& out, era_verdict::kind k)
{
    constexpr const char* names[] = {"modern", "modern, once more", "legacy", "nothing in common"};
    return out << names[static_cast<std::size_t>(k)];
}

} // namespace mcp_pool::protocol

namespace http_answers_test {

using namespace mcp_pool;
using namespace mcp_pool::protocol;
using kind = http_answer::kind;
using purpose = http_sent::purpose;
using verdict = era_verdict::kind;

inline http_sent sent(purpose what, era in, bool in_session = false)
{
    http_sent e;
    e.what = what;
    e.era = in;
    e.in_session = in_session;
    e.id = 7;
    e.bytes = 5000000;
    e.origin.host = "a.example";
    e.origin.port = 80;
    e.target = "/mcp";
    return e;
}

inline const http_sent modern = sent(purpose::request, era::modern);
inline const http_sent legacy = sent(purpose::request, era::legacy);
inline const http_sent in_session = sent(purpose::request, era::legacy, true);
inline const http_sent probe = sent(purpose::probe, era::modern);

inline http_head head(unsigned status, std::string_view type = "application/json")
{
    http_head h;
    h.status = status;
    h.content_type = type;
    return h;
}

inline http_answer judge(const http_sent& exchange, const http_head& h, std::string_view body = {})
{
    rpc::reader reader;
    return judge_http(exchange, h, body, reader);
}

inline bool has(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

inline std::string error_body(int code, std::string_view message, std::string_view more = {})
{
    return R"({"jsonrpc":"2.0","id":7,"error":{"code":)" + std::to_string(code) + R"(,"message":")"
        + std::string(message) + '"' + std::string(more) + "}}";
}

inline const std::string result = R"({"jsonrpc":"2.0","id":7,"result":{"ok":true}})";

// Every text of ours is one line of bounded length, whatever the server sent.
inline void check_text(const http_answer& answer)
{
    BOOST_TEST(!answer.text.empty());
    BOOST_TEST(answer.text.size() < 1200U);
    for (const char c : answer.text)
        BOOST_TEST((c >= ' ' && c != '\x7f'));
}

} // namespace http_answers_test
