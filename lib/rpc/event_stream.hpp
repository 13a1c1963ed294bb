// Takes a stream of server-sent events apart: the framing of MCP over HTTP.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_pool::rpc {

// One event that carries data. The views are valid until the next call of any member.
struct stream_event
{
    // As the server named it; most name none.
    std::string_view type;
    // Its data lines, joined by '\n'; never empty.
    std::string_view data;

    stream_event() = default;

    // Whether the data is a JSON-RPC message. Other types are not MCP's.
    [[nodiscard]] bool is_message() const noexcept { return type.empty() || type == "message"; }
};

// Pulls events out of chunks as they were read. Data goes straight from the chunk to where it is
// handed out, and every byte is looked at a fixed number of times, however it is cut.
//
// Lines end with CR, LF or CRLF. An event that the end of the stream cuts off is none. One without
// data is not handed out, but its id counts: that is how a server makes a stream resumable before
// there is anything to say.
//
// Thread safety: none.
// Source: WHATWG HTML, 9.2.6 "Interpreting an event stream"; MCP 2025-11-25, basic/transports,
// "Sending Messages to the Server".
class event_stream
{
public:
    // Bytes of an id or a type that are kept. A longer id is as good as none, a longer type is cut.
    static constexpr std::size_t max_field_bytes = 4096;

    // An event with more than `max_event_bytes` of data is not assembled; see oversized().
    explicit event_stream(std::size_t max_event_bytes) noexcept
        : max_event_bytes_(max_event_bytes)
    {}

    // Takes the next chunk.
    //
    // Preconditions: next() returned nothing since the last feed().
    // Lifetime: `chunk` stays valid until next() returns nothing.
    void feed(std::string_view chunk) noexcept;

    // The next event. Nothing: the chunk is used up, or an event is too large.
    std::optional<stream_event> next();

    // An event grew over the limit. Nothing comes any more; what was kept has been given back.
    [[nodiscard]] bool oversized() const noexcept { return oversized_bytes_ != 0; }

    // How much data of the oversized event had come when it was given up.
    [[nodiscard]] std::size_t oversized_bytes() const noexcept { return oversized_bytes_; }

    // The id of the last complete event that had one, with data or without; unset if none had. An
    // empty one, also one that was too long to keep, means that the stream cannot be resumed.
    [[nodiscard]] const std::optional<std::string>& last_event_id() const noexcept
    {
        return last_event_id_;
    }

    // How long the server wants a client to wait before it reconnects; the last word counts.
    [[nodiscard]] std::optional<std::chrono::milliseconds> retry() const noexcept { return retry_; }

    // Complete events that said something: data, an id or a time to reconnect after.
    [[nodiscard]] std::uint64_t events() const noexcept { return events_; }

    // Bytes of an unfinished event that are kept.
    [[nodiscard]] std::size_t kept() const noexcept
    {
        return (handed_out_ ? 0 : data_.size()) + value_.size();
    }

private:
    // Where in a line the next byte belongs.
    enum class part {
        // Perhaps to a byte order mark, which may begin the stream.
        mark,
        name,
        // One space behind the colon belongs to neither name nor value.
        space,
        value,
        // To a comment or to a field that means nothing.
        ignored,
    };
    enum class field { none, data, event, id, retry };

    [[nodiscard]] std::size_t line_end() noexcept;
    void take(std::string_view piece);
    std::string_view take_mark(std::string_view piece) noexcept;
    std::string_view take_name(std::string_view piece);
    void begin_value();
    void take_value(std::string_view piece);
    void keep(std::string_view piece);
    void end_line();
    void end_field();
    void begin_line() noexcept;
    [[nodiscard]] bool at_empty_line() const noexcept;
    [[nodiscard]] bool end_event();
    void give_up(std::size_t bytes) noexcept;
    void forget_handed_out();

    std::size_t max_event_bytes_;
    std::size_t oversized_bytes_ = 0;

    // The chunk, how far it has been taken, and the next line end of each kind in it: each is
    // searched once, or a chunk full of one kind would be searched to its end for the other at every
    // line.
    std::string_view chunk_;
    std::size_t taken_ = 0;
    std::size_t next_lf_ = std::string_view::npos;
    std::size_t next_cr_ = std::string_view::npos;
    // The last byte was a CR, so that an LF belongs to the same line end.
    bool after_cr_ = false;

    // The line.
    part part_ = part::mark;
    std::size_t mark_bytes_ = 0;
    // The longest name that means something has five bytes.
    std::array<char, 5> name_{};
    std::size_t name_bytes_ = 0;
    field field_ = field::none;
    // Of every field but `data`.
    std::string value_;
    bool value_cut_ = false;

    // The event.
    std::string data_;
    bool has_data_ = false;
    std::string type_;
    std::optional<std::string> id_;
    bool says_something_ = false;
    // The caller may still look at `data_` and `type_`.
    bool handed_out_ = false;

    // The stream.
    std::optional<std::string> last_event_id_;
    std::optional<std::chrono::milliseconds> retry_;
    std::uint64_t events_ = 0;
};

} // namespace mcp_pool::rpc
