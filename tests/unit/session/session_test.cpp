// The session as the holder of a lease uses it: awaitables and their twins.
#include "support/rig.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

using namespace mcp_pool;
using namespace mcp_pool::test;
using mcp_pool::testing::call;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

namespace {

// Runs a coroutine on the context of the rig and passes its exception on.
template <class Coroutine>
void run(rig& r, Coroutine body)
{
    bool done = false;
    std::exception_ptr failure;
    asio::co_spawn(r.context, std::move(body), [&](std::exception_ptr e) {
        failure = e;
        done = true;
    });
    r.until([&] { return done; });
    if (failure)
        std::rethrow_exception(failure);
}

json::object echo_arguments(std::string_view text)
{
    json::object a;
    a["message"] = json::string_view(text.data(), text.size());
    return a;
}

// Pages of two tools each, `pages` of them; the cursor of the second page is the empty string.
testing::script pages(int count)
{
    return [count](const call& c) -> std::optional<reply> {
        if (c.method != "tools/list")
            return std::nullopt;
        int page = 0;
        if (const json::value* cursor = c.params.if_contains("cursor"))
            page = cursor->as_string().empty() ? 1 : std::stoi(std::string(cursor->as_string()));
        json::object result;
        json::array tools;
        for (int i = 0; i < 2; ++i) {
            json::object t;
            t["name"] = "tool-" + std::to_string(2 * page + i);
            tools.emplace_back(std::move(t));
        }
        result["tools"] = std::move(tools);
        if (page + 1 < count)
            result["nextCursor"] = page == 0 ? "" : std::to_string(page + 1);
        return reply::result(std::move(result));
    };
}

} // namespace

BOOST_AUTO_TEST_SUITE(session_view)

BOOST_AUTO_TEST_CASE(it_says_what_the_handshake_found)
{
    rig r(personality::modern);
    r.lease();
    const session& s = r.view();
    BOOST_TEST((s.era() == era::modern));
    BOOST_TEST(s.protocol_version() == "2026-07-28");
    BOOST_TEST(s.capabilities().contains("tools"));
    BOOST_TEST(s.server_info().at("name").as_string() == "scripted");
    BOOST_TEST(s.instructions().empty());
    BOOST_TEST(s.id() == 1u);
    BOOST_TEST(s.pid() == 0);
    BOOST_TEST((s.started_at() <= std::chrono::system_clock::now()));
}

BOOST_AUTO_TEST_CASE(calls_in_a_coroutine)
{
    for (const personality p : {personality::legacy, personality::modern}) {
        rig r(p);
        r.lease();
        session& s = r.view();
        run(r, [&]() -> asio::awaitable<void> {
            const tool_result result = co_await s.call_tool("echo", echo_arguments("hi"));
            BOOST_TEST(result.text() == "hi");
            BOOST_TEST(!result.is_error());
            co_await s.ping();
            const std::vector<tool> tools = co_await s.list_tools();
            BOOST_TEST(tools.size() == 1u);
            BOOST_TEST(tools[0].name() == "echo");
            BOOST_TEST(tools[0].input_schema().at("type").as_string() == "object");
            json::object params;
            params["name"] = "echo";
            const json::value raw = co_await s.request("tools/call", std::move(params));
            BOOST_TEST(raw.as_object().contains("content"));
            json::object none;
            co_await s.notify("notifications/vendor", std::move(none));
        });
        r.until([&] { return r.server.count("notifications/vendor") == 1; });
        BOOST_TEST(r.unanswered() == 0u);
    }
}

BOOST_AUTO_TEST_CASE(the_twins_take_any_token)
{
    rig r;
    r.lease();
    session& s = r.view();

    auto future = s.async_call_tool("echo", echo_arguments("f"), {}, asio::use_future);
    r.until([&] { return future.wait_for(0s) == std::future_status::ready; });
    BOOST_TEST(future.get().text() == "f");

    int called = 0;
    s.async_ping({}, [&](error_code code) {
        BOOST_TEST(!code);
        ++called;
    });
    s.async_list_tools({}, [&](error_code code, std::vector<tool> tools) {
        BOOST_TEST(!code);
        BOOST_TEST(tools.size() == 1u);
        ++called;
    });
    s.async_notify("notifications/x", {}, [&](error_code code) {
        BOOST_TEST(!code);
        ++called;
    });
    BOOST_TEST(called == 0);
    r.until([&] { return called == 3; });

    run(r, [&]() -> asio::awaitable<void> {
        constexpr auto token = asio::as_tuple(asio::deferred);
        call_options options;
        auto operation = s.async_request("no/such/method", {}, std::move(options), token);
        auto [code, result] = co_await std::move(operation);
        BOOST_TEST((code.category() == rpc_category()));
        BOOST_TEST(code.value() == -32601);
        BOOST_TEST(result.is_null());
    });
}

BOOST_AUTO_TEST_CASE(a_failure_is_thrown_with_its_circumstances)
{
    rig r;
    r.lease();
    session& s = r.view();
    diagnostics details;
    run(r, [&]() -> asio::awaitable<void> {
        call_options options;
        options.diagnostics = &details;
        try {
            json::object none;
            co_await s.request("no/such/method", std::move(none), std::move(options));
            BOOST_TEST(false, "nothing was thrown");
        } catch (const mcp_pool::error& e) {
            BOOST_TEST((e.code() == error_code(-32601, rpc_category())));
            BOOST_TEST(std::string(e.what()) == e.diagnostics().message);
            BOOST_TEST(e.diagnostics().rpc->message == "Method not found");
            BOOST_TEST(e.diagnostics().server == "scripted");
        }
    });
    BOOST_TEST(details.message.starts_with("server \"scripted\": no/such/method"), details.message);
}

BOOST_AUTO_TEST_CASE(an_awaitable_that_is_started_after_the_lease_fails)
{
    rig r;
    r.lease();
    asio::awaitable<tool_result> late = r.view().call_tool("echo", echo_arguments("x"));
    r.release();
    run(r, [late = std::move(late)]() mutable -> asio::awaitable<void> {
        try {
            co_await std::move(late);
            BOOST_TEST(false, "nothing was thrown");
        } catch (const mcp_pool::error& e) {
            BOOST_TEST((e.code() == errc::lease_released));
        }
    });
}

BOOST_AUTO_TEST_CASE(an_operation_after_the_pool_took_the_connection_fails)
{
    rig r;
    r.lease();
    const auto io = r.state->take_io();
    auto late = r.view().async_ping({}, asio::use_future);
    BOOST_TEST_REQUIRE((late.wait_for(30s) == std::future_status::ready));
    BOOST_CHECK_EXCEPTION(late.get(), boost::system::system_error,
        [](const auto& e) { return e.code() == errc::not_sent; });
}

BOOST_AUTO_TEST_CASE(every_page_of_tools_is_listed)
{
    rig r;
    r.server.on_request(pages(4));
    r.lease();
    run(r, [&]() -> asio::awaitable<void> {
        const std::vector<tool> tools = co_await r.view().list_tools(call_options(1h));
        BOOST_TEST(tools.size() == 8u);
        BOOST_TEST(tools.back().name() == "tool-7");
    });
    BOOST_TEST(r.server.count("tools/list") == 4u);
}

BOOST_AUTO_TEST_CASE(a_list_without_end_is_a_protocol_error)
{
    for (const bool repeats : {true, false}) {
        rig r;
        int page = 0;
        r.server.on_request([&](const call& c) -> std::optional<reply> {
            if (c.method != "tools/list")
                return std::nullopt;
            json::object result;
            result["tools"] = json::array();
            result["nextCursor"] = repeats ? "same" : std::to_string(++page);
            return reply::result(std::move(result));
        });
        r.lease();
        run(r, [&]() -> asio::awaitable<void> {
            try {
                co_await r.view().list_tools();
                BOOST_TEST(false, "nothing was thrown");
            } catch (const mcp_pool::error& e) {
                BOOST_TEST((e.code() == errc::protocol_error));
            }
        });
        BOOST_TEST(r.server.count("tools/list") == (repeats ? 2u : 1000u));
    }
}

BOOST_AUTO_TEST_CASE(cancelling_the_coroutine_cancels_the_call)
{
    rig r;
    r.server.on_request([](const call& c) -> std::optional<reply> {
        return c.method == "tools/call" ? std::optional(reply::silence()) : std::nullopt;
    });
    r.lease();
    asio::cancellation_signal signal;
    bool done = false;
    asio::co_spawn(
        r.context,
        [&]() -> asio::awaitable<void> {
            try {
                co_await r.view().call_tool("echo", echo_arguments("x"));
                BOOST_TEST(false, "nothing was thrown");
            } catch (const boost::system::system_error& e) {
                BOOST_TEST((e.code() == asio::error::operation_aborted));
            }
            done = true;
        },
        asio::bind_cancellation_slot(signal.slot(), asio::detached));
    r.until([&] { return r.server.count("tools/call") == 1; });
    signal.emit(asio::cancellation_type::terminal);
    r.until([&] { return done; });
    r.until([&] { return r.server.count("notifications/cancelled") == 1; });
}

BOOST_AUTO_TEST_CASE(each_kind_of_cancellation_ends_a_listing)
{
    rig r;
    r.server.on_request([](const call& c) -> std::optional<reply> {
        return c.method == "tools/list" ? std::optional(reply::silence()) : std::nullopt;
    });
    r.lease();
    std::size_t asked = 0;
    for (const auto kind : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
             asio::cancellation_type::total}) {
        asio::cancellation_signal signal;
        bool done = false;
        r.view().async_list_tools({},
            asio::bind_cancellation_slot(signal.slot(), [&](error_code code, std::vector<tool>) {
                BOOST_TEST((code == asio::error::operation_aborted));
                done = true;
            }));
        ++asked;
        r.until([&] { return r.server.count("tools/list") == asked; });
        signal.emit(kind);
        r.until([&] { return done; });
    }
}

BOOST_AUTO_TEST_CASE(handlers_run_on_their_own_executor)
{
    rig r;
    r.lease();
    asio::thread_pool elsewhere(1);
    std::atomic<bool> done = false;
    std::thread::id where;
    r.view().async_ping({}, asio::bind_executor(elsewhere, [&](error_code) {
        where = std::this_thread::get_id();
        done = true;
    }));
    r.until([&] { return done.load(); });
    BOOST_TEST((where != std::this_thread::get_id()));
    elsewhere.join();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(types_and_errors)

BOOST_AUTO_TEST_CASE(missing_and_mistyped_members_read_as_empty)
{
    for (const char* raw :
        {"null", "17", "[]", "{}", R"({"name":1,"content":{},"isError":"yes"})"}) {
        const json::value v = json::parse(raw);
        BOOST_TEST(tool(v).name().empty());
        BOOST_TEST(tool(v).input_schema().empty());
        BOOST_TEST(tool_result(v).content().empty());
        BOOST_TEST(!tool_result(v).is_error());
        BOOST_TEST(tool_result(v).structured_content().is_null());
        BOOST_TEST(tool_result(v).text().empty());
        BOOST_TEST((tool_result(v).raw() == v));
    }
}

BOOST_AUTO_TEST_CASE(text_blocks_are_joined)
{
    const tool_result r(json::parse(
        R"({"content":[{"type":"text","text":"a"},{"type":"image","data":""},
            {"type":"text","text":""},{"type":"text","text":"b"}],
            "structuredContent":[1],"isError":true})"));
    BOOST_TEST(r.text() == "a\n\nb");
    BOOST_TEST(r.is_error());
    BOOST_TEST(r.structured_content().is_array());
}

BOOST_AUTO_TEST_CASE(every_code_has_a_text_of_its_own)
{
    std::vector<std::string> seen;
    for (int i = 1; i <= static_cast<int>(errc::http_error); ++i) {
        const error_code code = make_error_code(static_cast<errc>(i));
        BOOST_TEST(code.failed());
        BOOST_TEST(!code.message().starts_with("error "));
        BOOST_TEST((std::find(seen.begin(), seen.end(), code.message()) == seen.end()));
        seen.push_back(code.message());
    }
    BOOST_TEST(error_code(0, rpc_category()).failed());
}

BOOST_AUTO_TEST_CASE(an_exit_status_reads_as_people_say_it)
{
    using kind = exit_status::kind;
    BOOST_TEST(exit_status(kind::exited, 3).text() == "exit status 3");
    BOOST_TEST(exit_status(kind::signalled, 9).text() == "signal 9 (SIGKILL)");
    BOOST_TEST(exit_status(kind::signalled, 250).text() == "signal 250");
    exit_status noted(kind::signalled, 9);
    noted.note = "not sent by this pool";
    BOOST_TEST(noted.text() == "signal 9 (SIGKILL), not sent by this pool");
    BOOST_TEST(
        exit_status(kind::taken_by_host, 0).text().find("host application") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
