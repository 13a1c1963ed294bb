// What a connection does between two leases, and how it makes sure of its peer.
#include "rpc/text.hpp"
#include "session/connection_driver.hpp"

#include <algorithm>
#include <utility>

namespace mcp_pool::detail {

namespace {

constexpr std::string_view set_level = "logging/setLevel";

json::object baseline_level()
{
    json::object params;
    params["level"] = json::string_view(
        protocol::baseline_log_level.data(), protocol::baseline_log_level.size());
    return params;
}

} // namespace

void connection_driver::set_baseline()
{
    if (envelope_->speaks() != era::legacy || server_->options.reset != reset_policy::protocol
        || !state_->info->capabilities.contains("logging"))
        return;
    // Nobody waits for the answer: a server that cannot do it says so again when it matters.
    baseline_ = state_->next_request_id();
    const json::object level = baseline_level();
    send(
        envelope_->request(*baseline_, set_level, level, {}, false), set_level, *baseline_, &level);
}

bool connection_driver::remembers(const request_op& op) const noexcept
{
    return server_->options.reset == reset_policy::protocol && envelope_->speaks() == era::legacy
        && protocol::leftovers::concern(op.request.method);
}

void connection_driver::note_altered(grant_record& of) noexcept
{
    const bool listens = !listens_.empty() && !listens_[of.index].wanted().empty();
    of.altered.store(!leftovers_[of.index].empty() || listeners_[of.index].used || listens,
        std::memory_order_relaxed);
}

void connection_driver::reset(std::size_t grant)
{
    post([grant](connection_driver& c) { c.do_reset(grant); });
}

void connection_driver::do_reset(std::size_t grant)
{
    take_inbox();
    if (phase_ != phase::ready)
        return;
    const auto ended = [&of = state_->grant(grant)](const request_op& op) {
        return op.grant == &of && !of.leased(op.generation);
    };
    request_queue unsent = queue_.extract(ended);
    while (request_op* op = unsent.pop_front()) {
        uncount(*op);
        finish(op, asio::error::operation_aborted, nullptr, nullptr);
    }
    end_rounds_of_lease(state_->grant(grant));
    end_listening(grant);
    expired_.clear();
    for (const protocol::pending_request& request : table_.pending())
        if (ended(*request.op))
            expired_.push_back(request);
    for (const protocol::pending_request& request : expired_)
        give_up(request.id, asio::error::operation_aborted, "the lease has ended", nullptr);
    if (phase_ == phase::ready)
        undo(grant);
}

void connection_driver::undo(std::size_t grant)
{
    const auto waits = [&] {
        return std::any_of(reset_requests_.begin(), reset_requests_.end(),
            [grant](const reset_request& sent) { return sent.grant == grant; });
    };
    if (waits())
        return;
    if (!leftovers_[grant].undoable()) {
        fail_reset(grant,
            "the lease has subscribed to more resources than are remembered ("
                + std::to_string(protocol::leftovers::max_subscriptions) + ", with URIs of up to "
                + std::to_string(protocol::leftovers::max_uri_bytes) + " bytes)");
        return;
    }
    const bool heard = std::exchange(listeners_[grant].used, false);
    // What another lease of the session wants as well is left to its reset, for which it must not find
    // the same here.
    const protocol::leftovers left = std::exchange(leftovers_[grant], protocol::leftovers());
    const auto shared = [&](const auto& wants) {
        return std::any_of(leftovers_.begin(), leftovers_.end(), wants);
    };
    left.each_subscription([&](std::string_view uri) {
        if (shared([uri](const protocol::leftovers& l) { return l.has_subscription(uri); }))
            return;
        json::object params;
        params["uri"] = json::string_view(uri.data(), uri.size());
        send_for_reset(grant, true, "resources/unsubscribe", params);
    });
    if (left.has_level() && !shared([](const protocol::leftovers& l) { return l.has_level(); }))
        send_for_reset(grant, true, set_level, baseline_level());
    if (waits())
        return;
    if ((table_.unsettled(grant) == 0 && !heard) || server_->options.reset == reset_policy::none) {
        finish_reset(grant);
        return;
    }
    // A server may stop working on a cancelled request and never answer it: any answer to what was
    // sent behind it says that it is past that. Whatever it asked or reported before, it has sent
    // before that answer too, and found nobody.
    reset_requests_.emplace_back(state_->next_request_id(), grant, false);
    send_probe(reset_requests_.back().id);
}

void connection_driver::send_for_reset(
    std::size_t grant, bool undoes, std::string_view method, const json::object& params)
{
    reset_requests_.emplace_back(state_->next_request_id(), grant, undoes);
    const std::int64_t id = reset_requests_.back().id;
    send(envelope_->request(id, method, params, {}, false), method, id, &params);
}

void connection_driver::send_probe(std::int64_t id)
{
    send(envelope_->probe(id), envelope_->speaks() == era::modern ? "server/discover" : "ping", id);
}

void connection_driver::finish_reset(std::size_t grant)
{
    grant_record& of = state_->grant(grant);
    uncount(of, table_.settle(grant));
    note_altered(of);
    if (const auto pool = events_.lock())
        pool->on_reset_done(*state_, grant);
}

void connection_driver::fail_reset(std::size_t grant, std::string_view what)
{
    std::erase_if(
        reset_requests_, [grant](const reset_request& sent) { return sent.grant == grant; });
    if (const auto pool = events_.lock())
        pool->on_reset_failed(*state_, grant, explain(what));
}

void connection_driver::probe()
{
    post([](connection_driver& c) { c.do_probe(); });
}

void connection_driver::do_probe()
{
    if (phase_ != phase::ready)
        return;
    health_probe_ = state_->next_request_id();
    send_probe(*health_probe_);
}

connection_driver::own_request connection_driver::take_own(std::int64_t id)
{
    own_request taken;
    if (id == baseline_) {
        baseline_.reset();
        taken.what = own_request::kind::baseline;
    } else if (id == health_probe_) {
        health_probe_.reset();
        taken.what = own_request::kind::health_probe;
    } else {
        const auto found = std::find_if(reset_requests_.begin(), reset_requests_.end(),
            [id](const reset_request& sent) { return sent.id == id; });
        if (found != reset_requests_.end()) {
            taken.what = own_request::kind::reset;
            taken.grant = found->grant;
            taken.undoes = found->undoes;
            reset_requests_.erase(found);
        }
    }
    return taken;
}

bool connection_driver::on_own_answer(std::int64_t id, rpc::message& m)
{
    if (on_tools_listed(id, m) || on_listen_answer(id, m))
        return true;
    const own_request answered = take_own(id);
    switch (answered.what) {
    case own_request::kind::none:
        return false;
    case own_request::kind::baseline:
        return true;
    case own_request::kind::health_probe:
        if (const auto pool = events_.lock())
            pool->on_probe_done(*state_);
        return true;
    case own_request::kind::reset:
        break;
    }
    if (answered.undoes && m.type == rpc::message::kind::error) {
        fail_reset(answered.grant,
            "what the lease has changed cannot be undone: the server answered with error "
                + std::to_string(m.error.code) + ": "
                + rpc::escape_foreign(m.error.message, max_peer_text));
        return true;
    }
    const bool more = std::any_of(reset_requests_.begin(), reset_requests_.end(),
        [&](const reset_request& sent) { return sent.grant == answered.grant; });
    if (!more)
        finish_reset(answered.grant);
    return true;
}

} // namespace mcp_pool::detail
