// Which header may include which: the rule of the layers, as a check of text.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace mcp_pool::house {

// Sources by their path from the top of the repository, with '/'.
using source_tree = std::map<std::string, std::string>;

// Reads the sources of the library: lib/ and include/.
source_tree read_sources(const std::filesystem::path& top);

// What breaks the rule, one sentence each, with path and line.
//
// A layer includes only itself, layers before it, the public headers, Boost and the standard
// library. The layers without I/O and the core of the pool reach no Asio header, on no way through
// our own headers, and use no clock. A public header includes public headers, Boost and the standard
// library; none of them leads to Beast, Process or prometheus-cpp.
std::vector<std::string> broken_rules(const source_tree& sources);

} // namespace mcp_pool::house
