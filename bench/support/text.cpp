#include "support/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace mcp_pool::bench {
namespace {

// Columns on a terminal: one per code point is right for the characters used here.
std::size_t width(const std::string& text)
{
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(),
        [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string fixed(double value, int decimals)
{
    std::array<char, 64> buffer;
    const int n = std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, value);
    return {buffer.data(), static_cast<std::size_t>(std::clamp(n, 0, 63))};
}

// Three significant digits.
std::string three_digits(double value)
{
    const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    return fixed(value, decimals);
}

} // namespace

std::string number(double value, int decimals)
{
    std::string text = fixed(std::abs(value), decimals);
    const auto point = std::min(text.find('.'), text.size());
    for (auto at = static_cast<std::ptrdiff_t>(point) - 3; at > 0; at -= 3)
        text.insert(static_cast<std::size_t>(at), 1, ',');
    return value < 0 ? "-" + text : text;
}

std::string rate(double per_second)
{
    return per_second < 100 ? three_digits(per_second) : number(per_second);
}

std::string duration_text(double milliseconds)
{
    if (milliseconds <= 0)
        return "0";
    if (milliseconds < 0.001)
        return fixed(milliseconds * 1e6, 0) + " ns";
    if (milliseconds < 1)
        return three_digits(milliseconds * 1e3) + " µs";
    if (milliseconds < 1000)
        return three_digits(milliseconds) + " ms";
    return three_digits(milliseconds / 1e3) + " s";
}

std::string text_table::str() const
{
    std::vector<std::size_t> widths;
    for (const auto& row : rows_) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], width(row[i]));
    }
    std::string result;
    for (std::size_t r = 0; r < rows_.size(); ++r) {
        for (std::size_t i = 0; i < rows_[r].size(); ++i) {
            const std::string& cell = rows_[r][i];
            const std::string padding(widths[i] - width(cell), ' ');
            result += i == 0 ? cell + padding : "  " + padding + cell;
        }
        result.erase(result.find_last_not_of(' ') + 1);
        result += '\n';
        if (r > 0)
            continue;
        std::size_t total = widths.empty() ? 0 : 2 * (widths.size() - 1);
        for (const std::size_t w : widths)
            total += w;
        result += std::string(total, '-') + '\n';
    }
    return result;
}

} // namespace mcp_pool::bench
