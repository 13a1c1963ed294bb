// One message on its way to a server over HTTP, and what comes back.
#pragma once

#include "protocol/http_answer.hpp"
#include "protocol/stream_resumption.hpp"
#include "rpc/event_stream.hpp"
#include "transport/http/http_client.hpp"
#include "transport/transport.hpp"

#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_pool::transport::http {

class http_link;

// A POST, the GET of what the server says unasked, or the DELETE at the end; over all the redirects,
// new credentials and connections that it takes. Tells its link what comes of it, at the end finished()
// or failed(), once.
//
// Lifetime: its link owns it; it is let go of by detach(), after which it tells nothing.
// Thread safety: on the link's strand only.
class message_exchange final : private exchange_events,
                               public std::enable_shared_from_this<message_exchange>
{
public:
    // What is sent, beside what each request of the server gets.
    struct content
    {
        std::string method = "POST";
        header_fields fields;
        std::string body;
        // Sending it twice does no harm.
        bool may_resend = false;
        // It is `initialize`.
        bool opens = false;

        content() = default;
    };

    message_exchange(http_link& owner, protocol::http_sent sent, content what);

    // Sends it, as soon as the link lets it.
    void begin();

    // Nobody waits for it any more, or the link is gone.
    void detach() noexcept;

    [[nodiscard]] const protocol::http_sent& sent() const noexcept { return asked_; }

private:
    void on_head(answer_head head) override;
    void on_body(std::string_view piece) override;
    void on_end() override;
    void on_failure(http_failure why) override;

    void send(const std::string& method, header_fields fields, const std::string& body);
    void send_again();
    void take_events(std::string_view piece);
    void take_event(std::string_view text);
    void settle(protocol::http_answer&& answer, std::string_view text);
    void answered_by(protocol::http_answer&& answer, std::string_view text);
    void refused(const protocol::http_answer& answer);
    void go_on(protocol::stream_resumption::step step);
    void wait(time_point until);
    void lost();
    void finish();
    void fail(error_code code, std::string text);
    void fail(request_failure why);

    // Somebody listens to what comes; asked again after each event.
    [[nodiscard]] bool listened() const noexcept { return owner_ != nullptr; }

    http_link* owner_;
    // The message, and the request that is under way for it at present.
    const protocol::http_sent asked_;
    protocol::http_sent sent_;
    const content what_;
    http_exchange under_way_;

    // The answer.
    protocol::http_head head_;
    std::string content_type_;
    std::string location_;
    std::string www_authenticate_;
    protocol::body_use use_ = protocol::body_use::message;
    std::string body_;
    std::uint64_t received_ = 0;

    // Where the answer is a stream: what comes in it, and how it goes on when a connection ends.
    std::optional<rpc::event_stream> stream_;
    std::optional<protocol::stream_resumption> resumption_;
    std::optional<asio::steady_timer> timer_;

    // The answer was told; what the server sends after it is read to keep the connection.
    bool done_ = false;
    // Of the credentials that were sent.
    std::uint64_t credentials_ = 0;
    bool asked_again_ = false;
};

} // namespace mcp_pool::transport::http
