// What a connection remembers of the questions of its server, and of those whom it may report to.
#pragma once

#include "protocol/client_requests.hpp"
#include "protocol/multi_round.hpp"
#include "rpc/message.hpp"
#include "session/handler_call.hpp"
#include "session/lessee.hpp"

#include <mcp_pool/detail/request.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace mcp_pool::detail {

// A request of the server that a handler is answering.
struct asked_request
{
    std::uint64_t number = 0;
    // Its id and method.
    rpc::message message;
    protocol::question_kind kind = protocol::question_kind::roots;
    json::object form;
    // The lease that it concerns.
    std::size_t grant = 0;
    std::uint64_t generation = 0;
    // Of its line.
    std::size_t bytes = 0;
    std::weak_ptr<handler_call> running;

    asked_request() = default;
};

// A request that was answered with questions, until it completes. It counts as unanswered.
struct round_trip
{
    enum class stage {
        // Handlers run.
        asking,
        // It is sent again at `resume_at`.
        pausing,
        // In the queue or at the server.
        sent,
    };

    request_op* op = nullptr;
    protocol::multi_round machine;
    stage where = stage::sent;
    // The numbers of its handlers begin here.
    std::uint64_t first_number = 0;
    std::vector<std::weak_ptr<handler_call>> running;
    time_point resume_at = time_point::max();

    round_trip() = default;

    [[nodiscard]] time_point due() const noexcept
    {
        return where == stage::pausing && resume_at < op->deadline ? resume_at : op->deadline;
    }
};

// The present lease of a grant, from its first request on.
struct listener
{
    std::weak_ptr<const lessee> holder;
    std::uint64_t generation = 0;
    // Before the next lease, an answer to a probe has to say that the server is past what it had
    // to say to this one.
    bool used = false;

    listener() = default;
};

} // namespace mcp_pool::detail
