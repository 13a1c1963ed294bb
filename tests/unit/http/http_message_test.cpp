// What is read out of header fields.
#include "transport/http/http_message.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>
#include <utility>

using namespace mcp_pool;
using namespace mcp_pool::transport::http;
using namespace std::chrono_literals;

namespace {

duration kept(std::string keep_alive)
{
    header_fields fields;
    fields.emplace_back("Connection", "keep-alive");
    fields.emplace_back("keep-alive", std::move(keep_alive));
    return keep_alive_of(fields);
}

} // namespace

BOOST_AUTO_TEST_SUITE(header_fields_of_answers)

BOOST_AUTO_TEST_CASE(a_connection_is_kept_for_less_than_the_server_keeps_it)
{
    BOOST_TEST((kept("timeout=5") == 4s));
    BOOST_TEST((kept("Timeout=20, max=100") == 19s));
    BOOST_TEST((kept("max=100,timeout=2") == 1s));
    BOOST_TEST((kept("timeout=1") == 500ms));
    BOOST_TEST((kept("timeout=0") == 0s));
}

BOOST_AUTO_TEST_CASE(a_server_that_says_nothing_sensible_has_no_say)
{
    BOOST_TEST((keep_alive_of({}) == duration::max()));
    BOOST_TEST((kept("") == duration::max()));
    BOOST_TEST((kept("max=100") == duration::max()));
    // Whatever the rest, it is no number that overflows.
    BOOST_TEST((kept("timeout=99999999999999999999") > 24h));
    BOOST_TEST((kept("timeout=soon") == duration::max()));
    BOOST_TEST((kept("timeout=") == duration::max()));
}

BOOST_AUTO_TEST_SUITE_END()
