#include "transport/http/http_message.hpp"

#include "rpc/ascii.hpp"

#include <algorithm>
#include <chrono>

namespace mcp_pool::transport::http {

namespace {

class category final : public boost::system::error_category
{
public:
    const char* name() const noexcept override { return "mcp_pool.http"; }

    std::string message(int value) const override
    {
        switch (static_cast<http_errc>(value)) {
        case http_errc::bad_request:
            return "the request cannot be written as HTTP";
        case http_errc::resolve_failed:
            return "the host name is not known";
        case http_errc::connect_failed:
            return "no address takes a connection";
        case http_errc::connect_timeout:
            return "no connection in time";
        case http_errc::proxy_refused:
            return "the proxy refused";
        case http_errc::tls_failed:
            return "the TLS handshake failed";
        case http_errc::tls_untrusted:
            return "the certificate is not trusted";
        case http_errc::tls_wrong_host:
            return "the certificate is for another host";
        case http_errc::tls_expired:
            return "the certificate is not valid at this time";
        case http_errc::tls_timeout:
            return "no TLS handshake in time";
        case http_errc::first_byte_timeout:
            return "no answer in time";
        case http_errc::idle_timeout:
            return "the answer stood still";
        case http_errc::no_answer:
            return "the connection ended before the answer";
        case http_errc::truncated:
            return "the connection ended within the answer";
        case http_errc::malformed:
            return "the answer is no HTTP/1.1";
        case http_errc::header_too_large:
            return "the answer's header is too large";
        case http_errc::body_too_large:
            return "the answer's body is too large";
        }
        return "unknown error of the HTTP client";
    }
};

} // namespace

const boost::system::error_category& http_category() noexcept
{
    static const category instance;
    return instance;
}

error_code make_error_code(http_errc value) noexcept
{
    return {static_cast<int>(value), http_category()};
}

const std::string* find_field(const header_fields& fields, std::string_view name) noexcept
{
    const auto lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    const auto at = std::ranges::find_if(fields, [&](const header_field& field) {
        return std::ranges::equal(
            field.name, name, [&](char a, char b) { return lower(a) == lower(b); });
    });
    return at == fields.end() ? nullptr : &at->value;
}

duration keep_alive_of(const header_fields& fields) noexcept
{
    constexpr std::string_view name = "timeout=";
    constexpr std::chrono::seconds margin(1);
    const std::string* const field = find_field(fields, "Keep-Alive");
    if (!field)
        return duration::max();
    const auto found = std::ranges::search(
        *field, name, [](char a, char b) { return rpc::lower(a) == b; });
    if (found.empty() || found.end() == field->end() || !rpc::is_digit(*found.end()))
        return duration::max();
    // Longer than any connection lasts is long enough.
    int seconds = 0;
    for (auto at = found.end(); at != field->end() && rpc::is_digit(*at) && seconds < 100'000; ++at)
        seconds = 10 * seconds + (*at - '0');
    const duration announced = std::chrono::seconds(seconds);
    return std::max<duration>(announced - margin, announced / 2);
}

} // namespace mcp_pool::transport::http
