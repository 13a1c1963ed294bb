// Isolation keys: which of them exist, and whose turn it is.
#include "pool/core.hpp"

#include <algorithm>

namespace mcp_pool::pooling {

key_record* pool_core::find_key(std::string_view name) noexcept
{
    if (name.empty())
        return &no_key_;
    const auto found = keys_.find(name);
    return found == keys_.end() ? nullptr : &*found;
}

void pool_core::adopt_key(key_record& key) noexcept
{
    keys_.insert(key);
}

key_record* pool_core::next_unused_key() noexcept
{
    if (unused_keys_.empty())
        return nullptr;
    key_record& key = unused_keys_.front();
    unused_keys_.pop_front();
    return &key;
}

void pool_core::drop(key_record& key) noexcept
{
    if (--key.references != 0 || &key == &no_key_)
        return;
    keys_.erase(keys_.iterator_to(key));
    unused_keys_.push_back(key);
}

void pool_core::bind(slot& s, key_record& key) noexcept
{
    if (s.stateless || s.key == &key)
        return;
    unbind(s);
    s.key = &key;
    hold(key);
}

void pool_core::unbind(slot& s) noexcept
{
    if (s.key)
        drop(*s.key);
    s.key = nullptr;
}

void pool_core::update_turn(key_record& key) noexcept
{
    std::size_t eligible = key.waiting;
    if (fair() && options_.max_leases_per_key != 0) {
        const std::size_t most = options_.max_leases_per_key;
        eligible = std::min(eligible, most - std::min(most, key.leases));
    }
    eligible_ = eligible_ - key.eligible + eligible;
    key.eligible = eligible;
    update_provided(key);
    if (!fair())
        return;
    if (eligible != 0 && !key.in_turn.is_linked())
        round_.push_back(key);
    else if (eligible == 0 && key.in_turn.is_linked())
        round_.erase(round_.iterator_to(key));
}

void pool_core::update_provided(key_record& key) noexcept
{
    const std::size_t provided = std::min(key.eligible, key.promising * places_per_session());
    provided_ = provided_ - key.provided + provided;
    key.provided = provided;
}

void pool_core::end_turn(key_record& key) noexcept
{
    if (key.in_turn.is_linked())
        round_.splice(round_.end(), round_, round_.iterator_to(key));
}

} // namespace mcp_pool::pooling
