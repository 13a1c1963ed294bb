// The one main() of every test program.
#define BOOST_TEST_MODULE mcp_pool
#include <boost/test/unit_test.hpp>

#if defined(__SANITIZE_THREAD__)
// std::future hands an exception from thread to thread by a reference count inside of libstdc++.so,
// which is not instrumented: its last release looks like a race. None of our own code is named here.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions()
{
    return "race:std::__exception_ptr::exception_ptr::_M_release\n";
}
#endif
