// What goes to an HTTP server and what comes from it.
#pragma once

#include "protocol/header_field.hpp"

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/error.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_pool::transport::http {

// What can go wrong with an exchange. Beside these, errc::resource_exhausted: this host is short of
// descriptors or memory.
enum class http_errc {
    // The request cannot be written: a method, target or field that is none.
    bad_request = 1,
    // The name of the server or of the proxy is not known.
    resolve_failed,
    // No address of the server or of the proxy takes a connection.
    connect_failed,
    connect_timeout,
    // The proxy answered a CONNECT with something else than success.
    proxy_refused,
    // TLS could not be agreed upon, for another reason than the next three.
    tls_failed,
    // No authority that is trusted stands behind the server's certificate.
    tls_untrusted,
    // The certificate is for another host.
    tls_wrong_host,
    // The certificate, or one above it, is not valid yet or no more.
    tls_expired,
    tls_timeout,
    first_byte_timeout,
    // The answer began and then stood still.
    idle_timeout,
    // The connection ended before a byte of the answer came.
    no_answer,
    // The connection ended in the middle of the answer.
    truncated,
    // What came is no HTTP/1.1.
    malformed,
    // Status line, fields, chunk extensions or trailers over max_header_bytes or max_fields, or too
    // many interim answers.
    header_too_large,
    // A body over max_body_bytes, or announced to be.
    body_too_large,
};

const boost::system::error_category& http_category() noexcept;

error_code make_error_code(http_errc value) noexcept;

using protocol::header_field;
using protocol::header_fields;

// The value of the first field of that name, in upper or lower case; nullptr: there is none.
const std::string* find_field(const header_fields& fields, std::string_view name) noexcept;

// The limits of one exchange. 0: no limit.
struct exchange_limits
{
    // To a connection, the name's resolution and a proxy's tunnel included. It is shared by all
    // addresses of the host.
    duration connect_timeout = std::chrono::seconds(10);
    duration tls_timeout = std::chrono::seconds(10);
    // From the first byte that is written of the request to the first byte of the answer; interim
    // answers (1xx) are none.
    duration first_byte_timeout = std::chrono::seconds(60);
    // Between two pieces of the body; and from the first byte of the answer to its last field.
    duration idle_timeout = std::chrono::seconds(60);
    // Of the body, without what the transfer coding adds.
    std::uint64_t max_body_bytes = std::uint64_t{64} << 20;
    // Of status line, fields and trailers together, interim answers included.
    std::size_t max_header_bytes = std::size_t{64} << 10;
    std::size_t max_fields = 256;
    // Whether the request may be written once more, on a new connection, where the connection that
    // was kept alive is closed by the server without a byte of the answer: it may have executed it.
    bool may_resend = false;

    exchange_limits() = default;
};

struct http_request
{
    std::string method;
    // Path and query, begins with '/'.
    std::string target;
    // Without Host, Content-Length, Transfer-Encoding and Connection, which are the engine's.
    header_fields fields;
    std::string body;
    exchange_limits limits;

    http_request() = default;
};

// Status line and fields of an answer, as they came.
struct answer_head
{
    // 200 to 999.
    unsigned status = 0;
    std::string reason;
    header_fields fields;
    // Announced; none: chunks, or until the connection ends.
    std::optional<std::uint64_t> content_length;

    answer_head() = default;
};

// How an exchange failed.
struct http_failure
{
    error_code code;
    // The story for people, with the origin and without targets, fields and bodies. Foreign texts in it
    // are escaped and bounded.
    std::string message;
    // A byte of the request may have reached the server.
    bool sent = false;

    http_failure() = default;
};

// What an exchange tells: on_head(), on_body() any number of times, on_end(); or at any point
// on_failure(). On the client's strand, never before http_client::start() has returned. The exchange
// and the client may be destroyed in each of them.
class exchange_events
{
public:
    virtual void on_head(answer_head head) = 0;
    // Valid during the call; never empty. As it arrives.
    virtual void on_body(std::string_view piece) = 0;
    // Last event.
    virtual void on_end() = 0;
    // Last event.
    virtual void on_failure(http_failure why) = 0;

protected:
    ~exchange_events() = default;
};

} // namespace mcp_pool::transport::http

template <>
struct boost::system::is_error_code_enum<mcp_pool::transport::http::http_errc> : std::true_type
{};
