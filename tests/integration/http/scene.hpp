// A client and a scripted server in one context, and what came of the exchanges.
#pragma once

#include "integration/http/scripted_peer.hpp"
#include "transport/http/http_client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

namespace mcp_pool::transport::http::testing {

using namespace std::chrono_literals;

// Long enough for any step on a machine that is busy with something else; no test waits for it to
// pass.
inline constexpr auto deadline = 60s;

// How an exchange went.
class recorder final : public exchange_events
{
public:
    std::optional<answer_head> head;
    std::string body;
    std::size_t pieces = 0;
    bool ended = false;
    std::optional<http_failure> failure;
    http_exchange handle;
    // Called after each event with its name; may destroy whatever it likes but this.
    std::function<void(const std::string&)> after;

    [[nodiscard]] bool over() const { return ended || failure; }
    [[nodiscard]] error_code code() const { return failure ? failure->code : error_code(); }
    [[nodiscard]] std::string words() const { return failure ? failure->message : std::string(); }
    [[nodiscard]] bool told_anything() const { return head || ended || failure || pieces != 0; }

private:
    void on_head(answer_head came) override;
    void on_body(std::string_view piece) override;
    void on_end() override;
    void on_failure(http_failure why) override;
    void note(const char* event);
};

using exchange = std::unique_ptr<recorder>;

struct scene
{
    scene();
    ~scene();

    // The client of `server`, made when it is first used; options may be changed before.
    http_client& client();
    exchange start(http_request request);
    exchange post(std::string body = "ping", exchange_limits limits = {});
    exchange get(exchange_limits limits = {});
    // Runs the context until `predicate`.
    void until(const std::function<bool()>& predicate,
        std::source_location here = std::source_location::current());
    // Until the exchange is over.
    recorder& finish(
        const exchange& what, std::source_location here = std::source_location::current());
    // The exchange fails with `code`, and says `words`.
    void fails(const exchange& what, error_code code, std::string_view words = {},
        std::source_location here = std::source_location::current());
    // The exchange is answered with status 200 and `body`.
    void succeeds(const exchange& what, std::string_view body,
        std::source_location here = std::source_location::current());
    // The connection that the server accepted as the n-th.
    peer& nth_peer(std::size_t n, std::source_location here = std::source_location::current());
    // Until the n-th connection has brought so many requests.
    peer& requested(std::size_t n, std::size_t requests,
        std::source_location here = std::source_location::current());

    std::unique_ptr<asio::io_context> context;
    std::optional<connection_strand> strand;
    std::optional<scripted_server> server;
    http_client_options options;
    std::optional<http_client> the_client;
};

// "HTTP/1.1 200 OK" with a body and its length.
std::string ok(const std::string& body, const std::string& fields = {});
std::string chunked(const std::vector<std::string>& chunks);

std::size_t open_descriptors();

// A test leaves no descriptor behind.
class balance
{
public:
    balance();
    ~balance();

private:
    std::size_t before_;
};

} // namespace mcp_pool::transport::http::testing
