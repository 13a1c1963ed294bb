// Lists that come in pages, and what results must have.
#include "protocol/listing.hpp"
#include "protocol/result_shape.hpp"

#include <boost/test/unit_test.hpp>

using namespace mcp_pool;
using namespace mcp_pool::protocol;

namespace {

listing_limits at_most(std::size_t pages, std::size_t bytes)
{
    listing_limits limits;
    limits.pages = pages;
    limits.bytes = bytes;
    return limits;
}

json::value page(const std::string& entries, const std::string& cursor)
{
    return json::parse(R"({"prompts":)" + entries + R"(,"nextCursor":)" + cursor + "}");
}

} // namespace

BOOST_AUTO_TEST_SUITE(a_list_of_pages)

BOOST_AUTO_TEST_CASE(is_put_together_in_order_with_each_cursor_sent_back)
{
    listing list("prompts/list");
    BOOST_TEST(list.params().empty());
    BOOST_TEST(list.take(page("[1,2]", "\"\"")));
    BOOST_TEST(list.params().at("cursor") == "");
    BOOST_TEST(list.take(page("[]", "\"b\"")));
    BOOST_TEST(list.params().at("cursor") == "b");
    BOOST_TEST(!list.take(page("[3]", "null")));
    BOOST_TEST(list.fault() == "");
    BOOST_TEST((list.entries() == json::array{1, 2, 3}));
}

BOOST_AUTO_TEST_CASE(keeps_entries_that_are_no_objects)
{
    listing list("prompts/list");
    BOOST_TEST(!list.take(json::parse(R"({"prompts":[{"name":"a"},null,"b",[]]})")));
    BOOST_TEST((list.entries() == json::parse(R"([{"name":"a"},null,"b",[]])").as_array()));
}

BOOST_AUTO_TEST_CASE(that_repeats_its_cursor_is_refused)
{
    listing list("prompts/list");
    BOOST_TEST(list.take(page("[]", "\"\"")));
    BOOST_TEST(!list.take(page("[]", "\"\"")));
    BOOST_TEST(list.fault() == "the server repeats its cursor");
}

BOOST_AUTO_TEST_CASE(that_has_too_many_pages_is_refused_unless_it_ends_there)
{
    for (const bool ends : {true, false}) {
        listing list("prompts/list", at_most(3, 1000));
        BOOST_TEST(list.take(page("[]", "\"1\"")));
        BOOST_TEST(list.take(page("[]", "\"2\"")));
        BOOST_TEST(!list.take(page("[]", ends ? "null" : "\"3\"")));
        BOOST_TEST(list.fault() == (ends ? "" : "the list does not end after 3 pages"));
    }
}

BOOST_AUTO_TEST_CASE(that_grows_without_end_is_refused_whatever_its_entries_are_made_of)
{
    const std::string long_text(40, 'x');
    for (const std::string& entry :
        {'"' + long_text + '"', "[\"" + long_text + "\"]", R"({"a":")" + long_text + "\"}",
            "{\"" + long_text + "\":null}", std::string("[0,0,0,0,0,0,0,0,0,0]")}) {
        listing list("prompts/list", at_most(1000, 100));
        int taken = 1;
        while (list.take(page('[' + entry + ']', '"' + std::to_string(taken) + '"')))
            ++taken;
        BOOST_TEST(list.fault() == "the list does not end after 100 bytes");
        BOOST_TEST(taken >= 2);
        BOOST_TEST(taken <= 3);
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(the_shape_of_a_result)

BOOST_AUTO_TEST_CASE(is_right_with_the_members_that_the_specification_requires)
{
    const auto fault = [](std::string_view method, const char* result) {
        return fault_of_shape(method, json::parse(result));
    };
    BOOST_TEST(fault("tools/list", R"({"tools":[]})") == "");
    BOOST_TEST(fault("tools/list", R"({"tools":[7],"nextCursor":"a"})") == "");
    BOOST_TEST(fault("resources/list", R"({"resources":[]})") == "");
    BOOST_TEST(fault("resources/templates/list", R"({"resourceTemplates":[]})") == "");
    BOOST_TEST(fault("prompts/list", R"({"prompts":[],"nextCursor":null})") == "");
    BOOST_TEST(fault("resources/read", R"({"contents":[]})") == "");
    BOOST_TEST(fault("prompts/get", R"({"messages":[]})") == "");
    BOOST_TEST(fault("completion/complete", R"({"completion":{"values":[]}})") == "");
    BOOST_TEST(fault("tools/call", R"({"content":[]})") == "");
    BOOST_TEST(fault("tools/call", "{}") == "");
    BOOST_TEST(fault("vendor/anything", "{}") == "");
    // What some languages write for an empty list.
    BOOST_TEST(fault("tools/list", R"({"tools":null})") == "");
    BOOST_TEST(fault("tools/call", R"({"content":null})") == "");
    BOOST_TEST(fault("completion/complete", R"({"completion":{"values":null}})") == "");
}

BOOST_AUTO_TEST_CASE(is_wrong_without_them_and_says_what_came_and_what_was_expected)
{
    const auto fault = [](std::string_view method, const char* result) {
        return fault_of_shape(method, json::parse(result));
    };
    BOOST_TEST(
        fault("tools/list", "{}") == "it has no member \"tools\", and an array was expected");
    BOOST_TEST(fault("tools/list", R"({"tools":"none"})")
        == "its member \"tools\" is a string, and an array was expected");
    BOOST_TEST(fault("tools/list", R"({"tools":[],"nextCursor":7})")
        == "its member \"nextCursor\" is a number, and a string was expected");
    BOOST_TEST(fault("resources/read", R"({"contents":{}})")
        == "its member \"contents\" is an object, and an array was expected");
    BOOST_TEST(fault("prompts/get", R"({"messages":true})")
        == "its member \"messages\" is a boolean, and an array was expected");
    BOOST_TEST(fault("tools/call", R"({"content":"text"})")
        == "its member \"content\" is a string, and an array was expected");
    BOOST_TEST(fault("completion/complete", R"({"completion":null})")
        == "its member \"completion\" is null, and an object was expected");
    BOOST_TEST(fault("completion/complete", R"({"completion":{}})")
        == "it has no member \"completion.values\", and an array was expected");
}

BOOST_AUTO_TEST_SUITE_END()
