// Whether this build can check output schemas.
#pragma once

#include <mcp_pool/output_schema.hpp>

#include <boost/json/object.hpp>
#include <boost/test/unit_test.hpp>

#include <iostream>

namespace mcp_pool::test {

// A precondition of tests that need it to.
inline boost::test_tools::assertion_result schemas_are_checked(boost::unit_test::test_unit_id)
{
    json::object of;
    of["outputSchema"] = json::object();
    const output_schema schema{tool(json::value(std::move(of)))};
    if (!schema.checked())
        std::cout << "SKIPPED: an outputSchema " << schema.reason() << std::endl;
    return schema.checked();
}

} // namespace mcp_pool::test
