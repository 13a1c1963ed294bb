#include "protocol/envelope.hpp"

#include "protocol/versions.hpp"
#include "rpc/json_text.hpp"
#include "rpc/text.hpp"

#include <algorithm>
#include <array>

namespace mcp_pool::protocol {

namespace {

using rpc::view;

constexpr std::string_view version_key = "io.modelcontextprotocol/protocolVersion";
constexpr std::string_view capabilities_key = "io.modelcontextprotocol/clientCapabilities";
constexpr std::string_view client_key = "io.modelcontextprotocol/clientInfo";
constexpr std::string_view progress_key = "progressToken";

constexpr std::size_t max_foreign = 100;

// `"protocolVersion":…,"clientCapabilities":…,"clientInfo":…` with their prefix.
std::string modern_meta(std::string_view version, std::string_view capabilities)
{
    std::string text;
    text += '"';
    text += version_key;
    text += "\":\"";
    text += version;
    text += "\",\"";
    text += capabilities_key;
    text += "\":";
    text += capabilities;
    text += ",\"";
    text += client_key;
    text += "\":";
    text += client_info_json();
    return text;
}

// Members of `_meta` that are ours to write.
bool is_ours(std::string_view key, era in) noexcept
{
    return key == progress_key
        || (in == era::modern
            && (key == version_key || key == capabilities_key || key == client_key));
}

} // namespace

std::string_view client_info_json() noexcept
{
    return R"({"name":"mcp-pool","version":")" MCP_POOL_VERSION R"("})";
}

envelope::envelope(mcp_pool::era of, std::string_view version, std::string_view capabilities)
    : era_(of)
    , fixed_meta_(of == era::modern ? modern_meta(version, capabilities) : std::string())
{}

void envelope::params_with_meta(const json::object& params, const json::object& meta,
    std::optional<std::int64_t> progress_token)
{
    const json::value* given = params.if_contains("_meta");
    const json::object* also = given ? given->if_object() : nullptr;
    const bool has_meta = !fixed_meta_.empty() || progress_token || !meta.empty()
        || (also && !also->empty());
    if (!has_meta && params.empty())
        return;

    std::string_view comma;
    const auto separate = [&] {
        writer_.raw(comma);
        comma = ",";
    };
    writer_.raw(R"(,"params":{)");
    if (has_meta) {
        writer_.raw(R"("_meta":{)");
        if (!fixed_meta_.empty()) {
            separate();
            writer_.raw(fixed_meta_);
        }
        if (progress_token) {
            separate();
            writer_.raw(R"("progressToken":)");
            writer_.integer(*progress_token);
        }
        for (const auto& member : meta)
            if (!is_ours(view(member.key()), era_)) {
                separate();
                writer_.member(view(member.key()), member.value());
            }
        if (also)
            for (const auto& member : *also)
                if (!is_ours(view(member.key()), era_) && !meta.contains(member.key())) {
                    separate();
                    writer_.member(view(member.key()), member.value());
                }
        writer_.raw("}");
        comma = ",";
    }
    for (const auto& member : params)
        if (&member.value() != given || !has_meta) {
            separate();
            writer_.member(view(member.key()), member.value());
        }
    writer_.raw("}");
}

std::string envelope::request(std::int64_t id, std::string_view method, const json::object& params,
    const json::object& meta, bool wants_progress)
{
    writer_.begin(fixed_meta_.size() + 256);
    writer_.begin_request(id, method);
    params_with_meta(params, meta, wants_progress ? std::optional(id) : std::nullopt);
    writer_.raw("}");
    return writer_.finish();
}

std::string envelope::notification(std::string_view method, const json::object& params)
{
    writer_.begin();
    writer_.begin_notification(method);
    if (!params.empty()) {
        writer_.raw(R"(,"params":)");
        writer_.object(params);
    }
    writer_.raw("}");
    return writer_.finish();
}

std::string envelope::cancelled(std::int64_t id, std::string_view reason)
{
    writer_.begin();
    writer_.begin_notification("notifications/cancelled");
    writer_.raw(R"(,"params":{"requestId":)");
    writer_.integer(id);
    writer_.raw(R"(,"reason":)");
    writer_.string(reason);
    writer_.raw("}}");
    return writer_.finish();
}

std::string envelope::probe(std::int64_t id)
{
    return request(id, era_ == era::modern ? "server/discover" : "ping", {}, {}, false);
}

std::string discover_line(
    std::string_view id, std::string_view version, std::string_view capabilities)
{
    rpc::writer w;
    w.begin(384);
    w.begin_request(id, "server/discover");
    w.raw(R"(,"params":{"_meta":{)");
    w.raw(modern_meta(version, capabilities));
    w.raw("}}}");
    return w.finish();
}

std::string initialize_line(
    std::int64_t id, std::string_view version, std::string_view capabilities)
{
    rpc::writer w;
    w.begin();
    w.begin_request(id, "initialize");
    w.raw(R"(,"params":{"protocolVersion":)");
    w.string(version);
    w.raw(R"(,"capabilities":)");
    w.raw(capabilities);
    w.raw(R"(,"clientInfo":)");
    w.raw(client_info_json());
    w.raw("}}");
    return w.finish();
}

std::string_view initialized_line() noexcept
{
    return "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";
}

bool exists(std::string_view method, era in) noexcept
{
    // Source: MCP 2026-07-28, changelog.
    constexpr std::array<std::string_view, 8> legacy_only = {"ping", "logging/setLevel",
        "resources/subscribe", "resources/unsubscribe", "tasks/list", "tasks/result",
        "notifications/initialized", "notifications/roots/list_changed"};
    constexpr std::array<std::string_view, 2> modern_only = {
        "server/discover", "subscriptions/listen"};
    if (method == "initialize")
        return false;
    if (in == era::modern)
        return std::find(legacy_only.begin(), legacy_only.end(), method) == legacy_only.end();
    return std::find(modern_only.begin(), modern_only.end(), method) == modern_only.end();
}

std::string_view remedy_for(std::string_view method, era in) noexcept
{
    if (in == era::legacy)
        return {};
    if (method == "resources/subscribe" || method == "resources/unsubscribe")
        return "changes of resources are told through subscriptions/listen there; use subscribe() "
               "of the session";
    if (method == "logging/setLevel")
        return "the level goes with each request there; use set_log_level() of the session";
    return {};
}

std::string fault_of_result(const json::value& result, era in)
{
    const json::object* object = result.if_object();
    if (!object)
        return "the result is no JSON object";
    const json::value* type = in == era::modern ? object->if_contains("resultType") : nullptr;
    if (!type)
        return {};
    const json::string* name = type->if_string();
    if (name && *name == "complete")
        return {};
    if (name && *name == "input_required")
        return "the server asks for input (resultType \"input_required\"), which no answer to this "
               "method may do";
    return "the result has the unknown resultType \""
        + (name ? rpc::escape_foreign(view(*name), max_foreign) : std::string("(no string)"))
        + "\"";
}

std::string answer_to(const rpc::message& request, era in)
{
    if (in == era::modern)
        return {};
    rpc::writer w;
    if (request.method == "ping")
        return w.result(request.id, json::object());
    if (request.method == "elicitation/create") {
        // Nobody to ask is no fault of the server's.
        json::object cancel;
        cancel["action"] = "cancel";
        return w.result(request.id, cancel);
    }
    return w.error(request.id, method_not_found, "Method not found");
}

} // namespace mcp_pool::protocol
