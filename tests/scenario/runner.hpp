// Does what a scenario says, and looks at what comes of it.
#pragma once

#include "target.hpp"

namespace mcp_pool::scenario {

// Empty, or what is not as the scenario says, with the place in the file.
std::string replay(const scenario& s, target& t);

} // namespace mcp_pool::scenario
