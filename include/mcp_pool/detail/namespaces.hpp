// Short names for the two Boost libraries that the public interface is made of.
#pragma once

namespace boost::asio {}
namespace boost::json {}

namespace mcp_pool {

namespace asio = boost::asio;
namespace json = boost::json;

} // namespace mcp_pool
