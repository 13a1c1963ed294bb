#include "protocol/request_table.hpp"

#include <algorithm>
#include <utility>

namespace mcp_pool::protocol {

namespace {

template <class Entries>
auto place_of(Entries& entries, std::int64_t id) noexcept
{
    return std::lower_bound(entries.begin(), entries.end(), id,
        [](const auto& entry, std::int64_t wanted) { return entry.id < wanted; });
}

} // namespace

request_table::request_table(std::size_t grants)
    : graves_(grants)
{}

void request_table::insert(const pending_request& request)
{
    pending_.insert(place_of(pending_, request.id), request);
}

pending_request* request_table::find(std::int64_t id) noexcept
{
    const auto place = place_of(pending_, id);
    return place != pending_.end() && place->id == id ? &*place : nullptr;
}

const pending_request* request_table::find(std::int64_t id) const noexcept
{
    const auto place = place_of(pending_, id);
    return place != pending_.end() && place->id == id ? &*place : nullptr;
}

answer_match request_table::take(std::int64_t id, pending_request& taken, bool& counted) noexcept
{
    counted = false;
    const auto place = place_of(pending_, id);
    if (place != pending_.end() && place->id == id) {
        taken = *place;
        pending_.erase(place);
        return answer_match::pending;
    }
    const auto grave = place_of(tombstones_, id);
    if (grave == tombstones_.end() || grave->id != id)
        return answer_match::unknown;
    taken.grant = grave->grant;
    counted = grave->counts;
    forget(grave);
    return answer_match::late;
}

void request_table::forget(std::vector<tombstone>::iterator grave) noexcept
{
    graves& of = graves_[grave->grant];
    --of.all;
    of.unsettled -= grave->counts ? 1 : 0;
    tombstones_.erase(grave);
}

pending_request* request_table::progressed(std::int64_t token, time_point now) noexcept
{
    pending_request* const request = find(token);
    if (request && request->idle > duration::zero())
        request->idle_deadline = detail::saturating_add(now, request->idle);
    return request;
}

std::size_t request_table::bury(std::int64_t id)
{
    const auto place = place_of(pending_, id);
    if (place == pending_.end() || place->id != id)
        return 0;
    const std::size_t grant = place->grant;
    tombstones_.insert(place_of(tombstones_, id), tombstone(id, grant));
    pending_.erase(place);
    graves& of = graves_[grant];
    ++of.all;
    ++of.unsettled;
    if (of.all <= max_tombstones)
        return 0;
    const auto oldest = std::find_if(tombstones_.begin(), tombstones_.end(),
        [grant](const tombstone& t) { return t.grant == grant; });
    const bool counted = oldest->counts;
    forget(oldest);
    return counted ? 1 : 0;
}

std::size_t request_table::settle(std::size_t grant) noexcept
{
    for (tombstone& t : tombstones_)
        t.counts = t.counts && t.grant != grant;
    return std::exchange(graves_[grant].unsettled, 0);
}

void request_table::expired(time_point now, std::vector<pending_request>& into) const
{
    std::copy_if(pending_.begin(), pending_.end(), std::back_inserter(into),
        [now](const pending_request& r) { return r.due() <= now; });
}

time_point request_table::next_deadline() const noexcept
{
    time_point earliest = time_point::max();
    for (const pending_request& r : pending_)
        earliest = std::min(earliest, r.due());
    return earliest;
}

std::vector<pending_request> request_table::take_all() noexcept
{
    return std::exchange(pending_, {});
}

} // namespace mcp_pool::protocol
