// Results that a server of the modern era lets its clients keep for a while. Source: MCP 2026-07-28,
// server/utilities/caching.
#pragma once

#include "protocol/listening.hpp"

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mcp_pool::protocol {

// What the result of a request may be kept under.
struct cache_key
{
    // Method and parameters.
    std::string text;
    std::string method;
    // The resource that is read; else empty.
    std::string uri;

    cache_key() = default;
};

// A result is fresh for as long as it says itself, which for pages of a list is each page for itself,
// and at most until the server says that it has changed. What is `public` is found by everybody, the
// rest only by those on whose behalf it was asked for.
//
// Bounded: what was not used for longest goes first.
class result_cache
{
public:
    // However long a server says.
    static constexpr duration longest = std::chrono::hours(24);
    static constexpr std::size_t max_entries = 4096;
    static constexpr std::size_t max_key = 8192;

    // 0: keeps nothing.
    explicit result_cache(std::size_t max_bytes);

    // Unset for a request whose result may not be kept, because of its method or of parameters whose
    // effect on the result is not known.
    static std::optional<cache_key> key_of(
        std::string_view method, const json::object& params, const json::object& meta);

    // Null if there is nothing fresh. `principal` is whoever the request is made for.
    std::shared_ptr<const json::value> find(
        const cache_key& key, std::string_view principal, time_point now);

    // Keeps a result that was asked for at `asked_at`, and replaces what there was; `bytes` is about
    // its size. False: it may not be kept. What has changed since it was asked for is not.
    bool keep(const cache_key& key, std::string_view principal, const json::value& result,
        std::size_t bytes, time_point asked_at, time_point now);

    // The server says that a list has changed.
    void list_changed(topic::kind list, time_point now);
    // The same of a resource, which what was read of those that it is a part of contains.
    void resource_changed(std::string_view uri, time_point now);
    // The server knows a cursor no more: the pages of a list do not belong together.
    void discard_list(std::string_view method, time_point now);
    // The server may have become another one.
    void clear(time_point now) noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

private:
    struct entry
    {
        // Whose it is, and its key.
        std::string name;
        cache_key key;
        std::shared_ptr<const json::value> result;
        std::size_t bytes = 0;
        time_point fresh_until{};

        entry() = default;
    };
    // Most recently used first.
    using entries = std::list<entry>;

    void drop(entries::iterator at) noexcept;
    void drop(const std::string& name) noexcept;
    template <class Wanted>
    void drop_if(Wanted wanted) noexcept;

    const std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    entries entries_;
    std::unordered_map<std::string, entries::iterator> by_name_;
    // What was asked for before is not kept.
    time_point cleared_at_ = time_point::min();
    // By method: when results of it were last said to have changed.
    std::map<std::string, time_point, std::less<>> changed_;
};

// What a result says of how long it may be kept: nothing, nonsense and less than nothing are 0.
duration time_to_live(const json::value& result) noexcept;

} // namespace mcp_pool::protocol
