// Line charts over time as SVG files that stand for themselves.
#pragma once

#include <string>
#include <vector>

namespace mcp_pool::test {

struct series
{
    std::string label;
    // As CSS has it.
    std::string colour;
    // One value per sample.
    std::vector<double> values;
};

// The horizontal axis: ticks labelled 0, tick_step, 2 · tick_step, … are so many samples apart.
struct time_axis
{
    // What the axis shows and its unit, written below it.
    std::string text;
    std::size_t samples_per_tick = 1;
    double tick_step = 1;
};

// `vertical`: what the values are, and their unit.
std::string line_chart(const std::string& title, const time_axis& axis, const std::string& vertical,
    const std::vector<series>& lines);

} // namespace mcp_pool::test
