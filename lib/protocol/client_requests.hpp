// What a server may ask of its client: what is declared, whether a request keeps to it, and whether an
// answer may be sent.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace mcp_pool::protocol {

// The kinds of requests that somebody has to answer.
enum class question_kind {
    sampling,
    elicit_form,
    elicit_url,
    roots,
};

// "sampling/createMessage" and so on.
std::string_view method_of(question_kind kind) noexcept;

// Which of them somebody answers.
struct client_abilities
{
    bool sampling = false;
    // Sampling with `tools` and `toolChoice`.
    bool sampling_tools = false;
    bool elicit_form = false;
    bool elicit_url = false;
    bool roots = false;

    client_abilities() = default;

    [[nodiscard]] bool any() const noexcept
    {
        return sampling || elicit_form || elicit_url || roots;
    }
};

// The ClientCapabilities object, as JSON text.
// Source: MCP 2025-11-25, basic/lifecycle; MCP 2026-07-28, basic/index, "_meta".
std::string capabilities_json(const client_abilities& declared);

// What a request of a server is.
struct judged_question
{
    // Set if it may be asked.
    std::optional<question_kind> kind;
    // Else what is wrong with it, to be answered with -32602; empty if it is none of the declared
    // kinds.
    std::string fault;

    judged_question() = default;
};

// Source: MCP, client/sampling, client/elicitation, client/roots.
judged_question judge_question(
    std::string_view method, const json::object& params, const client_abilities& declared);

// The properties of the form that an answer is completed with; empty for other kinds.
json::object form_of(question_kind kind, const json::object& params);

// Makes of what somebody has answered the result to be sent: fills in the defaults of the form where
// it was accepted, takes out content that has no place. Returns what is wrong with it, or nothing.
std::string complete_answer(question_kind kind, const json::object& form, json::value& result);

} // namespace mcp_pool::protocol
