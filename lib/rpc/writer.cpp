#include "rpc/writer.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace mcp_pool::rpc {

namespace {

// Beyond these the serializer does it: it finds what is to be escaped sixteen bytes at a time, and needs
// no stack of ours for what is deeply nested.
constexpr std::size_t longest_looked_at = 256;
constexpr std::size_t deepest = 16;

// Nothing in it has to be escaped.
bool is_plain(std::string_view text) noexcept
{
    for (const char c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\')
            return false;
    return true;
}

} // namespace

void writer::begin(std::size_t size_hint)
{
    line_.clear();
    line_.reserve(size_hint);
}

void writer::integer(std::int64_t value)
{
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    line_.append(digits.data(), end.ptr);
}

void writer::drain()
{
    // On the stack first: most values fit, and growing the string once is enough then.
    std::array<char, 4096> part;
    while (!serializer_.done()) {
        const auto written = serializer_.read(part.data(), part.size());
        line_.append(written.data(), written.size());
    }
}

void writer::string(std::string_view text)
{
    if (text.size() <= longest_looked_at && is_plain(text)) {
        line_ += '"';
        line_ += text;
        line_ += '"';
        return;
    }
    // Growing a long line step by step would copy it over and over, and take twice the memory.
    const std::size_t at_least = line_.size() + text.size() + 64;
    if (at_least > line_.capacity())
        line_.reserve(at_least);
    serializer_.reset(json::string_view(text.data(), text.size()));
    drain();
}

void writer::value(const json::value& v)
{
    write(v, 0);
}

void writer::object(const json::object& v)
{
    write(v, 0);
}

void writer::member(std::string_view key, const json::value& v)
{
    string(key);
    line_ += ':';
    write(v, 0);
}

// What messages mostly consist of, without the serializer, whose every use costs as much as a short
// string.
void writer::write(const json::value& v, std::size_t depth)
{
    switch (v.kind()) {
    case json::kind::null:
        raw("null");
        return;
    case json::kind::bool_:
        raw(v.get_bool() ? "true" : "false");
        return;
    case json::kind::int64:
        integer(v.get_int64());
        return;
    case json::kind::string:
        string(std::string_view(v.get_string().data(), v.get_string().size()));
        return;
    case json::kind::object:
        write(v.get_object(), depth);
        return;
    case json::kind::array:
        write(v.get_array(), depth);
        return;
    default:
        serializer_.reset(&v);
        drain();
        return;
    }
}

void writer::write(const json::object& v, std::size_t depth)
{
    if (depth == deepest) {
        serializer_.reset(&v);
        drain();
        return;
    }
    char before = '{';
    for (const auto& each : v) {
        line_ += std::exchange(before, ',');
        string(std::string_view(each.key().data(), each.key().size()));
        line_ += ':';
        write(each.value(), depth + 1);
    }
    raw(before == '{' ? "{}" : "}");
}

void writer::write(const json::array& v, std::size_t depth)
{
    if (depth == deepest) {
        serializer_.reset(&v);
        drain();
        return;
    }
    char before = '[';
    for (const json::value& each : v) {
        line_ += std::exchange(before, ',');
        write(each, depth + 1);
    }
    raw(before == '[' ? "[]" : "]");
}

std::string writer::finish()
{
    line_ += '\n';
    return std::move(line_);
}

void writer::begin_request(std::int64_t id, std::string_view method)
{
    raw(R"({"jsonrpc":"2.0","id":)");
    integer(id);
    raw(R"(,"method":)");
    string(method);
}

void writer::begin_request(std::string_view id, std::string_view method)
{
    raw(R"({"jsonrpc":"2.0","id":)");
    string(id);
    raw(R"(,"method":)");
    string(method);
}

void writer::begin_notification(std::string_view method)
{
    raw(R"({"jsonrpc":"2.0","method":)");
    string(method);
}

std::string writer::result(const json::value& id, const json::value& content)
{
    begin();
    raw(R"({"jsonrpc":"2.0","id":)");
    value(id);
    raw(R"(,"result":)");
    value(content);
    raw("}");
    return finish();
}

std::string writer::error(
    const json::value& id, int code, std::string_view text, const json::value& data)
{
    begin();
    raw(R"({"jsonrpc":"2.0","id":)");
    value(id);
    raw(R"(,"error":{"code":)");
    integer(code);
    raw(R"(,"message":)");
    string(text);
    if (!data.is_null()) {
        raw(R"(,"data":)");
        value(data);
    }
    raw("}}");
    return finish();
}

} // namespace mcp_pool::rpc
