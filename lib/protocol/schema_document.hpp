// A JSON Schema as a document: its dialect, and where its references lead.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace mcp_pool::protocol {

// Lifetime: the schema outlives it.
class schema_document
{
public:
    // Beyond these nothing is looked up: people write no schema like it.
    static constexpr std::size_t max_depth = 64;
    static constexpr std::size_t max_values = 20'000;

    explicit schema_document(const json::value& root);

    // What is wrong with the document as a whole; empty if nothing is.
    [[nodiscard]] const std::string& fault() const noexcept { return fault_; }

    // Whether its dialect is draft 7; else it is 2020-12.
    [[nodiscard]] bool draft7() const noexcept { return draft7_; }

    // What a `$ref` leads to: by a JSON pointer, by an anchor, or the root. Null: out of the document, or
    // nowhere; nothing is ever fetched.
    //
    // Source: RFC 6901; JSON Schema 2020-12 core, section 8.2.
    [[nodiscard]] const json::value* target(std::string_view reference) const;

private:
    // `data`: it is no part of the schema, whatever it looks like.
    void walk(const json::value& at, std::size_t depth, bool data);
    void take_keywords(const json::object& schema, bool root);
    void take_dialect();
    [[nodiscard]] const json::value* by_pointer(std::string_view pointer) const;

    const json::value& root_;
    std::string fault_;
    bool draft7_ = false;
    std::size_t values_ = 0;
    // Its `$id`.
    std::string_view id_;
    std::map<std::string_view, const json::value*> anchors_;
};

} // namespace mcp_pool::protocol
