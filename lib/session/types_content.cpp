#include "session/json_member.hpp"

#include <mcp_pool/base64.hpp>
#include <mcp_pool/content.hpp>

namespace mcp_pool {

using namespace detail;

namespace {

// The bytes behind the base64 in a member; `what` names it for people.
std::vector<std::byte> decoded(const json::value& raw, std::string_view name, error_code& code)
{
    const json::string* const text = value_member(raw, name).if_string();
    if (!text) {
        code = errc::protocol_error;
        return {};
    }
    return decode_base64({text->data(), text->size()}, code);
}

std::vector<std::byte> decoded(const json::value& raw, std::string_view name)
{
    const json::string* const text = value_member(raw, name).if_string();
    if (!text) {
        diagnostics details;
        details.message = "the content has no member \"" + std::string(name)
            + "\" that is a string in base64";
        throw error(make_error_code(errc::protocol_error), std::move(details));
    }
    return decode_base64({text->data(), text->size()});
}

std::vector<std::byte> bytes_of(std::string_view text)
{
    const auto* const first = reinterpret_cast<const std::byte*>(text.data());
    return {first, first + text.size()};
}

} // namespace

view_list<std::string_view> annotations::audience() const noexcept
{
    return view_list<std::string_view>(array_member(*raw_, "audience"));
}

std::optional<double> annotations::priority() const noexcept
{
    boost::system::error_code no_number;
    const double value = value_member(*raw_, "priority").to_number<double>(no_number);
    return !no_number && value >= 0 && value <= 1 ? std::optional(value) : std::nullopt;
}

std::string_view annotations::last_modified() const noexcept
{
    return text_member(*raw_, "lastModified");
}

std::string_view icon::src() const noexcept
{
    return text_member(*raw_, "src");
}

std::string_view icon::mime_type() const noexcept
{
    return text_member(*raw_, "mimeType");
}

view_list<std::string_view> icon::sizes() const noexcept
{
    return view_list<std::string_view>(array_member(*raw_, "sizes"));
}

std::string_view icon::theme() const noexcept
{
    return text_member(*raw_, "theme");
}

std::string_view resource_contents::uri() const noexcept
{
    return text_member(*raw_, "uri");
}

std::string_view resource_contents::mime_type() const noexcept
{
    return text_member(*raw_, "mimeType");
}

bool resource_contents::is_text() const noexcept
{
    return value_member(*raw_, "text").is_string();
}

bool resource_contents::is_blob() const noexcept
{
    return !is_text() && value_member(*raw_, "blob").is_string();
}

std::string_view resource_contents::text() const noexcept
{
    return text_member(*raw_, "text");
}

std::string_view resource_contents::blob() const noexcept
{
    return text_member(*raw_, "blob");
}

std::vector<std::byte> resource_contents::bytes() const
{
    return is_text() ? bytes_of(text()) : decoded(*raw_, "blob");
}

std::vector<std::byte> resource_contents::bytes(error_code& code) const
{
    code.clear();
    return is_text() ? bytes_of(text()) : decoded(*raw_, "blob", code);
}

std::string_view to_string(content_kind value) noexcept
{
    switch (value) {
    case content_kind::text:
        return "text";
    case content_kind::image:
        return "image";
    case content_kind::audio:
        return "audio";
    case content_kind::resource_link:
        return "resource_link";
    case content_kind::resource:
        return "resource";
    case content_kind::unknown:
        break;
    }
    return "unknown";
}

content_kind content_block::kind() const noexcept
{
    const std::string_view name = type();
    for (const content_kind kind : {content_kind::text, content_kind::image, content_kind::audio,
             content_kind::resource_link, content_kind::resource})
        if (name == to_string(kind))
            return kind;
    return content_kind::unknown;
}

std::string_view content_block::type() const noexcept
{
    return text_member(*raw_, "type");
}

std::string_view content_block::text() const noexcept
{
    return kind() == content_kind::text ? text_member(*raw_, "text") : std::string_view();
}

std::string_view content_block::data() const noexcept
{
    const content_kind what = kind();
    return what == content_kind::image || what == content_kind::audio ? text_member(*raw_, "data")
                                                                      : std::string_view();
}

std::vector<std::byte> content_block::bytes() const
{
    return decoded(*raw_, "data");
}

std::vector<std::byte> content_block::bytes(error_code& code) const
{
    code.clear();
    return decoded(*raw_, "data", code);
}

std::string_view content_block::mime_type() const noexcept
{
    return kind() == content_kind::resource ? contents().mime_type()
                                            : text_member(*raw_, "mimeType");
}

std::string_view content_block::uri() const noexcept
{
    return kind() == content_kind::resource ? contents().uri() : text_member(*raw_, "uri");
}

std::string_view content_block::name() const noexcept
{
    return text_member(*raw_, "name");
}

std::string_view content_block::title() const noexcept
{
    return text_member(*raw_, "title", "name");
}

std::string_view content_block::description() const noexcept
{
    return text_member(*raw_, "description");
}

std::optional<std::uint64_t> content_block::size() const noexcept
{
    return count_member(*raw_, "size");
}

resource_contents content_block::contents() const noexcept
{
    return kind() == content_kind::resource ? resource_contents(value_member(*raw_, "resource"))
                                            : resource_contents();
}

mcp_pool::annotations content_block::annotations() const noexcept
{
    return mcp_pool::annotations(value_member(*raw_, "annotations"));
}

} // namespace mcp_pool
