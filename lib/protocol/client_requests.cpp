#include "protocol/client_requests.hpp"

#include "protocol/elicitation_defaults.hpp"
#include "rpc/text.hpp"

namespace mcp_pool::protocol {

namespace {

constexpr std::size_t max_foreign = 100;

const json::value* member(const json::object& from, std::string_view name) noexcept
{
    return from.if_contains(json::string_view(name.data(), name.size()));
}

bool has_string(const json::object& from, std::string_view name) noexcept
{
    const json::value* const found = member(from, name);
    return found && found->is_string();
}

judged_question wrong(std::string fault)
{
    judged_question q;
    q.fault = std::move(fault);
    return q;
}

judged_question good(question_kind kind)
{
    judged_question q;
    q.kind = kind;
    return q;
}

judged_question judge_sampling(const json::object& params, const client_abilities& declared)
{
    if (!declared.sampling)
        return {};
    if (!declared.sampling_tools && (member(params, "tools") || member(params, "toolChoice")))
        return wrong("sampling with tools was not declared");
    const json::value* const messages = member(params, "messages");
    if (!messages || !messages->is_array())
        return wrong("messages is no array");
    const json::value* const most = member(params, "maxTokens");
    if (!most || !most->is_number())
        return wrong("maxTokens is no number");
    return good(question_kind::sampling);
}

judged_question judge_elicitation(const json::object& params, const client_abilities& declared)
{
    if (!declared.elicit_form && !declared.elicit_url)
        return {};
    std::string mode = "form";
    if (const json::value* const given = member(params, "mode")) {
        if (!given->is_string())
            return wrong("mode is no string");
        mode.assign(given->get_string().data(), given->get_string().size());
    }
    const bool url = mode == "url";
    if (!(url ? declared.elicit_url : mode == "form" && declared.elicit_form))
        return wrong(
            "the mode \"" + rpc::escape_foreign(mode, max_foreign) + "\" was not declared");
    if (!has_string(params, "message"))
        return wrong("message is no string");
    if (url)
        return has_string(params, "url") ? good(question_kind::elicit_url)
                                         : wrong("url is no string");
    const json::value* const schema = member(params, "requestedSchema");
    const json::object* const object = schema ? schema->if_object() : nullptr;
    const json::value* const properties = object ? member(*object, "properties") : nullptr;
    if (!properties || !properties->is_object())
        return wrong("requestedSchema is no schema of an object with properties");
    return good(question_kind::elicit_form);
}

std::string complete_elicitation(bool with_form, const json::object& form, json::object& result)
{
    const json::value* const action = member(result, "action");
    const json::string* const name = action ? action->if_string() : nullptr;
    if (!name || (*name != "accept" && *name != "decline" && *name != "cancel"))
        return "action is none of accept, decline and cancel";
    if (*name != "accept" || !with_form) {
        result.erase("content");
        return {};
    }
    json::value& content = result["content"];
    if (content.is_null())
        content = json::object();
    json::object* const answers = content.if_object();
    if (!answers)
        return "content is no object";
    fill_defaults(form, *answers);
    return {};
}

} // namespace

std::string_view method_of(question_kind kind) noexcept
{
    switch (kind) {
    case question_kind::sampling:
        return "sampling/createMessage";
    case question_kind::elicit_form:
    case question_kind::elicit_url:
        return "elicitation/create";
    case question_kind::roots:
        break;
    }
    return "roots/list";
}

std::string capabilities_json(const client_abilities& declared)
{
    std::string text = "{";
    const auto add = [&text](std::string_view member) {
        if (text.size() > 1)
            text += ',';
        text += member;
    };
    if (declared.sampling)
        add(declared.sampling_tools ? R"("sampling":{"tools":{}})" : R"("sampling":{})");
    if (declared.elicit_form && declared.elicit_url)
        add(R"("elicitation":{"form":{},"url":{}})");
    else if (declared.elicit_form)
        add(R"("elicitation":{"form":{}})");
    else if (declared.elicit_url)
        add(R"("elicitation":{"url":{}})");
    if (declared.roots)
        add(R"("roots":{})");
    text += '}';
    return text;
}

judged_question judge_question(
    std::string_view method, const json::object& params, const client_abilities& declared)
{
    if (method == method_of(question_kind::sampling))
        return judge_sampling(params, declared);
    if (method == method_of(question_kind::elicit_form))
        return judge_elicitation(params, declared);
    if (method == method_of(question_kind::roots) && declared.roots)
        return good(question_kind::roots);
    return {};
}

json::object form_of(question_kind kind, const json::object& params)
{
    if (kind != question_kind::elicit_form)
        return {};
    // Judged before.
    return params.at("requestedSchema").as_object().at("properties").as_object();
}

std::string complete_answer(question_kind kind, const json::object& form, json::value& result)
{
    json::object* const object = result.if_object();
    if (!object)
        return "it is no JSON object";
    switch (kind) {
    case question_kind::sampling:
        if (!has_string(*object, "role") || !has_string(*object, "model")
            || !member(*object, "content"))
            return "role, content or model is missing";
        return {};
    case question_kind::elicit_form:
    case question_kind::elicit_url:
        return complete_elicitation(kind == question_kind::elicit_form, form, *object);
    case question_kind::roots:
        break;
    }
    const json::value* const roots = member(*object, "roots");
    return roots && roots->is_array() ? std::string() : "roots is no array";
}

} // namespace mcp_pool::protocol
