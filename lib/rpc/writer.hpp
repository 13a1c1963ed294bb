// JSON-RPC 2.0 messages as they go out: written as text, without a JSON value for the envelope.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serializer.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mcp_pool::rpc {

// Builds one line at a time. Compact: JSON escapes the line ends inside strings, so that the only
// one is that of finish(). Not thread-safe; keeps the serializer's memory between lines.
class writer
{
public:
    // Begins a message; what was written before is dropped. `size_hint` bytes are reserved.
    void begin(std::size_t size_hint = 256);

    // Text that is JSON already, or a part of it.
    void raw(std::string_view text) { line_ += text; }
    void integer(std::int64_t value);
    void string(std::string_view text);
    void value(const json::value& v);
    void object(const json::object& v);
    // `"key":value`, without a comma.
    void member(std::string_view key, const json::value& v);

    // Ends the message and gives its line away.
    [[nodiscard]] std::string finish();

    // {"jsonrpc":"2.0","id":…,"method":…  and  {"jsonrpc":"2.0","method":…  , both to be continued.
    void begin_request(std::int64_t id, std::string_view method);
    void begin_request(std::string_view id, std::string_view method);
    void begin_notification(std::string_view method);

    // Complete answers to a request of the peer. Source: JSON-RPC 2.0, section 5.
    [[nodiscard]] std::string result(const json::value& id, const json::value& content);
    // Without `data` if it is null.
    [[nodiscard]] std::string error(
        const json::value& id, int code, std::string_view text, const json::value& data = nullptr);

private:
    void drain();
    void write(const json::value& v, std::size_t depth);
    void write(const json::object& v, std::size_t depth);
    void write(const json::array& v, std::size_t depth);

    std::string line_;
    json::serializer serializer_;
};

} // namespace mcp_pool::rpc
