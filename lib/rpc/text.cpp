#include "rpc/text.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace mcp_pool::rpc {

namespace {

constexpr std::string_view cut_mark = "...";

unsigned char byte_at(std::string_view text, std::size_t i) noexcept
{
    return static_cast<unsigned char>(text[i]);
}

// Characters that a terminal or a log viewer acts upon instead of showing them: C1 controls, line
// separators, zero-width and bidirectional controls ("Trojan Source", CVE-2021-42574), tags.
bool is_deceptive(char32_t c) noexcept
{
    return (c >= 0x7f && c <= 0x9f) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f)
        || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff
        || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

// Appends the escaped form of the first code point of `text` and returns how much of it that was.
std::size_t escape_one(std::string_view text, std::string& out)
{
    std::array<char, 16> buffer{};
    const unsigned char first = byte_at(text, 0);
    switch (first) {
    case '\n':
        out += "\\n";
        return 1;
    case '\r':
        out += "\\r";
        return 1;
    case '\t':
        out += "\\t";
        return 1;
    case '\\':
        out += "\\\\";
        return 1;
    default:
        break;
    }
    const utf8_step step = decode_utf8(text);
    if (!step.valid || first < 0x20 || first == 0x7f) {
        for (std::size_t i = 0; i < step.length; ++i) {
            std::snprintf(buffer.data(), buffer.size(), "\\x%02x", unsigned{byte_at(text, i)});
            out += buffer.data();
        }
    } else if (is_deceptive(step.code)) {
        std::snprintf(buffer.data(), buffer.size(), "\\u{%x}", static_cast<unsigned>(step.code));
        out += buffer.data();
    } else {
        out += text.substr(0, step.length);
    }
    return step.length;
}

std::string_view without_empty_ends(std::string_view text) noexcept
{
    const std::size_t first = text.find_first_not_of("\r\n");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of("\r\n") - first + 1);
}

} // namespace

utf8_step decode_utf8(std::string_view text) noexcept
{
    const unsigned char lead = byte_at(text, 0);
    if (lead < 0x80)
        return {lead, 1, true};
    // The range of the second byte excludes overlong forms, surrogates and what is over U+10FFFF.
    std::size_t length = 0;
    unsigned low = 0x80, high = 0xbf;
    char32_t code = 0;
    if (lead >= 0xc2 && lead <= 0xdf) {
        length = 2;
        code = lead & 0x1fU;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        length = 3;
        code = lead & 0x0fU;
        low = lead == 0xe0 ? 0xa0 : 0x80;
        high = lead == 0xed ? 0x9f : 0xbf;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        length = 4;
        code = lead & 0x07U;
        low = lead == 0xf0 ? 0x90 : 0x80;
        high = lead == 0xf4 ? 0x8f : 0xbf;
    } else {
        return {0, 1, false};
    }
    for (std::size_t i = 1; i < length; ++i) {
        if (i >= text.size() || byte_at(text, i) < low || byte_at(text, i) > high)
            return {0, i, false};
        code = (code << 6) | (byte_at(text, i) & 0x3fU);
        low = 0x80;
        high = 0xbf;
    }
    return {code, length, true};
}

bool is_utf8(std::string_view text) noexcept
{
    constexpr std::uint64_t high_bits = 0x8080808080808080;
    while (!text.empty()) {
        std::uint64_t eight = high_bits;
        if (text.size() >= sizeof eight)
            std::memcpy(&eight, text.data(), sizeof eight);
        if ((eight & high_bits) == 0) {
            text.remove_prefix(sizeof eight);
            continue;
        }
        const utf8_step step = decode_utf8(text);
        if (!step.valid)
            return false;
        text.remove_prefix(step.length);
    }
    return true;
}

std::string repair_utf8(std::string_view text, std::size_t& replaced)
{
    std::string repaired;
    repaired.reserve(text.size() + 16);
    while (!text.empty()) {
        const utf8_step step = decode_utf8(text);
        if (step.valid) {
            repaired += text.substr(0, step.length);
        } else {
            repaired += "\xef\xbf\xbd";
            ++replaced;
        }
        text.remove_prefix(step.length);
    }
    return repaired;
}

std::string escape_foreign(std::string_view text, std::size_t max)
{
    std::string out;
    // Where the text may end if the mark has to follow.
    std::size_t cut = 0;
    while (!text.empty()) {
        text.remove_prefix(escape_one(text, out));
        if (out.size() > max) {
            out.resize(cut);
            out += cut_mark.substr(0, max);
            break;
        }
        if (out.size() + cut_mark.size() <= max)
            cut = out.size();
    }
    return out;
}

std::string quote_foreign(std::string_view text, std::size_t max)
{
    return '"' + escape_foreign(text, max) + '"';
}

std::string escape_foreign_tail(std::string_view text, std::size_t max)
{
    text = without_empty_ends(text);
    std::string out;
    // An escape is never shorter than what it stands for.
    const bool too_long = text.size() > max;
    if (too_long)
        text.remove_prefix(text.size() - max);
    while (!text.empty()) {
        if (text.front() == '\n') {
            out += '\n';
            text.remove_prefix(1);
        } else if (text.starts_with("\r\n")) {
            text.remove_prefix(1);
        } else {
            text.remove_prefix(escape_one(text, out));
        }
    }
    if (!too_long && out.size() <= max)
        return out;
    // Begin at a whole line where there is one: half an escape or half a character is no text.
    const std::size_t keep = max > cut_mark.size() ? max - cut_mark.size() : 0;
    if (out.size() > keep)
        out.erase(0, out.size() - keep);
    if (const std::size_t end = out.find('\n'); end != std::string::npos)
        out.erase(0, end);
    else
        while (!out.empty() && (byte_at(out, 0) & 0xc0) == 0x80)
            out.erase(0, 1);
    out.insert(0, cut_mark.substr(0, max));
    return out;
}

} // namespace mcp_pool::rpc
