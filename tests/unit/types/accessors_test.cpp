// Results as the specification's own examples show them, read through their accessors.
#include "support/schema_instances.hpp"

#include <mcp_pool/types.hpp>

#include <boost/test/unit_test.hpp>

using namespace mcp_pool;
using namespace mcp_pool::test;

namespace {

json::value example(const std::string& file)
{
    return specification("examples-2026-07-28/" + file);
}

// The first bytes of a PNG file.
const std::vector<std::byte> png_signature = {std::byte{0x89}, std::byte{'P'}, std::byte{'N'},
    std::byte{'G'}, std::byte{0x0d}, std::byte{0x0a}, std::byte{0x1a}, std::byte{0x0a}};

bool begins_as_png(const std::vector<std::byte>& bytes)
{
    return bytes.size() > png_signature.size()
        && std::equal(png_signature.begin(), png_signature.end(), bytes.begin());
}

std::vector<std::string_view> all(const view_list<std::string_view>& list)
{
    return {list.begin(), list.end()};
}

std::string complaint_about(const content_block& block)
{
    error_code code;
    BOOST_TEST(block.bytes(code).empty());
    BOOST_TEST((code == errc::protocol_error));
    try {
        return "nothing was thrown, and bytes came: " + std::to_string(block.bytes().size());
    } catch (const error& e) {
        return e.what();
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(tools)

BOOST_AUTO_TEST_CASE(a_tool_says_what_the_server_says)
{
    const json::value page = example("ListToolsResult/tools-list-with-cursor-and-ttl.json");
    const tool t(page.at("tools").at(0));
    BOOST_TEST(t.name() == "get_weather");
    BOOST_TEST(t.title() == "Weather Information Provider");
    BOOST_TEST(t.description() == "Get current weather information for a location");
    BOOST_TEST(t.input_schema().at("required").at(0) == "location");
    BOOST_TEST(t.output_schema().empty());
    BOOST_TEST_REQUIRE(t.icons().size() == 1u);
    const icon i = t.icons()[0];
    BOOST_TEST(i.src() == "https://example.com/weather-icon.png");
    BOOST_TEST(i.mime_type() == "image/png");
    BOOST_TEST(all(i.sizes()) == (std::vector<std::string_view>{"48x48"}),
        boost::test_tools::per_element());
    BOOST_TEST(i.theme().empty());
    BOOST_TEST((t.raw() == page.at("tools").at(0)));
    BOOST_TEST(tool(example("Tool/tool-with-array-output-schema.json")).output_schema().at("type")
        == "array");
}

BOOST_AUTO_TEST_CASE(hints_that_are_not_given_have_the_defaults_of_the_specification)
{
    const tool silent(json::parse(R"({"name":"t"})"));
    BOOST_TEST(!silent.read_only_hint());
    BOOST_TEST(silent.destructive_hint());
    BOOST_TEST(!silent.idempotent_hint());
    BOOST_TEST(silent.open_world_hint());
    const tool opposite(json::parse(R"({"annotations":{"readOnlyHint":true,
        "destructiveHint":false,"idempotentHint":true,"openWorldHint":false}})"));
    BOOST_TEST(opposite.read_only_hint());
    BOOST_TEST(!opposite.destructive_hint());
    BOOST_TEST(opposite.idempotent_hint());
    BOOST_TEST(!opposite.open_world_hint());
}

BOOST_AUTO_TEST_CASE(the_title_of_a_tool_falls_back_to_its_annotations_and_then_to_its_name)
{
    BOOST_TEST(tool(json::parse(R"({"name":"n","title":"t","annotations":{"title":"a"}})")).title()
        == "t");
    BOOST_TEST(tool(json::parse(R"({"name":"n","annotations":{"title":"a"}})")).title() == "a");
    BOOST_TEST(tool(json::parse(R"({"name":"n","title":7})")).title() == "n");
}

BOOST_AUTO_TEST_CASE(a_tool_says_whether_it_is_called_as_a_task)
{
    const auto support = [](const char* raw) {
        return to_string(tool(json::parse(raw)).task_support());
    };
    BOOST_TEST(support("{}") == "forbidden");
    BOOST_TEST(support(R"({"execution":{"taskSupport":"optional"}})") == "optional");
    BOOST_TEST(support(R"({"execution":{"taskSupport":"required"}})") == "required");
    BOOST_TEST(support(R"({"execution":{"taskSupport":"sometimes"}})") == "forbidden");
}

BOOST_AUTO_TEST_CASE(a_result_gives_text_and_structure)
{
    const tool_result weather(example("CallToolResult/result-with-structured-content.json"));
    BOOST_TEST(weather.structured_content().at("humidity") == 65);
    BOOST_TEST(!weather.is_error());
    BOOST_TEST(weather.blocks().size() == 1u);
    BOOST_TEST(weather.text().find("Partly cloudy") != std::string::npos);
    const tool_result refused(example("CallToolResult/invalid-tool-input-error.json"));
    BOOST_TEST(refused.is_error());
    BOOST_TEST(refused.text().starts_with("Invalid departure date"));
    const tool_result users(example("CallToolResult/result-with-array-structured-content.json"));
    BOOST_TEST(users.structured_content().at(1).at("name") == "Bob");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(content)

BOOST_AUTO_TEST_CASE(each_kind_of_block_is_told_from_the_others)
{
    json::array blocks;
    for (const char* file :
        {"TextContent/text-content.json", "ImageContent/image-png-content-with-annotations.json",
            "AudioContent/audio-wav-content.json", "ResourceLink/file-resource-link.json",
            "EmbeddedResource/embedded-file-resource-with-annotations.json"})
        blocks.push_back(example(file));
    blocks.push_back(json::parse(R"({"type":"hologram","text":"no","data":"AAEC","more":[1]})"));
    json::object whole;
    whole["content"] = blocks;
    const tool_result result{json::value(whole)};
    std::vector<std::string_view> kinds;
    for (const content_block block : result.blocks())
        kinds.push_back(to_string(block.kind()));
    BOOST_TEST(kinds
            == (std::vector<std::string_view>{
                "text", "image", "audio", "resource_link", "resource", "unknown"}),
        boost::test_tools::per_element());

    const auto view = result.blocks();
    BOOST_TEST(view[0].text() == "Tool result text");
    BOOST_TEST(view[1].mime_type() == "image/png");
    BOOST_TEST(begins_as_png(view[1].bytes()));
    BOOST_TEST(*view[1].annotations().priority() == 0.9);
    BOOST_TEST(view[2].mime_type() == "audio/wav");
    BOOST_TEST(view[2].bytes().size() == 44u);
    BOOST_TEST(view[3].uri() == "file:///project/src/main.rs");
    BOOST_TEST(view[3].name() == "main.rs");
    BOOST_TEST(view[3].title() == "main.rs");
    BOOST_TEST(view[3].description() == "Primary application entry point");
    BOOST_TEST(!view[3].size().has_value());
    BOOST_TEST(view[4].uri() == "file:///project/src/main.rs");
    BOOST_TEST(view[4].mime_type() == "text/x-rust");
    BOOST_TEST(view[4].contents().text().starts_with("fn main()"));
    BOOST_TEST(all(view[4].annotations().audience())
            == (std::vector<std::string_view>{"user", "assistant"}),
        boost::test_tools::per_element());
    BOOST_TEST(view[4].annotations().last_modified() == "2025-05-03T14:30:00Z");
    BOOST_TEST(result.text() == "Tool result text");
}

BOOST_AUTO_TEST_CASE(a_block_of_an_unknown_kind_is_kept_and_says_so)
{
    const json::value raw = json::parse(R"({"type":"hologram","text":"no","data":"AAEC","m":[1]})");
    const content_block block(raw);
    BOOST_TEST(block.type() == "hologram");
    BOOST_TEST((block.kind() == content_kind::unknown));
    BOOST_TEST(block.text().empty());
    BOOST_TEST(block.data().empty());
    BOOST_TEST((block.raw() == raw));
    BOOST_TEST((content_block().kind() == content_kind::unknown));
    BOOST_TEST(content_block().raw().is_null());
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_base64_or_not_there_are_an_error_and_no_empty_file)
{
    const json::value broken = json::parse(R"({"type":"image","data":"AAE?"})");
    BOOST_TEST(complaint_about(content_block(broken)).find("byte 3 of 4") != std::string::npos);
    const json::value missing = json::parse(R"({"type":"image"})");
    BOOST_TEST(complaint_about(content_block(missing)).find("\"data\"") != std::string::npos);
    const json::value neither = json::parse(R"({"uri":"a:b"})");
    error_code code;
    BOOST_TEST(resource_contents(neither).bytes(code).empty());
    BOOST_TEST((code == errc::protocol_error));
    const json::value empty = json::parse(R"({"blob":""})");
    BOOST_TEST(resource_contents(empty).bytes(code).empty());
    BOOST_TEST(!code);
}

BOOST_AUTO_TEST_CASE(a_priority_outside_of_its_range_is_none)
{
    for (const char* raw : {R"({"priority":-0.1})", R"({"priority":2})", R"({"priority":"1"})"}) {
        const json::value v = json::parse(raw);
        BOOST_TEST(!annotations(v).priority().has_value());
    }
    const json::value whole = json::parse(R"({"priority":1})");
    BOOST_TEST(*annotations(whole).priority() == 1.0);
}

BOOST_AUTO_TEST_CASE(a_list_past_its_end_reads_as_nothing)
{
    const tool_result none;
    BOOST_TEST(none.blocks().empty());
    BOOST_TEST(none.blocks()[0].raw().is_null());
    const tool_result one(example("CallToolResult/result-with-unstructured-text.json"));
    BOOST_TEST(one.blocks()[1].type().empty());
    BOOST_TEST(one.blocks()[std::string::npos].type().empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(resources)

BOOST_AUTO_TEST_CASE(a_resource_says_what_the_server_says)
{
    const resource readme(example("Resource/file-resource-with-annotations.json"));
    BOOST_TEST(readme.uri() == "file:///project/README.md");
    BOOST_TEST(readme.name() == "README.md");
    BOOST_TEST(readme.title() == "Project Documentation");
    BOOST_TEST(readme.mime_type() == "text/markdown");
    BOOST_TEST(*readme.annotations().priority() == 0.8);
    BOOST_TEST(all(readme.annotations().audience()) == (std::vector<std::string_view>{"user"}),
        boost::test_tools::per_element());
    const json::value page = example("ListResourcesResult/resources-list-with-cursor-and-ttl.json");
    const resource listed(page.at("resources").at(0));
    BOOST_TEST(listed.description() == "Primary application entry point");
    BOOST_TEST(listed.icons()[0].src() == "https://example.com/rust-file-icon.png");
}

BOOST_AUTO_TEST_CASE(a_size_is_a_whole_number_however_it_was_written)
{
    const auto size = [](const char* raw) { return resource(json::parse(raw)).size(); };
    BOOST_TEST(*size(R"({"size":12})") == 12u);
    BOOST_TEST(*size(R"({"size":12.0})") == 12u);
    BOOST_TEST(*size(R"({"size":18446744073709551615})") == 18446744073709551615u);
    for (const char* raw : {R"({})", R"({"size":-1})", R"({"size":1.5})", R"({"size":1e300})",
             R"({"size":"12"})", R"({"size":null})"})
        BOOST_TEST(!size(raw).has_value(), raw);
}

BOOST_AUTO_TEST_CASE(a_template_says_what_the_server_says)
{
    const json::value page = example(
        "ListResourceTemplatesResult/resource-templates-list-with-cursor-and-ttl.json");
    const resource_template files(page.at("resourceTemplates").at(0));
    BOOST_TEST(files.uri_template() == "file:///{path}");
    BOOST_TEST(files.name() == "Project Files");
    BOOST_TEST(files.title() == "\xf0\x9f\x93\x81 Project Files");
    BOOST_TEST(files.mime_type() == "application/octet-stream");
    BOOST_TEST(files.icons().size() == 1u);
    BOOST_TEST(!files.annotations().priority().has_value());
}

BOOST_AUTO_TEST_CASE(contents_are_text_or_bytes)
{
    const resource_result source(example("ReadResourceResult/file-resource-contents.json"));
    BOOST_TEST_REQUIRE(source.contents().size() == 1u);
    BOOST_TEST(source.contents()[0].is_text());
    BOOST_TEST(source.contents()[0].uri() == "file:///project/src/main.rs");
    BOOST_TEST(source.text() == source.contents()[0].text());
    BOOST_TEST(source.contents()[0].bytes().size() == source.text().size());
    const json::value image = example("BlobResourceContents/image-file-contents.json");
    BOOST_TEST(resource_contents(image).is_blob());
    BOOST_TEST(!resource_contents(image).is_text());
    BOOST_TEST(begins_as_png(resource_contents(image).bytes()));
    const json::value text = example("TextResourceContents/text-file-contents.json");
    BOOST_TEST(resource_contents(text).mime_type() == "text/plain");
    BOOST_TEST(!resource_contents(text).is_blob());
    BOOST_TEST(resource_contents(text).blob().empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(prompts_and_completion)

BOOST_AUTO_TEST_CASE(a_prompt_says_which_arguments_it_takes)
{
    const json::value page = example("ListPromptsResult/prompts-list-with-cursor-and-ttl.json");
    const prompt review(page.at("prompts").at(0));
    BOOST_TEST(review.name() == "code_review");
    BOOST_TEST(review.title() == "Request Code Review");
    BOOST_TEST_REQUIRE(review.arguments().size() == 1u);
    const prompt_argument code = review.arguments()[0];
    BOOST_TEST(code.name() == "code");
    BOOST_TEST(code.title() == "code");
    BOOST_TEST(code.description() == "The code to review");
    BOOST_TEST(code.required());
    BOOST_TEST(!prompt_argument().required());
    BOOST_TEST(review.icons()[0].sizes()[0] == "any");
}

BOOST_AUTO_TEST_CASE(a_prompt_becomes_messages_with_role_and_content)
{
    const prompt_result review(example("GetPromptResult/code-review-prompt.json"));
    BOOST_TEST(review.description() == "Code review prompt");
    BOOST_TEST_REQUIRE(review.messages().size() == 1u);
    const prompt_message first = review.messages()[0];
    BOOST_TEST(first.role() == "user");
    BOOST_TEST((first.content().kind() == content_kind::text));
    BOOST_TEST(first.content().text().starts_with("Please review"));
    BOOST_TEST((prompt_message().content().kind() == content_kind::unknown));
}

BOOST_AUTO_TEST_CASE(a_completion_gives_its_values_and_says_whether_there_are_more)
{
    const completion some(
        example("CompleteResult/multiple-completion-values-with-more-available.json"));
    BOOST_TEST(all(some.values()) == (std::vector<std::string_view>{"python", "pytorch", "pyside"}),
        boost::test_tools::per_element());
    BOOST_TEST(*some.total() == 10u);
    BOOST_TEST(some.has_more());
    const completion one(example("CompleteResult/single-completion-value.json"));
    BOOST_TEST(!one.has_more());
    const completion odd(json::parse(R"({"completion":{"values":["a",7,"b"]}})"));
    BOOST_TEST(all(odd.values()) == (std::vector<std::string_view>{"a", "", "b"}),
        boost::test_tools::per_element());
    BOOST_TEST(!odd.total().has_value());
}

BOOST_AUTO_TEST_CASE(every_log_level_has_the_name_of_the_protocol)
{
    const json::value schema = specification("schema-2025-11-25.json");
    std::vector<std::string_view> ours;
    for (int i = 0; i <= static_cast<int>(log_level::emergency); ++i)
        ours.push_back(to_string(static_cast<log_level>(i)));
    std::vector<std::string_view> theirs;
    for (const json::value& name : schema.at("$defs").at("LoggingLevel").at("enum").as_array())
        theirs.emplace_back(name.as_string());
    std::sort(ours.begin(), ours.end());
    std::sort(theirs.begin(), theirs.end());
    BOOST_TEST(ours == theirs, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
