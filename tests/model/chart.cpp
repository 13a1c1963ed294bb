#include "chart.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

namespace mcp_pool::test {

namespace {

constexpr double width = 860, height = 340, left = 62, right = 16, top = 58, bottom = 44;

std::string px(double value)
{
    std::ostringstream text;
    text << std::fixed << std::setprecision(1) << value;
    return text.str();
}

std::string label(double value)
{
    std::ostringstream text;
    text << value;
    return text.str();
}

std::string text_at(double x, double y, const std::string& anchor, const std::string& text)
{
    return "<text x=\"" + px(x) + "\" y=\"" + px(y) + "\" text-anchor=\"" + anchor + "\">" + text
        + "</text>\n";
}

// A round number, so that about five of them reach `most`.
double step_for(double most)
{
    const double decade = std::pow(10, std::floor(std::log10(most / 5)));
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (most / 5 <= factor * decade)
            return factor * decade;
    }
    return 10 * decade;
}

} // namespace

std::string line_chart(const std::string& title, const time_axis& axis, const std::string& vertical,
    const std::vector<series>& lines)
{
    double most = 1;
    std::size_t samples = 2;
    for (const series& line : lines) {
        samples = std::max(samples, line.values.size());
        for (const double v : line.values)
            most = std::max(most, v);
    }
    const double step = step_for(most);
    const double ceiling = step * std::ceil(most / step);
    const auto x = [&](std::size_t i) {
        return left
            + (width - left - right) * static_cast<double>(i) / static_cast<double>(samples - 1);
    };
    const auto y = [&](double v) {
        return height - bottom - (height - top - bottom) * v / ceiling;
    };

    std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + px(width) + " "
        + px(height) + "\" role=\"img\" aria-label=\"" + title
        + "\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#333\">\n"
          "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
    svg += "<text x=\"" + px(left) + "\" y=\"20\" font-weight=\"bold\">" + title + "</text>\n";
    double legend = left;
    for (const series& line : lines) {
        svg += "<line x1=\"" + px(legend) + "\" y1=\"38\" x2=\"" + px(legend + 22)
            + "\" y2=\"38\" stroke=\"" + line.colour + "\" stroke-width=\"3\"/>\n"
            + text_at(legend + 28, 42, "start", line.label);
        legend += 60 + 7.2 * static_cast<double>(line.label.size());
    }
    for (double v = 0; v <= ceiling + step / 2; v += step) {
        svg += "<line x1=\"" + px(left) + "\" y1=\"" + px(y(v)) + "\" x2=\"" + px(width - right)
            + "\" y2=\"" + px(y(v)) + "\" stroke=\"#ddd\"/>\n"
            + text_at(left - 8, y(v) + 4, "end", label(v));
    }
    double tick = 0;
    for (std::size_t i = 0; i < samples; i += axis.samples_per_tick, tick += axis.tick_step)
        svg += text_at(x(i), height - bottom + 18, "middle", label(tick));
    svg += text_at((left + width - right) / 2, height - 8, "middle", axis.text);
    const std::string middle = px((top + height - bottom) / 2);
    svg += "<text x=\"18\" y=\"" + middle + "\" text-anchor=\"middle\" transform=\"rotate(-90 18 "
        + middle + ")\">" + vertical + "</text>\n";
    for (const series& line : lines) {
        svg += "<polyline fill=\"none\" stroke=\"" + line.colour
            + "\" stroke-width=\"1.5\" stroke-linejoin=\"round\" points=\"";
        for (std::size_t i = 0; i != line.values.size(); ++i)
            svg += (i == 0 ? "" : " ") + px(x(i)) + "," + px(y(line.values[i]));
        svg += "\"/>\n";
    }
    return svg + "</svg>\n";
}

} // namespace mcp_pool::test
