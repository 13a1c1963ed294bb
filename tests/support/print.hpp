// How Boost.Test shows our types.
#pragma once

#include <mcp_pool/error.hpp>

#include <ostream>

namespace mcp_pool {

inline std::ostream& boost_test_print_type(std::ostream& out, errc value)
{
    return out << make_error_code(value).message();
}

} // namespace mcp_pool
