// The one main() of every test program.
#define BOOST_TEST_MODULE mcp_pool
#include <boost/test/unit_test.hpp>
