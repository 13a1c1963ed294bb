// What all connections of one server configuration share.
#pragma once

#include "metrics/histogram.hpp"
#include "session/kept_results.hpp"
#include "session/known_tools.hpp"
#include "transport/transport.hpp"

#include <mcp_pool/server.hpp>
#include <mcp_pool/types.hpp>

#include <atomic>
#include <mutex>
#include <optional>
#include <string>

namespace mcp_pool::detail {

// Thread safety: everything; the configuration never changes.
class server_state
{
public:
    server_state(server_config config, pool_options options, transport::transport_factory factory);

    const server_config config;
    const pool_options options;
    // Starts processes, or scripted peers in tests.
    const transport::transport_factory make_transport;

    // The era if it is known: given by the configuration or learnt, a legacy verdict for no longer
    // than era_ttl.
    [[nodiscard]] std::optional<era> known_era(time_point now) const;
    void learn_era(era verdict, time_point now);
    // Unlearns a verdict that turned out wrong.
    void forget_era();

    // Of options, or as changed since; 0: for ever.
    std::atomic<duration> start_timeout;
    // Bytes waiting to be written in all transports of the server.
    std::atomic<std::size_t> buffered_bytes{0};
    // Lines on stdout that were not JSON-RPC, and byte sequences in messages that were not UTF-8.
    std::atomic<std::uint64_t> garbage_lines{0};
    std::atomic<std::uint64_t> replaced_sequences{0};
    // Answers that belonged to no request, or to one that was answered before; answers to requests
    // that had been given up; requests that a server of the modern era must not send.
    std::atomic<std::uint64_t> unknown_answers{0};
    std::atomic<std::uint64_t> late_answers{0};
    std::atomic<std::uint64_t> forbidden_requests{0};
    // Notifications that handlers were too slow for.
    std::atomic<std::uint64_t> dropped_notices{0};
    // Of the modern era over HTTP.
    known_tools tools;
    // What servers of the modern era allow to be kept.
    kept_results results;
    // Requests from writing to answer.
    metrics::histogram call_times;

private:
    mutable std::mutex mutex_;
    std::optional<era> learnt_;
    time_point learnt_at_{};
};

} // namespace mcp_pool::detail
