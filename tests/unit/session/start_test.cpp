// Starting a connection: every kind of server, every trap of era detection, every stage of failure.
#include "support/talk.hpp"

using namespace mcp_pool;
using namespace mcp_pool::test;
using mcp_pool::testing::call;
using mcp_pool::testing::personality;
using mcp_pool::testing::reply;

namespace {

pool_options with_start_timeout(duration d)
{
    pool_options o = patient();
    o.start_timeout = d;
    return o;
}

pool_options with_era_timeout(duration d)
{
    pool_options o = patient();
    o.era_timeout = d;
    return o;
}

} // namespace

BOOST_AUTO_TEST_SUITE(starting_a_session)

BOOST_AUTO_TEST_CASE(a_legacy_server_is_asked_and_then_initialised_in_the_same_process)
{
    rig r(personality::legacy);
    r.start();
    BOOST_TEST_REQUIRE(r.told->ready);
    BOOST_TEST(r.server.sessions_started() == 1u);
    BOOST_TEST((r.state->info->era == era::legacy));
    BOOST_TEST(r.state->info->protocol_version == "2025-11-25");
    BOOST_TEST(r.state->info->server_info.at("name").as_string() == "scripted");
    BOOST_TEST(r.state->info->capabilities.contains("tools"));
    r.until([&] { return r.server.count("notifications/initialized") == 1; });
    const auto received = r.server.received();
    BOOST_TEST(received.size() == 3u);
    BOOST_TEST(received[0].method == "server/discover");
    BOOST_TEST(received[1].method == "initialize");
    BOOST_TEST((r.shared->known_era(time_point::clock::now()) == era::legacy));
}

BOOST_AUTO_TEST_CASE(a_modern_server_is_ready_after_discover)
{
    rig r(personality::modern);
    r.start();
    BOOST_TEST_REQUIRE(r.told->ready);
    BOOST_TEST((r.state->info->era == era::modern));
    BOOST_TEST(r.state->info->protocol_version == "2026-07-28");
    BOOST_TEST(r.state->info->server_info.at("name").as_string() == "scripted");
    BOOST_TEST(r.server.received().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_dual_server_is_modern)
{
    rig r(personality::dual);
    r.start();
    BOOST_TEST_REQUIRE(r.told->ready);
    BOOST_TEST((r.state->info->era == era::modern));
}

BOOST_AUTO_TEST_CASE(a_server_that_exits_on_the_probe_is_started_again_as_legacy)
{
    rig r(personality::rmcp);
    r.start();
    BOOST_TEST_REQUIRE(r.told->ready);
    BOOST_TEST(r.server.sessions_started() == 2u);
    BOOST_TEST(r.server.sessions_alive() == 1u);
    BOOST_TEST(r.server.count("server/discover") == 1u);
    BOOST_TEST((r.state->info->era == era::legacy));
    BOOST_TEST(r.told->ended_count == 0);

    // The second session knows.
    r.make_connection();
    r.start();
    BOOST_TEST_REQUIRE(r.told->ready);
    BOOST_TEST(r.server.sessions_started() == 3u);
    BOOST_TEST(r.server.count("server/discover") == 1u);
}

BOOST_AUTO_TEST_CASE(
    a_server_that_only_closes_its_output_on_the_probe_is_ended_before_the_next_start)
{
    rig r(personality::legacy);
    r.server.on_request(answering("server/discover", reply::close_output()));
    r.start();
    BOOST_TEST_REQUIRE(r.told->ready);
    BOOST_TEST(r.server.sessions_started() == 2u);
    BOOST_TEST(r.server.sessions_alive() == 1u);
}

BOOST_AUTO_TEST_CASE(a_probed_process_that_does_not_end_is_killed)
{
    pool_options o = patient();
    o.stop_grace = 1ms;
    rig r(personality::legacy, o);
    r.server.on_request(answering("server/discover", reply::close_output()));
    r.server.ignore_stop(true, true);
    r.start();
    BOOST_TEST_REQUIRE(r.told->ready);
    BOOST_TEST(r.server.sessions_started() == 2u);
    BOOST_TEST(r.server.sessions_alive() == 1u);
}

BOOST_AUTO_TEST_CASE(silence_after_the_first_output_means_legacy)
{
    rig r(personality::legacy, with_era_timeout(1ms));
    r.server.on_request(answering("server/discover", reply::silence().before("starting up")));
    r.start();
    BOOST_TEST_REQUIRE(r.told->ready);
    BOOST_TEST((r.state->info->era == era::legacy));
    BOOST_TEST(r.server.sessions_started() == 1u);
    BOOST_TEST(r.shared->garbage_lines == 1u);
}

BOOST_AUTO_TEST_CASE(a_server_that_only_asks_and_never_reads_is_given_up_before_it_is_ready)
{
    pool_options o = patient();
    o.max_message_bytes = 1024;
    rig r(personality::legacy, o);
    r.server.on_request([&r](const call& c) -> std::optional<reply> {
        r.server.stop_reading(c.session);
        reply flood = reply::silence();
        for (int i = 0; i < 100; ++i)
            flood = std::move(flood).before(
                R"({"jsonrpc":"2.0","id":)" + std::to_string(i) + R"(,"method":"ping"})");
        return std::move(flood).held();
    });
    r.io->start();
    r.until([&] { return r.server.held() == 1; });
    r.settle();
    r.server.release();
    r.until([&] { return r.told->failed.has_value(); });
    BOOST_TEST(contains(r.told->failed->details.message, "does not read the answers"),
        r.told->failed->details.message);
}

BOOST_AUTO_TEST_CASE(silence_without_any_output_means_legacy_after_half_of_the_start_timeout)
{
    rig r(personality::legacy, with_start_timeout(20ms));
    r.server.on_request(answering("server/discover", reply::silence()));
    r.start();
    BOOST_TEST_REQUIRE(r.told->ready);
    BOOST_TEST(r.server.count("initialize") == 1u);
}

BOOST_AUTO_TEST_CASE(an_answer_to_discover_after_the_fall_back_is_dropped)
{
    rig r(personality::dual, with_era_timeout(1ms));
    r.server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method == "server/discover")
            return reply::silence().before("hello");
        if (c.method == "initialize")
            return reply::result(json::parse(R"({"protocolVersion":"2025-06-18"})"))
                .before(R"({"jsonrpc":"2.0","id":"discover-1",)"
                        R"("result":{"supportedVersions":["2026-07-28"]}})");
        return std::nullopt;
    });
    r.start();
    BOOST_TEST_REQUIRE(r.told->ready);
    BOOST_TEST((r.state->info->era == era::legacy));
    BOOST_TEST(r.state->info->protocol_version == "2025-06-18");
}

BOOST_AUTO_TEST_CASE(a_slow_modern_server_that_refuses_initialize_is_asked_again)
{
    rig r(personality::modern, with_era_timeout(1ms));
    r.server.on_request([](const call& c) -> std::optional<reply> {
        if (c.method == "server/discover" && c.id == "discover-1")
            return reply::silence().before("slow");
        return std::nullopt;
    });
    r.start();
    BOOST_TEST_REQUIRE(r.told->ready);
    BOOST_TEST((r.state->info->era == era::modern));
    BOOST_TEST(r.server.count("initialize") == 1u);
    BOOST_TEST(r.server.count("server/discover") == 2u);
    BOOST_TEST(r.server.sessions_started() == 1u);
}

BOOST_AUTO_TEST_CASE(a_server_that_is_mute_fails_with_the_stage)
{
    for (const char* method : {"server/discover", "initialize"}) {
        rig r(personality::legacy);
        r.server.on_request(answering(method, reply::silence()));
        r.io->start();
        r.until([&] { return r.server.count(method) == 1; });
        r.settle();
        r.io->expire_start();
        r.until([&] { return r.told->failed.has_value(); });
        BOOST_TEST((r.told->failed->code == errc::start_failed));
        BOOST_TEST(!r.told->failed->permanent);
        const std::string& text = r.told->failed->details.message;
        BOOST_TEST(contains(text, "server \"scripted\""), text);
        BOOST_TEST(contains(text, "did not become ready within 3600 s"), text);
        BOOST_TEST(contains(text, std::string("waiting for the answer to ") + method), text);
        BOOST_TEST(r.told->ended_count == 0);
        r.io->stop(transport::stop_step::kill, "the start failed");
        r.until([&] { return r.told->ended_count == 1; });
        BOOST_TEST(r.told->ended->killed);
    }
}

BOOST_AUTO_TEST_CASE(a_server_that_exits_during_initialize_fails_with_status_stderr_and_garbage)
{
    rig r(personality::legacy);
    r.server.on_request([&](const call& c) -> std::optional<reply> {
        if (c.method == "server/discover")
            return reply::error(-32601, "no").before("Loading \x1b[31mmodel\x1b[0m");
        return reply::exit(3);
    });
    r.io->start();
    r.until([&] { return r.server.sessions_started() == 1; });
    r.server.write_stderr(1, "first line\nTypeError: x is not a function\n");
    r.until([&] { return r.told->ended_count == 1; });
    BOOST_TEST_REQUIRE(r.told->failed.has_value());
    const diagnostics& d = r.told->failed->details;
    BOOST_TEST(contains(d.message, "waiting for the answer to initialize"), d.message);
    BOOST_TEST(contains(d.message, "exit status 3"), d.message);
    BOOST_TEST(contains(d.message, "first line | TypeError: x is not a function"), d.message);
    BOOST_TEST(contains(d.message, "Loading \\x1b[31mmodel\\x1b[0m"), d.message);
    BOOST_TEST((d.exit_status && d.exit_status->value == 3));
    BOOST_TEST(d.stderr_tail == "first line\nTypeError: x is not a function");
    BOOST_TEST(d.server == "scripted");
    // Nothing was learnt from a server that never came up.
    BOOST_TEST(!r.shared->known_era(time_point::clock::now()));
}

BOOST_AUTO_TEST_CASE(a_server_that_closes_its_output_during_initialize_fails_without_a_status)
{
    rig r(personality::legacy);
    r.server.on_request(answering("initialize", reply::close_output()));
    r.start();
    BOOST_TEST_REQUIRE(r.told->failed.has_value());
    BOOST_TEST(!r.told->failed->details.exit_status);
    r.io->stop(transport::stop_step::close_input, "");
    r.until([&] { return r.told->ended_count == 1; });
}

BOOST_AUTO_TEST_CASE(a_process_that_cannot_be_started_fails_and_ends)
{
    rig r(personality::legacy);
    r.server.fail_starts(1, errc::resource_exhausted, "too many open files (EMFILE)");
    r.io->start();
    r.until([&] { return r.told->ended_count == 1; });
    BOOST_TEST_REQUIRE(r.told->failed.has_value());
    BOOST_TEST((r.told->failed->code == errc::resource_exhausted));
    BOOST_TEST(contains(r.told->failed->details.message, "EMFILE"));
    // A stop that comes late is harmless.
    r.io->stop(transport::stop_step::kill, "");
    r.settle();
    BOOST_TEST(r.told->ended_count == 1);
}

BOOST_AUTO_TEST_CASE(an_unknown_version_is_refused_for_good)
{
    rig r(personality::legacy);
    r.server.on_request(
        answering("initialize", reply::result(json::parse(R"({"protocolVersion":"1999-01-01"})"))));
    r.start();
    BOOST_TEST_REQUIRE(r.told->failed.has_value());
    BOOST_TEST((r.told->failed->code == errc::unsupported_version));
    BOOST_TEST(r.told->failed->permanent);
    BOOST_TEST(contains(r.told->failed->details.message, "1999-01-01"));
}

BOOST_AUTO_TEST_CASE(an_error_answer_to_initialize_is_told)
{
    rig r(personality::legacy);
    r.server.on_request(answering("initialize", reply::error(-32602, "missing API key")));
    r.start();
    BOOST_TEST_REQUIRE(r.told->failed.has_value());
    BOOST_TEST(contains(r.told->failed->details.message, "error -32602 (missing API key)"));
}

BOOST_AUTO_TEST_CASE(the_configured_era_is_honoured)
{
    rig legacy(personality::dual, patient(), era_choice::legacy);
    legacy.start();
    BOOST_TEST_REQUIRE(legacy.told->ready);
    BOOST_TEST((legacy.state->info->era == era::legacy));
    BOOST_TEST(legacy.server.count("server/discover") == 0u);

    rig modern(personality::legacy, patient(), era_choice::modern);
    modern.start();
    BOOST_TEST_REQUIRE(modern.told->failed.has_value());
    BOOST_TEST((modern.told->failed->code == errc::unsupported_version));
    BOOST_TEST(modern.server.count("initialize") == 0u);
    BOOST_TEST(contains(modern.told->failed->details.message, "set `era` to auto or legacy"));

    rig wrong(personality::modern, patient(), era_choice::legacy);
    wrong.start();
    BOOST_TEST_REQUIRE(wrong.told->failed.has_value());
    BOOST_TEST(contains(wrong.told->failed->details.message, "set `era` to auto or modern"));
}

BOOST_AUTO_TEST_CASE(requests_of_the_server_during_the_handshake_are_answered)
{
    rig r(personality::legacy);
    r.server.on_request(answering("initialize",
        reply::result(json::parse(R"({"protocolVersion":"2024-11-05","capabilities":{}})"))
            .before(R"({"jsonrpc":"2.0","id":0,"method":"ping"})")
            .after(R"({"jsonrpc":"2.0","id":"r","method":"roots/list"})")));
    r.start();
    BOOST_TEST_REQUIRE(r.told->ready);
    r.until([&] { return r.server.answers().size() == 2; });
    const auto answers = r.server.answers();
    BOOST_TEST(answers[0].at("id").as_int64() == 0);
    BOOST_TEST(answers[0].at("result").as_object().empty());
    BOOST_TEST(answers[1].at("id").as_string() == "r");
    BOOST_TEST(answers[1].at("error").as_object().at("code").as_int64() == -32601);
}

BOOST_AUTO_TEST_CASE(a_stop_at_every_stage_of_the_start_ends_it)
{
    // After i handlers, for every i until the session is ready anyway.
    for (int i = 0;; ++i) {
        rig r(personality::rmcp);
        r.io->start();
        bool idle = false;
        for (int n = 0; n < i && !idle; ++n)
            idle = r.context.poll_one() == 0;
        r.io->stop(transport::stop_step::close_input, "the pool is closed");
        r.until([&] { return r.told->ended_count == 1; });
        r.settle();
        BOOST_TEST(r.told->ended_count == 1);
        BOOST_TEST(!r.told->failed.has_value());
        BOOST_TEST(r.server.sessions_alive() == 0u);
        if (r.told->ready)
            break;
        BOOST_TEST_REQUIRE(i < 1000);
    }
}

BOOST_AUTO_TEST_CASE(a_context_that_ends_at_any_stage_leaves_nothing_behind)
{
    for (int i = 0; i < 40; ++i) {
        rig r(personality::rmcp);
        r.io->start();
        for (int n = 0; n < i; ++n)
            r.context.poll_one();
    }
}

BOOST_AUTO_TEST_SUITE_END()
