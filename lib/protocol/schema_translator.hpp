// The work behind translate_schema(): one function for each kind of keyword.
#pragma once

#include "protocol/schema_document.hpp"
#include "protocol/schema_translation.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_pool::protocol {

// Translates one schema. The first fault ends it: what goes on until it is noticed is bounded.
class schema_translator
{
public:
    explicit schema_translator(const json::value& root)
        : root_(root)
        , document_(root)
    {}

    schema_translation run();

private:
    // A schema that is being translated.
    struct part
    {
        const json::object& from;
        json::object& to;
        // What has to hold besides: draft 7 has each keyword once, and nothing beside `$ref`.
        json::array& all;
        const std::string& place;
        // It is held against the same value as the definition that it is a part of.
        bool in_place;
    };

    using handler = void (schema_translator::*)(part&, std::string_view, const json::value&);

    struct keyword
    {
        std::string_view name;
        enum { both, only_2020, only_draft7 } where;
        handler translate;
    };

    struct target
    {
        const json::value* at;
        std::string place;
    };

    // Of the document: schema_translation.cpp.
    [[nodiscard]] bool ok() const noexcept { return out_.fault.empty(); }
    void fail(std::string_view what, std::string_view place);
    void wrong(const part& p, std::string_view key);
    static std::string place_below(const part& p, std::string_view key);
    // What no value matches.
    static json::object nothing();
    static json::object reference_to(std::size_t number);
    std::size_t number_of(const json::value* at, std::string_view place);
    json::object schema(const json::value& from, const std::string& place, bool in_place);
    // The schemas of a list; wrong() where it is none.
    json::array children(part& p, std::string_view key, const json::value& value, bool in_place);
    json::object child(
        const part& p, std::string_view key, const json::value& value, bool in_place);
    // Whether a definition leads back to itself without going deeper into the value: takes away what
    // leads nowhere until nothing changes.
    [[nodiscard]] bool goes_in_circles();

    // Of each keyword: schema_keywords.cpp.
    // What is not there describes and demands nothing, or belongs to another keyword.
    static const std::initializer_list<keyword>& keywords();
    void reference(part& p, std::string_view key, const json::value& value);
    void unknown(part& p, std::string_view key, const json::value&);
    void list(part& p, std::string_view key, const json::value& value);
    void same_value(part& p, std::string_view key, const json::value& value);
    void condition(part& p, std::string_view key, const json::value& value);
    void types(part& p, std::string_view key, const json::value& value);
    void values(part& p, std::string_view key, const json::value& value);
    void members(part& p, std::string_view key, const json::value& value);
    void below(part& p, std::string_view key, const json::value& value);
    void names_of_members(part& p, std::string_view key, const json::value& value);
    void unevaluated(part& p, std::string_view key, const json::value& value);
    void names(part& p, std::string_view key, const json::value& value);
    static bool are_names(const json::value& value) noexcept;
    void dependent(part& p, std::string_view key, const json::value& value);
    void elements(part& p, std::string_view key, const json::value& value);
    void contains(part& p, std::string_view key, const json::value& value);
    void size(part& p, std::string_view key, const json::value& value);
    void number(part& p, std::string_view key, const json::value& value);
    void multiple(part& p, std::string_view key, const json::value& value);
    void unique(part& p, std::string_view key, const json::value& value);
    void pattern(part& p, std::string_view key, const json::value& value);

    const json::value& root_;
    const schema_document document_;
    schema_translation out_;
    std::vector<target> targets_;
    // Which of `targets_` is being translated.
    std::size_t here_ = 0;
    std::size_t schemas_ = 0;
    // From which definition to which, for the same value.
    std::vector<std::pair<std::size_t, std::size_t>> circles_;
};

} // namespace mcp_pool::protocol
