#include "rpc/line_assembler.hpp"

#include <algorithm>

namespace mcp_pool::rpc {

namespace {

// After one huge message a session would hold its buffer for the rest of its life.
constexpr std::size_t worth_keeping = std::size_t{64} << 10;

std::string_view without_return(std::string_view line) noexcept
{
    if (!line.empty() && line.back() == '\r')
        line.remove_suffix(1);
    return line;
}

} // namespace

std::optional<std::string_view> line_assembler::next()
{
    forget_handed_out();
    while (!chunk_.empty() && !oversized()) {
        const std::size_t end = chunk_.find('\n');
        if (end == std::string_view::npos) {
            keep(chunk_);
            chunk_ = {};
            break;
        }
        const std::string_view piece = chunk_.substr(0, end);
        chunk_.remove_prefix(end + 1);

        std::string_view line;
        if (partial_.empty()) {
            line = without_return(piece);
            if (line.size() > max_line_bytes_) {
                give_up(line.size());
                break;
            }
        } else {
            if (!keep(piece))
                break;
            line = without_return(partial_);
            if (line.size() > max_line_bytes_) {
                give_up(line.size());
                break;
            }
            handed_out_ = true;
        }
        if (!line.empty())
            return line;
        forget_handed_out();
    }
    return std::nullopt;
}

std::optional<std::string_view> line_assembler::finish()
{
    forget_handed_out();
    handed_out_ = true;
    const std::string_view line = without_return(partial_);
    if (line.empty())
        return std::nullopt;
    return line;
}

// One byte more than the limit is kept: it may turn out to be the '\r' of the line end.
bool line_assembler::keep(std::string_view piece)
{
    const std::size_t total = partial_.size() + piece.size();
    if (total > max_line_bytes_ && total - max_line_bytes_ > 1) {
        give_up(total);
        return false;
    }
    if (total > partial_.capacity()) {
        // Doubling keeps appending linear; capped, so that no more than the limit is ever reserved.
        const std::size_t doubled = std::min(partial_.capacity() * 2, max_line_bytes_ + 1);
        partial_.reserve(std::max(doubled, total));
    }
    partial_.append(piece);
    return true;
}

void line_assembler::give_up(std::size_t bytes) noexcept
{
    oversized_bytes_ = bytes;
    chunk_ = {};
    handed_out_ = false;
    std::string().swap(partial_);
}

void line_assembler::forget_handed_out()
{
    if (!handed_out_)
        return;
    handed_out_ = false;
    if (partial_.capacity() > worth_keeping)
        std::string().swap(partial_);
    else
        partial_.clear();
}

} // namespace mcp_pool::rpc
