// What a server of the legacy era asks of its client, and which handler is asked.
#include "protocol/versions.hpp"
#include "rpc/text.hpp"
#include "rpc/writer.hpp"
#include "session/connection_driver.hpp"

#include <algorithm>
#include <utility>

namespace mcp_pool::detail {

const request_op* connection_driver::lone_request() const noexcept
{
    if (about_) {
        const protocol::pending_request* const asked = table_.find(*about_);
        return asked && asked->op->grant->leased(asked->op->generation) ? asked->op : nullptr;
    }
    const request_op* found = nullptr;
    for (const protocol::pending_request& pending : table_.pending()) {
        const request_op* const op = pending.op;
        if ((found && found->grant != op->grant) || !op->grant->leased(op->generation))
            return nullptr;
        found = op;
    }
    if (!found)
        return nullptr;
    // A server may still be at work on what another lease has given up.
    for (std::size_t grant = 0; grant != state_->grants(); ++grant)
        if (grant != found->grant->index && table_.unsettled(grant) != 0)
            return nullptr;
    return found;
}

request_context connection_driver::context_for(const lessee* holder, json::value id) const
{
    request_context context;
    context.server = server_->config.name;
    context.session_id = state_->id;
    context.request_id = std::move(id);
    if (holder) {
        context.isolation_key = holder->isolation_key;
        context.context = holder->context;
    }
    return context;
}

std::weak_ptr<handler_call> connection_driver::put_to_handler(std::uint64_t number,
    protocol::question_kind kind, const request_op& of, json::value id, json::object params)
{
    const lessee* const holder = of.holder.get();
    const auto call = std::make_shared<handler_call>(number,
        std::shared_ptr<grant_record>(state_, of.grant), of.generation, server_->config.handlers,
        handler_for(*server_->config.handlers, kind), holder ? holder->executor : pool_executor_,
        context_for(holder, std::move(id)), std::move(params));
    call->start();
    return call;
}

bool connection_driver::send_answer(std::string line)
{
    // Answers do not wait in our queue, so a peer that asks and does not read must be bounded here.
    if (buffered_ + line.size() > server_->options.max_message_bytes) {
        constexpr std::string_view what = "the server sends requests and does not read the answers";
        if (phase_ == phase::starting)
            report_failed_start(errc::start_failed, what, false);
        else
            break_session(errc::session_closed, std::string(what), acquire_again);
        return false;
    }
    send(std::move(line), {});
    return true;
}

void connection_driver::answer_server(rpc::message&& m)
{
    if (phase_ != phase::starting && phase_ != phase::ready)
        return;
    const era now = envelope_ ? envelope_->speaks() : handshake_->assumed_era();
    if (phase_ == phase::ready && now == era::legacy && abilities_.any() && ask(m))
        return;
    std::string line = protocol::answer_to(m, now);
    if (line.empty()) {
        server_->forbidden_requests.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    send_answer(std::move(line));
}

bool connection_driver::ask(rpc::message& m)
{
    const std::string_view method(m.method.data(), m.method.size());
    const protocol::judged_question judged = protocol::judge_question(method, m.params, abilities_);
    rpc::writer w;
    if (!judged.kind) {
        if (judged.fault.empty())
            return false;
        send_answer(w.error(m.id, protocol::invalid_params, "Invalid params: " + judged.fault));
        return true;
    }
    const request_op* const op = lone_request();
    if (!op)
        return false;
    if (asked_.size() == max_asked
        || asked_bytes_ + reading_.size() > server_->options.max_message_bytes) {
        send_answer(
            w.error(m.id, protocol::internal_error, "Too many requests are being answered"));
        return true;
    }
    asked_.emplace_back();
    asked_request& asked = asked_.back();
    asked.number = ++last_number_;
    asked.message.id = m.id;
    asked.message.method = m.method;
    asked.kind = *judged.kind;
    asked.form = protocol::form_of(asked.kind, m.params);
    asked.grant = op->grant->index;
    asked.generation = op->generation;
    asked.bytes = reading_.size();
    asked_bytes_ += reading_.size();
    asked.running = put_to_handler(
        asked.number, asked.kind, *op, std::move(m.id), std::move(m.params));
    return true;
}

asked_request connection_driver::take_asked(std::vector<asked_request>::iterator at) noexcept
{
    asked_request taken = std::move(*at);
    asked_bytes_ -= taken.bytes;
    asked_.erase(at);
    return taken;
}

void connection_driver::handler_done(std::uint64_t number, handler_outcome outcome)
{
    post([number, outcome = std::move(outcome)](
             connection_driver& c) mutable { c.on_handler_done(number, std::move(outcome)); });
}

void connection_driver::on_handler_done(std::uint64_t number, handler_outcome&& outcome)
{
    const auto found = std::find_if(asked_.begin(), asked_.end(),
        [number](const asked_request& a) { return a.number == number; });
    if (found == asked_.end()) {
        answer_round(number, std::move(outcome));
        return;
    }
    const asked_request asked = take_asked(found);
    if (phase_ != phase::ready)
        return;
    rpc::writer w;
    // Whoever answered has given the lease back meanwhile: the reset that follows would refuse it too.
    if (outcome.how == handler_outcome::kind::not_run
        || !state_->grant(asked.grant).leased(asked.generation)) {
        send_answer(protocol::answer_to(asked.message, era::legacy));
        return;
    }
    std::string fault;
    if (outcome.how == handler_outcome::kind::answered)
        fault = protocol::complete_answer(asked.kind, asked.form, outcome.result);
    std::string line;
    if (outcome.how == handler_outcome::kind::failed)
        line = w.error(
            asked.message.id, outcome.failure.code, outcome.failure.message, outcome.failure.data);
    else if (fault.empty())
        line = w.result(asked.message.id, outcome.result);
    if (!fault.empty() || buffered_ + line.size() > server_->options.max_message_bytes)
        line = w.error(asked.message.id, protocol::internal_error, "Internal error");
    send_answer(std::move(line));
}

void connection_driver::withdraw(std::size_t grant)
{
    const auto of_grant = [grant](const asked_request& a) { return a.grant == grant; };
    const auto in_flight = [grant](const protocol::pending_request& p) { return p.grant == grant; };
    if (asked_.empty() || std::any_of(table_.pending().begin(), table_.pending().end(), in_flight))
        return;
    for (auto next = std::find_if(asked_.begin(), asked_.end(), of_grant); next != asked_.end();
         next = std::find_if(asked_.begin(), asked_.end(), of_grant)) {
        const asked_request asked = take_asked(next);
        if (const auto running = asked.running.lock())
            running->cancel();
        if (phase_ == phase::ready && !send_answer(protocol::answer_to(asked.message, era::legacy)))
            return;
    }
}

void connection_driver::withdrawn_by_server(const json::object& params)
{
    const json::value* const id = params.if_contains("requestId");
    const auto found = std::find_if(asked_.begin(), asked_.end(),
        [id](const asked_request& a) { return id && a.message.id == *id; });
    if (found == asked_.end())
        return;
    const asked_request asked = take_asked(found);
    if (const auto running = asked.running.lock())
        running->cancel();
}

void connection_driver::forget_asked() noexcept
{
    for (const asked_request& asked : asked_)
        if (const auto running = asked.running.lock())
            running->cancel();
    asked_.clear();
    asked_bytes_ = 0;
}

} // namespace mcp_pool::detail
