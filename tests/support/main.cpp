// The one main() of every test program.
#define BOOST_TEST_MODULE mcp_pool
#include <boost/test/unit_test.hpp>

#if defined(__SANITIZE_THREAD__)
// The last release of a reference count looks like a race in two places: std::future hands an
// exception from thread to thread by one inside of libstdc++.so, which is not instrumented; and
// asio::any_io_executor orders its own by a fence, which this sanitizer does not follow. None of
// our own code is named here.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions()
{
    return "race:std::__exception_ptr::exception_ptr::_M_release\n"
           "race:boost::asio::execution::detail::shared_target_executor::~shared_target_executor\n";
}
#endif
