// One field of an HTTP header.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_pool::protocol {

struct header_field
{
    std::string name;
    std::string value;

    header_field() = default;
    header_field(std::string_view n, std::string v)
        : name(n)
        , value(std::move(v))
    {}
};

using header_fields = std::vector<header_field>;

} // namespace mcp_pool::protocol
