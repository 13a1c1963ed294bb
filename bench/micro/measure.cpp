#include "micro/measure.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <exception>
#include <iostream>

namespace mcp_pool::bench {
namespace {

std::string_view to_string(relation value)
{
    switch (value) {
    case relation::at_most:
        return "at most";
    case relation::at_least:
        return "at least";
    case relation::never_more:
        return "never more than";
    case relation::exactly:
        return "exactly";
    case relation::shown:
        return "shown";
    }
    return "?";
}

[[noreturn]] void wrong_usage(const std::string& text)
{
    std::cerr << text << "; see --help\n";
    std::exit(2);
}

template <class Number>
Number number_from(std::string_view option, std::string_view text, Number least, Number most)
{
    Number value{};
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc() || end != text.data() + text.size() || !(value >= least && value <= most))
        wrong_usage(std::string(option) + "=\"" + std::string(text) + "\": expected a number from "
            + std::to_string(least) + " to " + std::to_string(most));
    return value;
}

} // namespace

micro_options parse_micro_options(int argc, char** argv, std::string_view what)
{
    micro_options result;
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (name == "--help") {
            std::cout
                << what
                << "\n\n"
                   "  --smoke      few and short runs; figures that depend on the machine's load\n"
                   "               are not judged\n"
                   "  --runs N     interleaved runs to take the medians of (9)\n"
                   "  --seconds S  length of each run under load (20)\n";
            std::exit(0);
        } else if (name == "--smoke") {
            result.smoke = true;
            result.runs = 1;
            result.seconds = 1;
        } else if (name != "--runs" && name != "--seconds") {
            wrong_usage("unknown option " + std::string(name));
        } else if (i + 1 == argc) {
            wrong_usage(std::string(name) + " needs a value");
        } else if (name == "--runs") {
            result.runs = number_from<std::size_t>(name, argv[++i], 1, 1000);
        } else {
            result.seconds = number_from<double>(name, argv[++i], 0.1, 3600);
        }
    }
    return result;
}

void print(const figure& f)
{
    json::object line;
    line["figure"] = f.name;
    line["relation"] = to_string(f.bound_is);
    line["bound"] = f.bound;
    line["measured"] = f.measured;
    line["unit"] = f.unit;
    line["judged"] = f.judged;
    line["detail"] = f.detail;
    std::cout << json::serialize(line) << std::endl;
}

double median(std::vector<double> values)
{
    if (values.empty())
        return 0;
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::vector<std::vector<double>> interleave(
    std::size_t runs, const std::vector<std::function<double()>>& measured)
{
    std::vector<std::vector<double>> values(measured.size());
    for (std::size_t run = 0; run <= runs; ++run) {
        for (std::size_t i = 0; i < measured.size(); ++i) {
            const double value = measured[i]();
            if (run > 0)
                values[i].push_back(value);
        }
    }
    return values;
}

json::array array_of(const std::vector<double>& values)
{
    json::array result;
    for (const double v : values)
        result.push_back(v);
    return result;
}

int run_micro(const std::function<void()>& body)
{
    try {
        body();
        return 0;
    } catch (const std::exception& e) {
        std::cerr << e.what() << "\n";
        return 1;
    }
}

} // namespace mcp_pool::bench
