// What is known of the tools of a server over HTTP: which of their arguments it wants in header fields.
#pragma once

#include "protocol/tool_headers.hpp"

#include <boost/json/value.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_pool::detail {

// Thread safety: everything.
class known_tools
{
public:
    // Tools with such arguments that are remembered; calls of others lack the fields, and a server that
    // insists on them says so.
    static constexpr std::size_t max_tools = 10000;

    // Takes a page of a `tools/list` result. With `drop`, tools that break the rules are taken out of
    // it; names and reasons of these are returned, for people.
    std::vector<std::string> learn(json::value& result, bool drop);

    // Null: nothing is known.
    [[nodiscard]] std::shared_ptr<const protocol::tool_headers> find(std::string_view name) const;

private:
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<const protocol::tool_headers>, std::less<>> tools_;
};

} // namespace mcp_pool::detail
