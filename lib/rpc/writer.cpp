#include "rpc/writer.hpp"

#include <array>
#include <charconv>

namespace mcp_pool::rpc {

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
    serializer_.reset(json::string_view(text.data(), text.size()));
    drain();
}

void writer::value(const json::value& v)
{
    serializer_.reset(&v);
    drain();
}

void writer::object(const json::object& v)
{
    serializer_.reset(&v);
    drain();
}

void writer::member(std::string_view key, const json::value& v)
{
    string(key);
    line_ += ':';
    value(v);
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
