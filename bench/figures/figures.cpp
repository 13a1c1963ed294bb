// mcp-pool-figures: runs the microbenchmarks and holds their figures against their bounds.

#include "support/processes.hpp"
#include "support/program.hpp"
#include "support/text.hpp"

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cmath>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

namespace mcp_pool::bench {
namespace {

// Beyond a bound by more than this factor a figure fails; up to it, on a shared machine, it warns.
constexpr double leeway = 1.5;

constexpr std::string_view usage_text =
    "usage: mcp-pool-figures [OPTIONS]\n"
    "\n"
    "Runs the microbenchmarks beside this program and prints their figures with their bounds.\n"
    "\n"
    "  --json FILE   write the figures with all details as JSON\n"
    "  --smoke       few and short runs; what depends on the machine's load is not judged\n"
    "  --runs N      interleaved runs of each (9)\n"
    "  --only NAME   run this one; may be repeated\n"
    "  --help        this text\n"
    "\n"
    "Exit status: 0 no figure is beyond 1.5 times its bound, 1 one is or a program failed, 2 "
    "wrong\n"
    "usage.\n";

enum class verdict {
    good,
    // Beyond the bound, within the leeway.
    warning,
    failed,
    // Not judged, or without a bound.
    none,
};

struct settings
{
    std::string json_file;
    std::vector<std::string> passed_on;
    std::vector<std::string> only;
};

verdict judge(const json::object& f)
{
    const std::string_view relation = f.at("relation").as_string();
    const double bound = f.at("bound").to_number<double>();
    const double measured = f.at("measured").to_number<double>();
    if (!f.at("judged").as_bool() || relation == "shown")
        return verdict::none;
    if (relation == "exactly")
        return measured == bound ? verdict::good : verdict::failed;
    if (relation == "never more than")
        return measured <= bound ? verdict::good : verdict::failed;
    if (relation == "at least") {
        if (measured >= bound)
            return verdict::good;
        return measured >= bound / leeway ? verdict::warning : verdict::failed;
    }
    if (measured <= bound)
        return verdict::good;
    return measured <= bound * leeway ? verdict::warning : verdict::failed;
}

std::string_view to_string(verdict v)
{
    switch (v) {
    case verdict::good:
        return "ok";
    case verdict::warning:
        return "BEYOND";
    case verdict::failed:
        return "FAILED";
    case verdict::none:
        return "-";
    }
    return "?";
}

std::string value_text(double value, const std::string& unit)
{
    const bool whole = value == std::floor(value);
    const std::string text = number(value, whole ? 0 : std::abs(value) < 10 ? 3 : 1);
    return unit == "count" || unit == "ratio" || unit == "allocations" ? text : text + " " + unit;
}

std::string bound_text(const json::object& f)
{
    const std::string_view relation = f.at("relation").as_string();
    if (relation == "shown")
        return "-";
    const char* sign = relation == "at least" ? ">= " : relation == "exactly" ? "= " : "<= ";
    return sign
        + value_text(f.at("bound").to_number<double>(), std::string(f.at("unit").as_string()));
}

// The figures that a program prints; nothing if it failed.
std::optional<json::array> figures_of(const std::string& name, const settings& asked)
{
    std::vector<std::string> words{program_directory() + "/" + name};
    words.insert(words.end(), asked.passed_on.begin(), asked.passed_on.end());
    const program_result result = run_program(words);
    if (result.status != 0) {
        std::cerr << name << " failed with status " << result.status << "\n";
        return std::nullopt;
    }
    json::array figures;
    std::string_view rest = result.output;
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size());
        if (end > 0) {
            json::value line = json::parse(rest.substr(0, end));
            figures.push_back(std::move(line));
        }
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return figures;
}

int run_all(const settings& asked)
{
    bool failed = false;
    json::array all;
    text_table table({"figure", "bound", "measured", "verdict"});
    for (const std::string name : {"hit_path", "hand_over", "contention", "scale", "compare",
             "call_round_trip", "http_round_trip", "multiplexed", "payloads", "big_parent",
             "embedded_server", "kill_storm", "everything"}) {
        if (!asked.only.empty()
            && std::find(asked.only.begin(), asked.only.end(), name) == asked.only.end())
            continue;
        if (::isatty(STDERR_FILENO) == 1)
            std::cerr << name << " …\n";
        const auto figures = figures_of(name, asked);
        failed = failed || !figures;
        if (!figures)
            continue;
        for (const json::value& value : *figures) {
            json::object f = value.as_object();
            const verdict v = judge(f);
            failed = failed || v == verdict::failed;
            table.add({std::string(f.at("figure").as_string()), bound_text(f),
                value_text(
                    f.at("measured").to_number<double>(), std::string(f.at("unit").as_string())),
                std::string(to_string(v))});
            f["program"] = name;
            f["verdict"] = to_string(v);
            all.push_back(std::move(f));
        }
    }
    std::cout << table.str();
    if (!asked.json_file.empty()) {
        json::object document;
        document["figures"] = std::move(all);
        std::ofstream file(asked.json_file, std::ios::trunc);
        file << json::serialize(document) << std::endl;
        if (!file) {
            std::cerr << "cannot write " << asked.json_file << "\n";
            return 1;
        }
    }
    return failed ? 1 : 0;
}

int wrong_usage(const std::string& text)
{
    std::cerr << "mcp-pool-figures: " << text << "\nTry 'mcp-pool-figures --help'.\n";
    return 2;
}

} // namespace
} // namespace mcp_pool::bench

int main(int argc, char** argv)
{
    using namespace mcp_pool::bench;
    settings asked;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--help") {
            std::cout << usage_text;
            return 0;
        }
        if (name == "--smoke") {
            asked.passed_on.push_back(name);
            continue;
        }
        if (name != "--json" && name != "--runs" && name != "--only")
            return wrong_usage("unknown option " + name);
        if (++i == argc)
            return wrong_usage(name + " needs a value");
        if (name == "--json") {
            asked.json_file = argv[i];
        } else if (name == "--only") {
            asked.only.emplace_back(argv[i]);
        } else {
            asked.passed_on.push_back(name);
            asked.passed_on.emplace_back(argv[i]);
        }
    }
    try {
        return run_all(asked);
    } catch (const std::exception& e) {
        std::cerr << "mcp-pool-figures: " << e.what() << "\n";
        return 1;
    }
}
