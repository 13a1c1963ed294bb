// The arguments of a tool that its server wants to see in header fields too.
#pragma once

#include "protocol/http_headers.hpp"

#include <boost/json/value.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_pool::protocol {

// What the `x-mcp-header` annotations in the input schema of one tool say. Each stands in the schema
// of a property, names the field `Mcp-Param-…`, and may stand only where the path to the value is
// plain from the root: through `properties` and nothing else. A tool that breaks one of the rules has
// to be left out of what `tools/list` gives.
//
// No reference is followed, neither in the document nor over the network: what stands under `$defs`
// is looked at where it stands. Values of `const`, `default`, `enum` and `examples` are data, and
// keywords that JSON Schema does not know hold no schemas.
//
// Lifetime: keeps nothing of the schema.
// Thread safety: none; const members may be called by several threads at once.
// Source: MCP 2026-07-28, basic/transports/streamable-http, "Schema Extension", "Client Behavior".
class tool_headers
{
public:
    // Beyond these a schema is refused: people write none like it.
    static constexpr std::size_t max_depth = 128;
    static constexpr std::size_t max_schemas = 65536;
    static constexpr std::size_t max_headers = 64;
    static constexpr std::size_t max_name_bytes = 128;

    // No annotations.
    tool_headers() = default;

    // Judges the `inputSchema` of a tool.
    //
    // Complexity: linear in the size of the schema, up to the bounds above.
    explicit tool_headers(const json::value& input_schema);

    // Why the tool has to be left out, for people: what is wrong, and where in the schema. Empty if
    // nothing is.
    [[nodiscard]] const std::string& fault() const noexcept { return fault_; }
    [[nodiscard]] bool valid() const noexcept { return fault_.empty(); }

    [[nodiscard]] bool empty() const noexcept { return parameters_.empty(); }

    // Adds a field for each annotated argument that is there. Null is as good as absent; so is what
    // has no form in a header: objects, arrays, fractions and integers beyond ±(2^53 − 1).
    void add_to(header_fields& fields, const json::value& arguments) const;

private:
    struct parameter
    {
        // With the prefix "Mcp-Param-".
        std::string header;
        // Names of members from the arguments to the value.
        std::vector<std::string> path;
    };

    class judge;

    std::vector<parameter> parameters_;
    std::string fault_;
};

} // namespace mcp_pool::protocol
