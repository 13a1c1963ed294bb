// Values held against a translated schema by a library that is known to one source alone.
#pragma once

#include <mcp_pool/output_schema.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <memory>
#include <string>
#include <vector>

namespace mcp_pool::detail {

// Thread safety: immutable.
class schema_validator
{
public:
    schema_validator() = default;
    schema_validator(const schema_validator&) = delete;
    schema_validator& operator=(const schema_validator&) = delete;
    virtual ~schema_validator() = default;

    // What is wrong with a value, made comparable() before. A value that takes too long or nests too
    // deep together with the schema has just that as its problem.
    //
    // Complexity: a second of this thread's time, or little more.
    [[nodiscard]] virtual std::vector<schema_problem> check(const json::value& value) const = 0;

    // Null, with the reason in `fault`, if the schema cannot be taken, or if there is no library.
    static std::unique_ptr<const schema_validator> make(
        const json::object& translated, std::string& fault);
};

} // namespace mcp_pool::detail
