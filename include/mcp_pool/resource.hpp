// The resources of a server and what reading them gives.
#pragma once

#include <mcp_pool/content.hpp>
#include <mcp_pool/view_list.hpp>

#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace mcp_pool {

// One entry of `resources/list`. Source: MCP, server/resources.
//
// Lifetime: what the accessors return is valid until the resource is destroyed, moved from or assigned
// to.
class resource
{
public:
    resource() = default;
    explicit resource(json::value raw) noexcept
        : raw_(std::move(raw))
    {}

    [[nodiscard]] std::string_view uri() const noexcept;
    [[nodiscard]] std::string_view name() const noexcept;
    // What to call it before people: its title, else its name.
    [[nodiscard]] std::string_view title() const noexcept;
    [[nodiscard]] std::string_view description() const noexcept;
    [[nodiscard]] std::string_view mime_type() const noexcept;
    // In bytes, before any encoding; unset where the server did not say.
    [[nodiscard]] std::optional<std::uint64_t> size() const noexcept;
    [[nodiscard]] mcp_pool::annotations annotations() const& noexcept;
    mcp_pool::annotations annotations() const&& = delete;
    [[nodiscard]] view_list<icon> icons() const& noexcept;
    view_list<icon> icons() const&& = delete;
    [[nodiscard]] const json::value& raw() const noexcept { return raw_; }

private:
    json::value raw_;
};

// One entry of `resources/templates/list`: a family of resources. Source: MCP, server/resources,
// "Resource templates".
//
// Lifetime: as of `resource`.
class resource_template
{
public:
    resource_template() = default;
    explicit resource_template(json::value raw) noexcept
        : raw_(std::move(raw))
    {}

    // As RFC 6570 writes it: "file:///{path}".
    [[nodiscard]] std::string_view uri_template() const noexcept;
    [[nodiscard]] std::string_view name() const noexcept;
    // What to call it before people: its title, else its name.
    [[nodiscard]] std::string_view title() const noexcept;
    [[nodiscard]] std::string_view description() const noexcept;
    // Of all its resources; empty if they differ.
    [[nodiscard]] std::string_view mime_type() const noexcept;
    [[nodiscard]] mcp_pool::annotations annotations() const& noexcept;
    mcp_pool::annotations annotations() const&& = delete;
    [[nodiscard]] view_list<icon> icons() const& noexcept;
    view_list<icon> icons() const&& = delete;
    [[nodiscard]] const json::value& raw() const noexcept { return raw_; }

private:
    json::value raw_;
};

// The result of `resources/read`: often one resource, several for a URI that stands for more. Source:
// MCP, server/resources.
//
// Lifetime: what the accessors return is valid until the result is destroyed, moved from or assigned
// to; the contents of a result without a name cannot be asked for.
class resource_result
{
public:
    resource_result() = default;
    explicit resource_result(json::value raw) noexcept
        : raw_(std::move(raw))
    {}

    [[nodiscard]] view_list<resource_contents> contents() const& noexcept;
    view_list<resource_contents> contents() const&& = delete;
    // All texts joined with newlines.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] const json::value& raw() const noexcept { return raw_; }

private:
    json::value raw_;
};

} // namespace mcp_pool
