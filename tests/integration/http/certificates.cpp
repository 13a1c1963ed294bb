#include "integration/http/certificates.hpp"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

namespace mcp_pool::transport::http::testing {

namespace {

void must(bool good, const char* what)
{
    if (!good)
        throw std::runtime_error(what);
}

std::string content_of(BIO* memory)
{
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(memory, &bytes);
    return {bytes, static_cast<std::size_t>(size)};
}

void add_extension(X509* certificate, X509* issuer, int id, const std::string& value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* const made = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
    must(made != nullptr, "an extension of a certificate");
    X509_add_ext(certificate, made, -1);
    X509_EXTENSION_free(made);
}

identity make(
    const identity* authority, const std::string& name, const std::string& names, validity when)
{
    static std::atomic<long> serial{1};
    constexpr long day = 24 * 60 * 60;
    identity made;
    made.key = {EVP_EC_gen("P-256"), &EVP_PKEY_free};
    made.certificate = {X509_new(), &X509_free};
    must(made.key && made.certificate, "a key and a certificate");
    X509* const x = made.certificate.get();
    X509* const issuer = authority != nullptr ? authority->certificate.get() : x;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), when.from * day);
    X509_gmtime_adj(X509_getm_notAfter(x), when.to * day);
    X509_set_pubkey(x, made.key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
        reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer));
    const bool is_authority = names.empty();
    add_extension(
        x, issuer, NID_basic_constraints, is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_extension(x, issuer, NID_key_usage,
        is_authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    if (!is_authority)
        add_extension(x, issuer, NID_subject_alt_name, names);
    EVP_PKEY* const signer = authority != nullptr ? authority->key.get() : made.key.get();
    must(X509_sign(x, signer, EVP_sha256()) != 0, "a signature");
    return made;
}

} // namespace

std::string identity::certificate_pem() const
{
    const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), &BIO_free);
    must(PEM_write_bio_X509(memory.get(), certificate.get()) == 1, "a certificate as PEM");
    return content_of(memory.get());
}

std::string identity::key_pem(const char* pass_phrase) const
{
    const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), &BIO_free);
    const EVP_CIPHER* const cipher = pass_phrase != nullptr ? EVP_aes_128_cbc() : nullptr;
    must(PEM_write_bio_PKCS8PrivateKey(memory.get(), key.get(), cipher, pass_phrase,
             pass_phrase != nullptr ? static_cast<int>(std::string(pass_phrase).size()) : 0,
             nullptr, nullptr)
            == 1,
        "a key as PEM");
    return content_of(memory.get());
}

identity make_authority(const std::string& name)
{
    return make(nullptr, name, {}, {-10, 10});
}

identity issue(const identity* authority, const std::string& names, validity when)
{
    // The names alone count; the common name is one that fits nothing.
    return make(authority, "common name", names, when);
}

temporary_file::temporary_file(const std::string& content)
{
    path_ = (std::filesystem::temp_directory_path() / "mcp_pool_http_XXXXXX").string();
    const int fd = ::mkstemp(path_.data());
    must(fd >= 0, "a temporary file");
    ::close(fd);
    std::ofstream(path_, std::ios::binary) << content;
}

temporary_file::~temporary_file()
{
    ::unlink(path_.c_str());
}

} // namespace mcp_pool::transport::http::testing
