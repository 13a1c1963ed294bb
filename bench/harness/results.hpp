// The outcomes of all runs, in the forms that people and programs read.
#pragma once

#include "harness/options.hpp"
#include "load/outcome.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace mcp_pool::bench {

// {"runs": [...]}, members as pinned in the design.
json::object to_json(const options& asked, const std::vector<outcome>& runs);

// For each mode that was run, in order, the run whose throughput is the median.
std::vector<const outcome*> medians(const std::vector<outcome>& runs);

// What was asked for, in one line.
std::string headline(const options& asked);

// The table for people; `runs` are the medians.
std::string table(const std::vector<const outcome*>& runs);

// One sentence per mode that says what its row means.
std::string explanation(const std::vector<const outcome*>& runs);

// A self-contained page; `runs` are the medians.
std::string report_page(const options& asked, const std::vector<const outcome*>& runs);

} // namespace mcp_pool::bench
