// Isolation keys: who may share a session with whom.
#pragma once

#include "pool/slot.hpp"

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace mcp_pool::pooling {

using detail::waiter;

template <class T, auto Member>
using list_of = boost::intrusive::list<T, boost::intrusive::constant_time_size<false>,
    boost::intrusive::member_hook<T, boost::intrusive::list_member_hook<detail::plain_link>,
        Member>>;

// One isolation key and what waits, is lent and lies idle under it. The driver owns it: made before
// the first acquire with the key, destroyed after the core has given it up.
struct key_record
{
    // Shared with the requests of its leases, which may outlive it.
    const std::shared_ptr<const std::string> text;
    const std::string& name;

    // In order of arrival.
    list_of<waiter, &waiter::in_key> waiters;
    // Most recently used first.
    list_of<slot, &slot::in_group> idle;
    std::size_t waiting = 0, leases = 0;
    // Of the waiters, those that the key's share of leases leaves room for.
    std::size_t eligible = 0;
    // Sessions of the key that are about to be free; those of the waiters that they will serve.
    std::size_t promising = 0, provided = 0;
    // Waiters, leases and sessions that refer to it, and events under way.
    std::size_t references = 0;

    // In the table of keys.
    boost::intrusive::set_member_hook<detail::plain_link> in_table;
    // In the round of those who are served in turn, or in the list of those given up.
    boost::intrusive::list_member_hook<detail::plain_link> in_turn;

    explicit key_record(std::string of)
        : text(std::make_shared<const std::string>(std::move(of)))
        , name(*text)
    {}
    key_record(const key_record&) = delete;
    key_record& operator=(const key_record&) = delete;
};

} // namespace mcp_pool::pooling
