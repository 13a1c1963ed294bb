#include "support/schema_instances.hpp"

#include <boost/json/parse.hpp>

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace mcp_pool::test {

namespace {

// Schemas refer to themselves: what is deeper than this has no entries.
constexpr int max_depth = 12;

class generator
{
public:
    explicit generator(const json::object& definitions)
        : definitions_(definitions)
    {}

    std::vector<json::value> all(const json::object& node, int depth) const
    {
        if (const json::value* ref = node.if_contains("$ref")) {
            constexpr std::string_view prefix = "#/$defs/";
            const json::string_view name = ref->as_string();
            return all(definitions_.at(name.substr(prefix.size())).as_object(), depth);
        }
        for (const char* choice : {"anyOf", "oneOf"})
            if (const json::value* alternatives = node.if_contains(choice))
                return each(alternatives->as_array(), depth);
        if (const json::value* only = node.if_contains("const"))
            return {*only};
        if (const json::value* named = node.if_contains("enum"))
            return {named->as_array().at(0)};
        const json::value* type = node.if_contains("type");
        if (type && type->is_array())
            type = &type->as_array().at(0);
        return of_type(type ? std::string_view(type->as_string()) : "object", node, depth);
    }

private:
    std::vector<json::value> each(const json::array& alternatives, int depth) const
    {
        std::vector<json::value> found;
        for (const json::value& one : alternatives)
            for (json::value& instance : all(one.as_object(), depth))
                found.push_back(std::move(instance));
        return found;
    }

    std::vector<json::value> of_type(
        std::string_view type, const json::object& node, int depth) const
    {
        if (type == "string")
            return {node.contains("format") && node.at("format") == "byte" ? "AAEC" : "text"};
        if (type == "integer")
            return {3};
        if (type == "number")
            return {0.5};
        if (type == "boolean")
            return {true};
        if (type == "null")
            return {nullptr};
        if (type == "array")
            return {array(node, depth)};
        return objects(node, depth);
    }

    // One entry for each alternative.
    json::array array(const json::object& node, int depth) const
    {
        json::array entries;
        if (const json::value* items = node.if_contains("items"); items && depth < max_depth)
            for (json::value& entry : all(items->as_object(), depth + 1))
                entries.push_back(std::move(entry));
        return entries;
    }

    // One object with the first alternative of each property, and one for each further alternative.
    std::vector<json::value> objects(const json::object& node, int depth) const
    {
        json::object first;
        std::vector<json::value> others;
        const json::value* properties = node.if_contains("properties");
        if (!properties || depth == max_depth)
            return {first};
        std::vector<std::pair<std::string, std::vector<json::value>>> further;
        for (const auto& property : properties->as_object()) {
            std::vector<json::value> choices = all(property.value().as_object(), depth + 1);
            first[property.key()] = choices.at(0);
            choices.erase(choices.begin());
            further.emplace_back(property.key(), std::move(choices));
        }
        others.emplace_back(first);
        for (auto& [key, choices] : further)
            for (json::value& choice : choices) {
                json::object other = first;
                other[key] = std::move(choice);
                others.emplace_back(std::move(other));
            }
        return others;
    }

    const json::object& definitions_;
};

class damager
{
public:
    using sink = std::function<void(const json::value&, const std::string&, const std::string&)>;

    damager(json::value whole, const sink& use)
        : whole_(std::move(whole))
        , use_(use)
    {}

    void run() { damage(whole_, ""); }

private:
    void damage(json::value& part, const std::string& path)
    {
        static const std::vector<std::pair<std::string, json::value>> replacements = {
            {"null", nullptr}, {"a boolean", true}, {"a number", -1}, {"a large number", 1e300},
            {"a string", "\xef\xbf\xbd"}, {"an array", json::array{nullptr, 1, json::array{}}},
            {"an object", json::object{{"", nullptr}}}};
        json::value kept = part;
        for (const auto& [name, replacement] : replacements) {
            if (name == "a large number" ? kept.is_double() : same_type(kept, replacement))
                continue;
            part = replacement;
            use_(whole_, path, name);
        }
        part = std::move(kept);
        if (json::array* entries = part.if_array()) {
            for (std::size_t i = 0; i != entries->size(); ++i)
                damage((*entries)[i], path + '/' + std::to_string(i));
        } else if (json::object* members = part.if_object()) {
            const json::object as_it_was = *members;
            for (const auto& member : as_it_was) {
                const std::string below = path + '/' + std::string(member.key());
                damage(members->at(member.key()), below);
                members->erase(member.key());
                use_(whole_, below, "absence");
                *members = as_it_was;
            }
        }
    }

    static bool same_type(const json::value& a, const json::value& b)
    {
        return a.kind() == b.kind() || (a.is_number() && b.is_number());
    }

    json::value whole_;
    const sink& use_;
};

} // namespace

json::value specification(const std::string& file)
{
    const std::string path = std::string(MCP_POOL_SOURCE_DIR "/tests/fixtures/mcp/") + file;
    std::ifstream in(path, std::ios::binary);
    if (!in)
        throw std::runtime_error("there is no " + path);
    return json::parse(std::string(std::istreambuf_iterator<char>(in), {}));
}

std::vector<json::value> instances(const json::value& schema, std::string_view definition)
{
    const json::object& definitions = schema.at("$defs").as_object();
    return generator(definitions)
        .all(
            definitions.at(json::string_view(definition.data(), definition.size())).as_object(), 0);
}

void each_damage(const json::value& whole,
    const std::function<void(const json::value&, const std::string&, const std::string&)>& use)
{
    damager(whole, use).run();
}

} // namespace mcp_pool::test
