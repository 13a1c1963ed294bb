// The tools of mcp-pool-echo-server: what they declare and what they do.
#pragma once

#include <boost/json/object.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <variant>

namespace mcp_pool::echo_server {

// What a tool answers.
struct outcome
{
    std::string text;
    bool is_error = false;
    // JSON text of `structuredContent`; empty: none.
    std::string structured;
};

// A call that takes time: `steps` waits of `interval`, then `text` is the answer.
struct timed_call
{
    std::chrono::nanoseconds interval;
    std::size_t steps;
    // Report each step to a caller that asked for progress.
    bool reports;
    std::string text;
};

struct unknown_tool
{};

class toolbox
{
public:
    // `on_token` is called for each executed call of `echo`; may be empty.
    toolbox(std::size_t extra_tools, std::function<void(std::string_view)> on_token);

    [[nodiscard]] std::size_t size() const noexcept;

    // Appends the declaration of the tool at `index`, an object of `tools/list`.
    void append_declaration(std::string& to, std::size_t index) const;

    // Arguments that do not fit are an error outcome, which a model can correct, not a protocol
    // error. Source: MCP 2025-11-25, server/tools, error handling.
    [[nodiscard]] std::variant<outcome, timed_call, unknown_tool> call(
        std::string_view name, const boost::json::object& arguments) const;

private:
    [[nodiscard]] bool is_extra(std::string_view name) const;

    std::size_t extra_tools_;
    std::function<void(std::string_view)> on_token_;
};

} // namespace mcp_pool::echo_server
