#include "unit/house/include_rule.hpp"

#include <boost/test/unit_test.hpp>

using mcp_pool::house::broken_rules;
using mcp_pool::house::read_sources;
using mcp_pool::house::source_tree;

namespace {

// The only complaint about the sources; empty if there is none.
std::string complaint(const source_tree& sources)
{
    const auto all = broken_rules(sources);
    BOOST_TEST(all.size() <= 1u);
    return all.empty() ? std::string() : all.front();
}

} // namespace

BOOST_AUTO_TEST_SUITE(rule_of_the_layers)

BOOST_AUTO_TEST_CASE(the_library_keeps_it)
{
    const source_tree sources = read_sources(MCP_POOL_SOURCE_DIR);
    BOOST_TEST_REQUIRE(sources.contains("include/mcp_pool/mcp_pool.hpp"));
    BOOST_TEST_REQUIRE(sources.contains("lib/metrics/histogram.cpp"));
    for (const std::string& sentence : broken_rules(sources))
        BOOST_TEST_ERROR(sentence);
}

BOOST_AUTO_TEST_CASE(a_layer_may_use_itself_lower_layers_public_headers_boost_and_the_system)
{
    const source_tree sources{
        {"include/mcp_pool/error.hpp", "#include <boost/system/error_code.hpp>\n"},
        {"lib/rpc/message.hpp", "#include <string_view>\n"},
        {"lib/transport/pipe.hpp", "#include <boost/asio/post.hpp>\n"},
        {"lib/transport/stdio.cpp",
            "#include \"transport/pipe.hpp\"\n#include \"rpc/message.hpp\"\n"
            "#include <mcp_pool/error.hpp>\n#include <vector>\n#include <sys/wait.h>\n"},
    };
    BOOST_TEST(complaint(sources) == "");
}

BOOST_AUTO_TEST_CASE(a_layer_that_reaches_up_is_found)
{
    const source_tree sources{
        {"lib/rpc/message.cpp", "\n#include \"session/connection.hpp\"\n"},
        {"lib/session/connection.hpp", ""},
    };
    BOOST_TEST(complaint(sources)
        == "lib/rpc/message.cpp:2: rpc may not include session/connection.hpp: session is above "
           "it");
}

BOOST_AUTO_TEST_CASE(a_header_that_is_not_named_by_its_layer_is_found)
{
    const source_tree sources{{"lib/rpc/message.cpp", "#include \"message.hpp\"\n"}};
    BOOST_TEST(
        complaint(sources) == "lib/rpc/message.cpp:1: \"message.hpp\" does not begin with a layer");
}

BOOST_AUTO_TEST_CASE(asio_in_a_layer_without_input_and_output_is_found_through_other_headers)
{
    const source_tree sources{
        {"include/mcp_pool/lease.hpp", "#include <boost/asio/awaitable.hpp>\n"},
        {"lib/protocol/handshake.cpp", "#include <mcp_pool/lease.hpp>\n"},
    };
    BOOST_TEST(complaint(sources)
        == "lib/protocol/handshake.cpp:0: knows no executor, but reaches"
           " <boost/asio/awaitable.hpp> through include/mcp_pool/lease.hpp");
}

BOOST_AUTO_TEST_CASE(the_core_of_the_pool_is_pure_and_its_driver_is_not)
{
    const source_tree driver{{"lib/pool/driver.cpp", "#include <boost/asio/post.hpp>\n"}};
    BOOST_TEST(complaint(driver) == "");
    const std::string pure = "// the core\nnamespace mcp_pool::pooling {\n";
    const source_tree core{
        {"lib/pool/demand.cpp", pure + "auto t = std::chrono::steady_clock::now();\n"}};
    BOOST_TEST(complaint(core)
        == "lib/pool/demand.cpp:3: uses _clock::now, which this layer does not know");
    const source_tree talk{{"lib/pool/slot.hpp", pure + "// never calls steady_clock::now()\n"}};
    BOOST_TEST(complaint(talk) == "");
}

BOOST_AUTO_TEST_CASE(a_public_header_that_needs_the_sources_or_a_heavy_library_is_found)
{
    const source_tree inside{{"include/mcp_pool/lease.hpp", "#include \"session/state.hpp\"\n"}};
    BOOST_TEST(complaint(inside)
        == "include/mcp_pool/lease.hpp:1: a public header includes session/state.hpp of the "
           "sources");
    const source_tree heavy{{"include/mcp_pool/http.hpp", "#include <boost/beast/http.hpp>\n"}};
    BOOST_TEST(complaint(heavy)
        == "include/mcp_pool/http.hpp:0: reaches <boost/beast/http.hpp> through"
           " include/mcp_pool/http.hpp");
    const source_tree stranger{{"include/mcp_pool/http.hpp", "#include <fmt/format.h>\n"}};
    BOOST_TEST(complaint(stranger)
        == "include/mcp_pool/http.hpp:1: <fmt/format.h> is no business of this layer");
    const source_tree everywhere{
        {"lib/session/schema_validator.cpp", "#include <valijson/schema.hpp>\n"},
        {"lib/session/session.cpp", "#include <valijson/schema.hpp>\n"}};
    BOOST_TEST(complaint(everywhere)
        == "lib/session/session.cpp:1: <valijson/schema.hpp> is no business of this layer");
}

BOOST_AUTO_TEST_SUITE_END()
