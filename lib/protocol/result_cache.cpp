#include "protocol/result_cache.hpp"

#include "protocol/trace.hpp"
#include "rpc/json_text.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace mcp_pool::protocol {

namespace {

using rpc::view;

constexpr std::string_view read_method = "resources/read";
constexpr std::string_view of_the_protocol = "io.modelcontextprotocol/";
// Besides its result: key, links and the map's share.
constexpr std::size_t overhead = 256;

bool concerns(std::string_view method) noexcept
{
    constexpr std::array<std::string_view, 6> methods = {"tools/list", "prompts/list",
        "resources/list", "resources/templates/list", read_method, "server/discover"};
    return std::find(methods.begin(), methods.end(), method) != methods.end();
}

// Members of `_meta` that say nothing of what is wanted; those of the protocol are the same for all.
bool without_effect(const json::object& meta) noexcept
{
    return std::all_of(meta.begin(), meta.end(), [](const auto& member) {
        const std::string_view key = view(member.key());
        return key == "progressToken" || is_trace_key(key) || key.starts_with(of_the_protocol);
    });
}

std::string public_name(const cache_key& key)
{
    return '*' + key.text;
}

std::string private_name(const cache_key& key, std::string_view principal)
{
    // The length first: no two pairs give the same.
    std::string name = std::to_string(principal.size());
    name += ' ';
    name += principal;
    name += key.text;
    return name;
}

} // namespace

duration time_to_live(const json::value& result) noexcept
{
    const json::object* const object = result.if_object();
    const json::value* const said = object ? object->if_contains("ttlMs") : nullptr;
    if (!said || !said->is_number())
        return duration::zero();
    boost::system::error_code conversion;
    const double milliseconds = said->to_number<double>(conversion);
    if (conversion || !(milliseconds > 0))
        return duration::zero();
    const std::chrono::duration<double, std::milli> wanted(milliseconds);
    return wanted > result_cache::longest ? result_cache::longest
                                          : std::chrono::duration_cast<duration>(wanted);
}

result_cache::result_cache(std::size_t max_bytes)
    : max_bytes_(max_bytes)
{}

std::optional<cache_key> result_cache::key_of(
    std::string_view method, const json::object& params, const json::object& meta)
{
    if (!concerns(method) || !without_effect(meta) || params.contains("inputResponses")
        || params.contains("requestState"))
        return std::nullopt;
    const json::value* const given = params.if_contains("_meta");
    if (given && !(given->is_object() && without_effect(given->get_object())))
        return std::nullopt;
    cache_key key;
    key.method = method;
    key.text = method;
    for (const auto& member : params) {
        if (&member.value() == given)
            continue;
        key.text += ' ';
        key.text += json::serialize(member.key());
        key.text += ':';
        key.text += json::serialize(member.value());
        if (key.text.size() > max_key)
            return std::nullopt;
    }
    if (method == read_method)
        key.uri = rpc::text_member(params, "uri");
    return key;
}

std::shared_ptr<const json::value> result_cache::find(
    const cache_key& key, std::string_view principal, time_point now)
{
    for (const std::string& name : {private_name(key, principal), public_name(key)}) {
        const auto found = by_name_.find(name);
        if (found == by_name_.end())
            continue;
        if (now >= found->second->fresh_until) {
            drop(found->second);
            continue;
        }
        entries_.splice(entries_.begin(), entries_, found->second);
        return found->second->result;
    }
    return nullptr;
}

bool result_cache::keep(const cache_key& key, std::string_view principal, const json::value& result,
    std::size_t bytes, time_point asked_at, time_point now)
{
    entry e;
    e.name = private_name(key, principal);
    const std::string for_all = public_name(key);
    // Whatever it says: what there was is not the last word any more.
    drop(e.name);
    drop(for_all);
    const duration fresh = time_to_live(result);
    e.bytes = bytes + key.text.size() + overhead;
    const auto changed = changed_.find(key.method);
    if (fresh == duration::zero() || e.bytes > max_bytes_ || asked_at <= cleared_at_
        || (changed != changed_.end() && asked_at <= changed->second))
        return false;
    const json::object* const object = result.if_object();
    if (object && rpc::text_member(*object, "cacheScope") == "public")
        e.name = for_all;
    e.key = key;
    e.result = std::make_shared<const json::value>(result);
    e.fresh_until = detail::saturating_add(now, fresh);
    bytes_ += e.bytes;
    entries_.push_front(std::move(e));
    by_name_.emplace(entries_.front().name, entries_.begin());
    while (bytes_ > max_bytes_ || entries_.size() > max_entries)
        drop(std::prev(entries_.end()));
    return true;
}

void result_cache::drop(entries::iterator at) noexcept
{
    bytes_ -= at->bytes;
    by_name_.erase(at->name);
    entries_.erase(at);
}

void result_cache::drop(const std::string& name) noexcept
{
    const auto found = by_name_.find(name);
    if (found != by_name_.end())
        drop(found->second);
}

template <class Wanted>
void result_cache::drop_if(Wanted wanted) noexcept
{
    for (auto next = entries_.begin(); next != entries_.end();) {
        const auto at = next++;
        if (wanted(*at))
            drop(at);
    }
}

void result_cache::discard_list(std::string_view method, time_point now)
{
    changed_.insert_or_assign(std::string(method), now);
    drop_if([method](const entry& e) { return e.key.method == method; });
}

void result_cache::resource_changed(std::string_view uri, time_point now)
{
    changed_.insert_or_assign(std::string(read_method), now);
    drop_if([uri](const entry& e) { return !e.key.uri.empty() && uri.starts_with(e.key.uri); });
}

void result_cache::list_changed(topic::kind list, time_point now)
{
    switch (list) {
    case topic::kind::tools:
        discard_list("tools/list", now);
        break;
    case topic::kind::prompts:
        discard_list("prompts/list", now);
        break;
    case topic::kind::resources:
        discard_list("resources/list", now);
        discard_list("resources/templates/list", now);
        break;
    case topic::kind::resource:
        break;
    }
}

void result_cache::clear(time_point now) noexcept
{
    cleared_at_ = now;
    entries_.clear();
    by_name_.clear();
    bytes_ = 0;
}

} // namespace mcp_pool::protocol
