#include "metrics/histogram.hpp"

#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using mcp_pool::metrics::histogram;

BOOST_AUTO_TEST_SUITE(histogram_of_durations)

BOOST_AUTO_TEST_CASE(buckets_are_contiguous_and_within_a_thirty_second)
{
    std::size_t last = 0;
    for (std::uint64_t v = 0; v < (std::uint64_t{1} << 20); ++v) {
        const std::size_t i = histogram::index(v);
        BOOST_TEST_REQUIRE((i == last || i == last + 1));
        BOOST_TEST_REQUIRE(histogram::upper_bound(i) >= v);
        BOOST_TEST_REQUIRE(histogram::upper_bound(i) - v <= v / 32);
        last = i;
    }
    BOOST_TEST(histogram::index(~std::uint64_t{0}) == histogram::buckets - 1);
}

BOOST_AUTO_TEST_CASE(an_empty_histogram_is_all_zero)
{
    const auto p = histogram().snapshot();
    BOOST_TEST(p.count == 0u);
    BOOST_TEST(p.p50 == 0.0);
    BOOST_TEST(p.max == 0.0);
}

BOOST_AUTO_TEST_CASE(percentiles_count_the_events_that_were_too_frequent_to_record)
{
    histogram h;
    h.record(100ms);
    auto p = h.snapshot(99);
    BOOST_TEST(p.count == 100u);
    BOOST_TEST(p.p50 == 0.0);
    BOOST_TEST(p.p99 == 0.0);
    BOOST_TEST(p.p999 == 100.0);
    BOOST_TEST(p.max == 100.0);
}

BOOST_AUTO_TEST_CASE(negative_and_enormous_values_are_kept_at_the_ends)
{
    histogram h;
    h.record(-5s);
    h.record(mcp_pool::duration::max());
    const auto p = h.snapshot();
    BOOST_TEST(p.count == 2u);
    BOOST_TEST(p.p50 == 0.0);
    BOOST_TEST(p.max > 1e12);
}

BOOST_AUTO_TEST_SUITE_END()
