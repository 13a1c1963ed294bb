#include "protocol/stream_resumption.hpp"

#include "protocol/http_headers.hpp"

#include <algorithm>

namespace mcp_pool::protocol {

namespace {

// first_delay × 1.5^n, at most longest_delay.
duration back_off(unsigned n) noexcept
{
    duration delay = stream_resumption::first_delay;
    for (; n > 0 && delay < stream_resumption::longest_delay; --n)
        delay += delay / 2;
    return std::min(delay, stream_resumption::longest_delay);
}

} // namespace

stream_resumption::step stream_resumption::ended(const rpc::event_stream& seen, time_point now)
{
    if (state_ != state::open)
        return step::none;
    if (!legacy_)
        return give_up();
    if (const auto& id = seen.last_event_id()) {
        // One that cannot be sent back is none; the former one would bring events a second time.
        last_event_id_.clear();
        if (id->size() <= max_foreign_id && is_header_value(*id))
            last_event_id_ = *id;
    }
    if (const auto retry = seen.retry())
        retry_ = detail::saturate(*retry);
    silent_ = seen.events() == 0 ? silent_ + 1 : 0;
    if (purpose_ == purpose::answer && last_event_id_.empty())
        return give_up();
    return wait(0, now);
}

stream_resumption::step stream_resumption::wait(unsigned tries, time_point now) noexcept
{
    tries_ = tries;
    duration delay = retry_.value_or(back_off(tries));
    if (silent_ > 1)
        delay = std::max(delay, back_off(silent_ - 2));
    state_ = state::waiting;
    due_ = detail::saturating_add(now, delay);
    return step::wait;
}

stream_resumption::step stream_resumption::tick(time_point now)
{
    if (state_ != state::waiting)
        return step::none;
    if (now < due_)
        return step::wait;
    state_ = state::reconnecting;
    due_ = time_point::max();
    return step::reconnect;
}

void stream_resumption::opened() noexcept
{
    if (state_ == state::reconnecting)
        state_ = state::open;
}

stream_resumption::step stream_resumption::failed(time_point now)
{
    if (state_ != state::reconnecting)
        return step::none;
    return tries_ + 1 == max_tries ? give_up() : wait(tries_ + 1, now);
}

stream_resumption::step stream_resumption::refused() noexcept
{
    return state_ == state::reconnecting ? give_up() : step::none;
}

void stream_resumption::finished() noexcept
{
    state_ = state::over;
    due_ = time_point::max();
}

stream_resumption::step stream_resumption::give_up() noexcept
{
    finished();
    return step::give_up;
}

} // namespace mcp_pool::protocol
