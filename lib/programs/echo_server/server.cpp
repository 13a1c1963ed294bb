#include "programs/echo_server/server.hpp"

#include "programs/echo_server/json_text.hpp"

#include <boost/json/monotonic_resource.hpp>

#include <algorithm>
#include <array>
#include <charconv>

#include <unistd.h>

namespace mcp_pool::echo_server {

namespace json = boost::json;

namespace {

constexpr std::string_view modern_version = "2026-07-28";
// Newest first: the answer to a version that is not among them is the first.
constexpr std::array<std::string_view, 4> legacy_versions = {
    "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"};
// The only revision whose servers must take a batch.
constexpr std::string_view batch_version = "2025-03-26";

constexpr std::string_view version_key = "io.modelcontextprotocol/protocolVersion";
constexpr std::string_view client_capabilities_key = "io.modelcontextprotocol/clientCapabilities";

constexpr std::size_t most_running_calls = 1024;

enum rpc_code {
    parse_error = -32700,
    invalid_request = -32600,
    method_not_found = -32601,
    invalid_params = -32602,
    internal_error = -32603,
    unsupported_protocol_version = -32022,
};

const std::string& server_info()
{
    static const std::string text = R"({"name":"mcp-pool-echo-server","version":")" MCP_POOL_VERSION
                                    R"("})";
    return text;
}

const json::object* object_in(const json::object& from, std::string_view name)
{
    const json::value* value = from.if_contains(name);
    return value == nullptr ? nullptr : value->if_object();
}

std::optional<std::string_view> text_in(const json::object& from, std::string_view name)
{
    const json::value* value = from.if_contains(name);
    if (value == nullptr || !value->is_string()) {
        return std::nullopt;
    }
    return std::string_view(value->get_string());
}

// JSON text of a request id or progress token; empty for anything but a string or an integer.
std::string token_text(const json::value* value)
{
    if (value == nullptr) {
        return {};
    }
    if (value->is_string()) {
        return quoted(value->get_string());
    }
    if (value->is_int64()) {
        return std::to_string(value->get_int64());
    }
    if (value->is_uint64()) {
        return std::to_string(value->get_uint64());
    }
    return {};
}

std::string unsupported_version_data(std::string_view requested)
{
    std::string data = "{\"supported\":[\"";
    data += modern_version;
    data += "\"],\"requested\":";
    append_quoted(data, requested);
    data += '}';
    return data;
}

} // namespace

server::server(options configured, std::function<void(std::string_view)> on_token)
    : options_(std::move(configured))
    , tools_(options_.extra_tools, std::move(on_token))
{}

void server::receive(std::string_view line, time_point now)
{
    json::monotonic_resource memory(parse_memory_, sizeof parse_memory_);
    parser_.reset(&memory);
    boost::system::error_code failure;
    parser_.write(line.data(), line.size(), failure);
    if (failure) {
        // No id could be read: the error goes without one. Source: MCP 2025-11-25, schema.
        fail(return_address(), parse_error, "not JSON: " + failure.message());
        return;
    }
    const json::value message = parser_.release();
    if (message.is_array() && legacy_version_ == batch_version) {
        receive_batch(message.get_array(), now);
    } else {
        receive_message(message, nullptr, now);
    }
}

void server::receive_batch(const json::array& messages, time_point now)
{
    if (messages.empty()) {
        fail(return_address(), invalid_request, "an empty batch");
        return;
    }
    auto group = std::make_shared<batch>();
    // One more until all are read, so that an early answer does not end the batch.
    group->unanswered = 1;
    for (const json::value& message : messages) {
        receive_message(message, group, now);
    }
    close_batch(*group);
}

void server::receive_message(
    const json::value& message, std::shared_ptr<batch> group, time_point now)
{
    static const json::object nothing;
    const json::object* envelope = message.if_object();
    if (group) {
        ++group->unanswered;
    }
    return_address from{envelope ? token_text(envelope->if_contains("id")) : "", false, group};
    if (envelope == nullptr || text_in(*envelope, "jsonrpc") != "2.0") {
        fail(from, invalid_request, "not a JSON-RPC 2.0 message");
        return;
    }
    const auto method = text_in(*envelope, "method");
    const json::object* params = object_in(*envelope, "params");
    if (params == nullptr) {
        params = &nothing;
    }
    if (!envelope->contains("id") || !method) {
        // A notification, or an answer, though we ask for nothing.
        if (method == "notifications/cancelled") {
            cancel(*params);
        }
        if (group) {
            close_batch(*group);
        }
        return;
    }
    if (from.id.empty()) {
        fail(from, invalid_request, "the id is neither a string nor an integer");
        return;
    }
    handle_request(*method, *params, std::move(from), now);
}

void server::handle_request(
    std::string_view method, const json::object& params, return_address from, time_point now)
{
    const json::object* meta = object_in(params, "_meta");
    const bool marked = meta != nullptr
        && (meta->contains(version_key) || meta->contains(client_capabilities_key));
    from.modern = options_.eras != era_support::legacy
        && (marked || options_.eras == era_support::modern || method == "server/discover"
            || (legacy_version_.empty() && method != "initialize" && method != "ping"));
    if (!from.modern) {
        handle_legacy(method, params, std::move(from), now);
        return;
    }
    if (method == "initialize") {
        // Tells a client of the legacy era which one we speak. Source: MCP 2026-07-28,
        // basic/versioning.
        fail(from, unsupported_protocol_version, "Unsupported protocol version",
            unsupported_version_data(text_in(params, "protocolVersion").value_or("")));
        return;
    }
    const auto version = meta ? text_in(*meta, version_key) : std::nullopt;
    if (!version) {
        fail(from, invalid_params, "_meta lacks " + std::string(version_key));
    } else if (*version != modern_version) {
        fail(from, unsupported_protocol_version, "Unsupported protocol version",
            unsupported_version_data(*version));
    } else if (object_in(*meta, client_capabilities_key) == nullptr) {
        fail(from, invalid_params, "_meta lacks " + std::string(client_capabilities_key));
    } else {
        handle_modern(method, params, std::move(from), now);
    }
}

void server::handle_legacy(
    std::string_view method, const json::object& params, return_address from, time_point now)
{
    if (method == "initialize") {
        initialize(params, from);
    } else if (method == "ping") {
        succeed(from, "");
    } else if (legacy_version_.empty()) {
        fail(from, method == "server/discover" ? method_not_found : invalid_request,
            "only initialize and ping come before initialize");
    } else if (method == "tools/list") {
        list_tools(params, from);
    } else if (method == "tools/call") {
        call_tool(params, std::move(from), now);
    } else {
        fail(from, method_not_found, "Method not found");
    }
}

void server::handle_modern(
    std::string_view method, const json::object& params, return_address from, time_point now)
{
    if (method == "server/discover") {
        succeed(from,
            "\"supportedVersions\":[\"" + std::string(modern_version)
                + R"("],"capabilities":{"tools":{}},"ttlMs":3600000,"cacheScope":"public",)"
                + R"("_meta":{"io.modelcontextprotocol/serverInfo":)" + server_info() + "}");
    } else if (method == "tools/list") {
        list_tools(params, from);
    } else if (method == "tools/call") {
        call_tool(params, std::move(from), now);
    } else {
        fail(from, method_not_found, "Method not found");
    }
}

void server::initialize(const json::object& params, const return_address& from)
{
    const auto wanted = text_in(params, "protocolVersion");
    if (!wanted) {
        fail(from, invalid_params, "initialize needs protocolVersion");
        return;
    }
    if (!legacy_version_.empty() || from.group) {
        fail(from, invalid_request, "initialize comes once, first and alone");
        return;
    }
    const auto known = std::find(legacy_versions.begin(), legacy_versions.end(), *wanted);
    legacy_version_ = known == legacy_versions.end() ? legacy_versions.front() : *known;
    succeed(from,
        "\"protocolVersion\":\"" + legacy_version_
            + R"(","capabilities":{"tools":{}},"serverInfo":)" + server_info());
}

void server::list_tools(const json::object& params, const return_address& from)
{
    std::size_t first = 0;
    if (params.contains("cursor")) {
        const auto cursor = text_in(params, "cursor").value_or("");
        const auto [end, failure] = std::from_chars(
            cursor.data(), cursor.data() + cursor.size(), first);
        if (failure != std::errc() || end != cursor.data() + cursor.size() || first == 0
            || first >= tools_.size()) {
            fail(from, invalid_params, "unknown cursor");
            return;
        }
    }
    const std::size_t left = tools_.size() - first;
    const std::size_t count = options_.page_size == 0 ? left : std::min(options_.page_size, left);
    std::string members = "\"tools\":[";
    for (std::size_t i = first; i < first + count; ++i) {
        if (i != first) {
            members += ',';
        }
        tools_.append_declaration(members, i);
    }
    members += ']';
    if (count < left) {
        members += ",\"nextCursor\":\"" + std::to_string(first + count) + '"';
    }
    if (from.modern) {
        members += R"(,"ttlMs":3600000,"cacheScope":"public")";
    }
    succeed(from, members);
}

void server::call_tool(const json::object& params, return_address from, time_point now)
{
    static const json::object nothing;
    const auto name = text_in(params, "name");
    const json::object* arguments = object_in(params, "arguments");
    if (!name || (arguments == nullptr && params.contains("arguments"))) {
        fail(from, invalid_params, "tools/call needs a string 'name' and an object 'arguments'");
        return;
    }
    auto what = tools_.call(*name, arguments == nullptr ? nothing : *arguments);
    if (const auto* result = std::get_if<outcome>(&what)) {
        finish(from, *result);
        return;
    }
    auto* timed = std::get_if<timed_call>(&what);
    if (timed == nullptr) {
        fail(from, invalid_params, "Unknown tool: " + std::string(*name));
        return;
    }
    if (running_.size() == most_running_calls) {
        fail(from, internal_error, "too many calls are under way");
        return;
    }
    const json::object* meta = object_in(params, "_meta");
    running_call call{std::move(from), std::move(*timed),
        meta ? token_text(meta->if_contains("progressToken")) : "", 0, {}};
    call.due = now + call.what.interval;
    const auto later = std::find_if(running_.begin(), running_.end(),
        [due = call.due](const running_call& other) { return other.due > due; });
    running_.insert(later, std::move(call));
}

void server::cancel(const json::object& params)
{
    const std::string id = token_text(params.if_contains("requestId"));
    const auto call = std::find_if(running_.begin(), running_.end(),
        [&id](const running_call& other) { return other.from.id == id; });
    // Unknown: it has been answered already.
    if (call != running_.end()) {
        const std::shared_ptr<batch> group = call->from.group;
        running_.erase(call);
        if (group) {
            close_batch(*group);
        }
    }
}

std::optional<server::time_point> server::next_event() const
{
    if (running_.empty()) {
        return std::nullopt;
    }
    return running_.front().due;
}

void server::advance(time_point now)
{
    while (!running_.empty() && running_.front().due <= now) {
        running_call& call = running_.front();
        ++call.steps_done;
        if (call.what.reports && !call.progress_token.empty()) {
            output_ += R"({"jsonrpc":"2.0","method":"notifications/progress","params":)";
            output_ += "{\"progressToken\":" + call.progress_token
                + ",\"progress\":" + std::to_string(call.steps_done)
                + ",\"total\":" + std::to_string(call.what.steps) + "}}\n";
        }
        if (call.steps_done == call.what.steps) {
            finish(call.from, {std::move(call.what.text), false, {}});
            running_.pop_front();
            continue;
        }
        call.due += call.what.interval;
        const auto later = std::find_if(std::next(running_.begin()), running_.end(),
            [due = call.due](const running_call& other) { return other.due > due; });
        running_.splice(later, running_, running_.begin());
    }
}

void server::finish(const return_address& to, const outcome& what)
{
    std::string members = R"("content":[{"type":"text","text":)";
    append_quoted(members, what.text);
    members += '}';
    if (options_.write_pid) {
        members += R"(,{"type":"text","text":"pid )" + std::to_string(::getpid()) + "\"}";
    }
    members += what.is_error ? R"(],"isError":true)" : R"(],"isError":false)";
    if (!what.structured.empty()) {
        members += ",\"structuredContent\":" + what.structured;
    }
    succeed(to, members);
}

void server::succeed(const return_address& to, std::string_view members)
{
    std::string line = "{\"jsonrpc\":\"2.0\",\"id\":" + to.id + ",\"result\":{";
    if (to.modern) {
        line += members.empty() ? R"("resultType":"complete")" : R"("resultType":"complete",)";
    }
    line += members;
    line += "}}";
    send_answer(to, std::move(line));
}

void server::fail(
    const return_address& to, int code, std::string_view message, std::string_view data)
{
    std::string line = "{\"jsonrpc\":\"2.0\",";
    if (!to.id.empty()) {
        line += "\"id\":" + to.id + ',';
    }
    line += "\"error\":{\"code\":" + std::to_string(code) + ",\"message\":";
    append_quoted(line, message);
    if (!data.empty()) {
        line += ",\"data\":";
        line += data;
    }
    line += "}}";
    send_answer(to, std::move(line));
}

void server::send_answer(const return_address& to, std::string line)
{
    if (!to.group) {
        output_ += line;
        output_ += '\n';
        return;
    }
    to.group->answers += to.group->answers.empty() ? '[' : ',';
    to.group->answers += line;
    close_batch(*to.group);
}

void server::close_batch(batch& group)
{
    if (--group.unanswered == 0 && !group.answers.empty()) {
        output_ += group.answers + "]\n";
    }
}

} // namespace mcp_pool::echo_server
