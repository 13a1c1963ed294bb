#include "protocol/http_answer.hpp"

#include "protocol/http_text.hpp"
#include "rpc/ascii.hpp"
#include "rpc/text.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

namespace mcp_pool::protocol {

namespace {

using purpose = http_sent::purpose;
using kind = http_answer::kind;

// Of foreign text in a message.
constexpr std::size_t max_piece = 200;
constexpr std::size_t max_type = 100;
// An explanation is a flat object; its data holds lists of versions and capabilities.
constexpr std::size_t max_explanation_depth = 64;

bool is_success(unsigned status) noexcept
{
    return status >= 200 && status < 300;
}

bool is_redirect(unsigned status) noexcept
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool is_get(purpose what) noexcept
{
    return what == purpose::listening || what == purpose::resuming;
}

bool wants_answer(purpose what) noexcept
{
    return what == purpose::request || what == purpose::probe;
}

// The JSON-RPC error that explains a refusal. Gateways answer with errors that look alike; those do
// not say that they are JSON-RPC.
std::optional<rpc::message> error_in(std::string_view body)
{
    std::size_t replaced = 0;
    const std::string repaired = rpc::repair_utf8(body.substr(0, max_explanation_bytes), replaced);
    json::parse_options options;
    options.max_depth = max_explanation_depth;
    error_code failure;
    json::value parsed = json::parse(repaired, failure, {}, options);
    const json::object* object = failure ? nullptr : parsed.if_object();
    const json::value* version = object ? object->if_contains("jsonrpc") : nullptr;
    if (!version || !version->is_string() || version->get_string() != "2.0")
        return std::nullopt;
    rpc::message message = rpc::classify(std::move(parsed));
    if (message.type != rpc::message::kind::error)
        return std::nullopt;
    return message;
}

// What a body says, to follow a status: `: JSON-RPC error -32600 "…"`, `: "…"` or nothing.
std::string said(const std::optional<rpc::message>& error, std::string_view body)
{
    if (error)
        return ": JSON-RPC error " + std::to_string(error->error.code) + " \""
            + rpc::escape_foreign(error->error.message, max_piece) + '"';
    // No more than can come out of it.
    const std::size_t begin = body.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos)
        return {};
    return ": \"" + rpc::escape_foreign(body.substr(begin, max_piece + 1), max_piece) + '"';
}

http_answer failed(unsigned status, errc code, std::string text)
{
    http_answer answer;
    answer.status = status;
    answer.code = code;
    answer.text = std::move(text);
    return answer;
}

http_answer simple(unsigned status, kind type)
{
    http_answer answer;
    answer.type = type;
    answer.status = status;
    return answer;
}

http_answer in_band(unsigned status, const http_sent& sent, rpc::message&& message)
{
    http_answer answer = simple(status, kind::messages);
    message.id = sent.id;
    answer.messages.push_back(std::move(message));
    return answer;
}

http_answer redirected(const http_sent& sent, const http_head& head)
{
    const std::string begin = "the server answered with " + status_text(head.status);
    if (sent.redirects >= max_redirects)
        return failed(head.status, errc::http_error,
            begin + " after " + std::to_string(max_redirects) + " redirects");
    if (!is_get(sent.what) && head.status < 307)
        return failed(head.status, errc::http_error,
            begin + " to \"" + shown_location(head.location)
                + "\", which is not followed: it would turn the request into a GET; configure the "
                  "URL that the server wants");
    redirect_result followed = follow_redirect(sent.origin, sent.target, head.location);
    if (!followed.fault.empty())
        return failed(head.status, errc::http_error,
            begin + ": " + followed.fault
                + "; if the server may have what is sent, configure that URL");
    http_answer answer = simple(head.status, kind::redirect);
    answer.target = std::move(followed.target);
    return answer;
}

http_answer refused_credentials(const http_head& head, std::string_view body)
{
    http_answer answer = simple(head.status, kind::unauthorized);
    answer.code = errc::unauthorized;
    answer.challenge = bearer_challenge(head.www_authenticate);
    answer.text = "the server answered with " + status_text(head.status);
    const auto add = [&](std::string_view name) {
        const std::string_view value = answer.challenge.find(name);
        if (value.empty())
            return;
        answer.text += ", ";
        answer.text += name;
        answer.text += " \"" + rpc::escape_foreign(value, max_piece) + '"';
    };
    add("error");
    add("error_description");
    add("scope");
    answer.text += said(error_in(body), body);
    answer.text += head.status == 401 ? "; configure credentials that it takes"
                                      : "; the credentials that are configured, or the place the "
                                        "request comes from, do not allow "
                                        "it";
    return answer;
}

// Whether a refusal that is no 404 says that the session is lost. Servers of the legacy era say it
// in their own words, with one code or another: these are those of the SDKs.
bool speaks_of_a_lost_session(const std::optional<rpc::message>& error, std::string_view body)
{
    constexpr std::array<std::string_view, 16> phrases = {"no valid session", "invalid session",
        "invalid or expired session", "session not found", "session id not found",
        "unknown session", "no such session", "session does not exist", "session expired",
        "session has expired", "expired session", "session terminated",
        "session has been terminated", "missing session", "session is not initialized",
        "server not initialized"};
    constexpr std::size_t max_read = 1024;
    const std::string_view words = error ? std::string_view(error->error.message) : body;
    const std::string text = rpc::in_lower_case(words.substr(0, max_read));
    return std::any_of(phrases.begin(), phrases.end(),
        [&](std::string_view phrase) { return text.find(phrase) != std::string::npos; });
}

bool is_lost_session(const http_sent& sent, unsigned status,
    const std::optional<rpc::message>& error, std::string_view body)
{
    if (sent.era != era::legacy || !sent.in_session)
        return false;
    return status == 404 || (status == 400 && speaks_of_a_lost_session(error, body));
}

// Refusals that say nothing about the era: the next request may be taken.
bool is_passing(unsigned status) noexcept
{
    return status >= 500 || status == 408 || status == 421 || status == 425 || status == 429
        || status == 407;
}

http_answer refused_probe(const http_sent& sent, const http_head& head,
    std::optional<rpc::message>&& error, std::string_view body)
{
    if (is_passing(head.status) || head.status < 400)
        return failed(head.status, errc::http_error,
            "the server answered with " + status_text(head.status) + said(error, body));
    if (!error)
        return simple(head.status, kind::era);
    http_answer answer = judge_streamed(sent, std::move(*error));
    answer.status = head.status;
    return answer;
}

http_answer refused(const http_sent& sent, const http_head& head, std::string_view body)
{
    const unsigned status = head.status;
    if (status == 401 || status == 403)
        return refused_credentials(head, body);
    std::optional<rpc::message> error = error_in(body);
    if (status == 413)
        return failed(status, errc::message_too_large,
            "the server takes no request of " + std::to_string(sent.bytes)
                + " bytes: " + status_text(status) + said(error, body));
    if (sent.what == purpose::probe)
        return refused_probe(sent, head, std::move(error), body);
    // A server without GET answers with 404 as well, and says nothing of the session by that.
    if ((status == 404 || status == 405 || status == 501) && sent.what == purpose::listening)
        return simple(status, kind::not_offered);
    if (sent.what == purpose::ending && (status == 405 || status == 501))
        return simple(status, kind::not_offered);
    if (is_lost_session(sent, status, error, body)) {
        // Which is what was wanted.
        if (sent.what == purpose::ending)
            return simple(status, kind::accepted);
        http_answer answer = failed(status, errc::session_closed,
            "the server does not know the session any more: " + status_text(status)
                + said(error, body));
        answer.type = kind::session_lost;
        return answer;
    }
    if (error && sent.era == era::modern && sent.what == purpose::request)
        return in_band(status, sent, std::move(*error));
    std::string text = "the server answered with " + status_text(status) + said(error, body);
    if ((status == 404 || status == 405) && sent.what == purpose::request)
        text += "; is this the URL of its MCP endpoint? Servers that offer only HTTP+SSE, the "
                "transport of 2024-11-05, are not supported";
    return failed(status, errc::http_error, std::move(text));
}

bool is_same_id(const rpc::message& answer, const json::value& id)
{
    if (answer.id == id)
        return true;
    const auto integer = answer.integer_id();
    return integer && id.is_int64() && *integer == id.get_int64();
}

// Keeps what may stand beside the answer: what the server says unasked. Answers to nothing that was
// asked here are dropped.
bool keep_answer(const http_sent& sent, std::vector<rpc::message>& messages)
{
    bool answered = false;
    const auto is_stray = [&](rpc::message& m) {
        if (m.type != rpc::message::kind::result && m.type != rpc::message::kind::error)
            return false;
        if (answered || (m.type == rpc::message::kind::result && !is_same_id(m, sent.id)))
            return true;
        answered = true;
        m.id = sent.id;
        return false;
    };
    // In order, as remove_if() does not promise.
    auto kept = messages.begin();
    for (auto m = messages.begin(); m != messages.end(); ++m)
        if (!is_stray(*m)) {
            if (kept != m)
                *kept = std::move(*m);
            ++kept;
        }
    messages.erase(kept, messages.end());
    return answered;
}

http_answer unusable(const http_head& head, std::string_view what, std::string_view body)
{
    return failed(head.status, errc::protocol_error,
        "the server answered with " + status_text(head.status) + ' ' + std::string(what)
            + said(std::nullopt, body));
}

http_answer with_messages(
    const http_sent& sent, const http_head& head, std::string_view body, rpc::reader& reader)
{
    const std::string type = media_type(head.content_type);
    if (body.find_first_not_of(" \t\r\n") == std::string_view::npos)
        return unusable(head, "and no answer to the request", {});
    if (!type.empty() && type != "application/json")
        return unusable(head,
            "and the content type \"" + rpc::escape_foreign(type, max_type)
                + "\", which is neither JSON nor an event stream",
            body);

    http_answer answer = simple(head.status, kind::messages);
    const std::size_t valid = reader.read(body, [&](rpc::message&& m) {
        if (answer.messages.size() < max_batch)
            answer.messages.push_back(std::move(m));
    });
    if (valid == 0)
        return unusable(head, "and what is no JSON-RPC", body);
    if (valid > max_batch)
        return unusable(head, "and a batch of " + std::to_string(valid) + " messages", {});
    if (!keep_answer(sent, answer.messages))
        return unusable(head, "and no answer to this request", body);
    if (sent.what != purpose::probe)
        return answer;
    const auto last = std::find_if(
        answer.messages.begin(), answer.messages.end(), [](const rpc::message& m) {
            return m.type == rpc::message::kind::result || m.type == rpc::message::kind::error;
        });
    http_answer judged = judge_streamed(sent, std::move(*last));
    judged.status = head.status;
    return judged;
}

http_answer succeeded(
    const http_sent& sent, const http_head& head, std::string_view body, rpc::reader& reader)
{
    const bool stream = media_type(head.content_type) == "text/event-stream";
    if (wants_answer(sent.what))
        return stream ? simple(head.status, kind::event_stream)
                      : with_messages(sent, head, body, reader);
    if (!is_get(sent.what))
        return simple(head.status, kind::accepted);
    return stream ? simple(head.status, kind::event_stream)
                  : unusable(head, "and no event stream", body);
}

} // namespace

body_use use_of_body(const http_sent& sent, const http_head& head)
{
    if (!is_success(head.status) || sent.what == purpose::notification
        || sent.what == purpose::ending)
        return body_use::explanation;
    if (media_type(head.content_type) == "text/event-stream")
        return body_use::stream;
    return wants_answer(sent.what) ? body_use::message : body_use::explanation;
}

http_answer judge_http(
    const http_sent& sent, const http_head& head, std::string_view body, rpc::reader& reader)
{
    if (is_success(head.status))
        return succeeded(sent, head, body, reader);
    if (is_redirect(head.status))
        return redirected(sent, head);
    return refused(sent, head, body);
}

http_answer judge_streamed(const http_sent& sent, rpc::message&& answer)
{
    if (answer.type == rpc::message::kind::result && !is_same_id(answer, sent.id))
        return failed(0, errc::protocol_error, "the server answered another request than this one");
    if (sent.what != purpose::probe)
        return in_band(0, sent, std::move(answer));
    http_answer judged = simple(0, kind::era);
    judged.verdict = judge_discover_answer(answer);
    if (judged.verdict.type == era_verdict::kind::modern_retry && sent.corrected)
        return failed(0, errc::unsupported_version,
            "the server refuses the protocol version \"" + judged.verdict.version
                + "\" once more, which it says that it speaks");
    if (judged.verdict.type == era_verdict::kind::modern) {
        answer.id = sent.id;
        judged.messages.push_back(std::move(answer));
    }
    return judged;
}

} // namespace mcp_pool::protocol
