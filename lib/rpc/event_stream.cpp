#include "rpc/event_stream.hpp"

#include <algorithm>
#include <utility>

namespace mcp_pool::rpc {

namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

// After one huge event a stream would hold its buffer for the rest of its life.
constexpr std::size_t worth_keeping = std::size_t{64} << 10;

// A number that does not fit is the largest one.
std::optional<std::chrono::milliseconds> number(std::string_view text) noexcept
{
    constexpr auto most = std::chrono::milliseconds::max().count();
    if (text.empty())
        return std::nullopt;
    std::chrono::milliseconds::rep value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9')
            return std::nullopt;
        const int digit = c - '0';
        value = value > (most - digit) / 10 ? most : value * 10 + digit;
    }
    return std::chrono::milliseconds(value);
}

} // namespace

void event_stream::feed(std::string_view chunk) noexcept
{
    chunk_ = chunk;
    taken_ = 0;
    next_lf_ = chunk.find('\n');
    next_cr_ = chunk.find('\r');
}

std::size_t event_stream::line_end() noexcept
{
    if (next_lf_ < taken_)
        next_lf_ = chunk_.find('\n', taken_);
    if (next_cr_ < taken_)
        next_cr_ = chunk_.find('\r', taken_);
    return std::min(next_lf_, next_cr_);
}

std::optional<stream_event> event_stream::next()
{
    forget_handed_out();
    while (taken_ < chunk_.size() && !oversized()) {
        if (std::exchange(after_cr_, false) && chunk_[taken_] == '\n') {
            ++taken_;
            continue;
        }
        const std::size_t end = std::min(line_end(), chunk_.size());
        take(chunk_.substr(taken_, end - taken_));
        taken_ = end;
        if (end == chunk_.size() || oversized())
            break;
        after_cr_ = chunk_[end] == '\r';
        ++taken_;
        if (!at_empty_line()) {
            end_line();
        } else if (begin_line(); end_event()) {
            handed_out_ = true;
            stream_event event;
            event.type = type_;
            event.data = data_;
            return event;
        }
    }
    return std::nullopt;
}

void event_stream::take(std::string_view piece)
{
    while (!piece.empty() && !oversized())
        switch (part_) {
        case part::mark:
            piece = take_mark(piece);
            break;
        case part::name:
            piece = take_name(piece);
            break;
        case part::space:
            part_ = part::value;
            if (piece.front() == ' ')
                piece.remove_prefix(1);
            break;
        case part::value:
            take_value(piece);
            return;
        case part::ignored:
            return;
        }
}

std::string_view event_stream::take_mark(std::string_view piece) noexcept
{
    if (piece.front() == byte_order_mark[mark_bytes_]) {
        piece.remove_prefix(1);
        if (++mark_bytes_ == byte_order_mark.size())
            part_ = part::name;
    } else {
        // Part of a mark is the beginning of a name that means nothing.
        part_ = mark_bytes_ == 0 ? part::name : part::ignored;
    }
    return piece;
}

std::string_view event_stream::take_name(std::string_view piece)
{
    const char c = piece.front();
    if (c == ':')
        begin_value();
    else if (name_bytes_ == name_.size())
        part_ = part::ignored;
    else
        name_[name_bytes_++] = c;
    return piece.substr(1);
}

void event_stream::begin_value()
{
    const std::string_view name(name_.data(), name_bytes_);
    field_ = name == "data" ? field::data
        : name == "id"      ? field::id
        : name == "event"   ? field::event
        : name == "retry"   ? field::retry
                            : field::none;
    part_ = field_ == field::none ? part::ignored : part::space;
    if (field_ == field::data && std::exchange(has_data_, true))
        keep("\n");
}

void event_stream::take_value(std::string_view piece)
{
    if (field_ == field::data) {
        keep(piece);
        return;
    }
    const std::size_t room = max_field_bytes - value_.size();
    value_cut_ = value_cut_ || piece.size() > room;
    value_.append(piece.substr(0, room));
}

void event_stream::keep(std::string_view piece)
{
    const std::size_t total = data_.size() + piece.size();
    if (total > max_event_bytes_) {
        give_up(total);
        return;
    }
    if (total > data_.capacity()) {
        // Doubling keeps appending linear; capped, so that no more than the limit is ever reserved.
        const std::size_t doubled = std::min(data_.capacity() * 2, max_event_bytes_);
        data_.reserve(std::max(doubled, total));
    }
    data_.append(piece);
}

bool event_stream::at_empty_line() const noexcept
{
    return (part_ == part::name && name_bytes_ == 0) || (part_ == part::mark && mark_bytes_ == 0);
}

void event_stream::end_line()
{
    // A name without a colon is a field with an empty value.
    if (part_ == part::name)
        begin_value();
    if (oversized())
        return;
    if (part_ != part::ignored)
        end_field();
    begin_line();
}

void event_stream::end_field()
{
    switch (field_) {
    case field::event:
        type_ = value_;
        break;
    case field::id:
        if (value_.find('\0') != std::string::npos)
            break;
        id_ = value_cut_ ? std::string() : value_;
        says_something_ = true;
        break;
    case field::retry:
        if (const auto given = number(value_)) {
            // At once, also if the event is never completed.
            retry_ = given;
            says_something_ = true;
        }
        break;
    case field::data:
    case field::none:
        break;
    }
}

void event_stream::begin_line() noexcept
{
    part_ = part::name;
    name_bytes_ = 0;
    value_.clear();
    value_cut_ = false;
}

// Whether there is something to hand out.
bool event_stream::end_event()
{
    if (id_)
        last_event_id_ = std::exchange(id_, std::nullopt);
    if (std::exchange(says_something_, false) || has_data_)
        ++events_;
    has_data_ = false;
    if (data_.empty())
        type_.clear();
    return !data_.empty();
}

void event_stream::give_up(std::size_t bytes) noexcept
{
    oversized_bytes_ = bytes;
    chunk_ = {};
    taken_ = 0;
    std::string().swap(data_);
    std::string().swap(value_);
}

void event_stream::forget_handed_out()
{
    if (!std::exchange(handed_out_, false))
        return;
    type_.clear();
    if (data_.capacity() > worth_keeping)
        std::string().swap(data_);
    else
        data_.clear();
}

} // namespace mcp_pool::rpc
