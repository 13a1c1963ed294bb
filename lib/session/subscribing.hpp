// What a connection remembers of its listen requests and of those who wait for them.
#pragma once

#include "protocol/listening.hpp"

#include <mcp_pool/detail/request.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

namespace mcp_pool::detail {

// A request to be told of a resource, until the server has acknowledged it. It counts as unanswered.
struct subscribing
{
    request_op* op;
    protocol::topic about;

    subscribing(request_op* o, protocol::topic t)
        : op(o)
        , about(std::move(t))
    {}
};

// Why topics are not told of.
struct listening_failure
{
    error_code code;
    std::shared_ptr<const mcp_pool::diagnostics> details;

    listening_failure() = default;
};

// Which listen request belongs to which machine. Ids ascend.
class listen_ids
{
public:
    // Of requests that have ended; older ones are forgotten.
    static constexpr std::size_t max_ended = 64;

    void sent(std::int64_t id, std::size_t machine) { open_.emplace_back(id, machine); }

    // The machine of an open one, or null.
    [[nodiscard]] const std::size_t* machine_of(std::int64_t id) const noexcept
    {
        const auto place = std::lower_bound(open_.begin(), open_.end(), id,
            [](const auto& entry, std::int64_t wanted) { return entry.first < wanted; });
        return place != open_.end() && place->first == id ? &place->second : nullptr;
    }

    void ended(std::int64_t id)
    {
        std::erase_if(open_, [id](const auto& entry) { return entry.first == id; });
        if (ended_.size() == max_ended)
            ended_.pop_front();
        ended_.push_back(id);
    }

    // Whether there was one that has ended.
    [[nodiscard]] bool has_ended(std::int64_t id) const noexcept
    {
        return std::find(ended_.begin(), ended_.end(), id) != ended_.end();
    }

    void clear() noexcept
    {
        open_.clear();
        ended_.clear();
    }

private:
    std::vector<std::pair<std::int64_t, std::size_t>> open_;
    std::deque<std::int64_t> ended_;
};

} // namespace mcp_pool::detail
