// The requests of one connection that were written and not answered: their deadlines, their
// progress, and the memory of those that were given up.
#pragma once

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/detail/request.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace mcp_pool::protocol {

struct cache_key;

// One request that waits for its answer.
struct pending_request
{
    std::int64_t id = 0;
    // Which of the session's grants it belongs to.
    std::size_t grant = 0;
    detail::request_op* op = nullptr;
    time_point sent_at{};
    // Of the whole request.
    time_point deadline = time_point::max();
    // Longest silence; 0: no limit. `idle_deadline` moves with each progress notification.
    duration idle = duration::zero();
    time_point idle_deadline = time_point::max();
    // What its result may be kept under; null: it may not be.
    std::shared_ptr<const cache_key> kept_as;

    pending_request() = default;

    [[nodiscard]] time_point due() const noexcept
    {
        return deadline < idle_deadline ? deadline : idle_deadline;
    }
};

// Which request an answer belongs to.
enum class answer_match {
    // A request waited for it.
    pending,
    // The request was given up; its answer is late.
    late,
    // No such request, or it was answered before.
    unknown,
};

// Ids ascend nearly in order and few requests are in flight, so both lists are sorted vectors: no
// allocation in steady state, and the search touches one cache line.
//
// The owner registers a request before it hands its bytes to the transport: an answer may come at
// once. Requests of several grants share the table; what was given up is counted for each of them.
class request_table
{
public:
    // Given-up requests remembered at most of each grant; beyond it the oldest one of that grant is
    // forgotten, and its late answer counts as unknown.
    static constexpr std::size_t max_tombstones = 256;

    explicit request_table(std::size_t grants = 1);

    // Precondition: the id is new.
    void insert(const pending_request& request);

    // Takes the request that an answer belongs to. For a late answer `taken` has the grant of the
    // request and nothing else, and `counted` says whether it still counted as unanswered.
    answer_match take(std::int64_t id, pending_request& taken, bool& counted) noexcept;

    // The request with this id, or null.
    [[nodiscard]] pending_request* find(std::int64_t id) noexcept;
    [[nodiscard]] const pending_request* find(std::int64_t id) const noexcept;

    // Restarts the idle deadline of the request that a progress notification names; null if none
    // waits for it.
    pending_request* progressed(std::int64_t token, time_point now) noexcept;

    // Gives a request up: its answer and progress will be dropped. It counts as unanswered until
    // its answer comes or settle() is called. Returns the number of older ones of the same grant that
    // were forgotten while they still counted. Precondition: find(id).
    std::size_t bury(std::int64_t id);

    // Given-up requests of a grant that count as unanswered.
    [[nodiscard]] std::size_t unsettled(std::size_t grant) const noexcept
    {
        return graves_[grant].unsettled;
    }
    // None of them counts any more; returns how many did.
    std::size_t settle(std::size_t grant) noexcept;

    // Requests whose deadline has passed, in order of their ids.
    void expired(time_point now, std::vector<pending_request>& into) const;
    // The earliest deadline, or time_point::max().
    [[nodiscard]] time_point next_deadline() const noexcept;

    [[nodiscard]] const std::vector<pending_request>& pending() const noexcept { return pending_; }
    [[nodiscard]] std::size_t size() const noexcept { return pending_.size(); }
    [[nodiscard]] bool empty() const noexcept { return pending_.empty(); }

    // Takes every pending request, in order of their ids.
    std::vector<pending_request> take_all() noexcept;

private:
    struct tombstone
    {
        std::int64_t id;
        std::size_t grant;
        // As unanswered.
        bool counts = true;

        tombstone(std::int64_t i, std::size_t g) noexcept
            : id(i)
            , grant(g)
        {}
    };

    // How many tombstones a grant has.
    struct graves
    {
        std::size_t all = 0;
        std::size_t unsettled = 0;
    };

    void forget(std::vector<tombstone>::iterator grave) noexcept;

    std::vector<pending_request> pending_;
    std::vector<tombstone> tombstones_;
    // By grant.
    std::vector<graves> graves_;
};

} // namespace mcp_pool::protocol
