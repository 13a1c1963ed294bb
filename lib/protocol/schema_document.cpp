#include "protocol/schema_document.hpp"

#include "rpc/json_text.hpp"
#include "rpc/text.hpp"

#include <boost/json/array.hpp>

#include <charconv>
#include <optional>

namespace mcp_pool::protocol {

namespace {

using rpc::view;

constexpr std::size_t max_name = 100;

// The string under this name, if there is one: under `properties` the same names are those of members,
// and what is under them is no string.
std::optional<std::string_view> text_of(const json::object& of, std::string_view name) noexcept
{
    const json::value* const found = of.if_contains(json::string_view(name.data(), name.size()));
    if (!found || !found->is_string())
        return std::nullopt;
    return view(found->get_string());
}

bool holds_data(std::string_view keyword) noexcept
{
    return keyword == "const" || keyword == "enum" || keyword == "default" || keyword == "examples";
}

std::string_view without_empty_fragment(std::string_view uri) noexcept
{
    if (uri.ends_with('#'))
        uri.remove_suffix(1);
    return uri;
}

// Nothing if it is not written as it must be.
std::optional<std::string> percent_decoded(std::string_view text)
{
    std::string plain;
    while (!text.empty()) {
        if (text.front() != '%') {
            plain += text.front();
            text.remove_prefix(1);
            continue;
        }
        unsigned byte = 0;
        if (text.size() < 3
            || std::from_chars(text.data() + 1, text.data() + 3, byte, 16).ptr != text.data() + 3)
            return std::nullopt;
        plain += static_cast<char>(byte);
        text.remove_prefix(3);
    }
    return plain;
}

std::optional<std::string> pointer_decoded(std::string_view token)
{
    std::string plain;
    for (std::size_t i = 0; i != token.size(); ++i) {
        if (token[i] != '~') {
            plain += token[i];
            continue;
        }
        if (++i == token.size() || (token[i] != '0' && token[i] != '1'))
            return std::nullopt;
        plain += token[i] == '0' ? '~' : '/';
    }
    return plain;
}

const json::value* child(const json::value& of, std::string_view name)
{
    if (const json::object* const object = of.if_object())
        return object->if_contains(json::string_view(name.data(), name.size()));
    const json::array* const array = of.if_array();
    std::size_t index = 0;
    const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), index);
    if (!array || failure != std::errc() || end != name.data() + name.size()
        || index >= array->size() || (name.size() > 1 && name.front() == '0'))
        return nullptr;
    return &(*array)[index];
}

} // namespace

schema_document::schema_document(const json::value& root)
    : root_(root)
{
    walk(root, 0, false);
    if (const json::object* const object = root.if_object(); object && fault_.empty())
        take_dialect();
}

void schema_document::walk(const json::value& at, std::size_t depth, bool data)
{
    if (!fault_.empty())
        return;
    if (++values_ > max_values) {
        fault_ = "has more than " + std::to_string(max_values) + " values";
    } else if (depth == max_depth) {
        fault_ = "is nested deeper than " + std::to_string(max_depth) + " levels";
    } else if (const json::array* const array = at.if_array()) {
        for (const json::value& element : *array)
            walk(element, depth + 1, data);
    } else if (const json::object* const object = at.if_object()) {
        const auto anchor = data ? std::nullopt : text_of(*object, "$anchor");
        if (!data)
            take_keywords(*object, depth == 0);
        if (anchor && !anchors_.emplace(*anchor, &at).second)
            fault_ = "has the anchor \"" + rpc::escape_foreign(*anchor, max_name) + "\" twice";
        for (const auto& member : *object)
            walk(member.value(), depth + 1, data || holds_data(view(member.key())));
    }
}

void schema_document::take_keywords(const json::object& schema, bool root)
{
    const auto id = text_of(schema, "$id");
    if (root)
        id_ = without_empty_fragment(id.value_or(std::string_view()));
    else if (id)
        fault_ = "has a part with an $id of its own (\"" + rpc::escape_foreign(*id, max_name)
            + "\"), which changes what references in it mean";
    if (const auto dialect = text_of(schema, "$schema");
        dialect && !root && dialect != text_of(root_.get_object(), "$schema"))
        fault_ = "has a part of another dialect";
}

void schema_document::take_dialect()
{
    const auto named = text_of(root_.get_object(), "$schema");
    if (!named)
        return;
    const std::string_view dialect = without_empty_fragment(*named);
    draft7_ = dialect == "http://json-schema.org/draft-07/schema"
        || dialect == "https://json-schema.org/draft-07/schema";
    if (!draft7_ && dialect != "https://json-schema.org/draft/2020-12/schema")
        fault_ = "is of the dialect \"" + rpc::escape_foreign(*named, max_name)
            + "\"; 2020-12 and draft 7 are known";
}

const json::value* schema_document::target(std::string_view reference) const
{
    if (!id_.empty() && reference.starts_with(id_)
        && (reference.size() == id_.size() || reference[id_.size()] == '#'))
        reference.remove_prefix(id_.size());
    if (reference.empty() || reference == "#")
        return &root_;
    if (reference.front() != '#')
        return nullptr;
    const std::optional<std::string> fragment = percent_decoded(reference.substr(1));
    if (!fragment)
        return nullptr;
    if (fragment->starts_with('/'))
        return by_pointer(*fragment);
    const auto anchor = anchors_.find(*fragment);
    return anchor == anchors_.end() ? nullptr : anchor->second;
}

const json::value* schema_document::by_pointer(std::string_view pointer) const
{
    const json::value* at = &root_;
    while (at && !pointer.empty()) {
        pointer.remove_prefix(1);
        const std::string_view token = pointer.substr(0, pointer.find('/'));
        pointer.remove_prefix(token.size());
        const std::optional<std::string> name = pointer_decoded(token);
        at = name ? child(*at, *name) : nullptr;
    }
    return at;
}

} // namespace mcp_pool::protocol
