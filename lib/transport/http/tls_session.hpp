// One TLS session of a client, as OpenSSL knows it. For wire.cpp and tls.cpp, which share the compile
// time of the TLS headers.
#pragma once

#include "transport/http/tls.hpp"

#include <boost/asio/ssl/context.hpp>

#include <string>

namespace mcp_pool::transport::http {

class tls_context
{
public:
    tls_context()
        : context(asio::ssl::context::tls_client)
    {}

    asio::ssl::context context;
};

// The certificate has to be for `host`, a name or an address; a name is told to the server.
//
// Errors: false, out of memory.
bool expect_host(SSL* session, const std::string& host);

// Which error a handshake that ended with `code` is, and in `words` what OpenSSL says.
error_code explain_handshake(SSL* session, const error_code& code, std::string& words);

} // namespace mcp_pool::transport::http
