// What results carry for people and models: blocks of text, pictures, sounds and resources.
#pragma once

#include <mcp_pool/error.hpp>
#include <mcp_pool/view_list.hpp>

#include <boost/json/value.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace mcp_pool {

// The classes of this header are views of a part of a result. Copies are as cheap as a pointer.
//
// Lifetime: valid until the result that they were taken from is destroyed, moved from or assigned to;
// so is what their accessors return. Made by default, they are views of null.
//
// Errors: a member that is missing or has the wrong type reads as its empty value; nothing throws but
// what says so. raw() is what came.

// Whom something is for, and how much it matters. Source: MCP, server/resources, "Annotations".
class annotations
{
public:
    annotations() noexcept
        : annotations(detail::no_value())
    {}
    explicit annotations(const json::value& raw) noexcept
        : raw_(&raw)
    {}

    // "user", "assistant"; empty: for anybody.
    [[nodiscard]] view_list<std::string_view> audience() const noexcept;
    // From 0, entirely optional, to 1, effectively required; unset where the server gave no such number.
    [[nodiscard]] std::optional<double> priority() const noexcept;
    // A point in time, ISO 8601, as the server wrote it.
    [[nodiscard]] std::string_view last_modified() const noexcept;
    [[nodiscard]] const json::value& raw() const noexcept { return *raw_; }

private:
    const json::value* raw_;
};

// A picture that stands for something. The URI is the server's word: fetch it only if you trust that.
// Source: MCP, basic/index, "Icons".
class icon
{
public:
    icon() noexcept
        : icon(detail::no_value())
    {}
    explicit icon(const json::value& raw) noexcept
        : raw_(&raw)
    {}

    // An http, https or data URI.
    [[nodiscard]] std::string_view src() const noexcept;
    [[nodiscard]] std::string_view mime_type() const noexcept;
    // "48x48", "any"; empty: any size.
    [[nodiscard]] view_list<std::string_view> sizes() const noexcept;
    // "light", "dark" or nothing: the background that it is made for.
    [[nodiscard]] std::string_view theme() const noexcept;
    [[nodiscard]] const json::value& raw() const noexcept { return *raw_; }

private:
    const json::value* raw_;
};

// What is in one resource: a text, or bytes in base64. Source: MCP, server/resources, "Data types".
class resource_contents
{
public:
    resource_contents() noexcept
        : resource_contents(detail::no_value())
    {}
    explicit resource_contents(const json::value& raw) noexcept
        : raw_(&raw)
    {}

    [[nodiscard]] std::string_view uri() const noexcept;
    [[nodiscard]] std::string_view mime_type() const noexcept;
    // It came as a text, which may be empty; it came as bytes. Neither for what is no such contents.
    [[nodiscard]] bool is_text() const noexcept;
    [[nodiscard]] bool is_blob() const noexcept;
    // The text; the base64.
    [[nodiscard]] std::string_view text() const noexcept;
    [[nodiscard]] std::string_view blob() const noexcept;
    // The bytes of the text, or those that the base64 stands for.
    //
    // Errors: errc::protocol_error if there is neither, or if it is no right base64; see
    // decode_base64(). The form without `code` throws mcp_pool::error.
    [[nodiscard]] std::vector<std::byte> bytes() const;
    [[nodiscard]] std::vector<std::byte> bytes(error_code& code) const;
    [[nodiscard]] const json::value& raw() const noexcept { return *raw_; }

private:
    const json::value* raw_;
};

// What a content block is.
enum class content_kind {
    // text().
    text,
    // bytes(), mime_type().
    image,
    // bytes(), mime_type().
    audio,
    // Where something is that can be read: uri(), name(), title(), description(), size().
    resource_link,
    // Something that comes with the result: contents().
    resource,
    // A kind that this library does not know, or no content block at all: raw(), type().
    unknown,
};

// The name of the kind in the protocol; "unknown".
std::string_view to_string(content_kind value) noexcept;

// One block of a tool's result or of a prompt's message. Accessors that say nothing about its kind
// read as empty. Source: MCP, server/tools, "Tool result"; server/prompts, "Data types".
class content_block
{
public:
    content_block() noexcept
        : content_block(detail::no_value())
    {}
    explicit content_block(const json::value& raw) noexcept
        : raw_(&raw)
    {}

    [[nodiscard]] content_kind kind() const noexcept;
    // The kind as the server named it.
    [[nodiscard]] std::string_view type() const noexcept;

    // Of a text.
    [[nodiscard]] std::string_view text() const noexcept;

    // Of an image and of audio: the base64 as it came, and the bytes that it stands for.
    //
    // Errors of bytes(): errc::protocol_error if there is no such member, or no right base64; see
    // decode_base64(). The form without `code` throws mcp_pool::error.
    [[nodiscard]] std::string_view data() const noexcept;
    [[nodiscard]] std::vector<std::byte> bytes() const;
    [[nodiscard]] std::vector<std::byte> bytes(error_code& code) const;

    // Of everything but a text. Of a resource, what its contents say.
    [[nodiscard]] std::string_view mime_type() const noexcept;

    // Of a resource and of a link to one.
    [[nodiscard]] std::string_view uri() const noexcept;
    // Of a link; the title is the name where there is none. The size is that of the bytes before any
    // encoding.
    [[nodiscard]] std::string_view name() const noexcept;
    [[nodiscard]] std::string_view title() const noexcept;
    [[nodiscard]] std::string_view description() const noexcept;
    [[nodiscard]] std::optional<std::uint64_t> size() const noexcept;
    // Of a resource.
    [[nodiscard]] resource_contents contents() const noexcept;

    [[nodiscard]] mcp_pool::annotations annotations() const noexcept;
    [[nodiscard]] const json::value& raw() const noexcept { return *raw_; }

private:
    const json::value* raw_;
};

} // namespace mcp_pool
