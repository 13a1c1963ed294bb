#include "rpc/message_text.hpp"

#include "rpc/message.hpp"

#include <boost/json/parse.hpp>

#include <string>

namespace mcp_pool::rpc {

namespace {

constexpr bool is_space(char c) noexcept
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// What may follow a number, `true`, `false` or `null`.
constexpr bool ends_scalar(char c) noexcept
{
    return is_space(c) || c == ',' || c == ']' || c == '}' || c == ':';
}

// Whether a string, as it is written, is this name.
bool is_name(std::string_view quoted, std::string_view name)
{
    if (quoted.find('\\') == std::string_view::npos)
        return quoted.substr(1, quoted.size() - 2) == name;
    // Each letter written as \uXXXX.
    if (quoted.size() > 6 * name.size() + 2)
        return false;
    error_code failure;
    const json::value plain = json::parse(json::string_view(quoted.data(), quoted.size()), failure);
    return !failure && plain.is_string() && std::string_view(plain.get_string()) == name;
}

} // namespace

bool message_parts::is_result() const noexcept
{
    return method.empty() && !result.empty() && (error.empty() || error == "null");
}

bool message_parts::is_answer() const noexcept
{
    return method.empty() && !(result.empty() && error.empty());
}

message_scanner::message_scanner(std::string_view text) noexcept
    : text_(text)
{}

// '\0' at the end; one in the text fits nowhere either.
char message_scanner::peek() noexcept
{
    while (at_ < text_.size() && is_space(text_[at_]))
        ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
}

bool message_scanner::take(char expected) noexcept
{
    if (peek() != expected)
        return false;
    ++at_;
    return true;
}

// With its quotes; empty if it does not end.
std::string_view message_scanner::string() noexcept
{
    const std::size_t begin = at_;
    for (std::size_t from = begin + 1;;) {
        const std::size_t quote = text_.find('"', from);
        if (quote == std::string_view::npos)
            return {};
        // An odd number of backslashes before it makes it a part of the string. No backslash is
        // counted twice: those before the next quote stand behind this one.
        std::size_t slash = quote;
        while (slash > from && text_[slash - 1] == '\\')
            --slash;
        from = quote + 1;
        if ((quote - slash) % 2 == 0) {
            at_ = from;
            return text_.substr(begin, at_ - begin);
        }
    }
}

bool message_scanner::nested() noexcept
{
    std::size_t open = 0;
    while (at_ < text_.size()) {
        switch (text_[at_]) {
        case '"':
            if (string().empty())
                return false;
            continue;
        case '[':
        case '{':
            ++open;
            break;
        case ']':
        case '}':
            if (--open == 0) {
                ++at_;
                return true;
            }
            break;
        default:
            break;
        }
        ++at_;
    }
    return false;
}

// Empty if there is none.
std::string_view message_scanner::value() noexcept
{
    const char first = peek();
    const std::size_t begin = at_;
    if (first == '"')
        return string();
    if (first == '[' || first == '{')
        return nested() ? text_.substr(begin, at_ - begin) : std::string_view();
    while (at_ < text_.size() && !ends_scalar(text_[at_]))
        ++at_;
    return text_.substr(begin, at_ - begin);
}

bool message_scanner::members(message_parts& of)
{
    ++at_;
    if (take('}'))
        return true;
    do {
        if (peek() != '"')
            return false;
        const std::string_view name = string();
        if (name.empty() || !take(':'))
            return false;
        const std::string_view found = value();
        if (found.empty())
            return false;
        if (is_name(name, "id"))
            of.id = found;
        else if (is_name(name, "method"))
            of.method = found;
        else if (is_name(name, "result"))
            of.result = found;
        else if (is_name(name, "error"))
            of.error = found;
    } while (take(','));
    return take('}');
}

void message_scanner::finish() noexcept
{
    state_ = state::broken;
    if (peek() == '\0' && at_ == text_.size())
        state_ = state::done;
}

std::optional<message_parts> message_scanner::next()
{
    if (state_ == state::begin) {
        batch_ = take('[');
        if (batch_ && take(']')) {
            finish();
            return std::nullopt;
        }
    } else if (state_ == state::between && batch_ && take(']')) {
        finish();
        return std::nullopt;
    } else if (state_ == state::between && !batch_) {
        finish();
        return std::nullopt;
    } else if (state_ != state::between || !take(',')) {
        state_ = state_ == state::done ? state::done : state::broken;
        return std::nullopt;
    }
    message_parts parts;
    const bool object = peek() == '{';
    const std::size_t begin = at_;
    if (object ? !members(parts) : value().empty()) {
        state_ = state::broken;
        return std::nullopt;
    }
    parts.whole = text_.substr(begin, at_ - begin);
    state_ = state::between;
    return parts;
}

std::optional<std::int64_t> id_in(std::string_view text)
{
    error_code failure;
    message m;
    m.id = json::parse(json::string_view(text.data(), text.size()), failure);
    return failure ? std::nullopt : m.integer_id();
}

std::optional<std::string_view> result_text(std::string_view text, std::int64_t id)
{
    message_scanner messages(text);
    while (const auto parts = messages.next())
        if (parts->is_result() && !parts->id.empty() && id_in(parts->id) == id)
            return parts->result;
    return std::nullopt;
}

} // namespace mcp_pool::rpc
