#include "protocol/schema_translation.hpp"
#include "session/json_member.hpp"
#include "session/schema_validator.hpp"

#include <mcp_pool/output_schema.hpp>

#include <algorithm>
#include <utility>

namespace mcp_pool {

namespace detail {

namespace {

// Beyond these a result is not checked.
constexpr std::size_t max_depth = 100;
constexpr std::size_t max_values = 200'000;
// Each element is compared with each other one.
constexpr std::size_t max_compared = 5'000'000;
constexpr std::size_t max_name = 512;

// How large a value is.
struct extent
{
    std::size_t values = 0;
    std::size_t longest_array = 0;
    std::size_t longest_name = 0;
    bool too_deep = false;

    void add(const json::value& value, std::size_t depth)
    {
        too_deep = too_deep || depth > max_depth;
        if (++values > max_values || too_deep)
            return;
        if (const json::array* const array = value.if_array()) {
            longest_array = std::max(longest_array, array->size());
            for (const json::value& element : *array)
                add(element, depth + 1);
        } else if (const json::object* const object = value.if_object()) {
            for (const auto& member : *object) {
                longest_name = std::max(longest_name, member.key().size());
                add(member.value(), depth + 1);
            }
        }
    }
};

std::vector<schema_problem> just(std::string what)
{
    std::vector<schema_problem> one(1);
    one[0].text = std::move(what);
    return one;
}

} // namespace

class compiled_schema
{
public:
    explicit compiled_schema(const json::value* schema)
    {
        if (!schema) {
            reason = "is not there";
            return;
        }
        protocol::schema_translation translated = protocol::translate_schema(*schema);
        reason = std::move(translated.fault);
        names_by_pattern_ = translated.names_by_pattern;
        unique_items_ = translated.unique_items;
        if (reason.empty())
            validator_ = schema_validator::make(translated.schema, reason);
    }

    [[nodiscard]] std::vector<schema_problem> check(const json::value& value) const
    {
        extent size;
        size.add(value, 0);
        if (size.too_deep || size.values > max_values
            || (names_by_pattern_ && size.longest_name > max_name)
            || (unique_items_ && size.longest_array > 1
                && size.values > max_compared / size.longest_array))
            return just("it is too large to be checked");
        return validator_->check(protocol::comparable(value));
    }

    std::string reason;

private:
    bool names_by_pattern_ = false;
    bool unique_items_ = false;
    // Null: there is a reason.
    std::unique_ptr<const schema_validator> validator_;
};

} // namespace detail

output_schema::output_schema(const tool& of)
    : compiled_(
        std::make_shared<const detail::compiled_schema>(detail::member(of.raw(), "outputSchema")))
{}

bool output_schema::checked() const noexcept
{
    return compiled_->reason.empty();
}

const std::string& output_schema::reason() const noexcept
{
    return compiled_->reason;
}

std::vector<schema_problem> output_schema::check(const json::value& result) const
{
    if (!checked() || detail::flag_member(result, "isError", false))
        return {};
    const json::value* const content = detail::member(result, "structuredContent");
    return content ? compiled_->check(*content) : detail::just("there is no structuredContent");
}

} // namespace mcp_pool
