#include "protocol/listing.hpp"

#include "protocol/result_shape.hpp"

#include <utility>

namespace mcp_pool::protocol {

namespace {

// About the length of the text that a value was read from. As deep as the reader lets values be.
std::size_t text_size(const json::value& value) noexcept
{
    constexpr std::size_t punctuation = 4;
    std::size_t size = punctuation;
    if (const json::string* const text = value.if_string()) {
        size += text->size();
    } else if (const json::array* const array = value.if_array()) {
        for (const json::value& entry : *array)
            size += text_size(entry);
    } else if (const json::object* const object = value.if_object()) {
        for (const auto& member : *object)
            size += member.key().size() + punctuation + text_size(member.value());
    }
    return size;
}

} // namespace

listing::listing(std::string_view method, listing_limits limits)
    : method_(method)
    , limits_(limits)
{}

json::object listing::params() const
{
    json::object params;
    if (!cursor_.is_null())
        params["cursor"] = cursor_;
    return params;
}

bool listing::take(json::value&& page)
{
    json::object* const result = page.if_object();
    if (!result)
        return false;
    ++pages_;
    const std::string_view name = entries_member(method_);
    json::value* const list = result->if_contains(json::string_view(name.data(), name.size()));
    if (json::array* const entries = list ? list->if_array() : nullptr) {
        for (json::value& entry : *entries) {
            bytes_ += text_size(entry);
            entries_.push_back(std::move(entry));
        }
    }
    // The empty string is a cursor as good as any other.
    json::value* const next = result->if_contains("nextCursor");
    if (!next || !next->is_string())
        return false;
    if (*next == cursor_)
        fault_ = "the server repeats its cursor";
    else if (pages_ == limits_.pages)
        fault_ = "the list does not end after " + std::to_string(limits_.pages) + " pages";
    else if (bytes_ > limits_.bytes)
        fault_ = "the list does not end after " + std::to_string(limits_.bytes) + " bytes";
    cursor_ = std::move(*next);
    return fault_.empty();
}

} // namespace mcp_pool::protocol
