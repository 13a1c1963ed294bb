// Requests as they are written.
#pragma once

#include "transport/http/http_message.hpp"
#include "transport/http/proxy.hpp"
#include "transport/http/url.hpp"

#include <string>

namespace mcp_pool::transport::http {

// The bytes of a request, kept until it is answered: it may have to be written again.
struct request_text
{
    std::string head;
    std::string body;

    request_text() = default;
};

// Writes `request` for `server`: with the whole URL as its target where it goes `through` a proxy in
// plain HTTP. What is wrong with it, without values, is left in `problem`; empty: nothing.
//
// Nothing can be smuggled in: line breaks and other control characters in a target or a field are
// refused. Source: RFC 9112 sections 3 and 5, RFC 9110 section 5.
request_text write_request(
    http_request&& request, const url& server, const proxy* through, std::string& problem);

// The CONNECT that makes a tunnel to `server`. Source: RFC 9110 section 9.3.6.
request_text write_connect(const url& server, const proxy& through);

} // namespace mcp_pool::transport::http
