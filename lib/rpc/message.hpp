// JSON-RPC 2.0 messages as they come in: parsed, classified, taken apart.
#pragma once

#include <mcp_pool/error.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace mcp_pool::rpc {

// One JSON-RPC message. Which members are set depends on its kind.
struct message
{
    enum class kind {
        // id, method, params.
        request,
        // method, params.
        notification,
        // id, content = the result.
        result,
        // id (null if the peer could not read ours), error.
        error,
        // JSON, but no JSON-RPC message.
        invalid,
    };

    kind type = kind::invalid;
    json::value id;
    json::string method;
    json::object params;
    json::value content;
    rpc_error error;

    message() = default;

    // The id as the integer that we would have sent, if it is one; 1.0 counts as 1, because some
    // peers have no integers.
    [[nodiscard]] std::optional<std::int64_t> integer_id() const noexcept;
};

// Classifies a parsed JSON value and takes it apart. A message with `method` and `id` is a request,
// with `method` only a notification, with `id` only an answer; unknown members are ignored, so is a
// wrong or missing `jsonrpc`. Source: JSON-RPC 2.0, sections 4 and 5.
message classify(json::value&& parsed);

// Turns lines into messages. Not thread-safe; keeps its memory between lines.
class reader
{
public:
    reader();

    // Calls sink(message&&) for each message of the line: one, or several for a batch array, which
    // 2025-03-26 demands to be accepted. Returns the number of messages that were valid; 0 for
    // garbage. Invalid messages of a batch are skipped.
    //
    // Source: MCP 2025-03-26, basic/index, "Batching".
    template <class Sink>
    std::size_t read(std::string_view line, Sink&& sink)
    {
        json::value parsed;
        if (!parse(line, parsed))
            return 0;
        if (auto* batch = parsed.if_array()) {
            std::size_t valid = 0;
            for (json::value& element : *batch)
                valid += pass_on(std::move(element), sink);
            return valid;
        }
        return pass_on(std::move(parsed), sink);
    }

    // Byte sequences that were no UTF-8 and have been replaced by U+FFFD.
    [[nodiscard]] std::uint64_t replaced_sequences() const noexcept { return replaced_; }

private:
    bool parse(std::string_view line, json::value& parsed);
    bool parse_once(std::string_view line, json::value& parsed);

    template <class Sink>
    static std::size_t pass_on(json::value&& element, Sink& sink)
    {
        message m = classify(std::move(element));
        if (m.type == message::kind::invalid)
            return 0;
        sink(std::move(m));
        return 1;
    }

    // Never empty; optional because a parser can only be replaced, not assigned.
    std::optional<json::parser> parser_;
    std::uint64_t replaced_ = 0;
};

} // namespace mcp_pool::rpc
