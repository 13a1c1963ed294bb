// Limits of the host beside what a pool may want.
#include "transport/limits.hpp"
#include "transport/resident.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace mcp_pool::transport;

namespace {

host_limits with(std::uint64_t descriptors, std::uint64_t user_tasks, std::uint64_t group_tasks)
{
    host_limits limits;
    limits.descriptors = descriptors;
    limits.open_descriptors = 20;
    limits.user_tasks = user_tasks;
    limits.group_tasks = group_tasks;
    return limits;
}

} // namespace

BOOST_AUTO_TEST_SUITE(limits_of_the_host)

BOOST_AUTO_TEST_CASE(nothing_is_said_while_there_is_enough)
{
    BOOST_TEST(limit_warnings(10, with(60, 120, 120)).empty());
    // No limit, or none that applies.
    BOOST_TEST(limit_warnings(10'000, host_limits()).empty());
}

BOOST_AUTO_TEST_CASE(each_limit_that_is_too_low_is_named_with_its_value_the_need_and_the_remedy)
{
    const std::vector<std::string> descriptors = limit_warnings(10, with(59, 120, 120));
    BOOST_TEST_REQUIRE(descriptors.size() == 1U);
    BOOST_TEST(descriptors[0]
        == "max_size=10 may need 60 file descriptors (4 for each session, 20 are open now), and "
           "the "
           "limit RLIMIT_NOFILE is 59; raise it (ulimit -n, LimitNOFILE) or lower max_size");
    const std::vector<std::string> user = limit_warnings(10, with(60, 119, 120));
    BOOST_TEST_REQUIRE(user.size() == 1U);
    BOOST_TEST(user[0]
        == "max_size=10 may need 120 processes and threads (12 for each session), and the limit "
           "RLIMIT_NPROC of this user is 119; raise it (ulimit -u, LimitNPROC) or lower max_size");
    const std::vector<std::string> group = limit_warnings(10, with(60, 120, 119));
    BOOST_TEST_REQUIRE(group.size() == 1U);
    BOOST_TEST(group[0]
        == "max_size=10 may need 120 processes and threads (12 for each session), and pids.max of "
           "the control group is 119; raise it (TasksMax, --pids-limit) or lower max_size");
    BOOST_TEST(limit_warnings(10, with(0, 0, 0)).size() == 3U);
}

BOOST_AUTO_TEST_CASE(the_limits_of_this_process_are_read)
{
    rlimit before = {};
    BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit lower = before;
    lower.rlim_cur = 200;
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &lower) == 0);
    const host_limits first = limits_of_this_process();
    const int one_more = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    const host_limits second = limits_of_this_process();
    BOOST_TEST(!limit_warnings(100).empty());
    ::close(one_more);
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    BOOST_TEST(first.descriptors.value() == 200U);
    BOOST_TEST(first.open_descriptors >= 3U);
    BOOST_TEST(second.open_descriptors == first.open_descriptors + 1);
    if (::getuid() == 0)
        BOOST_TEST(!first.user_tasks.has_value());
}

BOOST_AUTO_TEST_CASE(the_memory_of_a_process_that_does_not_exist_is_nothing)
{
    BOOST_TEST(resident_bytes_of(0x7fffffff) == 0U);
}

BOOST_AUTO_TEST_CASE(the_memory_of_a_process_grows_with_what_it_touches)
{
    const std::size_t before = resident_bytes_of(::getpid());
    BOOST_TEST(before > 0U);
    constexpr std::size_t large = std::size_t{64} << 20;
    const std::vector<char> touched(large, 'x');
    const std::size_t after = resident_bytes_of(::getpid());
    BOOST_TEST(after >= before + large / 2, before << " bytes, then " << after);
    BOOST_TEST(touched[large / 2] == 'x');
}

BOOST_AUTO_TEST_SUITE_END()
