// Numbers and tables for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mcp_pool::bench {

// With `decimals` digits after the point and commas between thousands.
std::string number(double value, int decimals = 0);

// Calls per second: three significant digits at least, never a needless decimal.
std::string rate(double per_second);

// A duration given in milliseconds, in the unit that reads best: "420 ns", "17.3 µs", "2.05 ms",
// "1.25 s".
std::string duration_text(double milliseconds);

// A table with aligned columns: the first column to the left, the others to the right.
class text_table
{
public:
    explicit text_table(std::vector<std::string> header)
        : rows_{std::move(header)}
    {}

    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

    // One string with a line per row, a rule under the header.
    [[nodiscard]] std::string str() const;

private:
    std::vector<std::vector<std::string>> rows_;
};

} // namespace mcp_pool::bench
