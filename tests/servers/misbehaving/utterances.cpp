#include "modes.hpp"

#include <cstdlib>

#include <unistd.h>

namespace misbehaving {

namespace {

using arguments = std::vector<std::string>;

constexpr std::string_view banner = "Server v1.2.3 listening on stdio\n\n   \n{not "
                                    "json}\n[1,2\n\"text\"\n42\n{\"level\":\"info\"}\n";
constexpr std::string_view binary("\x00\x01\xfe\xff\x80 \x1b[2J\n\xc3\n", 13);

void garbage(conversation& client, const arguments&)
{
    client.say_raw(banner);
    while (auto came = client.next()) {
        client.say_raw(binary);
        client.answer(*came);
        client.say_raw(banner);
    }
    std::_Exit(0);
}

void garbage_only(conversation& client, const arguments&)
{
    while (client.next()) {
        client.say_raw(banner);
    }
    std::_Exit(0);
}

void flood_stderr(conversation& client, const arguments& args)
{
    const std::string line(1023, 'e');
    while (auto came = client.next()) {
        for (long kib = number(args, 0, 4) * 1024; kib > 0; --kib) {
            write_all(STDERR_FILENO, line + '\n');
        }
        client.answer(*came);
    }
    std::_Exit(0);
}

void chatter(conversation& client, const arguments& args)
{
    while (auto came = client.next()) {
        for (long i = number(args, 0, 100); i > 0; --i) {
            client.say(R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"})");
            client.say(R"({"jsonrpc":"2.0","method":"notifications/progress","params":)"
                       R"({"progressToken":"nobody's","progress":1}})");
            client.say(R"({"jsonrpc":"2.0","method":"notifications/never-heard-of","params":{}})");
        }
        client.answer(*came);
    }
    std::_Exit(0);
}

void late_answer(conversation& client, const arguments&)
{
    const message call = client.serve_until("tools/call");
    client.serve_until("notifications/cancelled");
    client.answer(call);
}

void double_answer(conversation& client, const arguments&)
{
    while (auto came = client.next()) {
        client.answer(*came);
        client.answer(*came);
    }
    std::_Exit(0);
}

void unknown_id(conversation& client, const arguments&)
{
    for (;;) {
        const message call = client.serve_until("tools/call");
        for (const char* id : {"987654321", "-1", "1.5", "null", "\"987654321\"", "{}", "true"}) {
            client.say(result_line(id, text_result("for somebody else")));
        }
        client.say(result_line("\"" + call.id + "\"", text_result("the same id as a string")));
        client.answer(call);
    }
}

// Sends a request of its own and returns the line that answers it.
std::string ask_client(conversation& client, const std::string& method)
{
    client.say(R"({"jsonrpc":"2.0","id":"from-server","method":")" + method + R"(","params":{}})");
    while (auto came = client.next()) {
        if (came->id == "\"from-server\"" && came->method.empty()) {
            return came->line;
        }
        client.answer(*came);
    }
    std::_Exit(0);
}

void ask(conversation& client, const arguments& args)
{
    for (;;) {
        const message call = client.serve_until("tools/call");
        client.say(result_line(call.id, text_result(ask_client(client, args[0]))));
    }
}

void ask_idle(conversation& client, const arguments& args)
{
    client.answer(client.serve_until("tools/call"));
    client.call_text = ask_client(client, args[0]);
}

void long_line(conversation& client, const arguments& args)
{
    const message call = client.serve_until("tools/call");
    const std::string mebibyte(std::size_t{1} << 20, 'x');
    client.say_raw(R"({"jsonrpc":"2.0","id":)" + call.id
        + R"(,"result":{"resultType":"complete","content":[{"type":"text","text":")");
    for (long i = number(args, 0, 100); i > 0; --i) {
        client.say_raw(mebibyte);
    }
    client.say("\"}]}}");
}

void drip(conversation& client, const arguments&)
{
    while (auto came = client.next()) {
        const std::string line = client.answer_text(*came);
        for (const char& byte : line.empty() ? line : line + '\n') {
            client.say_raw({&byte, 1});
        }
    }
    std::_Exit(0);
}

void invalid_utf8(conversation& client, const arguments&)
{
    client.say(result_line(
        client.serve_until("tools/call").id, text_result("caf\xe9 \xff\xfe \xed\xa0\x80")));
}

void deep(conversation& client, const arguments& args)
{
    const auto depth = static_cast<std::size_t>(number(args, 0, 1000));
    client.say(result_line(client.serve_until("tools/call").id,
        R"({"resultType":"complete","content":[],"structuredContent":)" + std::string(depth, '[')
            + std::string(depth, ']') + "}"));
}

void strange_result(conversation& client, const arguments& args)
{
    for (;;) {
        client.say(result_line(client.serve_until("tools/call").id, args[0]));
    }
}

void error_answer(conversation& client, const arguments& args)
{
    for (;;) {
        client.say(
            error_line(client.serve_until(args[0]).id, static_cast<int>(number(args, 1, -32603)),
                "\x1b[31mno\x1b[0m\n\"such\" thing" + std::string(100'000, '!')));
    }
}

void crlf(conversation& client, const arguments&)
{
    client.line_end = "\r\n";
}

void batch(conversation& client, const arguments&)
{
    while (auto came = client.next()) {
        if (const std::string line = client.answer_text(*came); !line.empty()) {
            client.say("[" + line + "]");
        }
    }
    std::_Exit(0);
}

void wrong_version(conversation& client, const arguments& args)
{
    client.say(result_line(client.serve_until("initialize").id,
        "{\"protocolVersion\":" + quoted(args[0])
            + R"(,"capabilities":{},"serverInfo":{"name":"x","version":"1"}})"));
}

void wrong_discover(conversation& client, const arguments& args)
{
    client.say(result_line(client.serve_until("server/discover").id,
        "{\"resultType\":\"complete\",\"supportedVersions\":[" + quoted(args[0])
            + R"(],"capabilities":{},"ttlMs":0,"cacheScope":"private"})"));
}

void refuse_initialize(conversation& client, const arguments&)
{
    client.say(
        error_line(client.serve_until("initialize").id, -32022, "Unsupported protocol version",
            R"({"supported":["2026-07-28"],"requested":"2025-11-25"})"));
    client.modern = true;
}

void late_discover(conversation& client, const arguments&)
{
    client.modern = true;
    const message discover = client.serve_until("server/discover");
    const message init = client.serve_until("initialize");
    client.answer(discover);
    client.say(error_line(init.id, -32022, "Unsupported protocol version",
        R"({"supported":["2026-07-28"],"requested":"2025-11-25"})"));
}

void endless_pages(conversation& client, const arguments& args)
{
    const bool repeat = number(args, 0, 0) != 0;
    for (long page = 0;; page += repeat ? 0 : 1) {
        client.say(result_line(client.serve_until("tools/list").id,
            R"({"resultType":"complete","tools":[{"name":"t","inputSchema":{"type":"object"}}],)"
            R"("ttlMs":0,"cacheScope":"private","nextCursor":"page )"
                + std::to_string(page) + "\"}"));
    }
}

} // namespace

std::vector<mode> utterances()
{
    return {
        {"garbage", "", "banner lines and binary before, between and after its answers", garbage,
            0},
        {"garbage-only", "", "answers everything with lines that are no JSON-RPC", garbage_only, 0},
        {"flood-stderr", "[MIB]", "writes that much to stderr before each answer (4)", flood_stderr,
            0},
        {"chatter", "[COUNT]", "sends needless notifications before each answer (100)", chatter, 0},
        {"late-answer", "", "answers the first call when it is cancelled", late_answer, 0},
        {"double-answer", "", "answers everything twice", double_answer, 0},
        {"unknown-id", "", "answers calls that nobody made before each that somebody made",
            unknown_id, 0},
        {"ask", "METHOD", "sends a request during each call; the reply is the call's text", ask, 1},
        {"ask-idle", "METHOD", "sends a request after the first call; later calls tell the reply",
            ask_idle, 1},
        {"long-line", "[MIB]", "answers the first call with a line of that size (100)", long_line,
            0},
        {"drip", "", "writes its answers byte by byte", drip, 0},
        {"invalid-utf8", "", "answers the first call with bytes that are not UTF-8", invalid_utf8,
            0},
        {"deep", "[DEPTH]", "answers the first call with arrays in arrays (1000)", deep, 0},
        {"strange-result", "JSON", "answers calls with this result", strange_result, 1},
        {"error", "METHOD [CODE]", "answers with an error whose message is long and hostile",
            error_answer, 1},
        {"crlf", "", "ends its lines with CR LF", crlf, 0},
        {"batch", "", "wraps each answer into an array", batch, 0},
        {"wrong-version", "VERSION", "answers initialize with this version", wrong_version, 1},
        {"wrong-discover", "VERSION", "answers server/discover with this version", wrong_discover,
            1},
        {"refuse-initialize", "", "answers initialize with -32022, is modern then",
            refuse_initialize, 0},
        {"late-discover", "", "is modern, but answers server/discover only after initialize",
            late_discover, 0},
        {"endless-pages", "[REPEAT]", "lists tools without end; 1: with the same cursor",
            endless_pages, 0},
    };
}

} // namespace misbehaving
