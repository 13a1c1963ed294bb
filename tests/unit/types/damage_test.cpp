// Every type of result with everything wrong in it that can be: no accessor throws or leaves the value.
#include "support/schema_instances.hpp"

#include <mcp_pool/types.hpp>

#include <boost/test/unit_test.hpp>

using namespace mcp_pool;
using namespace mcp_pool::test;

namespace {

// Reads all that there is, and remembers how much: nothing is optimised away, and what sanitizers
// watch over has been touched.
class reader_of_everything
{
public:
    [[nodiscard]] std::size_t amount() const noexcept { return amount_; }

    void read(std::string_view text)
    {
        for (const char c : text)
            amount_ += c != '\0' ? 1 : 0;
    }
    void read(bool flag) { amount_ += flag ? 1 : 0; }
    void read(std::optional<std::uint64_t> number) { amount_ += number ? 1 : 0; }
    void read(const json::value& raw) { read(std::string_view(json::serialize(raw))); }
    void read(const json::object& raw) { read(std::string_view(json::serialize(raw))); }
    void read(const std::vector<std::byte>& bytes)
    {
        for (const std::byte b : bytes)
            amount_ += std::to_integer<std::size_t>(b);
    }

    template <class View>
    void read(const view_list<View>& list)
    {
        std::size_t seen = 0;
        for (const View one : list) {
            read(one);
            ++seen;
        }
        BOOST_TEST_REQUIRE(seen == list.size());
        BOOST_TEST_REQUIRE(list.empty() == (seen == 0));
        for (std::size_t i = 0; i != seen + 2; ++i)
            read(list[i]);
    }

    void read(const icon& i)
    {
        read(i.src());
        read(i.mime_type());
        read(i.sizes());
        read(i.theme());
        read(i.raw());
    }
    void read(const annotations& a)
    {
        read(a.audience());
        read(a.priority().has_value());
        read(a.last_modified());
        read(a.raw());
    }
    void read(const resource_contents& c)
    {
        error_code code;
        read(c.uri());
        read(c.mime_type());
        read(c.is_text());
        read(c.is_blob());
        read(c.text());
        read(c.blob());
        read(c.bytes(code));
        BOOST_TEST_REQUIRE((code.failed() || c.is_text() || c.is_blob()));
        read(c.raw());
    }
    void read(const content_block& b)
    {
        error_code code;
        read(to_string(b.kind()));
        read(b.type());
        read(b.text());
        read(b.data());
        read(b.bytes(code));
        read(b.mime_type());
        read(b.uri());
        read(b.name());
        read(b.title());
        read(b.description());
        read(b.size());
        read(b.contents());
        read(b.annotations());
        read(b.raw());
    }
    void read(const prompt_argument& a)
    {
        read(a.name());
        read(a.title());
        read(a.description());
        read(a.required());
        read(a.raw());
    }
    void read(const prompt_message& m)
    {
        read(m.role());
        read(m.content());
        read(m.raw());
    }

    void read(const tool& t)
    {
        read(t.name());
        read(t.title());
        read(t.description());
        read(t.input_schema());
        read(t.output_schema());
        read(t.read_only_hint());
        read(t.destructive_hint());
        read(t.idempotent_hint());
        read(t.open_world_hint());
        read(to_string(t.task_support()));
        read(t.icons());
    }
    void read(const tool_result& r)
    {
        read(r.blocks());
        read(r.structured_content());
        read(r.is_error());
        read(std::string_view(r.text()));
        BOOST_TEST_REQUIRE(r.blocks().size() == r.content().size());
    }
    void read(const resource& r)
    {
        read(r.uri());
        read(r.name());
        read(r.title());
        read(r.description());
        read(r.mime_type());
        read(r.size());
        read(r.annotations());
        read(r.icons());
    }
    void read(const resource_template& t)
    {
        read(t.uri_template());
        read(t.name());
        read(t.title());
        read(t.description());
        read(t.mime_type());
        read(t.annotations());
        read(t.icons());
    }
    void read(const resource_result& r)
    {
        read(r.contents());
        read(std::string_view(r.text()));
    }
    void read(const prompt& p)
    {
        read(p.name());
        read(p.title());
        read(p.description());
        read(p.arguments());
        read(p.icons());
    }
    void read(const prompt_result& r)
    {
        read(r.description());
        read(r.messages());
    }
    void read(const completion& c)
    {
        read(c.values());
        read(c.total());
        read(c.has_more());
    }

private:
    std::size_t amount_ = 0;
};

// Which accessors read what a definition of the schema describes.
struct pairing
{
    const char* definition;
    void (*read)(reader_of_everything&, const json::value&);
};

template <class Type>
void read_as(reader_of_everything& reader, const json::value& raw)
{
    const Type typed(raw);
    reader.read(typed);
    BOOST_TEST_REQUIRE((typed.raw() == raw));
}

constexpr pairing pairings[] = {
    {"Tool", read_as<tool>},
    {"CallToolResult", read_as<tool_result>},
    {"Resource", read_as<resource>},
    {"ResourceTemplate", read_as<resource_template>},
    {"ReadResourceResult", read_as<resource_result>},
    {"Prompt", read_as<prompt>},
    {"GetPromptResult", read_as<prompt_result>},
    {"CompleteResult", read_as<completion>},
};

// Reads every instance with everything that can be wrong in it; returns how much that was.
std::size_t damages_read(const pairing& pair, const json::value& schema)
{
    std::size_t damages = 0;
    for (const json::value& whole : instances(schema, pair.definition)) {
        reader_of_everything undamaged;
        pair.read(undamaged, whole);
        BOOST_TEST(undamaged.amount() > 0u);
        each_damage(whole, [&](const json::value& damaged, const auto&, const auto&) {
            reader_of_everything reader;
            pair.read(reader, damaged);
            ++damages;
        });
    }
    return damages;
}

} // namespace

BOOST_AUTO_TEST_SUITE(damaged_results)

BOOST_AUTO_TEST_CASE(are_read_without_an_exception)
{
    for (const char* file : {"schema-2025-11-25.json", "schema-2026-07-28.json"}) {
        const json::value schema = specification(file);
        for (const pairing& pair : pairings)
            BOOST_TEST(damages_read(pair, schema) >= 40u, file << ": " << pair.definition);
    }
}

BOOST_AUTO_TEST_CASE(lose_what_is_wrong_and_nothing_else)
{
    const json::value schema = specification("schema-2025-11-25.json");
    const json::value whole = instances(schema, "Tool").at(0);
    BOOST_TEST(tool(whole).description() == "text");
    std::size_t seen = 0;
    each_damage(
        whole, [&](const json::value& damaged, const std::string& path, const std::string&) {
            if (path.empty())
                return;
            const tool t(damaged);
            BOOST_TEST(t.name() == (path == "/name" ? "" : "text"));
            BOOST_TEST(t.description() == (path == "/description" ? "" : "text"));
            BOOST_TEST(t.title() == "text");
            BOOST_TEST(t.input_schema().empty() == (path == "/inputSchema"));
            BOOST_TEST(t.output_schema().empty() == (path == "/outputSchema"));
            BOOST_TEST(t.read_only_hint()
                == (path != "/annotations" && path != "/annotations/readOnlyHint"));
            BOOST_TEST(t.destructive_hint());
            ++seen;
        });
    BOOST_TEST(seen > 100u);
}

BOOST_AUTO_TEST_SUITE_END()
