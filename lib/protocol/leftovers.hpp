// What the requests of one lease leave behind in a server of the legacy era, where it outlives them:
// subscriptions and the log level. Source: MCP 2025-11-25, server/resources, "Subscriptions";
// server/utilities/logging.
#pragma once

#include <mcp_pool/detail/request.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_pool::protocol {

// The level that sessions begin with and return to: what a server's own level would be cannot be
// asked.
inline constexpr std::string_view baseline_log_level = "info";

// Errs on the side of undoing too much: a request that was written may have had its effect, whatever
// became of its answer, except where the server has refused it.
class leftovers
{
public:
    // What is remembered of one lease at most; beyond it the session has to be replaced.
    static constexpr std::size_t max_subscriptions = 256;
    static constexpr std::size_t max_uri_bytes = 4096;

    // Whether requests with this method change anything. Only those are of interest below, and they
    // keep their parameters until they are answered.
    [[nodiscard]] static bool concern(std::string_view method) noexcept;

    // A request of the lease was written; it was answered, successfully or not; or it was given up,
    // so that its answer will not be heard.
    void written(std::int64_t id, const detail::request& what);
    void answered(std::int64_t id, const detail::request& what, bool success) noexcept;
    void given_up(const detail::request& what) noexcept;

    [[nodiscard]] bool empty() const noexcept { return changes_.empty() && undoable_; }
    // False if there was more than can be remembered.
    [[nodiscard]] bool undoable() const noexcept { return undoable_; }

    [[nodiscard]] bool has_level() const noexcept { return has(std::string_view()); }
    [[nodiscard]] bool has_subscription(std::string_view uri) const noexcept { return has(uri); }
    // Whether the resource, or one that it is a part of, may be subscribed.
    [[nodiscard]] bool subscribed_above(std::string_view uri) const noexcept;
    // Calls use(uri) for each resource that may be subscribed.
    template <class Use>
    void each_subscription(Use use) const
    {
        for (const change& c : changes_)
            if (!c.uri.empty())
                use(std::string_view(c.uri));
    }

private:
    struct change
    {
        // Of the resource; empty for the log level.
        std::string uri;
        // Requests that make the change and are unanswered.
        std::uint32_t pending = 0;
        // One of them was answered with success, or its answer will not be heard.
        bool certain = false;
        // The last request about it that was written.
        std::int64_t last_id = 0;
    };

    [[nodiscard]] bool has(std::string_view uri) const noexcept;
    [[nodiscard]] change* find(const detail::request& what) noexcept;
    void drop(change* c) noexcept;

    std::vector<change> changes_;
    bool undoable_ = true;
};

} // namespace mcp_pool::protocol
