// Requests that a server of the modern era answers with questions: their handlers, and the next try.
#include "protocol/versions.hpp"
#include "rpc/text.hpp"
#include "session/connection_driver.hpp"

#include <algorithm>
#include <utility>

namespace mcp_pool::detail {

round_trip* connection_driver::rounds_of(const request_op* op) noexcept
{
    const auto found = std::find_if(
        rounds_.begin(), rounds_.end(), [op](const round_trip& r) { return r.op == op; });
    return found == rounds_.end() ? nullptr : &*found;
}

bool connection_driver::begin_round(request_op* op, json::value& result)
{
    if (!protocol::asks_for_input(result, envelope_->speaks())
        || !protocol::multi_round::allowed(op->request.method))
        return false;
    if (!op->grant->leased(op->generation)) {
        uncount(*op);
        finish(op, asio::error::operation_aborted, nullptr, nullptr);
        return true;
    }
    round_trip* known = rounds_of(op);
    if (!known) {
        rounds_.emplace_back();
        known = &rounds_.back();
        known->op = op;
    }
    const std::string fault = known->machine.take(std::move(result), abilities_);
    if (!fault.empty()) {
        uncount(*op);
        finish(op, make_error_code(errc::protocol_error), nullptr,
            explain("the answer to " + name_of(*op) + " cannot be used: " + fault));
        return true;
    }
    auto& questions = known->machine.questions();
    known->running.clear();
    if (questions.empty()) {
        known->where = round_trip::stage::pausing;
        known->resume_at = after(clock::now(), protocol::multi_round::pause);
    } else {
        known->where = round_trip::stage::asking;
        known->first_number = last_number_ + 1;
        last_number_ += questions.size();
        for (std::size_t i = 0; i != questions.size(); ++i)
            known->running.push_back(put_to_handler(known->first_number + i, questions[i].kind, *op,
                json::value(json::string_view(questions[i].key)), std::move(questions[i].params)));
    }
    wake_at(known->due());
    return true;
}

void connection_driver::answer_round(std::uint64_t number, handler_outcome&& outcome)
{
    const auto found = std::find_if(rounds_.begin(), rounds_.end(), [number](const round_trip& r) {
        return r.where == round_trip::stage::asking && number >= r.first_number
            && number - r.first_number < r.running.size();
    });
    if (found == rounds_.end())
        return;
    round_trip& round = *found;
    request_op* const op = round.op;
    const std::size_t index = static_cast<std::size_t>(number - round.first_number);
    const std::string method(protocol::method_of(round.machine.questions()[index].kind));
    std::string fault;
    if (outcome.how == handler_outcome::kind::answered)
        fault = round.machine.answer(index, std::move(outcome.result));
    if (outcome.how == handler_outcome::kind::answered && fault.empty()) {
        if (round.machine.complete())
            send_again(round);
        pump();
        return;
    }
    uncount(*op);
    if (!op->grant->leased(op->generation)) {
        finish(op, asio::error::operation_aborted, nullptr, nullptr);
        return;
    }
    if (outcome.how != handler_outcome::kind::failed) {
        outcome.failure.code = protocol::internal_error;
        outcome.failure.message = fault.empty() ? "the handler was not run to its end"
                                                : "its answer cannot be sent: " + fault;
    }
    circumstances here;
    here.server = server_->config.name;
    diagnostics details = describe(here,
        name_of(*op) + " asked for input, and the handler for " + method
            + " failed: " + rpc::escape_foreign(outcome.failure.message, max_peer_text));
    const int code = outcome.failure.code;
    details.rpc = std::move(outcome.failure);
    finish(op, error_code(code, rpc_category()), nullptr,
        std::make_shared<const diagnostics>(std::move(details)));
}

void connection_driver::send_again(round_trip& round)
{
    round.where = round_trip::stage::sent;
    round.machine.write_into(round.op->request.params);
    queue_.push_front(round.op);
}

void connection_driver::expire_rounds(time_point now)
{
    if (rounds_.empty())
        return;
    for (auto next = rounds_.begin(); next != rounds_.end();) {
        round_trip& round = *next++;
        if (round.where == round_trip::stage::sent || now < round.due())
            continue;
        request_op* const op = round.op;
        if (now < op->deadline) {
            send_again(round);
            continue;
        }
        uncount(*op);
        finish(op, make_error_code(errc::call_timeout), nullptr,
            explain(name_of(*op) + " was not complete within " + text_of(timeout_of(*op))
                    + ": the server has asked for input, and it was "
                    + (round.where == round_trip::stage::asking ? "not answered" : "to ask again"),
                "raise the timeout of the call or call_timeout"));
    }
    pump();
}

time_point connection_driver::next_round() const noexcept
{
    time_point next = time_point::max();
    for (const round_trip& round : rounds_)
        if (round.where != round_trip::stage::sent)
            next = std::min(next, round.due());
    return next;
}

template <class Wanted>
void connection_driver::end_rounds(
    Wanted wanted, error_code code, const std::shared_ptr<const diagnostics>& details)
{
    for (auto next = rounds_.begin(); next != rounds_.end();) {
        const round_trip& round = *next++;
        request_op* const op = round.op;
        if (round.where == round_trip::stage::sent || !wanted(*op))
            continue;
        const bool over = !op->grant->leased(op->generation);
        uncount(*op);
        finish(op, over ? error_code(asio::error::operation_aborted) : code, nullptr,
            over ? nullptr : details);
    }
}

void connection_driver::end_rounds_of_lease(const grant_record& of)
{
    const auto ended = [&of](const request_op& op) {
        return op.grant == &of && !of.leased(op.generation);
    };
    end_rounds(ended, asio::error::operation_aborted, nullptr);
}

void connection_driver::end_round(
    std::int64_t id, error_code code, const std::shared_ptr<const diagnostics>& details)
{
    end_rounds([id](const request_op& op) { return op.id == id; }, code, details);
}

void connection_driver::fail_rounds(errc code, const std::shared_ptr<const diagnostics>& details)
{
    end_rounds([](const request_op&) { return true; }, make_error_code(code), details);
}

std::int64_t connection_driver::wire_id(std::int64_t id) const noexcept
{
    if (!rounds_.empty())
        for (const protocol::pending_request& pending : table_.pending())
            if (pending.op->id == id)
                return pending.id;
    return id;
}

void connection_driver::forget_rounds(const request_op* op) noexcept
{
    const auto found = std::find_if(
        rounds_.begin(), rounds_.end(), [op](const round_trip& r) { return r.op == op; });
    if (found == rounds_.end())
        return;
    if (found->where == round_trip::stage::asking)
        for (const auto& weak : found->running)
            if (const auto running = weak.lock())
                running->cancel();
    rounds_.erase(found);
}

} // namespace mcp_pool::detail
