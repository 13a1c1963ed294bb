#include "harness/svg.hpp"

#include "support/text.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mcp_pool::bench {
namespace {

// The decades around all positive values.
struct log_axis
{
    int low = 0;
    int high = 1;

    // Where a value lies, from 0 to 1.
    [[nodiscard]] double at(double value) const
    {
        return (std::log10(value) - low) / static_cast<double>(high - low);
    }
};

log_axis axis_over(const std::vector<double>& values)
{
    double least = std::numeric_limits<double>::max();
    double most = 0;
    for (const double v : values) {
        if (v <= 0)
            continue;
        least = std::min(least, v);
        most = std::max(most, v);
    }
    log_axis axis;
    if (most <= 0)
        return axis;
    axis.low = static_cast<int>(std::floor(std::log10(least)));
    axis.high = std::max(axis.low + 1, static_cast<int>(std::ceil(std::log10(most) - 1e-9)));
    return axis;
}

std::string px(double value)
{
    std::string text = number(std::abs(value), 1);
    text.erase(std::remove(text.begin(), text.end(), ','), text.end());
    return value < 0 ? "-" + text : text;
}

std::string text_at(double x, double y, const std::string& anchor, const std::string& style,
    const std::string& text)
{
    return "<text x=\"" + px(x) + "\" y=\"" + px(y) + "\" text-anchor=\"" + anchor + "\" class=\""
        + style + "\">" + html(text) + "</text>\n";
}

std::string segment(double x1, double y1, double x2, double y2, const std::string& style)
{
    return "<line x1=\"" + px(x1) + "\" y1=\"" + px(y1) + "\" x2=\"" + px(x2) + "\" y2=\"" + px(y2)
        + "\" class=\"" + style + "\"/>\n";
}

std::string figure(const std::string& title, double width, double height, const std::string& body)
{
    return "<figure><figcaption>" + html(title) + "</figcaption>\n<svg viewBox=\"0 0 " + px(width)
        + " " + px(height) + "\" role=\"img\" aria-label=\"" + html(title) + "\">\n" + body
        + "</svg></figure>\n";
}

// Horizontal bars. `at` tells where a positive value lies, from 0 to 1.
template <class Scale>
std::string bars_figure(const std::string& title, const std::vector<bar>& bars,
    const std::vector<double>& ticks, Scale at)
{
    constexpr double width = 720, left = 110, right = 110, row = 44, top = 8, bottom = 30;
    const double plot = width - left - right;
    const double height = top + row * static_cast<double>(bars.size()) + bottom;
    std::string body;
    for (const double value : ticks) {
        const double x = left + plot * (value > 0 ? at(value) : 0);
        const int decimals = value > 0 && value < 1
            ? static_cast<int>(std::ceil(-std::log10(value)))
            : 0;
        body += segment(x, top, x, height - bottom, "grid");
        body += text_at(x, height - bottom + 18, "middle", "tick", number(value, decimals));
    }
    double y = top;
    for (const bar& b : bars) {
        const double length = b.value > 0 ? plot * at(b.value) : 0;
        body += text_at(left - 10, y + row / 2 + 5, "end", "label", b.label);
        body += "<rect x=\"" + px(left) + "\" y=\"" + px(y + 8) + "\" width=\"" + px(length)
            + "\" height=\"" + px(row - 16) + "\" rx=\"3\" class=\"" + b.style + "\"/>\n";
        body += text_at(left + length + 8, y + row / 2 + 5, "start", "value", b.text);
        y += row;
    }
    return figure(title, width, height, body);
}

} // namespace

std::string html(const std::string& text)
{
    std::string result;
    for (const char c : text) {
        switch (c) {
        case '&':
            result += "&amp;";
            break;
        case '<':
            result += "&lt;";
            break;
        case '>':
            result += "&gt;";
            break;
        case '"':
            result += "&quot;";
            break;
        default:
            result += c;
        }
    }
    return result;
}

std::string log_bars(const std::string& title, const std::vector<bar>& bars)
{
    std::vector<double> values;
    for (const bar& b : bars)
        values.push_back(b.value);
    log_axis axis = axis_over(values);
    // A bar on a logarithmic axis needs a beginning: a decade below the smallest value, so that
    // every bar can be seen.
    axis.low -= 1;
    std::vector<double> ticks;
    for (int decade = axis.low; decade <= axis.high; ++decade)
        ticks.push_back(std::pow(10.0, decade));
    return bars_figure(title, bars, ticks, [axis](double value) { return axis.at(value); });
}

std::string linear_bars(const std::string& title, const std::vector<bar>& bars)
{
    double most = 0;
    for (const bar& b : bars)
        most = std::max(most, b.value);
    // Steps of 1, 2 or 5 times a power of ten, at most five of them.
    double step = most > 0 ? std::pow(10.0, std::floor(std::log10(most)) - 1) : 1;
    for (int i = 0; step * 5 < most; ++i)
        step *= i % 3 == 1 ? 2.5 : 2;
    std::vector<double> ticks;
    for (int i = 0; i <= 5; ++i)
        ticks.push_back(step * i);
    return bars_figure(title, bars, ticks, [step](double value) { return value / (5 * step); });
}

std::string log_lines(const std::string& title, const std::vector<std::string>& categories,
    const std::vector<line>& lines)
{
    constexpr double width = 720, height = 320, left = 80, right = 110, top = 16, bottom = 34;
    const double plot_width = width - left - right;
    const double plot_height = height - top - bottom;
    std::vector<double> values;
    for (const line& l : lines)
        values.insert(values.end(), l.values.begin(), l.values.end());
    const log_axis axis = axis_over(values);
    const auto y_of = [&](double value) { return top + plot_height * (1 - axis.at(value)); };
    const auto x_of = [&](std::size_t category) {
        const double steps = std::max<double>(1, static_cast<double>(categories.size()) - 1);
        return left + 24 + (plot_width - 24) * static_cast<double>(category) / steps;
    };

    std::string body;
    for (int decade = axis.low; decade <= axis.high; ++decade) {
        const double value = std::pow(10.0, decade);
        body += segment(left, y_of(value), left + plot_width, y_of(value), "grid");
        // "1.00 ms" reads "1 ms" on an axis.
        std::string tick = duration_text(value);
        const auto point = tick.find('.');
        if (point != std::string::npos)
            tick.erase(point, tick.find(' ') - point);
        body += text_at(left - 10, y_of(value) + 5, "end", "tick", tick);
    }
    for (std::size_t i = 0; i < categories.size(); ++i)
        body += text_at(x_of(i), height - bottom + 22, "middle", "tick", categories[i]);

    // Labels at the line ends keep clear of each other.
    std::vector<std::pair<double, const line*>> ends;
    for (const line& l : lines) {
        std::string points;
        std::string dots;
        for (std::size_t i = 0; i < l.values.size(); ++i) {
            if (l.values[i] <= 0)
                continue;
            const std::string x = px(x_of(i)), y = px(y_of(l.values[i]));
            points += x + "," + y + " ";
            dots += "<circle cx=\"" + x + "\" cy=\"" + y + "\" r=\"4.5\" class=\"" + l.style
                + "\"><title>"
                + html(l.label + ", " + categories[i] + ": " + duration_text(l.values[i]))
                + "</title></circle>\n";
        }
        if (points.empty())
            continue;
        body += "<polyline points=\"" + points + "\" class=\"line " + l.style + "\"/>\n" + dots;
        ends.emplace_back(y_of(l.values.back() > 0 ? l.values.back() : 1), &l);
    }
    std::sort(
        ends.begin(), ends.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    double free_from = 0;
    for (const auto& [wanted, l] : ends) {
        const double y = std::max(wanted, free_from);
        body += text_at(left + plot_width + 12, y + 5, "start", "label", l->label);
        free_from = y + 20;
    }
    return figure(title, width, height, body);
}

} // namespace mcp_pool::bench
