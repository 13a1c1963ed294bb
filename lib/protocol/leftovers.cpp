#include "protocol/leftovers.hpp"

#include <algorithm>
#include <utility>

namespace mcp_pool::protocol {

namespace {

constexpr std::string_view subscribe = "resources/subscribe";
constexpr std::string_view unsubscribe = "resources/unsubscribe";
constexpr std::string_view set_level = "logging/setLevel";

// What the change is remembered by: the URI, nothing for the log level. False for a request that can
// change nothing because it names nothing.
bool key_of(const detail::request& what, std::string_view& key) noexcept
{
    if (what.method == set_level) {
        key = {};
        return true;
    }
    const json::value* const uri = what.params.if_contains("uri");
    const json::string* const text = uri ? uri->if_string() : nullptr;
    if (!text || text->empty())
        return false;
    key = std::string_view(text->data(), text->size());
    return true;
}

} // namespace

bool leftovers::concern(std::string_view method) noexcept
{
    return method == subscribe || method == unsubscribe || method == set_level;
}

bool leftovers::has(std::string_view uri) const noexcept
{
    return std::any_of(
        changes_.begin(), changes_.end(), [uri](const change& c) { return c.uri == uri; });
}

bool leftovers::subscribed_above(std::string_view uri) const noexcept
{
    return std::any_of(changes_.begin(), changes_.end(),
        [uri](const change& c) { return !c.uri.empty() && uri.starts_with(c.uri); });
}

leftovers::change* leftovers::find(const detail::request& what) noexcept
{
    std::string_view key;
    if (!key_of(what, key))
        return nullptr;
    const auto found = std::find_if(
        changes_.begin(), changes_.end(), [key](const change& c) { return c.uri == key; });
    return found == changes_.end() ? nullptr : &*found;
}

void leftovers::drop(change* c) noexcept
{
    std::swap(*c, changes_.back());
    changes_.pop_back();
}

void leftovers::written(std::int64_t id, const detail::request& what)
{
    std::string_view key;
    if (!key_of(what, key))
        return;
    change* known = find(what);
    if (what.method == unsubscribe) {
        if (known)
            known->last_id = id;
        return;
    }
    if (!known) {
        const std::size_t subscriptions = changes_.size() - (has_level() ? 1 : 0);
        if (!key.empty() && (subscriptions == max_subscriptions || key.size() > max_uri_bytes)) {
            undoable_ = false;
            return;
        }
        changes_.emplace_back();
        known = &changes_.back();
        known->uri = std::string(key);
    }
    ++known->pending;
    known->last_id = id;
}

void leftovers::answered(std::int64_t id, const detail::request& what, bool success) noexcept
{
    change* const known = find(what);
    if (!known)
        return;
    if (what.method == unsubscribe) {
        // A subscription that is on its way, or was written behind it, may come after it.
        if (success && known->pending == 0 && known->last_id == id)
            drop(known);
        return;
    }
    if (known->pending > 0)
        --known->pending;
    known->certain = known->certain || success;
    if (known->pending == 0 && !known->certain)
        drop(known);
}

void leftovers::given_up(const detail::request& what) noexcept
{
    change* const known = what.method == unsubscribe ? nullptr : find(what);
    if (!known)
        return;
    if (known->pending > 0)
        --known->pending;
    known->certain = true;
}

} // namespace mcp_pool::protocol
