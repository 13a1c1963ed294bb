#include "integration/http/web_server.hpp"

#include "rpc/ascii.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <utility>

namespace mcp_pool::testing {

namespace {

std::string chunk(const std::string& bytes)
{
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    return size + bytes + "\r\n";
}

} // namespace

std::string web_request::field(const std::string& name) const
{
    const auto found = fields.find(name);
    return found == fields.end() ? "(none)" : found->second;
}

std::string web_request::rpc_method() const
{
    const json::object* const object = message.if_object();
    const json::value* const name = object ? object->if_contains("method") : nullptr;
    return name && name->is_string() ? std::string(name->get_string().c_str()) : std::string();
}

std::string web_request::id() const
{
    const json::object* const object = message.if_object();
    const json::value* const found = object ? object->if_contains("id") : nullptr;
    return found ? json::serialize(*found) : "null";
}

std::string web_answer(unsigned status, const std::string& body, const std::string& fields)
{
    std::string text = "HTTP/1.1 " + std::to_string(status) + " X\r\n";
    text += fields;
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    text += body;
    return text;
}

std::string web_result(const web_request& to, const std::string& result)
{
    return web_answer(200, R"({"jsonrpc":"2.0","id":)" + to.id() + R"(,"result":)" + result + '}');
}

std::string web_error(const web_request& to, unsigned status, int code, const std::string& text)
{
    return web_answer(status,
        R"({"jsonrpc":"2.0","id":)" + to.id() + R"(,"error":{"code":)" + std::to_string(code)
            + R"(,"message":")" + text + "\"}}");
}

std::string web_stream_head(const std::string& fields)
{
    return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + fields
        + "Transfer-Encoding: chunked\r\n\r\n";
}

std::string web_event(const std::string& data, const std::string& id)
{
    std::string event;
    if (!id.empty())
        event += "id: " + id + "\n";
    event += "data: " + data + "\n\n";
    return chunk(event);
}

std::string echoed(const std::string& text)
{
    return R"({"resultType":"complete","content":[{"type":"text","text":")" + text + R"("}]})";
}

web_fixture::web_fixture()
    : web(std::in_place, context)
{
    web->on_accept = [this](wire::peer& connection) {
        if (tls)
            connection.secure(*tls);
        connection.on_bytes = [this](wire::peer& self) {
            for (std::size_t i = 0; i != web->peers.size(); ++i)
                if (web->peers[i].get() == &self)
                    take_bytes(i);
        };
    };
}

web_fixture::~web_fixture()
{
    pool.reset();
    web.reset();
    context.restart();
    context.poll();
}

void web_fixture::take_bytes(std::size_t connection)
{
    const std::shared_ptr<wire::peer> from = web->peers[connection];
    std::size_t& taken = taken_[from.get()];
    for (;;) {
        const std::size_t end = from->received.find("\r\n\r\n", taken);
        if (end == std::string::npos)
            return;
        web_request request;
        request.from = from;
        const std::string head = from->received.substr(taken, end - taken);
        request.method = head.substr(0, head.find(' '));
        request.target = head.substr(request.method.size() + 1);
        request.target.resize(request.target.find(' '));
        for (std::size_t at = head.find("\r\n"); at != std::string::npos;) {
            const std::size_t next = head.find("\r\n", at + 2);
            const std::string line = head.substr(at + 2, next - at - 2);
            const std::size_t colon = line.find(':');
            request.fields[rpc::in_lower_case(line.substr(0, colon))] = line.substr(colon + 2);
            at = next;
        }
        const auto length = request.fields.find("content-length");
        const std::size_t size = length == request.fields.end() ? 0 : std::stoul(length->second);
        if (from->received.size() < end + 4 + size)
            return;
        request.body = from->received.substr(end + 4, size);
        taken = end + 4 + size;
        error_code none;
        request.message = json::parse(request.body, none);
        requests.push_back(request);
        if (!special || !special(request))
            answer(request);
    }
}

void web_fixture::answer(const web_request& request)
{
    const std::string method = request.rpc_method();
    if (request.method == "DELETE") {
        request.from->send(web_answer(200));
    } else if (request.method == "GET") {
        request.from->send(web_answer(405));
    } else if (method.starts_with("notifications/") || method.empty()) {
        request.from->send(web_answer(202));
    } else if (legacy && method == "server/discover") {
        request.from->send(web_error(request, 400, -32000, "Bad Request: Server not initialized"));
    } else if (legacy && method == "initialize") {
        ++initialized;
        request.from->send(web_answer(200,
            R"({"jsonrpc":"2.0","id":)" + request.id()
                + R"(,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},)"
                  R"("serverInfo":{"name":"web","version":"1"}}})",
            "Content-Type: application/json\r\n"
                + (session_id.empty() ? std::string() : "Mcp-Session-Id: " + session_id + "\r\n")));
    } else if (method == "server/discover") {
        request.from->send(web_result(request,
            R"({"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},)"
            R"("ttlMs":0,"cacheScope":"public"})"));
    } else if (method == "tools/call") {
        request.from->send(web_result(request, echoed("hi")));
    } else {
        request.from->send(web_result(request, "{\"resultType\":\"complete\"}"));
    }
}

http_server web_fixture::target() const
{
    return http_server("http://127.0.0.1:" + std::to_string(web->port()) + "/mcp");
}

session_pool& web_fixture::open_web(
    const pool_overrides& overrides, std::shared_ptr<const client_handlers> handlers)
{
    return open_web(target(), overrides, std::move(handlers));
}

session_pool& web_fixture::open_web(http_server reached_at, const pool_overrides& overrides,
    std::shared_ptr<const client_handlers> handlers)
{
    server_config c("web", std::move(reached_at));
    c.pool = overrides;
    c.handlers = std::move(handlers);
    pool.emplace(context.get_executor(), std::move(c));
    return *pool;
}

std::shared_ptr<outcome<tool_result>> web_fixture::begin_echo(lease& session, call_options options)
{
    return spawn(session->call_tool("echo", object("message", "hi"), std::move(options)));
}

std::shared_ptr<outcome<tool_result>> web_fixture::echo(lease& session, call_options options)
{
    auto result = begin_echo(session, std::move(options));
    until([&] { return result->done; });
    return result;
}

std::size_t web_fixture::count(const std::string& method, const std::string& rpc) const
{
    return static_cast<std::size_t>(
        std::count_if(requests.begin(), requests.end(), [&](const web_request& r) {
            return r.method == method && (rpc.empty() || r.rpc_method() == rpc);
        }));
}

const web_request& web_fixture::nth(
    std::size_t n, const std::string& method, const std::string& rpc, std::source_location here)
{
    until([&] { return count(method, rpc) > n; }, here);
    for (const web_request& r : requests)
        if (r.method == method && (rpc.empty() || r.rpc_method() == rpc) && n-- == 0)
            return r;
    throw std::logic_error("nth");
}

} // namespace mcp_pool::testing
