#include "session/server_state.hpp"

#include <utility>

namespace mcp_pool::detail {

server_state::server_state(server_config c, pool_options o, transport::transport_factory factory)
    : config(std::move(c))
    , options(std::move(o))
    , make_transport(std::move(factory))
    , start_timeout(options.start_timeout)
    , results(options.cache_bytes)
{}

std::optional<era> server_state::known_era(time_point now) const
{
    if (config.era != era_choice::auto_detect)
        return config.era == era_choice::legacy ? era::legacy : era::modern;
    const std::lock_guard lock(mutex_);
    // A wrong legacy verdict works silently for ever, so it expires; a wrong modern one fails at
    // the next start and is forgotten then.
    if (learnt_ == era::legacy && options.era_ttl > duration::zero()
        && now - learnt_at_ >= options.era_ttl)
        return std::nullopt;
    return learnt_;
}

void server_state::learn_era(era verdict, time_point now)
{
    const std::lock_guard lock(mutex_);
    // A verdict lives from its first proof: servers that are started often would never be asked
    // again.
    if (learnt_ == verdict && verdict == era::legacy && now - learnt_at_ < options.era_ttl)
        return;
    learnt_ = verdict;
    learnt_at_ = now;
}

void server_state::forget_era()
{
    const std::lock_guard lock(mutex_);
    learnt_.reset();
}

} // namespace mcp_pool::detail
