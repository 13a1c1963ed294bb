#include <mcp_pool/base64.hpp>

#include <boost/test/unit_test.hpp>

using namespace mcp_pool;

namespace {

std::string decoded(std::string_view text)
{
    std::string bytes;
    for (const std::byte b : decode_base64(text))
        bytes += static_cast<char>(b);
    return bytes;
}

std::string encoded(const std::vector<std::byte>& bytes)
{
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        unsigned bits = 0;
        for (std::size_t j = 0; j != 3; ++j)
            bits = bits << 8 | (i + j < bytes.size() ? std::to_integer<unsigned>(bytes[i + j]) : 0);
        const std::size_t left = std::min<std::size_t>(bytes.size() - i, 3);
        for (std::size_t j = 0; j != 4; ++j)
            text += j > left ? '=' : alphabet[bits >> (18 - 6 * j) & 63];
    }
    return text;
}

std::string complaint_about(std::string_view text)
{
    error_code code;
    BOOST_TEST(decode_base64(text, code).empty());
    BOOST_TEST((code == errc::protocol_error), text);
    try {
        return "nothing was thrown, and bytes came: " + std::to_string(decode_base64(text).size());
    } catch (const error& e) {
        BOOST_TEST((e.code() == errc::protocol_error));
        return e.what();
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(base64)

BOOST_AUTO_TEST_CASE(the_vectors_of_the_rfc_are_decoded)
{
    BOOST_TEST(decoded("") == "");
    BOOST_TEST(decoded("Zg==") == "f");
    BOOST_TEST(decoded("Zm8=") == "fo");
    BOOST_TEST(decoded("Zm9v") == "foo");
    BOOST_TEST(decoded("Zm9vYg==") == "foob");
    BOOST_TEST(decoded("Zm9vYmE=") == "fooba");
    BOOST_TEST(decoded("Zm9vYmFy") == "foobar");
}

BOOST_AUTO_TEST_CASE(every_byte_in_every_place_comes_back)
{
    for (std::size_t length = 1; length != 8; ++length)
        for (std::size_t place = 0; place != length; ++place)
            for (int byte = 0; byte != 256; ++byte) {
                std::vector<std::byte> bytes(length, std::byte{0xa5});
                bytes[place] = static_cast<std::byte>(byte);
                error_code code = errc::protocol_error;
                const bool same = decode_base64(encoded(bytes), code) == bytes && !code;
                BOOST_TEST_REQUIRE(same);
            }
}

BOOST_AUTO_TEST_CASE(what_is_not_the_one_right_encoding_is_refused_with_the_place)
{
    BOOST_TEST(
        complaint_about("Zm9vYg").find("multiple of four (byte 6 of 6)") != std::string::npos);
    BOOST_TEST(complaint_about("Z").find("multiple of four") != std::string::npos);
    BOOST_TEST(complaint_about("Zm9\n").find("alphabet (byte 3 of 4)") != std::string::npos);
    BOOST_TEST(complaint_about("Zm-_").find("alphabet (byte 2 of 4)") != std::string::npos);
    BOOST_TEST(complaint_about("Zg==Zg==").find("alphabet (byte 2 of 8)") != std::string::npos);
    BOOST_TEST(complaint_about("Z===").find("alphabet (byte 1 of 4)") != std::string::npos);
    BOOST_TEST(complaint_about("====").find("alphabet (byte 0 of 4)") != std::string::npos);
    BOOST_TEST(complaint_about("==").find("multiple of four") != std::string::npos);
    BOOST_TEST(complaint_about("Zh==").find("no byte (byte 1 of 4)") != std::string::npos);
    BOOST_TEST(complaint_about("Zm9=").find("no byte (byte 2 of 4)") != std::string::npos);
    BOOST_TEST(complaint_about(std::string_view("Zm9\0", 4)).find("alphabet") != std::string::npos);
    BOOST_TEST(complaint_about("Zm9\xff").find("alphabet") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
