// What a server proposes for an argument that is being typed.
#pragma once

#include <mcp_pool/view_list.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace mcp_pool {

// What the argument belongs to. Source: MCP, server/utilities/completion, "Reference types".
class completion_reference
{
public:
    // The prompt with this name; the resource template "file:///{path}", or the URI of a resource.
    static completion_reference prompt(std::string name);
    static completion_reference resource(std::string uri_or_template);

    // As it is sent: {"type": "ref/prompt", "name": …} or {"type": "ref/resource", "uri": …}.
    [[nodiscard]] json::object to_json() const;

private:
    completion_reference(bool of_prompt, std::string what) noexcept
        : of_prompt_(of_prompt)
        , what_(std::move(what))
    {}

    bool of_prompt_;
    std::string what_;
};

// The argument, and what has been typed of it.
//
// Do not use designated initialisers: g++ 12 destroys such temporaries twice inside a co_await.
struct completion_argument
{
    std::string name;
    std::string value;
    // The arguments that are known already, by name: strings. Source: MCP, server/utilities/completion,
    // "CompleteRequest".
    json::object known;

    completion_argument() = default;
    completion_argument(std::string argument, std::string typed)
        : name(std::move(argument))
        , value(std::move(typed))
    {}
};

// The result of `completion/complete`. Source: MCP, server/utilities/completion.
//
// Lifetime: what the accessors return is valid until the result is destroyed, moved from or assigned
// to; the values of a result without a name cannot be asked for.
class completion
{
public:
    completion() = default;
    explicit completion(json::value raw) noexcept
        : raw_(std::move(raw))
    {}

    // At most 100 if the server keeps to the specification, the best first; what is no string reads as
    // an empty one.
    [[nodiscard]] view_list<std::string_view> values() const& noexcept;
    view_list<std::string_view> values() const&& = delete;
    // How many there are in all; unset where the server did not say.
    [[nodiscard]] std::optional<std::uint64_t> total() const noexcept;
    // There are more than it sent, known or not how many.
    [[nodiscard]] bool has_more() const noexcept;
    [[nodiscard]] const json::value& raw() const noexcept { return raw_; }

private:
    json::value raw_;
};

} // namespace mcp_pool
