// Results that a server of the modern era allows to be kept: asked for there first, kept here. Source:
// MCP 2026-07-28, server/utilities/caching.
#include "protocol/result_shape.hpp"
#include "protocol/versions.hpp"
#include "session/connection_driver.hpp"

#include <utility>

namespace mcp_pool::detail {

namespace {

std::string_view principal_of(const request_op& op) noexcept
{
    return op.isolation_key ? std::string_view(*op.isolation_key) : std::string_view();
}

} // namespace

std::optional<protocol::cache_key> connection_driver::key_of(const request_op& op) const
{
    if (!server_->results.enabled() || envelope_->speaks() != era::modern || op.request.notification
        || op.request.as_text)
        return std::nullopt;
    // Over HTTP a list of tools is another one for whoever asks by the method's name; see note_tools().
    if (is_http() && !op.request.typed && op.request.method == "tools/list")
        return std::nullopt;
    return protocol::result_cache::key_of(
        op.request.method, op.request.params, op.request.options.meta);
}

bool connection_driver::answer_from_cache(request_op* op)
{
    if (phase_ != phase::ready || op->request.options.fresh)
        return false;
    const std::optional<protocol::cache_key> key = key_of(*op);
    const auto kept = key ? server_->results.find(*key, principal_of(*op), clock::now()) : nullptr;
    if (!kept)
        return false;
    server_->results.count_hit();
    hear_changes_of(*key);
    json::value result = *kept;
    uncount(*op);
    finish(op, {}, std::move(result), nullptr);
    return true;
}

void connection_driver::keep_result(
    const protocol::pending_request& request, const json::value& result)
{
    if (!request.kept_as)
        return;
    // A result that was not asked for through accessors may be asked for through them next time.
    if (!request.op->request.typed
        && !protocol::fault_of_shape(request.kept_as->method, result).empty())
        return;
    if (server_->results.keep(*request.kept_as, principal_of(*request.op), result, reading_.size(),
            request.sent_at, clock::now()))
        hear_changes_of(*request.kept_as);
}

void connection_driver::doubt_list(const protocol::pending_request& request, int code)
{
    if (request.kept_as && code == protocol::invalid_params
        && !protocol::entries_member(request.kept_as->method).empty())
        server_->results.discard_list(request.kept_as->method, clock::now());
}

void connection_driver::note_change(const rpc::message& m)
{
    if (!server_->results.enabled() || envelope_->speaks() != era::modern)
        return;
    const std::string_view method(m.method.data(), m.method.size());
    if (const auto list = protocol::changed_list(method)) {
        server_->results.list_changed(*list, clock::now());
    } else if (method == "notifications/resources/updated") {
        const json::value* const uri = m.params.if_contains("uri");
        if (uri && uri->is_string())
            server_->results.resource_changed(
                {uri->get_string().data(), uri->get_string().size()}, clock::now());
    }
}

void connection_driver::hear_changes_of(const protocol::cache_key& kept)
{
    using list = protocol::topic::kind;
    const std::string_view method = kept.method;
    if (protocol::entries_member(method).empty())
        return;
    const list which = method == "tools/list" ? list::tools
        : method == "prompts/list"            ? list::prompts
                                              : list::resources;
    // Once: a server that does not tell of them is not asked again and again.
    if (!std::exchange(lists_kept_[static_cast<std::size_t>(which)], true)) {
        want_changes(which);
        listen_soon();
    }
}

} // namespace mcp_pool::detail
