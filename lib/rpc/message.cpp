#include "rpc/message.hpp"

#include "rpc/text.hpp"

#include <boost/json/error.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/parse_options.hpp>

#include <cmath>
#include <limits>
#include <string>

namespace mcp_pool::rpc {

namespace {

// Source: JSON-RPC 2.0, section 5.1.
constexpr int parse_error = -32700;

// A parser that read a larger line is not kept: its stack would stay as large as that line needed.
constexpr std::size_t largest_kept = std::size_t{1} << 20;

json::parse_options options() noexcept
{
    json::parse_options o;
    o.max_depth = reader::max_depth;
    return o;
}

bool is_id(const json::value& v) noexcept
{
    return v.is_string() || v.is_number();
}

int code_of(const json::value& v) noexcept
{
    error_code conversion;
    const double code = v.to_number<double>(conversion);
    if (conversion || !(std::abs(code) <= std::numeric_limits<int>::max()))
        return 0;
    return static_cast<int>(code);
}

void take_error(json::value&& from, rpc_error& to)
{
    json::object* object = from.if_object();
    if (!object)
        return;
    if (const json::value* code = object->if_contains("code"))
        to.code = code_of(*code);
    if (const json::value* text = object->if_contains("message"); text && text->is_string())
        to.message.assign(text->get_string().data(), text->get_string().size());
    if (json::value* data = object->if_contains("data"))
        to.data = std::move(*data);
}

} // namespace

std::optional<std::int64_t> message::integer_id() const noexcept
{
    if (const auto* i = id.if_int64())
        return *i;
    // 2^53: above it a double is no id of ours any more.
    constexpr double exact = 9007199254740992.0;
    if (const auto* d = id.if_double(); d && std::abs(*d) < exact && std::trunc(*d) == *d)
        return static_cast<std::int64_t>(*d);
    return std::nullopt;
}

message classify(json::value&& parsed)
{
    message m;
    json::object* object = parsed.if_object();
    if (!object)
        return m;
    json::value* const id = object->if_contains("id");
    if (json::value* method = object->if_contains("method")) {
        if (!method->is_string() || (id && !is_id(*id)))
            return m;
        m.method = std::move(method->get_string());
        if (json::value* params = object->if_contains("params"); params && params->is_object())
            m.params = std::move(params->get_object());
        if (id)
            m.id = std::move(*id);
        m.type = id ? message::kind::request : message::kind::notification;
    } else if (json::value* error = object->if_contains("error"); error && !error->is_null()) {
        // The id is null or absent if the peer could not read the request.
        if (id)
            m.id = std::move(*id);
        take_error(std::move(*error), m.error);
        m.type = message::kind::error;
    } else if (json::value* result = object->if_contains("result"); result && id && is_id(*id)) {
        m.id = std::move(*id);
        m.content = std::move(*result);
        m.type = message::kind::result;
    }
    return m;
}

reader::reader(bad_utf8 policy)
    : policy_(policy)
{
    parser_.emplace(json::storage_ptr(), options());
}

bool reader::parse_once(std::string_view line, json::value& parsed)
{
    failure_.clear();
    parser_->reset();
    failed_at_ = parser_->write(line.data(), line.size(), failure_);
    if (!failure_)
        parsed = parser_->release();
    if (line.size() > largest_kept)
        parser_.emplace(json::storage_ptr(), options());
    return !failure_;
}

bool reader::parse(std::string_view line, json::value& parsed)
{
    if (parse_once(line, parsed))
        return true;
    // Boost.JSON refuses invalid UTF-8; real servers cut characters in half. Only a line that might
    // be a message is worth a second try.
    const std::size_t first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos || (line[first] != '{' && line[first] != '['))
        return false;
    std::size_t replaced = 0;
    const std::string repaired = repair_utf8(line, replaced);
    if (replaced == 0 || !parse_once(repaired, parsed))
        return false;
    if (policy_ == bad_utf8::refuse) {
        refused_ = true;
        return false;
    }
    replaced_ += replaced;
    return true;
}

bool reader::may_be_cut(std::string_view line)
{
    message_scanner messages(line);
    while (messages.next()) {
    }
    return messages.well_formed();
}

message reader::reread(const message_parts& parts, bool batch)
{
    message m;
    if (batch) {
        json::value parsed;
        if (parse(parts.whole, parsed))
            return classify(std::move(parsed));
        if (refused_)
            return m;
    }
    if (!parts.is_answer() || parts.id.empty())
        return m;
    error_code no_id;
    json::value id = json::parse(json::string_view(parts.id.data(), parts.id.size()), no_id);
    if (no_id || !is_id(id))
        return m;
    m.id = std::move(id);
    m.type = message::kind::error;
    m.unreadable = true;
    m.error.code = parse_error;
    if (failure_ == json::error::too_deep)
        m.error.message = "it is nested deeper than " + std::to_string(max_depth) + " levels";
    else
        m.error.message = failure_.message() + " at byte " + std::to_string(failed_at_);
    return m;
}

} // namespace mcp_pool::rpc
