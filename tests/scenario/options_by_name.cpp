#include "options_by_name.hpp"

#include <mcp_pool/error.hpp>

#include <boost/json/serialize.hpp>

#include <map>
#include <string_view>

namespace mcp_pool::scenario {

namespace json = boost::json;

namespace {

using count_member = std::optional<std::size_t> pool_overrides::*;
using duration_member = std::optional<duration> pool_overrides::*;

// The options that make a difference where no process is.
const std::map<std::string_view, count_member> counts{
    {"max_size", &pool_overrides::max_size},
    {"min_size", &pool_overrides::min_size},
    {"max_starting", &pool_overrides::max_starting},
    {"max_probing", &pool_overrides::max_probing},
    {"max_waiters", &pool_overrides::max_waiters},
    {"max_uses", &pool_overrides::max_uses},
    {"breaker_threshold", &pool_overrides::breaker_threshold},
    {"max_leases_per_session", &pool_overrides::max_leases_per_session},
    {"max_leases_per_key", &pool_overrides::max_leases_per_key},
    {"max_waiters_per_key", &pool_overrides::max_waiters_per_key},
};

const std::map<std::string_view, duration_member> durations{
    {"max_wait", &pool_overrides::max_wait},
    {"start_timeout", &pool_overrides::start_timeout},
    {"probe_interval", &pool_overrides::probe_interval},
    {"probe_timeout", &pool_overrides::probe_timeout},
    {"validate_after", &pool_overrides::validate_after},
    {"idle_timeout", &pool_overrides::idle_timeout},
    {"max_lifetime", &pool_overrides::max_lifetime},
    {"backoff_initial", &pool_overrides::backoff_initial},
    {"backoff_max", &pool_overrides::backoff_max},
    {"min_uptime", &pool_overrides::min_uptime},
    {"stop_grace", &pool_overrides::stop_grace},
    {"reset_timeout", &pool_overrides::reset_timeout},
    {"overdue_after", &pool_overrides::overdue_after},
};

template <class Enum>
bool set_enum(
    std::optional<Enum>& to, const json::value& v, const std::map<std::string_view, Enum>& known)
{
    const json::string* const text = v.if_string();
    const auto found = text ? known.find(std::string_view(text->data(), text->size()))
                            : known.end();
    if (found == known.end())
        return false;
    to = found->second;
    return true;
}

// Empty, "unknown", or what was expected.
std::string set_one(std::string_view name, const json::value& v, pool_overrides& o)
{
    if (const auto found = counts.find(name); found != counts.end()) {
        if (!v.is_int64() || v.get_int64() < 0)
            return "an integer from 0 on";
        o.*found->second = static_cast<std::size_t>(v.get_int64());
        return {};
    }
    if (const auto found = durations.find(name); found != durations.end()) {
        if (!v.is_number() || v.to_number<double>() < 0)
            return "seconds, from 0 on";
        o.*found->second = detail::saturate(std::chrono::duration<double>(v.to_number<double>()));
        return {};
    }
    if (name == "reset")
        return set_enum<reset_policy>(o.reset, v,
                   {{"none", reset_policy::none}, {"protocol", reset_policy::protocol},
                       {"respawn", reset_policy::respawn}})
            ? ""
            : "none, protocol or respawn";
    if (name == "sharing")
        return set_enum<sharing_policy>(o.sharing, v,
                   {{"exclusive", sharing_policy::exclusive},
                       {"multiplexed", sharing_policy::multiplexed}})
            ? ""
            : "exclusive or multiplexed";
    if (name == "queue")
        return set_enum<queue_policy>(
                   o.queue, v, {{"fifo", queue_policy::fifo}, {"fair", queue_policy::fair}})
            ? ""
            : "fifo or fair";
    return "unknown";
}

} // namespace

std::string set_options(const json::object& members, pool_overrides& options)
{
    for (const auto& [key, value] : members) {
        const std::string name(key.data(), key.size());
        const std::string wrong = set_one(name, value, options);
        if (wrong == "unknown")
            return "unknown option \"" + name + "\"";
        if (!wrong.empty())
            return name + "=" + json::serialize(value) + ": expected " + wrong;
    }
    try {
        resolve(options);
    } catch (const mcp_pool::error& refusal) {
        return refusal.what();
    }
    return {};
}

} // namespace mcp_pool::scenario
