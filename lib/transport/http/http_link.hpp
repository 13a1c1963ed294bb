// The messages of one session with a server over HTTP, on their strand.
#pragma once

#include "protocol/http_headers.hpp"
#include "transport/http/endpoint.hpp"
#include "transport/http/message_exchange.hpp"
#include "transport/transport.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mcp_pool::transport::http {

class credential_call;

// What an HTTP transport holds and pending operations keep alive: the transport may be destroyed at any
// moment, in the middle of an event too.
//
// Thread safety: on the strand only; abandon() also while the execution context is shut down.
class http_link final : public std::enable_shared_from_this<http_link>
{
public:
    http_link(
        connection_strand strand, transport_events& events, std::shared_ptr<const endpoint> server);
    ~http_link();

    void start();
    void send(std::string line, const message_facts& facts);
    bool cancel(std::int64_t id);
    void stop(stop_step step);
    // The transport is being destroyed.
    void abandon() noexcept;

    [[nodiscard]] std::string start_hints() const;

    // What follows is for exchanges.

    [[nodiscard]] const connection_strand& strand() const noexcept { return strand_; }
    [[nodiscard]] const endpoint& server() const noexcept { return *server_; }
    [[nodiscard]] http_client& client() noexcept { return client_; }
    [[nodiscard]] rpc::reader& reader() noexcept { return reader_; }
    [[nodiscard]] const protocol::http_session& session() const noexcept { return session_; }

    // False: not yet; the exchange begins again when it is time.
    bool lets_begin(message_exchange& exchange);
    // The server has given, or not given, an id with its answer to `initialize`.
    void note_session_id(const std::string* id);
    // The server has refused the credentials of that generation: others are there, or asked for.
    void renew_credentials(std::uint64_t generation, std::string_view challenge);
    [[nodiscard]] shared_credentials::given credentials() const;

    void deliver(const message_exchange& from, rpc::message&& m, std::string_view text);
    void deliver_garbage(std::string_view text);
    void deliver_verdict(const protocol::era_verdict& verdict, unsigned status);
    // These may destroy the link; the exchange is detached.
    void finished(message_exchange& exchange);
    void failed(message_exchange& exchange, request_failure why);

    // For credential_call: it has come to its end; `problem` says why there are none.
    void on_credentials(std::optional<std::string> value, const std::string& problem);

private:
    std::shared_ptr<message_exchange> add(protocol::http_sent sent, message_exchange::content what);
    [[nodiscard]] std::shared_ptr<message_exchange> take(message_exchange& exchange) noexcept;
    // One that is over. False: it was the last.
    bool let_go(message_exchange& exchange);
    protocol::http_sent sent_of(protocol::http_sent::purpose what) const;
    void ask_credentials(bool refused, std::string previous, std::string_view challenge);
    void release_held();
    void note_repaired();
    void listen();
    void detach_all() noexcept;
    void conclude();

    const connection_strand strand_;
    // nullptr: nobody wants to hear anything any more.
    transport_events* events_;
    const std::shared_ptr<const endpoint> server_;
    http_client client_;
    rpc::reader reader_;
    std::uint64_t repaired_reported_ = 0;

    protocol::http_session session_;
    unsigned probes_ = 0;
    std::vector<std::shared_ptr<message_exchange>> exchanges_;
    // Those of them that wait for credentials, or for the end of `opening_`.
    std::vector<std::shared_ptr<message_exchange>> held_;
    // `notifications/initialized`, before which the server is not to get anything else.
    const message_exchange* opening_ = nullptr;
    message_exchange* listening_ = nullptr;
    std::shared_ptr<credential_call> asking_;

    bool stopping_ = false;
    bool concluded_ = false;
};

} // namespace mcp_pool::transport::http
