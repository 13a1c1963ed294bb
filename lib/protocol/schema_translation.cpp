#include "protocol/schema_translation.hpp"

#include "protocol/schema_translator.hpp"
#include "rpc/json_text.hpp"
#include "rpc/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace mcp_pool::protocol {

namespace {

using rpc::json_view;
using rpc::view;

constexpr std::size_t max_place = 200;

std::string without_nul(std::string_view text)
{
    std::string plain(text);
    std::replace(plain.begin(), plain.end(), '\0', '\x1a');
    return plain;
}

} // namespace

schema_translation schema_translator::run()
{
    out_.fault = document_.fault();
    json::object definitions;
    if (ok())
        number_of(&root_, "");
    for (here_ = 0; ok() && here_ != targets_.size(); ++here_) {
        const target next = targets_[here_];
        definitions[std::to_string(here_)] = schema(*next.at, next.place, true);
    }
    if (ok() && goes_in_circles())
        fail("refers to itself without end", "");
    if (ok()) {
        json::array all;
        all.emplace_back(reference_to(0));
        out_.schema["allOf"] = std::move(all);
        out_.schema["definitions"] = std::move(definitions);
    }
    return std::move(out_);
}

void schema_translator::fail(std::string_view what, std::string_view place)
{
    if (!ok())
        return;
    out_.fault = what;
    if (!place.empty())
        out_.fault += ", at " + rpc::escape_foreign(place, max_place);
}

void schema_translator::wrong(const part& p, std::string_view key)
{
    fail("has a value that the keyword " + std::string(key) + " cannot have", place_below(p, key));
}

std::string schema_translator::place_below(const part& p, std::string_view key)
{
    std::string place = p.place;
    place += '/';
    place += key;
    return place;
}

json::object schema_translator::nothing()
{
    json::object schema;
    schema["not"] = json::object();
    return schema;
}

json::object schema_translator::reference_to(std::size_t number)
{
    json::object reference;
    reference["$ref"] = "#/definitions/" + std::to_string(number);
    return reference;
}

std::size_t schema_translator::number_of(const json::value* at, std::string_view place)
{
    const auto known = std::find_if(
        targets_.begin(), targets_.end(), [at](const target& t) { return t.at == at; });
    const auto number = static_cast<std::size_t>(known - targets_.begin());
    if (known == targets_.end()) {
        targets_.push_back({at, std::string(place)});
        if (targets_.size() > schema_limits::references)
            fail("has references to more than " + std::to_string(schema_limits::references)
                    + " places",
                "");
    }
    return number;
}

json::object schema_translator::schema(
    const json::value& from, const std::string& place, bool in_place)
{
    json::object to;
    if (++schemas_ > schema_limits::schemas)
        fail("has more than " + std::to_string(schema_limits::schemas) + " parts", "");
    if (!ok())
        return to;
    if (const bool* const anything = from.if_bool()) {
        return *anything ? to : nothing();
    }
    const json::object* const object = from.if_object();
    if (!object) {
        fail("has something that is no schema", place);
        return to;
    }
    json::array all;
    json::object step;
    step[json_view(schema_translation::step_keyword)] = true;
    all.emplace_back(std::move(step));
    part p{*object, to, all, place, in_place};
    const bool draft7 = document_.draft7();
    const json::value* const lone = draft7 ? object->if_contains("$ref") : nullptr;
    if (lone) {
        reference(p, "$ref", *lone);
    } else {
        for (const keyword& k : keywords())
            if (const json::value* const value = object->if_contains(json_view(k.name));
                value && k.where != (draft7 ? keyword::only_2020 : keyword::only_draft7))
                (this->*k.translate)(p, k.name, *value);
    }
    to["allOf"] = std::move(all);
    return to;
}

json::object schema_translator::child(
    const part& p, std::string_view key, const json::value& value, bool in_place)
{
    return schema(value, place_below(p, key), in_place && p.in_place);
}

json::array schema_translator::children(
    part& p, std::string_view key, const json::value& value, bool in_place)
{
    json::array to;
    const json::array* const from = value.if_array();
    if (!from || from->empty())
        wrong(p, key);
    else
        for (const json::value& element : *from)
            to.emplace_back(child(p, key, element, in_place));
    return to;
}

bool schema_translator::goes_in_circles()
{
    for (bool changed = true; changed && !circles_.empty();) {
        const auto leads_on = [this](std::size_t from) {
            return std::any_of(circles_.begin(), circles_.end(),
                [from](const auto& edge) { return edge.first == from; });
        };
        std::vector<bool> on(targets_.size());
        for (std::size_t i = 0; i != on.size(); ++i)
            on[i] = leads_on(i);
        changed = std::erase_if(circles_, [&](const auto& edge) { return !on[edge.second]; }) > 0;
    }
    return !circles_.empty();
}

schema_translation translate_schema(const json::value& schema)
{
    return schema_translator(schema).run();
}

json::value comparable(const json::value& value)
{
    // 2^63 and more are no integers any more.
    constexpr double beyond = 9223372036854775808.0;
    if (const double* const d = value.if_double())
        return std::trunc(*d) == *d && std::abs(*d) < beyond
            ? json::value(static_cast<std::int64_t>(*d))
            : value;
    if (const std::uint64_t* const u = value.if_uint64())
        return *u <= std::uint64_t{INT64_MAX} ? json::value(static_cast<std::int64_t>(*u))
                                              : json::value(static_cast<double>(*u));
    if (const json::string* const text = value.if_string())
        return json::value(without_nul(view(*text)));
    if (const json::array* const array = value.if_array()) {
        json::array to;
        to.reserve(array->size());
        for (const json::value& element : *array)
            to.emplace_back(comparable(element));
        return to;
    }
    if (const json::object* const object = value.if_object()) {
        json::object to;
        to.reserve(object->size());
        for (const auto& member : *object)
            to[without_nul(view(member.key()))] = comparable(member.value());
        return to;
    }
    return value;
}

} // namespace mcp_pool::protocol
