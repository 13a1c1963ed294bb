// A list that comes page by page, put together within bounds. Source: MCP,
// server/utilities/pagination.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace mcp_pool::protocol {

// How much a list may hold before it is taken for one without end.
struct listing_limits
{
    std::size_t pages = 1000;
    // Of the entries, about as much as they take as text.
    std::size_t bytes = 256U << 20;

    listing_limits() = default;
};

class listing
{
public:
    // Precondition: entries_member(method) is not empty, and `method` has static lifetime.
    explicit listing(std::string_view method, listing_limits limits = listing_limits());

    [[nodiscard]] std::string_view method() const noexcept { return method_; }
    // Parameters of the request for the next page.
    [[nodiscard]] json::object params() const;
    // Takes the entries out of that page. False: it was the last one, or fault() says why none is to
    // follow.
    bool take(json::value&& page);
    [[nodiscard]] const std::string& fault() const noexcept { return fault_; }
    // What has been taken so far, in order.
    [[nodiscard]] json::array& entries() noexcept { return entries_; }

private:
    std::string_view method_;
    listing_limits limits_;
    json::array entries_;
    std::size_t pages_ = 0;
    std::size_t bytes_ = 0;
    // The cursor of the next page; null for the first one.
    json::value cursor_;
    std::string fault_;
};

} // namespace mcp_pool::protocol
