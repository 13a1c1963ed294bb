// What a server reports, and who is told.
#include "session/connection_driver.hpp"

#include <utility>

namespace mcp_pool::detail {

bool connection_driver::hears_of_leases() const noexcept
{
    const client_handlers* const h = server_->config.handlers.get();
    return h
        && (abilities_.any() || h->log_message || h->resource_updated || h->elicitation_complete);
}

void connection_driver::note_holder(const request_op& op)
{
    if (!hears_of_leases())
        return;
    listener& present = listeners_[op.grant->index];
    present.holder = op.holder;
    present.generation = op.generation;
    if (settles_by_probe()) {
        present.used = true;
        note_altered(*op.grant);
    }
}

bool connection_driver::settles_by_probe() const noexcept
{
    return envelope_->speaks() == era::legacy && server_->options.reset == reset_policy::protocol
        && hears_of_leases();
}

void connection_driver::tell(const notification_handler& function, grant_record& grant,
    std::uint64_t generation, const std::shared_ptr<const lessee>& holder,
    const json::object& params)
{
    if (!holder || !grant.leased(generation))
        return;
    auto call = [handlers = server_->config.handlers, &function,
                    of = std::shared_ptr<grant_record>(state_, &grant), generation,
                    context = context_for(holder.get(), nullptr), params] {
        // On the acquirer's executor, where the lease may have ended meanwhile.
        if (of->leased(generation))
            function(context, params);
    };
    if (!holder->notices->push(std::move(call), line_bytes_))
        server_->dropped_notices.fetch_add(1, std::memory_order_relaxed);
}

void connection_driver::tell_present(
    const notification_handler& function, const json::object& params)
{
    if (!function)
        return;
    // A server of the modern era reports only while the request that it is about is under way. In the
    // legacy era a lease that has its session alone may be told until it ends: what the former one has
    // caused came before the probe that settled it.
    if (state_->grants() == 1 && envelope_->speaks() == era::legacy) {
        listener& present = listeners_.front();
        tell(function, state_->grant(0), present.generation, present.holder.lock(), params);
    } else if (const request_op* const op = lone_request()) {
        tell(function, *op->grant, op->generation, op->holder, params);
    }
}

void connection_driver::tell_subscribers(
    const notification_handler& function, const json::object& params)
{
    const json::value* const given = params.if_contains("uri");
    const json::string* const text = given ? given->if_string() : nullptr;
    if (!function || !text)
        return;
    if (envelope_->speaks() == era::modern) {
        const std::optional<std::int64_t> id = protocol::subscription_of(params);
        const protocol::pending_request* const listen = id ? table_.find(*id) : nullptr;
        if (listen)
            tell(function, *listen->op->grant, listen->op->generation, listen->op->holder, params);
        return;
    }
    if (server_->options.reset != reset_policy::protocol) {
        // Subscriptions are not remembered.
        tell_present(function, params);
        return;
    }
    const std::string_view uri(text->data(), text->size());
    for (std::size_t grant = 0; grant != state_->grants(); ++grant) {
        listener& present = listeners_[grant];
        if (leftovers_[grant].subscribed_above(uri))
            tell(function, state_->grant(grant), present.generation, present.holder.lock(), params);
    }
}

void connection_driver::on_notice(const rpc::message& m)
{
    if (on_listen_notice(m))
        return;
    const client_handlers* const h = server_->config.handlers.get();
    if (!h)
        return;
    const std::string_view method(m.method.data(), m.method.size());
    if (method == "notifications/cancelled") {
        withdrawn_by_server(m.params);
    } else if (method == "notifications/message") {
        tell_present(h->log_message, m.params);
    } else if (method == "notifications/elicitation/complete") {
        tell_present(h->elicitation_complete, m.params);
    } else if (method == "notifications/resources/updated") {
        tell_subscribers(h->resource_updated, m.params);
    } else if (const auto list = protocol::changed_list(method)) {
        tell_list_changed(*list);
    }
}

void connection_driver::tell_list_changed(protocol::topic::kind changed)
{
    const list_kind which = changed == protocol::topic::kind::tools ? list_kind::tools
        : changed == protocol::topic::kind::prompts                 ? list_kind::prompts
                                                                    : list_kind::resources;
    const client_handlers* const h = server_->config.handlers.get();
    if (!h || !h->list_changed)
        return;
    auto call = [handlers = server_->config.handlers, context = context_for(nullptr, nullptr),
                    which] { handlers->list_changed(context, which); };
    if (!notices_->push(std::move(call), 0))
        server_->dropped_notices.fetch_add(1, std::memory_order_relaxed);
}

} // namespace mcp_pool::detail
