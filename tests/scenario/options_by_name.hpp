// Options of a pool by the names that they have in files.
#pragma once

#include <mcp_pool/pool_options.hpp>

#include <boost/json/object.hpp>

#include <string>

namespace mcp_pool::scenario {

// Sets what `members` name. Durations are seconds. Empty, or what is wrong.
std::string set_options(const boost::json::object& members, pool_overrides& options);

} // namespace mcp_pool::scenario
