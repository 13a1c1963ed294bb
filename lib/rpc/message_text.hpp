// Messages as they were written: where their members stand in the text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mcp_pool::rpc {

// The members that say what a message is, as text. One that is absent has no text; of one that is there
// several times it is the last, as for the parser.
struct message_parts
{
    // The message itself.
    std::string_view whole;
    std::string_view id;
    std::string_view method;
    std::string_view result;
    std::string_view error;

    message_parts() = default;

    // An answer to a request, by the rules of classify(); the id is not looked at.
    [[nodiscard]] bool is_result() const noexcept;
    [[nodiscard]] bool is_answer() const noexcept;
};

// Cuts a line into messages and these into members, without reading what stands in them: any depth,
// any numbers, any bytes. Makes sure that strings end and that brackets are as many as they have to
// be, and of nothing else: what the parser has taken is cut right, of other text the cut is a guess.
//
// Lifetime: the text outlives the scanner and the parts.
// Complexity: linear, without recursion and without memory of its own.
class message_scanner
{
public:
    explicit message_scanner(std::string_view text) noexcept;

    // The next message: the only one, or the next element of a batch; `whole` is all there is of one
    // that is no object. Nothing: there are no more, or the text is not what it should be.
    std::optional<message_parts> next();

    // Whether the text has been cut to its end; of use once next() has returned nothing.
    [[nodiscard]] bool well_formed() const noexcept { return state_ == state::done; }
    [[nodiscard]] bool batch() const noexcept { return batch_; }

private:
    enum class state {
        // Before the first message.
        begin,
        // Behind a message.
        between,
        // The text has ended where it should.
        done,
        // It has not.
        broken,
    };

    [[nodiscard]] char peek() noexcept;
    bool take(char expected) noexcept;
    std::string_view value() noexcept;
    std::string_view string() noexcept;
    bool nested() noexcept;
    bool members(message_parts& of);
    void finish() noexcept;

    std::string_view text_;
    std::size_t at_ = 0;
    bool batch_ = false;
    state state_ = state::begin;
};

// The text of `result` in the answer to the request with this id, as it stands in the message or in one
// of the messages of a batch. Nothing: there is none.
//
// Precondition for a right cut: the text is one that `reader` has taken.
std::optional<std::string_view> result_text(std::string_view text, std::int64_t id);

// The id that the text of one stands for, if it is one of ours: what message::integer_id() gives.
std::optional<std::int64_t> id_in(std::string_view text);

} // namespace mcp_pool::rpc
