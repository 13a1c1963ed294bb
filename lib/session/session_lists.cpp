// The listings of a session: every page, within bounds.
#include "protocol/listing.hpp"
#include "protocol/versions.hpp"
#include "session/exchange.hpp"
#include "session/failure.hpp"
#include "session/session_state.hpp"

#include <mcp_pool/detail/session_requests.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace mcp_pool::detail {

namespace {

template <class Item>
struct method_of;
template <>
struct method_of<tool>
{
    static constexpr std::string_view name = "tools/list";
};
template <>
struct method_of<resource>
{
    static constexpr std::string_view name = "resources/list";
};
template <>
struct method_of<resource_template>
{
    static constexpr std::string_view name = "resources/templates/list";
};
template <>
struct method_of<prompt>
{
    static constexpr std::string_view name = "prompts/list";
};

error fault_of(const session_ref& session, const protocol::listing& list, call_options& options)
{
    circumstances here;
    here.server = session.grant->state.info->server;
    diagnostics details = describe(
        here, "the answers to " + std::string(list.method()) + " cannot be used: " + list.fault());
    if (options.diagnostics)
        *options.diagnostics = details;
    return error(make_error_code(errc::protocol_error), std::move(details));
}

// Whether a cursor may be unknown to the server because the page that it stands in was kept.
bool is_stale_cursor(const session_ref& session, const error& failure, const call_options& options)
{
    return session.grant->state.info->era == era::modern && !options.fresh
        && failure.code() == error_code(protocol::invalid_params, rpc_category());
}

} // namespace

template <class Item>
asio::awaitable<std::vector<Item>> list_all(session_ref session, call_options options)
{
    using clock = std::chrono::steady_clock;
    // The caller's timeout is for the whole list.
    const bool limited = options.timeout && *options.timeout > duration::zero();
    const time_point deadline = limited ? saturating_add(clock::now(), *options.timeout)
                                        : time_point::max();
    protocol::listing list(method_of<Item>::name);
    bool more = true;
    for (int page = 0; more; ++page) {
        request what(std::string(list.method()), list.params(), options);
        what.typed = true;
        if (limited && page > 0)
            what.options.timeout = std::max<duration>(deadline - clock::now(), duration(1));
        asio::awaitable<json::value> sent = exchange<json::value>(session, std::move(what));
        json::value result;
        bool stale = false;
        try {
            result = co_await std::move(sent);
        } catch (const error& failure) {
            stale = page > 0 && is_stale_cursor(session, failure, options);
            if (!stale)
                throw;
        }
        if (stale) {
            // The pages before it were kept; the server is asked for all of them.
            options.fresh = true;
            list = protocol::listing(method_of<Item>::name);
            page = 0;
            continue;
        }
        more = list.take(std::move(result));
    }
    if (!list.fault().empty())
        throw fault_of(session, list, options);
    std::vector<Item> items;
    items.reserve(list.entries().size());
    for (json::value& entry : list.entries())
        items.emplace_back(std::move(entry));
    co_return items;
}

template <class Item>
std::function<asio::awaitable<std::vector<Item>>()> listing_of(
    session_ref session, call_options options)
{
    return [session = std::move(session), options = std::move(options)] {
        return list_all<Item>(session, options);
    };
}

template asio::awaitable<std::vector<tool>> list_all(session_ref, call_options);
template asio::awaitable<std::vector<resource>> list_all(session_ref, call_options);
template asio::awaitable<std::vector<resource_template>> list_all(session_ref, call_options);
template asio::awaitable<std::vector<prompt>> list_all(session_ref, call_options);

template std::function<asio::awaitable<std::vector<tool>>()> listing_of(session_ref, call_options);
template std::function<asio::awaitable<std::vector<resource>>()> listing_of(
    session_ref, call_options);
template std::function<asio::awaitable<std::vector<resource_template>>()> listing_of(
    session_ref, call_options);
template std::function<asio::awaitable<std::vector<prompt>>()> listing_of(
    session_ref, call_options);

} // namespace mcp_pool::detail
