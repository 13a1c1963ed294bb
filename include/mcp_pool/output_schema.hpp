// Whether the structured result of a tool is what the tool's `outputSchema` promises.
#pragma once

#include <mcp_pool/tool.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace mcp_pool {

namespace detail {

class compiled_schema;

} // namespace detail

// One thing that is wrong with a result.
struct schema_problem
{
    // Where in `structuredContent`, as a JSON pointer; empty: the whole.
    std::string pointer;
    // What is wrong, on one line; what is foreign in it is escaped.
    std::string text;

    schema_problem() = default;
};

// The `outputSchema` of a tool, made ready once for any number of results. JSON Schema 2020-12, or draft
// 7 where the schema says so by `$schema`; `format` is no demand in either.
//
//     const auto schema = std::make_shared<const mcp_pool::output_schema>(tool);
//     for (const mcp_pool::schema_problem& p : schema->check(result)) …
//     options.output = schema;              // or let call_tool() fail where the result does not match
//
// Not every schema can be checked: some keywords depend on what others have looked at
// (`unevaluatedProperties` beside `allOf`), references may lead out of the document, and a schema may
// be made to take for ever. Such a schema is not checked in part: checked() is false, and reason() says
// why. Nothing is ever fetched.
//
// Thread safety: immutable; copies share what was made ready. Every member may be called from any
// thread.
class output_schema
{
public:
    // Problems told of one result, and bytes of one of their texts.
    static constexpr std::size_t max_problems = 20;
    static constexpr std::size_t max_text = 300;

    // Errors: throws std::bad_alloc only.
    // Complexity: linear in the size of the schema; a schema that is as large as one may be needs 2 MiB
    // of stack.
    explicit output_schema(const tool& of);

    // Whether check() says anything about the content of a result.
    [[nodiscard]] bool checked() const noexcept;

    // Why it does not, to follow "the outputSchema ": names the keyword or the reference, and where
    // it stands. Empty where checked().
    [[nodiscard]] const std::string& reason() const noexcept;

    // What is wrong with a result; at most max_problems. A result that is_error() need not match, and
    // one that is none but has no structured content has that as its problem. A result that cannot be
    // checked within bounds (its depth, its size, the length of strings that have a `pattern`, a second
    // of this thread's time) has just that as its problem. Nothing where !checked().
    //
    // Errors: throws std::bad_alloc only.
    [[nodiscard]] std::vector<schema_problem> check(const tool_result& result) const
    {
        return check(result.raw());
    }
    // The same for the result as `request()` gives it.
    [[nodiscard]] std::vector<schema_problem> check(const json::value& result) const;

private:
    // Never null.
    std::shared_ptr<const detail::compiled_schema> compiled_;
};

} // namespace mcp_pool
