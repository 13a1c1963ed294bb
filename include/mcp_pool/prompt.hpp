// The prompts of a server and the messages that they become.
#pragma once

#include <mcp_pool/content.hpp>
#include <mcp_pool/view_list.hpp>

#include <boost/json/value.hpp>

#include <string_view>
#include <utility>

namespace mcp_pool {

// An argument that a prompt takes. A view; see content.hpp. Source: MCP, server/prompts.
class prompt_argument
{
public:
    prompt_argument() noexcept
        : prompt_argument(detail::no_value())
    {}
    explicit prompt_argument(const json::value& raw) noexcept
        : raw_(&raw)
    {}

    [[nodiscard]] std::string_view name() const noexcept;
    // What to call it before people: its title, else its name.
    [[nodiscard]] std::string_view title() const noexcept;
    [[nodiscard]] std::string_view description() const noexcept;
    // The prompt cannot be had without it.
    [[nodiscard]] bool required() const noexcept;
    [[nodiscard]] const json::value& raw() const noexcept { return *raw_; }

private:
    const json::value* raw_;
};

// One entry of `prompts/list`. Source: MCP, server/prompts.
//
// Lifetime: what the accessors return is valid until the prompt is destroyed, moved from or assigned
// to.
class prompt
{
public:
    prompt() = default;
    explicit prompt(json::value raw) noexcept
        : raw_(std::move(raw))
    {}

    [[nodiscard]] std::string_view name() const noexcept;
    // What to call it before people: its title, else its name.
    [[nodiscard]] std::string_view title() const noexcept;
    [[nodiscard]] std::string_view description() const noexcept;
    [[nodiscard]] view_list<prompt_argument> arguments() const& noexcept;
    view_list<prompt_argument> arguments() const&& = delete;
    [[nodiscard]] view_list<icon> icons() const& noexcept;
    view_list<icon> icons() const&& = delete;
    [[nodiscard]] const json::value& raw() const noexcept { return raw_; }

private:
    json::value raw_;
};

// One message of a prompt. A view; see content.hpp. Source: MCP, server/prompts, "PromptMessage".
class prompt_message
{
public:
    prompt_message() noexcept
        : prompt_message(detail::no_value())
    {}
    explicit prompt_message(const json::value& raw) noexcept
        : raw_(&raw)
    {}

    // "user" or "assistant".
    [[nodiscard]] std::string_view role() const noexcept;
    [[nodiscard]] content_block content() const noexcept;
    [[nodiscard]] const json::value& raw() const noexcept { return *raw_; }

private:
    const json::value* raw_;
};

// The result of `prompts/get`. Source: MCP, server/prompts.
//
// Lifetime: what the accessors return is valid until the result is destroyed, moved from or assigned
// to; the messages of a result without a name cannot be asked for.
class prompt_result
{
public:
    prompt_result() = default;
    explicit prompt_result(json::value raw) noexcept
        : raw_(std::move(raw))
    {}

    [[nodiscard]] std::string_view description() const noexcept;
    [[nodiscard]] view_list<prompt_message> messages() const& noexcept;
    view_list<prompt_message> messages() const&& = delete;
    [[nodiscard]] const json::value& raw() const noexcept { return raw_; }

private:
    json::value raw_;
};

} // namespace mcp_pool
