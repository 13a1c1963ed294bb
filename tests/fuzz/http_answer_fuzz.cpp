// Answers of an HTTP server: any status, fields and body for any purpose. The input is a line of
// numbers and one line for each field, then the body.
#include "demand.hpp"
#include "protocol/http_answer.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

using namespace mcp_pool;
using namespace mcp_pool::protocol;

namespace {

std::string_view line(std::string_view& rest)
{
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view taken = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return taken;
}

void check_text(std::string_view text)
{
    demand(!text.empty() && text.size() < 2000);
    demand(std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' || c < 0; }));
}

bool is_answer(const rpc::message& m)
{
    return m.type == rpc::message::kind::result || m.type == rpc::message::kind::error;
}

void check(const http_sent& sent, const http_answer& answer)
{
    using kind = http_answer::kind;
    const bool wants_answer = sent.what == http_sent::purpose::request
        || sent.what == http_sent::purpose::probe;
    switch (answer.type) {
    case kind::messages:
        demand(sent.what == http_sent::purpose::request);
        demand(answer.messages.size() <= max_batch);
        demand(std::count_if(answer.messages.begin(), answer.messages.end(),
                   [&](const rpc::message& m) { return is_answer(m) && m.id == sent.id; })
            == 1);
        break;
    case kind::event_stream:
        demand(answer.status >= 200 && answer.status < 300);
        break;
    case kind::accepted:
        demand(!wants_answer);
        break;
    case kind::not_offered:
        demand(
            sent.what == http_sent::purpose::listening || sent.what == http_sent::purpose::ending);
        break;
    case kind::redirect:
        // What begins with two slashes would be another host to whoever reads it once more.
        demand(answer.target.starts_with('/') && !answer.target.starts_with("//"));
        demand(sent.redirects < max_redirects);
        demand(std::all_of(answer.target.begin(), answer.target.end(),
            [](char c) { return c > ' ' && c < '\x7f'; }));
        break;
    case kind::era:
        demand(sent.what == http_sent::purpose::probe);
        demand((answer.verdict.type == era_verdict::kind::modern) == !answer.messages.empty());
        demand(!sent.corrected || answer.verdict.type != era_verdict::kind::modern_retry);
        break;
    case kind::session_lost:
        demand(sent.in_session && sent.era == era::legacy);
        check_text(answer.text);
        break;
    case kind::unauthorized:
        demand(answer.challenge.parameters.size() <= max_challenge_parameters);
        check_text(answer.text);
        break;
    case kind::failed:
        check_text(answer.text);
        break;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    if (size < 4)
        return 0;
    http_sent sent;
    sent.what = static_cast<http_sent::purpose>(bytes[0] % 6);
    sent.era = bytes[1] % 2 == 0 ? era::legacy : era::modern;
    sent.in_session = bytes[1] % 4 >= 2;
    sent.corrected = bytes[1] % 8 >= 4;
    sent.redirects = bytes[1] / 8 % 8;
    sent.id = 7;
    sent.origin.host = "a.example";
    sent.origin.port = 80;
    sent.target = "/mcp/v1?x=y";

    http_head head;
    head.status = bytes[2] % 6 * 100U + bytes[3] % 32U;
    std::string_view rest(reinterpret_cast<const char*>(bytes) + 4, size - 4);
    head.content_type = line(rest);
    head.location = line(rest);
    head.www_authenticate = line(rest);

    static_cast<void>(use_of_body(sent, head));
    rpc::reader reader;
    check(sent, judge_http(sent, head, rest, reader));
    return 0;
}
