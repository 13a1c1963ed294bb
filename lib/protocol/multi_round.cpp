#include "protocol/multi_round.hpp"

#include "rpc/text.hpp"

#include <utility>

namespace mcp_pool::protocol {

namespace {

constexpr std::string_view responses_key = "inputResponses";
constexpr std::string_view state_key = "requestState";
constexpr std::size_t max_foreign = 100;

std::string in_quotes(std::string_view foreign)
{
    return rpc::quote_foreign(foreign, max_foreign);
}

} // namespace

bool asks_for_input(const json::value& result, era in) noexcept
{
    const json::object* const object = in == era::modern ? result.if_object() : nullptr;
    const json::value* const type = object ? object->if_contains("resultType") : nullptr;
    return type && type->is_string() && type->get_string() == "input_required";
}

bool multi_round::allowed(std::string_view method) noexcept
{
    return method == "tools/call" || method == "prompts/get" || method == "resources/read";
}

std::string multi_round::take(json::value&& result, const client_abilities& declared)
{
    questions_.clear();
    unanswered_ = 0;
    state_.reset();
    if (++rounds_ > max_rounds)
        return "the server asks for input in more than " + std::to_string(max_rounds) + " rounds";
    // Its resultType was read from it.
    json::object& object = result.get_object();
    if (json::value* const state = object.if_contains(state_key)) {
        if (!state->is_string())
            return "its requestState is no string";
        state_ = std::move(*state);
    }
    json::value* const asked = object.if_contains("inputRequests");
    if (!asked)
        return state_ ? std::string() : "it has neither inputRequests nor requestState";
    if (!asked->is_object())
        return "its inputRequests is no object";
    return take_questions(asked->get_object(), declared);
}

std::string multi_round::take_questions(json::object& asked, const client_abilities& declared)
{
    if (asked.size() > max_questions)
        return "it has more than " + std::to_string(max_questions) + " inputRequests";
    for (auto& entry : asked) {
        question q;
        q.key.assign(entry.key().data(), entry.key().size());
        const std::string title = "its input request " + in_quotes(q.key);
        json::object* const request = entry.value().if_object();
        const json::value* const method = request ? request->if_contains("method") : nullptr;
        if (!method || !method->is_string())
            return title + " has no method";
        const std::string_view name(method->get_string().data(), method->get_string().size());
        if (json::value* const params = request->if_contains("params")) {
            if (!params->is_object())
                return title + " has params that are no object";
            q.params = std::move(params->get_object());
        }
        judged_question judged = judge_question(name, q.params, declared);
        if (!judged.kind)
            return title + " (" + rpc::escape_foreign(name, max_foreign) + ") "
                + (judged.fault.empty() ? "asks for what was not declared"
                                        : "cannot be asked: " + judged.fault);
        q.kind = *judged.kind;
        q.form = form_of(q.kind, q.params);
        questions_.push_back(std::move(q));
    }
    unanswered_ = questions_.size();
    return {};
}

std::string multi_round::answer(std::size_t index, json::value&& result)
{
    question& q = questions_[index];
    if (std::exchange(q.answered, true))
        return {};
    --unanswered_;
    std::string fault = complete_answer(q.kind, q.form, result);
    q.answer = std::move(result);
    return fault;
}

void multi_round::write_into(json::object& params)
{
    params.erase(responses_key);
    params.erase(state_key);
    if (!questions_.empty()) {
        json::object responses;
        for (question& q : questions_)
            responses[q.key] = std::move(q.answer);
        params[responses_key] = std::move(responses);
    }
    if (state_)
        params[state_key] = std::move(*state_);
    questions_.clear();
    state_.reset();
}

} // namespace mcp_pool::protocol
