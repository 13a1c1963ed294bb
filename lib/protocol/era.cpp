#include "protocol/era.hpp"

#include "protocol/versions.hpp"
#include "rpc/text.hpp"

#include <algorithm>

namespace mcp_pool::protocol {

namespace {

// How much of a foreign version list enters a message.
constexpr std::size_t max_offered = 200;

std::string_view text_of(const json::value& v) noexcept
{
    const json::string* s = v.if_string();
    return s ? std::string_view(s->data(), s->size()) : std::string_view();
}

// The array `name` of an object, or null.
const json::array* list_of(const json::value& from, std::string_view name) noexcept
{
    const json::object* object = from.if_object();
    const json::value* found = object
        ? object->if_contains(json::string_view(name.data(), name.size()))
        : nullptr;
    return found ? found->if_array() : nullptr;
}

// The newest of our versions of an era that is in the list, or an empty text.
template <class Versions>
std::string_view newest_common(const json::array& list, const Versions& ours) noexcept
{
    for (const std::string_view version : ours)
        for (const json::value& theirs : list)
            if (text_of(theirs) == version)
                return version;
    return {};
}

// `answered`: the versions came with a DiscoverResult, not with a refusal.
era_verdict judge_versions(const json::array& list, bool answered)
{
    era_verdict verdict;
    const std::string_view common = newest_common(list, modern_versions);
    const bool speaks_modern = std::any_of(
        list.begin(), list.end(), [](const json::value& v) { return is_modern(text_of(v)); });
    if (!common.empty()) {
        verdict.type = answered ? era_verdict::kind::modern : era_verdict::kind::modern_retry;
        verdict.version = common;
    } else if (!newest_common(list, legacy_versions).empty() || (answered && !speaks_modern)) {
        verdict.type = era_verdict::kind::legacy;
    } else {
        verdict.type = era_verdict::kind::no_common_version;
        for (const json::value& v : list) {
            if (!verdict.offered.empty())
                verdict.offered += ", ";
            verdict.offered += text_of(v);
            if (verdict.offered.size() > max_offered)
                break;
        }
        verdict.offered = rpc::escape_foreign(verdict.offered, max_offered);
    }
    return verdict;
}

} // namespace

bool is_modern(std::string_view version) noexcept
{
    constexpr std::string_view shape = "dddd-dd-dd";
    if (version.size() != shape.size())
        return false;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        const bool digit = version[i] >= '0' && version[i] <= '9';
        if (shape[i] == 'd' ? !digit : version[i] != '-')
            return false;
    }
    return version >= modern_versions.back();
}

bool is_supported(std::string_view version, era of) noexcept
{
    if (of == era::modern)
        return std::find(modern_versions.begin(), modern_versions.end(), version)
            != modern_versions.end();
    return std::find(legacy_versions.begin(), legacy_versions.end(), version)
        != legacy_versions.end();
}

bool is_modern_refusal(const rpc_error& error) noexcept
{
    if (error.code != unsupported_protocol_version)
        return false;
    const json::array* supported = list_of(error.data, "supported");
    return supported && !supported->empty()
        && std::all_of(supported->begin(), supported->end(),
            [](const json::value& v) { return v.is_string(); });
}

era_verdict judge_modern_refusal(const rpc_error& error)
{
    if (!is_modern_refusal(error))
        return {};
    return judge_versions(*list_of(error.data, "supported"), false);
}

era_verdict judge_discover_answer(const rpc::message& answer)
{
    if (answer.type == rpc::message::kind::error)
        return judge_modern_refusal(answer.error);
    const json::array* supported = list_of(answer.content, "supportedVersions");
    if (!supported)
        return {};
    return judge_versions(*supported, true);
}

} // namespace mcp_pool::protocol
