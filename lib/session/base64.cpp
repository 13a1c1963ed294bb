#include <mcp_pool/base64.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <utility>

namespace mcp_pool {

namespace {

// What is wrong with a text, and at which byte; nullptr: nothing.
struct fault
{
    const char* what = nullptr;
    std::size_t at = 0;
};

constexpr std::uint8_t foreign = 0xff;

constexpr std::array<std::uint8_t, 256> make_values() noexcept
{
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::array<std::uint8_t, 256> table{};
    table.fill(foreign);
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
    return table;
}

constexpr std::array<std::uint8_t, 256> values = make_values();

fault decode(std::string_view text, std::vector<std::byte>& bytes)
{
    if (text.size() % 4 != 0)
        return {"its length is no multiple of four", text.size()};
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=')
        ++padding;
    const std::string_view digits = text.substr(0, text.size() - padding);
    bytes.reserve(text.size() / 4 * 3);
    std::uint32_t bits = 0;
    std::size_t count = 0;
    for (std::size_t at = 0; at < digits.size(); ++at) {
        const std::uint8_t value = values[static_cast<unsigned char>(digits[at])];
        if (value == foreign)
            return {"there is a character that is none of the alphabet", at};
        bits = bits << 6 | value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes.push_back(static_cast<std::byte>(bits >> count & 0xff));
        }
    }
    if ((bits & ((1U << count) - 1)) != 0)
        return {"its last character has bits that belong to no byte", digits.size() - 1};
    return {};
}

} // namespace

std::vector<std::byte> decode_base64(std::string_view text, error_code& code)
{
    std::vector<std::byte> bytes;
    const fault found = decode(text, bytes);
    if (!found.what) {
        code.clear();
        return bytes;
    }
    code = errc::protocol_error;
    return {};
}

std::vector<std::byte> decode_base64(std::string_view text)
{
    std::vector<std::byte> bytes;
    const fault found = decode(text, bytes);
    if (!found.what)
        return bytes;
    diagnostics details;
    details.message = std::string("this is no base64: ") + found.what + " (byte "
        + std::to_string(found.at) + " of " + std::to_string(text.size()) + ")";
    throw error(make_error_code(errc::protocol_error), std::move(details));
}

} // namespace mcp_pool
