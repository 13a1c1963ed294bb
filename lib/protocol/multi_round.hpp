// A request that the server answers with questions: what it asks, what it is answered, what is sent
// again.
#pragma once

#include "protocol/client_requests.hpp"

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/types.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_pool::protocol {

// Whether a result asks for input before it can be complete.
bool asks_for_input(const json::value& result, era in) noexcept;

// The rounds of one request: take() for each result that asks for input, answer() for each of its
// questions, write_into() once all are answered.
//
// Source: MCP 2026-07-28, basic/index, "Result types"; SEP-2322.
class multi_round
{
public:
    static constexpr unsigned max_rounds = 10;
    static constexpr std::size_t max_questions = 16;
    // Before the request is sent again where the server has nothing to ask but wants to be asked again.
    static constexpr duration pause = std::chrono::milliseconds(250);

    struct question
    {
        // The server's name for it.
        std::string key;
        question_kind kind = question_kind::roots;
        json::object params;
        // What the answer is completed with.
        json::object form;
        json::value answer;
        bool answered = false;

        question() = default;
    };

    // Whether results of this method may ask for input.
    static bool allowed(std::string_view method) noexcept;

    // Begins a round. Returns what is wrong with the result, or nothing.
    [[nodiscard]] std::string take(json::value&& result, const client_abilities& declared);

    [[nodiscard]] std::vector<question>& questions() noexcept { return questions_; }

    // Takes the answer to a question. Returns what is wrong with it, or nothing; it counts as answered
    // in either case.
    [[nodiscard]] std::string answer(std::size_t index, json::value&& result);

    [[nodiscard]] bool complete() const noexcept { return unanswered_ == 0; }

    // Makes of the parameters of the request those of the next try, whichever they were before.
    void write_into(json::object& params);

private:
    std::string take_questions(json::object& asked, const client_abilities& declared);

    unsigned rounds_ = 0;
    std::size_t unanswered_ = 0;
    std::vector<question> questions_;
    std::optional<json::value> state_;
};

} // namespace mcp_pool::protocol
