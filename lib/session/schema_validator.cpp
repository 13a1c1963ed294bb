// The only source that knows Valijson, and Boost.Regex: see docs/design/0017-checking-with-valijson.md.
#include "session/schema_validator.hpp"

#include "protocol/schema_translation.hpp"
#include "rpc/text.hpp"

#include <boost/regex.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <exception>
#include <limits>
#include <new>
#include <stdexcept>
#include <utility>

#include <time.h>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/constraint_builder.hpp>
#include <valijson/constraints/concrete_constraints.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

namespace mcp_pool::detail {

namespace {

using protocol::schema_translation;
using valijson::adapters::Adapter;
using results = valijson::ValidationResults;
using place = std::vector<std::string>;

// Whoever asks for a check may stand on a small stack himself.
constexpr std::uintptr_t max_stack = std::uintptr_t{1} << 20;
constexpr std::int64_t max_nanoseconds = 1'000'000'000;
constexpr std::size_t max_matched = 4096;

// The check cannot go on; what() is for people.
struct given_up : std::runtime_error
{
    using runtime_error::runtime_error;
};

// Of the thread: other threads and a stopped machine do not count.
std::int64_t time_used() noexcept
{
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// How far a check may go. The library calls back for each schema that it holds against a value, but
// hands nothing through to there: a check runs on one thread from its begin to its end.
class effort
{
public:
    effort()
        : bottom_(stack())
        , until_(time_used() + max_nanoseconds)
        , outer_(std::exchange(running, this))
    {}
    effort(const effort&) = delete;
    effort& operator=(const effort&) = delete;
    ~effort() { running = outer_; }

    static void step()
    {
        if (running)
            running->take_step();
    }

private:
    [[gnu::noinline]] static std::uintptr_t stack() noexcept
    {
        return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    }

    void take_step()
    {
        const std::uintptr_t here = stack();
        if (std::max(here, bottom_) - std::min(here, bottom_) > max_stack)
            throw given_up("it is nested too deep to be checked");
        // The clock costs as much as many a step.
        constexpr unsigned often = 16;
        if (++steps_ % often == 0 && time_used() > until_)
            throw given_up("checking it takes too long");
    }

    static thread_local effort* running;

    std::uintptr_t bottom_;
    std::int64_t until_;
    unsigned steps_ = 0;
    effort* outer_;
};

thread_local effort* effort::running = nullptr;

// What all constraints of our own have in common.
template <class Own>
class own_constraint : public valijson::constraints::PolyConstraint
{
public:
    bool validate(const Adapter& target, const place& where, results* into) const final
    {
        std::string problem = static_cast<const Own*>(this)->problem_of(target);
        if (problem.empty())
            return true;
        if (into)
            into->pushError(where, problem);
        return false;
    }

private:
    valijson::constraints::Constraint* cloneInto(void* memory) const final
    {
        return new (memory) Own(*static_cast<const Own*>(this));
    }
    std::size_t sizeOf() const final { return sizeof(Own); }
};

template <class Own>
class builder_of final : public valijson::ConstraintBuilder
{
public:
    valijson::constraints::Constraint* make(const Adapter& value) const override
    {
        return new Own(value);
    }
};

class step_constraint final : public own_constraint<step_constraint>
{
public:
    explicit step_constraint(const Adapter&) {}

    [[nodiscard]] std::string problem_of(const Adapter&) const
    {
        effort::step();
        return {};
    }
};

// The library takes 1.0 for no integer, and large integers for nothing at all.
class types_constraint final : public own_constraint<types_constraint>
{
public:
    explicit types_constraint(const Adapter& names)
    {
        names.applyToArray([this](const Adapter& name) {
            allowed_.push_back(name.asString());
            return true;
        });
    }

    [[nodiscard]] std::string problem_of(const Adapter& target) const
    {
        const std::string is = type_of(target);
        std::string expected;
        for (const std::string& type : allowed_) {
            if (type == is || (type == "number" && is == "integer"))
                return {};
            expected += expected.empty() ? "" : " or ";
            expected += type;
        }
        return "Type " + is + " in place of " + expected;
    }

private:
    static std::string type_of(const Adapter& target)
    {
        if (target.isNull())
            return "null";
        if (target.isBool())
            return "boolean";
        if (target.isString())
            return "string";
        if (target.isArray())
            return "array";
        if (target.isObject())
            return "object";
        // Numbers beyond 2^63 have no fraction.
        if (target.isDouble())
            return std::trunc(target.asDouble()) == target.asDouble() ? "integer" : "number";
        return "integer";
    }

    std::vector<std::string> allowed_;
};

// The library knows no multiples of what is small beside the number.
class multiple_constraint final : public own_constraint<multiple_constraint>
{
public:
    explicit multiple_constraint(const Adapter& of)
        : whole_(of.isInteger() ? of.asInteger() : 0)
        , of_(of.isInteger() ? static_cast<double>(whole_) : of.asDouble())
    {}

    [[nodiscard]] std::string problem_of(const Adapter& target) const
    {
        if (!target.isNumber())
            return {};
        const bool multiple = whole_ != 0 && target.isInteger() ? target.asInteger() % whole_ == 0
                                                                : divides(number_in(target));
        return multiple ? std::string() : "Not a multiple of the number it has to be";
    }

private:
    static double number_in(const Adapter& target)
    {
        return target.isInteger() ? static_cast<double>(target.asInteger()) : target.asDouble();
    }

    // 4.35 is a multiple of 0.01, though not in binary.
    [[nodiscard]] bool divides(double number) const
    {
        const double quotient = number / of_;
        if (!std::isfinite(quotient))
            return std::fmod(number, of_) == 0;
        constexpr double near = 4 * std::numeric_limits<double>::epsilon();
        return std::abs(quotient - std::nearbyint(quotient)) <= near * std::abs(quotient);
    }

    std::int64_t whole_;
    double of_;
};

std::wstring wide(const std::string& utf8)
{
    std::wstring text;
    for (std::string_view rest = utf8; !rest.empty();) {
        const rpc::utf8_step step = rpc::decode_utf8(rest);
        text += static_cast<wchar_t>(step.valid ? step.code : 0xfffd);
        rest.remove_prefix(step.length);
    }
    return text;
}

// By Boost.Regex, which needs no stack and gives up an expression that explodes; std::regex, which the
// library uses, does neither.
class pattern_constraint final : public own_constraint<pattern_constraint>
{
public:
    explicit pattern_constraint(const Adapter& pattern)
        : shown_(rpc::escape_foreign(pattern.asString(), 100))
        , expression_(
              std::make_shared<const boost::wregex>(wide(pattern.asString()), boost::regex::perl))
    {}

    [[nodiscard]] std::string problem_of(const Adapter& target) const
    {
        if (!target.isString())
            return {};
        const std::wstring text = wide(target.asString());
        if (text.size() > max_matched)
            throw given_up("it has a string too long to be held against a pattern");
        bool found = false;
        try {
            // As in ECMAScript: one line, and a dot is no line end.
            found = boost::regex_search(
                text, *expression_, boost::match_single_line | boost::match_not_dot_newline);
        } catch (const std::runtime_error&) {
            throw given_up("it has a string that takes too long to be held against a pattern");
        }
        return found ? std::string() : "No match of the pattern " + shown_;
    }

private:
    std::string shown_;
    std::shared_ptr<const boost::wregex> expression_;
};

// "[a/b]", "[0]" as steps of a JSON pointer.
std::string pointer_of(const place& where)
{
    std::string pointer;
    for (const std::string& step : where) {
        if (!step.starts_with('[') || !step.ends_with(']'))
            continue;
        pointer += '/';
        for (const char c : std::string_view(step).substr(1, step.size() - 2)) {
            if (c == '~')
                pointer += "~0";
            else if (c == '/')
                pointer += "~1";
            else
                pointer += c;
        }
    }
    return rpc::escape_foreign(pointer, output_schema::max_text);
}

schema_problem problem(const place& where, std::string_view what)
{
    schema_problem p;
    p.pointer = pointer_of(where);
    if (what.ends_with('.'))
        what.remove_suffix(1);
    p.text = rpc::escape_foreign(what, output_schema::max_text);
    return p;
}

class validator final : public schema_validator
{
public:
    explicit validator(const json::object& translated)
    {
        valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
        const auto know = [&parser](
                              std::string_view keyword, valijson::ConstraintBuilder* builder) {
            parser.addConstraintBuilder(std::string(keyword), builder);
        };
        know(schema_translation::step_keyword, new builder_of<step_constraint>);
        know(schema_translation::types_keyword, new builder_of<types_constraint>);
        know(schema_translation::multiple_keyword, new builder_of<multiple_constraint>);
        know(schema_translation::pattern_keyword, new builder_of<pattern_constraint>);
        const json::value whole(translated);
        parser.populateSchema(valijson::adapters::BoostJsonAdapter(whole), schema_);
    }

    [[nodiscard]] std::vector<schema_problem> check(const json::value& value) const override
    {
        std::vector<schema_problem> found;
        results all;
        try {
            const valijson::adapters::BoostJsonAdapter target(value);
            valijson::Validator library;
            // Most values are right, and telling what is wrong costs more than finding out.
            if (effort first; library.validate(schema_, target, nullptr))
                return found;
            const effort second;
            library.validate(schema_, target, &all);
        } catch (const std::bad_alloc&) {
            throw;
        } catch (const given_up& why) {
            found.push_back(problem({}, why.what()));
        } catch (const std::exception& why) {
            found.push_back(problem({}, std::string("it cannot be checked: ") + why.what()));
        }
        results::Error error;
        while (found.size() != output_schema::max_problems && all.popError(error))
            found.push_back(problem(error.context, error.description));
        if (found.empty())
            found.push_back(problem({}, "it does not match"));
        return found;
    }

private:
    valijson::Schema schema_;
};

} // namespace

std::unique_ptr<const schema_validator> schema_validator::make(
    const json::object& translated, std::string& fault)
{
    try {
        return std::make_unique<const validator>(translated);
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const boost::regex_error&) {
        fault = "has a pattern that is no regular expression";
    } catch (const std::exception& why) {
        fault = "is none that can be checked: " + rpc::escape_foreign(why.what(), 200);
    }
    return nullptr;
}

} // namespace mcp_pool::detail
