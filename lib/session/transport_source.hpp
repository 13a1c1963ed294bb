// Where the transports of a pool come from; opaque in public headers.
#pragma once

#include "transport/transport.hpp"

#include <utility>

namespace mcp_pool::detail {

struct transport_source
{
    transport::transport_factory make;

    explicit transport_source(transport::transport_factory factory)
        : make(std::move(factory))
    {}
};

} // namespace mcp_pool::detail
