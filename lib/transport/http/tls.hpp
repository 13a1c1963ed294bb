// What a client trusts and how it shows who it is.
#pragma once

#include "transport/http/http_message.hpp"

#include <memory>
#include <string>

namespace mcp_pool::transport::http {

struct tls_options
{
    // A PEM file of the authorities that are trusted instead of the system's; empty: the system's.
    std::string ca_file;
    // PEM files of the client's certificate, with those above it, and of its key; both or none. A key
    // with a pass phrase is refused.
    std::string certificate_file;
    std::string key_file;

    tls_options() = default;
};

// Made once and shared: reading the system's authorities takes milliseconds.
//
// Thread safety: may be used by clients on several threads.
class tls_context;

// At least TLS 1.2, host names always verified. Reads files: not on a path that may not block.
//
// Errors: nullptr, and in `problem` which file was the matter and why; throws std::bad_alloc.
std::shared_ptr<tls_context> make_tls_context(const tls_options& options, std::string& problem);

} // namespace mcp_pool::transport::http
