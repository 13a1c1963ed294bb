// Takes answers apart, without I/O.
#pragma once

#include "transport/http/http_message.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace mcp_pool::transport::http {

// Parses one answer, interim answers before it included, from pieces of any size. Boost.Beast does the
// work and is not seen from outside.
//
// Memory: what has been fed and cannot be understood alone yet, which max_header_bytes bounds.
// Thread safety: none.
class answer_parser
{
public:
    enum class part {
        // Everything that was fed is used up.
        need_more,
        // head() is there: that of the final answer.
        head,
        // piece() is there.
        body,
        // The answer is complete; rest() is what came behind it.
        end,
        // code() and words() say why; it stays that way.
        bad,
    };

    answer_parser();
    ~answer_parser();
    answer_parser(const answer_parser&) = delete;
    answer_parser& operator=(const answer_parser&) = delete;

    // Begins with an answer of which nothing has come. `bodiless`: it answers a HEAD or a CONNECT and
    // has no body, whatever its fields say.
    void begin(const exchange_limits& limits, bool bodiless);

    // Precondition: next() has said need_more since the last bytes. `bytes` stay as they are until it
    // says that again, or something final.
    void feed(std::string_view bytes);

    // The next part of what was fed.
    part next();

    // The connection has ended: end, where that is how the answer ends; else bad.
    part finish();

    // Moves the head out.
    [[nodiscard]] answer_head take_head();
    // Points into what was fed, until the next feed().
    [[nodiscard]] std::string_view piece() const noexcept;
    [[nodiscard]] std::string_view rest() const noexcept;

    // Another limit for the body than begin() was given; for an answer that turns out to be a stream.
    // 0: none.
    void limit_body(std::uint64_t bytes) noexcept;

    // A byte of the answer has come, interim answers included.
    [[nodiscard]] bool begun() const noexcept;
    // Nothing of the final answer has come: nothing at all, or interim answers only.
    [[nodiscard]] bool awaits_first_byte() const noexcept;
    // The connection may serve another exchange. Precondition: next() said end.
    [[nodiscard]] bool keeps_alive() const noexcept;

    [[nodiscard]] error_code code() const noexcept;
    [[nodiscard]] const std::string& words() const noexcept;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace mcp_pool::transport::http
