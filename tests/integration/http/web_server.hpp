// An MCP server over HTTP whose answers a test decides, in the context of the test.
#pragma once

#include "integration/http/scripted_peer.hpp"
#include "support/pool_fixture.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_pool::testing {

namespace wire = transport::http::testing;

// One request as it came.
struct web_request
{
    std::string method;
    std::string target;
    // Names in lower case.
    std::map<std::string, std::string> fields;
    std::string body;
    // The body; null where it is none.
    json::value message;
    // The connection that it came on.
    std::shared_ptr<wire::peer> from;

    [[nodiscard]] std::string field(const std::string& name) const;
    // Of the message; empty where there is none.
    [[nodiscard]] std::string rpc_method() const;
    // As JSON text.
    [[nodiscard]] std::string id() const;
};

// Bytes to be sent.
std::string web_answer(unsigned status, const std::string& body = {},
    const std::string& fields = "Content-Type: application/json\r\n");
std::string web_result(const web_request& to, const std::string& result);
std::string web_error(const web_request& to, unsigned status, int code, const std::string& text);
// The head of a stream of events, whose body comes in chunks.
std::string web_stream_head(const std::string& fields = {});
std::string web_event(const std::string& data, const std::string& id = {});
inline std::string web_stream_end()
{
    return "0\r\n\r\n";
}
std::string echoed(const std::string& text);

// A pool of sessions with a scripted server over HTTP, which is of the modern era unless `legacy`.
struct web_fixture : pool_fixture
{
    web_fixture();
    ~web_fixture();

    // Takes a request, or leaves it to the server's usual conduct (false).
    std::function<bool(const web_request&)> special;
    bool legacy = false;
    // Of the legacy era; empty: none. How many sessions were initialised.
    std::string session_id = "S1";
    unsigned initialized = 0;
    std::vector<web_request> requests;
    // What it shows where it speaks TLS.
    std::optional<wire::server_tls> tls;
    std::optional<wire::scripted_server> web;

    session_pool& open_web(const pool_overrides& overrides = {},
        std::shared_ptr<const client_handlers> handlers = nullptr);
    session_pool& open_web(http_server reached_at, const pool_overrides& overrides = {},
        std::shared_ptr<const client_handlers> handlers = nullptr);
    [[nodiscard]] http_server target() const;

    // Calls the tool `echo` with "hi".
    std::shared_ptr<outcome<tool_result>> echo(lease& session, call_options options = {});
    std::shared_ptr<outcome<tool_result>> begin_echo(lease& session, call_options options = {});
    // The n-th request of this HTTP method and JSON-RPC method, when it has come.
    const web_request& nth(std::size_t n, const std::string& method, const std::string& rpc,
        std::source_location here = std::source_location::current());
    [[nodiscard]] std::size_t count(const std::string& method, const std::string& rpc = {}) const;

    // As usual.
    void answer(const web_request& request);

private:
    void take_bytes(std::size_t connection);

    std::map<wire::peer*, std::size_t> taken_;
};

} // namespace mcp_pool::testing
