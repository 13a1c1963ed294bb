// A schema on the first line, results on the others: whatever they are, a schema is checked or says why
// not, and a check ends within its bounds.
#include "demand.hpp"
#include "protocol/schema_translation.hpp"

#include <mcp_pool/output_schema.hpp>

#include <boost/json/parse.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

using namespace mcp_pool;

namespace {

json::value parsed(std::string_view text)
{
    json::parse_options deep;
    deep.max_depth = 256;
    error_code failure;
    json::value v = json::parse(
        json::string_view(text.data(), text.size()), failure, json::storage_ptr(), deep);
    return failure ? json::value() : v;
}

// What is told is one line of bounded length.
bool printable(const std::string& text)
{
    return text.size() < 1000
        && std::all_of(text.begin(), text.end(), [](char c) { return c < 0 || c >= 0x20; });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    std::string_view rest(reinterpret_cast<const char*>(bytes), size);
    const auto line = [&rest] {
        const std::string_view first = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(first.size() + 1, rest.size()));
        return first;
    };
    json::object of;
    of["outputSchema"] = parsed(line());
    const json::value given = of["outputSchema"];
    const output_schema schema{tool(json::value(std::move(of)))};
    demand(schema.checked() == schema.reason().empty() && printable(schema.reason()));
    const protocol::schema_translation translated = protocol::translate_schema(given);
    demand(!schema.checked() || translated.fault.empty());
    demand(translated.fault.empty() != translated.schema.empty());
    while (!rest.empty()) {
        json::object result;
        result["structuredContent"] = parsed(line());
        const tool_result whole{json::value(std::move(result))};
        const auto problems = schema.check(whole);
        demand(problems.size() <= output_schema::max_problems);
        demand(schema.checked() || problems.empty());
        for (const schema_problem& p : problems)
            demand(!p.text.empty() && printable(p.text) && printable(p.pointer)
                && (p.pointer.empty() || p.pointer.front() == '/'));
        demand(schema.check(whole).size() == problems.size());
    }
    return 0;
}
