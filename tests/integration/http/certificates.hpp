// Certificates that are made when a test needs them: no key is ever in the repository.
#pragma once

#include <memory>
#include <string>

#include <openssl/evp.h>
#include <openssl/x509.h>

namespace mcp_pool::transport::http::testing {

// A certificate with its key.
struct identity
{
    std::shared_ptr<EVP_PKEY> key;
    std::shared_ptr<X509> certificate;

    [[nodiscard]] std::string certificate_pem() const;
    [[nodiscard]] std::string key_pem(const char* pass_phrase = nullptr) const;
};

// From now on when a certificate is valid, in days.
struct validity
{
    int from = -1;
    int to = 1;
};

// An authority, which signs itself.
identity make_authority(const std::string& name);

// A certificate for `names` ("DNS:server.test,IP:127.0.0.1"), signed by `authority`, or by itself where
// that is nullptr.
identity issue(const identity* authority, const std::string& names, validity when = {});

// A file that exists as long as this does.
class temporary_file
{
public:
    explicit temporary_file(const std::string& content);
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;
    ~temporary_file();

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

} // namespace mcp_pool::transport::http::testing
