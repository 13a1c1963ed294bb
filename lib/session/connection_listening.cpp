// Subscriptions of the modern era: each lease listens to the resources that it asked for, the connection
// to the lists of the server. Source: MCP 2026-07-28, basic/patterns/subscriptions.
#include "rpc/json_text.hpp"
#include "rpc/text.hpp"
#include "session/connection_driver.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace mcp_pool::detail {

namespace {

using list = protocol::topic::kind;

constexpr std::string_view listen_method = "subscriptions/listen";
constexpr std::string_view subscribe_method = "resources/subscribe";
constexpr std::string_view unsubscribe_method = "resources/unsubscribe";

// Of one lease: the limits of what a reset can undo in the legacy era.
constexpr std::size_t max_resources = protocol::leftovers::max_subscriptions;
constexpr std::size_t max_uri_bytes = protocol::leftovers::max_uri_bytes;

// Over HTTP the former stream may be behind the new one.
constexpr duration overlap_of_streams = std::chrono::seconds(1);
constexpr duration usual_patience = std::chrono::seconds(60);

std::string in_quotes(std::string_view uri)
{
    constexpr std::size_t max_shown = 200;
    return rpc::quote_foreign(uri, max_shown);
}

json::object update_of(const std::string& uri)
{
    json::object params;
    params["uri"] = uri;
    return params;
}

protocol::topics acknowledged_topics(const json::object& params)
{
    const json::value* const given = params.if_contains("notifications");
    const json::object* const filter = given ? given->if_object() : nullptr;
    return filter ? protocol::topics_of(*filter) : protocol::topics();
}

} // namespace

void connection_driver::begin_listening()
{
    if (envelope_->speaks() != era::modern)
        return;
    protocol::listening_settings settings;
    const duration patience = server_->options.call_timeout;
    settings.patience = patience > duration::zero() ? patience : usual_patience;
    if (is_http())
        settings.overlap = overlap_of_streams;
    listens_.assign(state_->grants() + 1, protocol::listening(settings));
    const client_handlers* const h = server_->config.handlers.get();
    if (h && h->list_changed)
        for (const list which : {list::tools, list::prompts, list::resources})
            want_changes(which);
    send_listens(listens_.size() - 1);
}

void connection_driver::want_changes(protocol::topic::kind which)
{
    const std::string_view name = which == list::tools ? "tools"
        : which == list::prompts                       ? "prompts"
                                                       : "resources";
    const json::value* const offered = state_->info->capabilities.if_contains(rpc::json_view(name));
    const json::object* const object = offered ? offered->if_object() : nullptr;
    const json::value* const told = object ? object->if_contains("listChanged") : nullptr;
    if (told && *told == true)
        listens_.back().want(protocol::topic(which));
}

bool connection_driver::is_subscription(const request_op& op) const noexcept
{
    const std::string& method = op.request.method;
    return envelope_->speaks() == era::modern && !op.request.notification
        && (method == subscribe_method || method == unsubscribe_method);
}

void connection_driver::change_subscription(request_op* op)
{
    const std::size_t grant = op->grant->index;
    protocol::listening& machine = listens_[grant];
    const std::string_view uri = rpc::text_member(op->request.params, "uri");
    const auto refuse = [&](errc code, const std::string& text, std::string_view remedy) {
        uncount(*op);
        finish(op, make_error_code(code), nullptr, explain(name_of(*op) + ' ' + text, remedy));
    };
    if (uri.empty()) {
        refuse(errc::method_not_supported, "names no resource", "give the URI of one");
        return;
    }
    if (uri.size() > max_uri_bytes) {
        refuse(errc::message_too_large,
            "names a resource by more than " + std::to_string(max_uri_bytes) + " bytes", {});
        return;
    }
    protocol::topic about{std::string(uri)};
    note_holder(*op);
    if (op->request.method == unsubscribe_method) {
        machine.unwant(about);
        const auto same = [&](const subscribing& s) {
            return s.op->grant == op->grant && s.about == about;
        };
        end_subscribing(same, asio::error::operation_aborted, nullptr);
    } else if (!machine.keeps(about)) {
        if (machine.wanted().size() == max_resources) {
            refuse(errc::resource_exhausted,
                "would be more than " + std::to_string(max_resources)
                    + " subscriptions of one lease",
                "unsubscribe from others first");
            return;
        }
        machine.want(about);
        note_altered(*op->grant);
        listen_soon();
        if (!machine.keeps(about)) {
            subscribing_.emplace_back(op, std::move(about));
            wake_at(op->deadline);
            return;
        }
    }
    note_altered(*op->grant);
    listen_soon();
    uncount(*op);
    finish(op, {}, json::object(), nullptr);
}

void connection_driver::listen_soon()
{
    // Subscriptions that are made at the same time are one request.
    if (std::exchange(listens_posted_, true))
        return;
    post([](connection_driver& c) {
        c.listens_posted_ = false;
        for (std::size_t machine = 0; machine != c.listens_.size(); ++machine)
            c.send_listens(machine);
    });
}

void connection_driver::send_listens(std::size_t machine)
{
    using kind = protocol::listening::action::kind;
    protocol::listening& of = listens_[machine];
    const time_point now = clock::now();
    while (phase_ == phase::ready) {
        const protocol::listening::action act = of.next(now);
        if (act.what == kind::nothing)
            break;
        if (act.what == kind::cancel) {
            listen_ids_.ended(act.id);
            if (!transport_->cancel(act.id))
                send(envelope_->cancelled(act.id, "not listened to any more"),
                    "notifications/cancelled");
            continue;
        }
        const std::int64_t id = state_->next_request_id();
        of.sent(id, now);
        listen_ids_.sent(id, machine);
        json::object params;
        params["notifications"] = protocol::filter_of(of.wanted());
        send(envelope_->request(id, listen_method, params, {}, false), listen_method, id, &params);
    }
    wake_at(of.due());
}

template <class Wanted>
void connection_driver::end_subscribing(
    Wanted wanted, error_code code, const std::shared_ptr<const diagnostics>& details)
{
    const auto split = std::stable_partition(
        subscribing_.begin(), subscribing_.end(), [&](const subscribing& s) { return !wanted(s); });
    const std::vector<subscribing> ended(split, subscribing_.end());
    subscribing_.erase(split, subscribing_.end());
    for (const subscribing& s : ended) {
        const bool over = !s.op->grant->leased(s.op->generation);
        uncount(*s.op);
        finish(s.op, over ? error_code(asio::error::operation_aborted) : code, json::object(),
            over ? nullptr : details);
    }
}

void connection_driver::give_up_subscribing(
    std::int64_t id, error_code code, const std::shared_ptr<const diagnostics>& details)
{
    const auto found = std::find_if(subscribing_.begin(), subscribing_.end(),
        [id](const subscribing& s) { return s.op->id == id; });
    if (found == subscribing_.end())
        return;
    const subscribing given_up = *found;
    grant_record& grant = *given_up.op->grant;
    const auto same = [&](const subscribing& s) {
        return s.op->grant == &grant && s.about == given_up.about;
    };
    if (std::count_if(subscribing_.begin(), subscribing_.end(), same) == 1) {
        listens_[grant.index].unwant(given_up.about);
        note_altered(grant);
        listen_soon();
    }
    end_subscribing([id](const subscribing& s) { return s.op->id == id; }, code, details);
}

void connection_driver::expire_listening(time_point now)
{
    for (bool more = true; more;) {
        const auto late = std::find_if(subscribing_.begin(), subscribing_.end(),
            [now](const subscribing& s) { return s.op->deadline <= now; });
        more = late != subscribing_.end();
        if (more) {
            const request_op& op = *late->op;
            give_up_subscribing(op.id, make_error_code(errc::call_timeout),
                explain(name_of(op) + " was not acknowledged within " + text_of(timeout_of(op)),
                    "raise the timeout of the call or call_timeout"));
        }
    }
    if (phase_ != phase::ready)
        return;
    for (std::size_t machine = 0; machine != listens_.size(); ++machine) {
        if (listens_[machine].due() > now)
            continue;
        take_news(machine, listens_[machine].tick(now), listening_failure());
        send_listens(machine);
    }
}

time_point connection_driver::next_listening() const
{
    time_point next = time_point::max();
    for (const protocol::listening& machine : listens_)
        next = std::min(next, machine.due());
    for (const subscribing& s : subscribing_)
        next = std::min(next, s.op->deadline);
    return next;
}

void connection_driver::take_news(
    std::size_t machine, const protocol::listening::news& news, const listening_failure& why)
{
    if (machine == state_->grants()) {
        for (const protocol::topic& t : news.missed) {
            server_->results.list_changed(t.of, clock::now());
            tell_list_changed(t.of);
        }
        return;
    }
    grant_record& grant = state_->grant(machine);
    const auto about = [&grant](const protocol::topics& those) {
        return [&grant, &those](const subscribing& s) {
            return s.op->grant == &grant && those.contains(s.about);
        };
    };
    note_altered(grant);
    end_subscribing(about(news.granted), {}, nullptr);
    for (const protocol::topic& t : news.refused) {
        const auto same = [&](const subscribing& s) {
            return s.op->grant == &grant && s.about == t;
        };
        if (std::none_of(subscribing_.begin(), subscribing_.end(), same))
            continue;
        if (why.code)
            end_subscribing(same, why.code, why.details);
        else
            end_subscribing(same, make_error_code(errc::method_not_supported),
                explain("it acknowledges no subscription to " + in_quotes(t.uri)
                    + ": the server does not tell of its changes"));
    }
    // What has happened meanwhile, or will, is not known: who is told looks for himself.
    for (const protocol::topic& t : news.missed)
        server_->results.resource_changed(t.uri, clock::now());
    listener& present = listeners_[machine];
    const client_handlers* const h = server_->config.handlers.get();
    if (h && h->resource_updated)
        for (const protocol::topic& t : news.missed)
            tell(h->resource_updated, grant, present.generation, present.holder.lock(),
                update_of(t.uri));
}

void connection_driver::end_listen(std::int64_t id, const listening_failure& why)
{
    const std::size_t* const found = listen_ids_.machine_of(id);
    if (!found)
        return;
    const std::size_t machine = *found;
    listen_ids_.ended(id);
    take_news(machine, listens_[machine].ended(id, clock::now()), why);
    send_listens(machine);
}

bool connection_driver::on_listen_answer(std::int64_t id, const rpc::message& m)
{
    if (!listen_ids_.machine_of(id)) {
        // It crossed our cancellation, or the server ends a request in both ways that there are.
        if (!listen_ids_.has_ended(id))
            return false;
        server_->late_answers.fetch_add(1, std::memory_order_relaxed);
        return true;
    }
    listening_failure why;
    if (m.type == rpc::message::kind::error) {
        circumstances here;
        here.server = server_->config.name;
        diagnostics details = describe(here,
            "subscriptions/listen was answered with error " + std::to_string(m.error.code) + ": "
                + rpc::escape_foreign(m.error.message, max_peer_text));
        details.rpc = m.error;
        why.code = error_code(m.error.code, rpc_category());
        why.details = std::make_shared<const diagnostics>(std::move(details));
    } else {
        why = ended_by_server();
    }
    end_listen(id, why);
    return true;
}

listening_failure connection_driver::ended_by_server() const
{
    listening_failure why;
    why.code = make_error_code(errc::protocol_error);
    why.details = explain("subscriptions/listen was ended by the server unacknowledged");
    return why;
}

bool connection_driver::listen_failed(std::int64_t id, const transport::request_failure& failure)
{
    if (!listen_ids_.machine_of(id))
        return listen_ids_.has_ended(id);
    listening_failure why;
    why.code = failure.code;
    why.details = explain("subscriptions/listen failed: " + failure.text);
    end_listen(id, why);
    return true;
}

bool connection_driver::on_listen_notice(const rpc::message& m)
{
    note_change(m);
    const std::string_view method(m.method.data(), m.method.size());
    if (method == "notifications/cancelled") {
        const json::value* const given = m.params.if_contains("requestId");
        const std::int64_t* const id = given ? given->if_int64() : nullptr;
        if (!id || !(listen_ids_.machine_of(*id) || listen_ids_.has_ended(*id)))
            return false;
        end_listen(*id, ended_by_server());
        return true;
    }
    const std::optional<std::int64_t> id = protocol::subscription_of(m.params);
    const std::size_t* const found = id ? listen_ids_.machine_of(*id) : nullptr;
    if (!found)
        return id && listen_ids_.has_ended(*id);
    const std::size_t machine = *found;
    if (method == "notifications/subscriptions/acknowledged") {
        take_news(machine,
            listens_[machine].acknowledged(*id, acknowledged_topics(m.params), clock::now()),
            listening_failure());
        send_listens(machine);
        return true;
    }
    if (const std::optional<list> which = protocol::changed_list(method)) {
        if (listens_[machine].tells(*id, protocol::topic(*which)))
            tell_list_changed(*which);
        return true;
    }
    if (method != "notifications/resources/updated" || machine == state_->grants())
        return false;
    const client_handlers* const h = server_->config.handlers.get();
    const std::string_view uri = rpc::text_member(m.params, "uri");
    listener& present = listeners_[machine];
    if (!uri.empty() && listens_[machine].tells(*id, protocol::topic(std::string(uri))) && h
        && h->resource_updated)
        tell(h->resource_updated, state_->grant(machine), present.generation, present.holder.lock(),
            m.params);
    return true;
}

void connection_driver::end_listening(std::size_t grant)
{
    if (listens_.empty())
        return;
    const auto ended = [&of = state_->grant(grant)](const subscribing& s) {
        return s.op->grant == &of && !of.leased(s.op->generation);
    };
    end_subscribing(ended, asio::error::operation_aborted, nullptr);
    listens_[grant].unwant_all();
    send_listens(grant);
}

void connection_driver::fail_listening(errc code, const std::string& what, std::string_view remedy)
{
    for (protocol::listening& machine : listens_)
        machine.forget();
    listen_ids_.clear();
    if (!subscribing_.empty())
        end_subscribing([](const subscribing&) { return true; }, make_error_code(code),
            explain(what + " before the subscription was acknowledged", remedy));
}

} // namespace mcp_pool::detail
