// A host that is short of something: leases go on, starts wait, the message names the limit.
#include "support/process_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/resource.h>

using namespace mcp_pool;
using namespace mcp_pool::testing;

namespace {

// Leaves this process no descriptor to open, as long as it exists.
class no_more_descriptors
{
public:
    no_more_descriptors()
    {
        BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &former_) == 0);
        rlimit none = former_;
        // Open ones above the limit stay open.
        none.rlim_cur = 3;
        BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    }
    no_more_descriptors(const no_more_descriptors&) = delete;
    no_more_descriptors& operator=(const no_more_descriptors&) = delete;
    ~no_more_descriptors() { ::setrlimit(RLIMIT_NOFILE, &former_); }

private:
    rlimit former_{};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(a_host_without_descriptors, process_fixture)

BOOST_AUTO_TEST_CASE(starts_nothing_and_goes_on_with_what_it_has)
{
    pool_overrides options;
    options.max_size = 2;
    open_server("mcp-pool-echo-server", {}, options);
    lease held = acquire();
    {
        const no_more_descriptors scarcity;
        const auto second = finish(pool->acquire(200ms));
        check_failure(second, errc::acquire_timeout, {"RLIMIT_NOFILE is 3"});
        const auto answer = echo(held);
        BOOST_TEST_REQUIRE(!answer->failure, why(answer));
        BOOST_TEST(answer->value->text() == "hi");
    }
    lease second = acquire();
    BOOST_TEST(!second.reused());
    held.release();
    second.release();
    teardown();
}

BOOST_AUTO_TEST_CASE(refuses_who_waits_where_nothing_is_alive_and_recovers)
{
    open_server("mcp-pool-echo-server", {});
    {
        const no_more_descriptors scarcity;
        const auto refused = finish(pool->acquire(30s));
        check_failure(refused, errc::resource_exhausted, {"this host", "RLIMIT_NOFILE is 3"});
        // The server is not to blame.
        BOOST_TEST(pool->stats().created == 0u);
    }
    // A new start is tried after a back-off; who comes before it is refused at once.
    bool served = false;
    until([&] {
        const auto again = finish(pool->acquire(30s));
        served = again->value.has_value();
        BOOST_TEST((served || again->code() == errc::resource_exhausted));
        return served;
    });
    teardown();
}

BOOST_AUTO_TEST_SUITE_END()
