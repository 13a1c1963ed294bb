// The servers that the world runs, on Node.js: installed by the test `install_node_servers`.
#pragma once

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <iostream>
#include <string>

namespace mcp_pool::testing {

namespace fs = std::filesystem;

inline const fs::path node_servers = fs::path(MCP_POOL_SOURCE_DIR) / "tests/fixtures/node";

inline fs::path script_of(const std::string& package)
{
    return node_servers / "node_modules/@modelcontextprotocol" / package / "dist/index.js";
}

// Whether the servers are there: their installation, which needs Node.js 20 or later, leaves a mark.
inline boost::test_tools::assertion_result node_is_installed(boost::unit_test::test_unit_id)
{
    static const bool installed = [] {
        const bool found = fs::exists(node_servers / "node_modules/.installed");
        if (!found)
            std::cout << "SKIPPED: node 20 or later not found" << std::endl;
        return found;
    }();
    return installed;
}

} // namespace mcp_pool::testing
