#include "conversation.hpp"

#include "json_scan.h"

#include <cerrno>
#include <cstdlib>

#include <unistd.h>

namespace misbehaving {

std::string member(std::string_view object, const char* name)
{
    json_slice found = {};
    json_members(object.data(), object.data() + object.size(), &name, &found, 1);
    return found.begin == nullptr ? std::string() : std::string(found.begin, found.size);
}

std::string quoted(std::string_view text)
{
    constexpr char hex[] = "0123456789abcdef";
    std::string result = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || c == '"' || c == '\\') {
            result += "\\u00";
            result += hex[byte >> 4];
            result += hex[byte & 15];
        } else {
            result += c;
        }
    }
    return result += '"';
}

std::string result_line(const std::string& id, std::string_view result)
{
    return "{\"jsonrpc\":\"2.0\",\"id\":" + id + ",\"result\":" + std::string(result) + "}";
}

std::string error_line(
    const std::string& id, int code, std::string_view message_text, std::string_view data)
{
    return "{\"jsonrpc\":\"2.0\",\"id\":" + id + ",\"error\":{\"code\":" + std::to_string(code)
        + ",\"message\":" + quoted(message_text)
        + (data.empty() ? "" : ",\"data\":" + std::string(data)) + "}}";
}

std::string text_result(std::string_view text)
{
    return R"({"resultType":"complete","content":[{"type":"text","text":)" + quoted(text) + "}]}";
}

void write_all(int fd, std::string_view bytes)
{
    while (!bytes.empty()) {
        const ssize_t put = ::write(fd, bytes.data(), bytes.size());
        if (put >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(put));
        } else if (errno != EINTR) {
            // The client has gone: nobody is left to be misbehaved to.
            std::_Exit(0);
        }
    }
}

std::optional<message> conversation::next()
{
    std::size_t end;
    while ((end = pending_.find('\n')) == std::string::npos) {
        char chunk[1 << 16];
        const ssize_t got = ::read(STDIN_FILENO, chunk, sizeof chunk);
        if (got == 0 || (got == -1 && errno != EINTR)) {
            return std::nullopt;
        }
        pending_.append(chunk, static_cast<std::size_t>(got > 0 ? got : 0));
    }
    message result;
    result.line = pending_.substr(0, end);
    pending_.erase(0, end + 1);
    result.id = member(result.line, "id");
    result.method = member(result.line, "method");
    if (result.method.size() >= 2) {
        result.method = result.method.substr(1, result.method.size() - 2);
    }
    result.params = member(result.line, "params");
    return result;
}

message conversation::serve_until(std::string_view method)
{
    while (auto came = next()) {
        if (came->method == method) {
            return *came;
        }
        answer(*came);
    }
    std::_Exit(0);
}

void conversation::serve()
{
    while (auto came = next()) {
        answer(*came);
    }
    std::_Exit(0);
}

void conversation::swallow()
{
    while (next()) {
    }
    std::_Exit(0);
}

std::string conversation::answer_text(const message& to)
{
    if (to.id.empty() || to.method.empty()) {
        return {};
    }
    if (to.method == "initialize" && !modern) {
        return result_line(to.id,
            R"({"protocolVersion":"2025-11-25","capabilities":{"tools":{}},)"
            R"("serverInfo":{"name":"misbehaving-server","version":"1"}})");
    }
    if (to.method == "server/discover" && modern) {
        return result_line(to.id,
            R"({"resultType":"complete","supportedVersions":["2026-07-28"],)"
            R"("capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"})");
    }
    if (to.method == "ping" && !modern) {
        return result_line(to.id, "{}");
    }
    if (to.method == "tools/list") {
        return result_line(to.id,
            R"({"resultType":"complete","tools":[{"name":"echo",)"
            R"("inputSchema":{"type":"object"}}],"ttlMs":0,"cacheScope":"private"})");
    }
    if (to.method == "tools/call") {
        if (!call_text.empty()) {
            return result_line(to.id, text_result(call_text));
        }
        std::string text = member(member(to.params, "arguments"), "message");
        if (text.empty()) {
            text = "\"\"";
        }
        return result_line(
            to.id, R"({"resultType":"complete","content":[{"type":"text","text":)" + text + "}]}");
    }
    return error_line(to.id, -32601, "Method not found");
}

void conversation::answer(const message& to)
{
    if (const std::string line = answer_text(to); !line.empty()) {
        say(line);
    }
}

void conversation::say(std::string_view line)
{
    say_raw(std::string(line) + line_end);
}

void conversation::say_raw(std::string_view bytes)
{
    write_all(STDOUT_FILENO, bytes);
}

} // namespace misbehaving
