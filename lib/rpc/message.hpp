// JSON-RPC 2.0 messages as they come in: parsed, classified, taken apart.
#pragma once

#include "rpc/message_text.hpp"

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
    // An answer whose text is none that the parser takes, but whose id is clear: of kind error, with
    // the code for parse errors and what is wrong with it as text. It was not the peer who said so.
    bool unreadable = false;

    message() = default;

    // The id as the integer that we would have sent, if it is one; 1.0 counts as 1, because some
    // peers have no integers.
    [[nodiscard]] std::optional<std::int64_t> integer_id() const noexcept;
};

// Classifies a parsed JSON value and takes it apart. A message with `method` and `id` is a request,
// with `method` only a notification, with `id` only an answer; unknown members are ignored, so is a
// wrong or missing `jsonrpc`. Source: JSON-RPC 2.0, sections 4 and 5.
message classify(json::value&& parsed);

// What to do with a message that is no UTF-8.
enum class bad_utf8 {
    // Each invalid sequence becomes U+FFFD.
    replace,
    // It is no message; see reader::refused().
    refuse,
};

// Turns lines into messages. Not thread-safe; keeps its memory between lines.
class reader
{
public:
    // Levels of arrays and objects in one line, the message itself included: deeper than any data that
    // people send, far from the end of our stack.
    static constexpr std::size_t max_depth = 256;

    explicit reader(bad_utf8 policy = bad_utf8::replace);

    // Calls sink(message&&) for each message of the line: one, or several for a batch array, which
    // 2025-03-26 demands to be accepted. Returns the number of messages that were valid; 0 for
    // garbage. Invalid messages of a batch are skipped.
    //
    // A line that cannot be parsed (too deep, a number beyond all bounds, a NUL byte) is cut into its
    // messages all the same, so that whoever waits for one of them hears of it: those that can be read
    // come as they are, answers that cannot as errors that are `unreadable`.
    //
    // Source: MCP 2025-03-26, basic/index, "Batching".
    template <class Sink>
    std::size_t read(std::string_view line, Sink&& sink)
    {
        refused_ = false;
        json::value parsed;
        if (!parse(line, parsed))
            return refused_ ? 0 : read_parts(line, sink);
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

    // The last line would have been a message if it were UTF-8.
    [[nodiscard]] bool refused() const noexcept { return refused_; }

private:
    bool parse(std::string_view line, json::value& parsed);
    bool parse_once(std::string_view line, json::value& parsed);
    // Whether the line, which could not be parsed, is made of messages.
    [[nodiscard]] static bool may_be_cut(std::string_view line);
    // One of its messages.
    message reread(const message_parts& parts, bool batch);

    template <class Sink>
    std::size_t read_parts(std::string_view line, Sink& sink)
    {
        std::size_t valid = 0;
        if (!may_be_cut(line))
            return valid;
        message_scanner messages(line);
        while (const auto parts = messages.next()) {
            message m = reread(*parts, messages.batch());
            if (m.type == message::kind::invalid)
                continue;
            ++valid;
            sink(std::move(m));
        }
        return valid;
    }

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
    const bad_utf8 policy_;
    std::uint64_t replaced_ = 0;
    bool refused_ = false;
    // Why the parser has not taken what it was last given.
    error_code failure_;
    std::size_t failed_at_ = 0;
};

} // namespace mcp_pool::rpc
