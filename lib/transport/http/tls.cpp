#include "transport/http/tls.hpp"

#include "rpc/text.hpp"
#include "transport/http/tls_session.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>

#include <array>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

namespace mcp_pool::transport::http {

namespace {

// What OpenSSL complains about, oldest first; empties its list.
std::string openssl_words()
{
    std::string words;
    while (const unsigned long error = ::ERR_get_error()) {
        std::array<char, 256> text{};
        ::ERR_error_string_n(error, text.data(), text.size());
        if (const char* reason = ::ERR_reason_error_string(error); words.empty())
            words = reason != nullptr ? reason : text.data();
    }
    return words.empty() ? "unknown reason" : words;
}

std::string quoted(const std::string& path)
{
    return '"' + rpc::escape_foreign(path, 200) + '"';
}

// OpenSSL would ask on the terminal.
int no_pass_phrase(char*, int, int, void*)
{
    return 0;
}

// What is wrong; empty: nothing.
std::string load(SSL_CTX* context, const tls_options& options)
{
    if (options.ca_file.empty()) {
        if (::SSL_CTX_set_default_verify_paths(context) != 1)
            return "the system's trusted authorities cannot be read: " + openssl_words();
    } else if (::SSL_CTX_load_verify_file(context, options.ca_file.c_str()) != 1) {
        return "the file of trusted authorities " + quoted(options.ca_file)
            + " cannot be read as PEM: " + openssl_words();
    }
    if (options.certificate_file.empty() != options.key_file.empty())
        return "a client certificate needs a certificate file and a key file; only one is given";
    if (options.certificate_file.empty())
        return {};
    ::SSL_CTX_set_default_passwd_cb(context, &no_pass_phrase);
    if (::SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) != 1)
        return "the client certificate " + quoted(options.certificate_file)
            + " cannot be read as PEM: " + openssl_words();
    if (::SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
        return "the key of the client certificate " + quoted(options.key_file)
            + " cannot be read as PEM without a pass phrase, or belongs to another certificate: "
            + openssl_words();
    return {};
}

bool is_address(const std::string& host)
{
    error_code code;
    asio::ip::make_address(host, code);
    return !code;
}

} // namespace

std::shared_ptr<tls_context> make_tls_context(const tls_options& options, std::string& problem)
{
    // What others left in this thread's list would be taken for ours.
    ::ERR_clear_error();
    auto made = std::make_shared<tls_context>();
    SSL_CTX* const context = made->context.native_handle();
    problem = load(context, options);
    if (!problem.empty())
        return nullptr;
    static constexpr unsigned char protocols[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    // This one returns 0 for success.
    if (::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1
        || ::SSL_CTX_set_alpn_protos(context, protocols, sizeof protocols) != 0) {
        problem = "TLS cannot be set up: " + openssl_words();
        return nullptr;
    }
    ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    return made;
}

bool expect_host(SSL* session, const std::string& host)
{
    X509_VERIFY_PARAM* const wanted = ::SSL_get0_param(session);
    if (is_address(host))
        return ::X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1;
    // The root's dot is no part of the name in a certificate.
    const std::string name = host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
    ::X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return ::X509_VERIFY_PARAM_set1_host(wanted, name.data(), name.size()) == 1
        && ::SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(name.c_str()))
        == 1;
}

error_code explain_handshake(SSL* session, const error_code& code, std::string& words)
{
    const long verdict = ::SSL_get_verify_result(session);
    if (verdict == X509_V_OK) {
        words = code == asio::ssl::error::stream_truncated || code == asio::error::eof
            ? "the server ended the connection"
            : rpc::escape_foreign(code.message(), 200);
        return http_errc::tls_failed;
    }
    words = ::X509_verify_cert_error_string(verdict);
    switch (verdict) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return http_errc::tls_wrong_host;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return http_errc::tls_expired;
    default:
        return http_errc::tls_untrusted;
    }
}

} // namespace mcp_pool::transport::http
