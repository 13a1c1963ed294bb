// Plots as SVG text for a page that has the style sheet of report.cpp.
#pragma once

#include <string>
#include <vector>

namespace mcp_pool::bench {

struct bar
{
    std::string label;
    // Class of the bar in the style sheet.
    std::string style;
    double value = 0;
    // What stands beside it.
    std::string text;

    bar() = default;
};

// Horizontal bars on a logarithmic axis. Values that are not positive have no bar.
std::string log_bars(const std::string& title, const std::vector<bar>& bars);

// The same on an axis that begins at 0.
std::string linear_bars(const std::string& title, const std::vector<bar>& bars);

struct line
{
    std::string label;
    std::string style;
    // One per category, in milliseconds.
    std::vector<double> values;

    line() = default;
};

// Durations over categories, such as percentiles, on a logarithmic axis.
std::string log_lines(const std::string& title, const std::vector<std::string>& categories,
    const std::vector<line>& lines);

// Text that is safe inside HTML and in attributes.
std::string html(const std::string& text);

} // namespace mcp_pool::bench
