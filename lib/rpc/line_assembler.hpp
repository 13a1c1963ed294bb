// Cuts a byte stream into lines: the framing of MCP over stdio.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_pool::rpc {

// Pulls lines out of chunks as they were read. A line that lies in one chunk is handed out in
// place; only what crosses the end of a chunk is copied, and every byte is searched once.
//
// Thread safety: none.
// Source: MCP, basic/transports, stdio: messages are delimited by newlines.
class line_assembler
{
public:
    // A line of more than `max_line_bytes` is not assembled; see oversized().
    explicit line_assembler(std::size_t max_line_bytes) noexcept
        : max_line_bytes_(max_line_bytes)
    {}

    // Takes the next chunk.
    //
    // Preconditions: next() returned nothing since the last feed().
    // Lifetime: `chunk` stays valid until next() returns nothing.
    void feed(std::string_view chunk) noexcept { chunk_ = chunk; }

    // The next line without its line end ("\n" or "\r\n"); never an empty one. Nothing: the chunk
    // is used up, or a line is too long.
    //
    // Lifetime: the line is valid until the next call of any member.
    std::optional<std::string_view> next();

    // At the end of the stream: what came after the last line end, if anything.
    std::optional<std::string_view> finish();

    // A line grew over the limit. Nothing comes any more; what was kept has been given back.
    [[nodiscard]] bool oversized() const noexcept { return oversized_bytes_ != 0; }

    // How much of the oversized line had come when it was given up.
    [[nodiscard]] std::size_t oversized_bytes() const noexcept { return oversized_bytes_; }

    // Bytes of an unfinished line that are kept.
    [[nodiscard]] std::size_t kept() const noexcept { return handed_out_ ? 0 : partial_.size(); }

private:
    bool keep(std::string_view piece);
    void give_up(std::size_t bytes) noexcept;
    void forget_handed_out();

    std::size_t max_line_bytes_;
    std::string_view chunk_;
    std::string partial_;
    // `partial_` holds a whole line that the caller may still look at.
    bool handed_out_ = false;
    std::size_t oversized_bytes_ = 0;
};

} // namespace mcp_pool::rpc
