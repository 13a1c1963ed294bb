// What the benchmark says must be right before anybody believes its numbers.
#include "harness/options.hpp"
#include "harness/results.hpp"
#include "harness/svg.hpp"
#include "load/fifo_lock.hpp"
#include "load/workload.hpp"
#include "support/processes.hpp"
#include "support/program.hpp"
#include "support/recorder.hpp"
#include "support/text.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/wait.h>

using namespace mcp_pool;
using namespace mcp_pool::bench;
using namespace std::chrono_literals;

namespace {

options parse(std::vector<std::string> arguments)
{
    arguments.insert(arguments.end(), {"--", "server", "argument"});
    return parse_options(arguments);
}

std::string complaint_about(const std::vector<std::string>& arguments)
{
    try {
        parse_options(arguments);
    } catch (const usage_error& e) {
        return e.what();
    }
    return "accepted";
}

outcome outcome_of(mode how, std::uint64_t calls)
{
    outcome o;
    o.how = how;
    o.calls = calls;
    o.seconds = 2;
    return o;
}

tool_result text_answer(const std::string& text, bool is_error = false)
{
    json::object block, result;
    block["type"] = "text";
    block["text"] = text;
    json::array content;
    content.push_back(std::move(block));
    result["content"] = std::move(content);
    result["isError"] = is_error;
    return tool_result(std::move(result));
}

asio::awaitable<void> take_the_lock(fifo_lock& lock, std::vector<int>& order, int who)
{
    co_await lock.lock();
    order.push_back(who);
    lock.unlock();
}

} // namespace

BOOST_AUTO_TEST_SUITE(bench)

BOOST_AUTO_TEST_CASE(durations_have_units_and_seconds_are_the_default)
{
    const options o = parse({"--duration", "2", "--hold=250ms", "--max-wait", "0.5s"});
    BOOST_TEST((o.work.length == 2s));
    BOOST_TEST((o.work.hold == 250ms));
    BOOST_TEST((o.work.max_wait == 500ms));
}

BOOST_AUTO_TEST_CASE(what_stands_after_the_dashes_is_the_server)
{
    const options o = parse({"--users", "3"});
    const auto& server = std::get<stdio_server>(o.work.server.transport);
    BOOST_TEST(server.command == "server");
    BOOST_TEST(
        server.args == std::vector<std::string>{"argument"}, boost::test_tools::per_element());
    BOOST_TEST(o.work.server.name == "server argument");
}

BOOST_AUTO_TEST_CASE(options_win_over_the_demo_wherever_they_stand)
{
    const options o = parse({"--duration", "1", "--demo", "--report", "here.html"});
    BOOST_TEST((o.work.length == 1s));
    BOOST_TEST(o.report_file == "here.html");
    BOOST_TEST(o.work.tool == "sleep");
}

BOOST_AUTO_TEST_CASE(a_value_that_cannot_be_is_refused_by_name)
{
    BOOST_TEST(complaint_about({"--size", "ten"})
        == "--size=\"ten\": expected an integer from 1 to 10000");
    BOOST_TEST(complaint_about({"--duration", "5 minutes"})
        == "--duration=\"5 minutes\": expected seconds, such as 5, 0.5s or 250ms");
    BOOST_TEST(complaint_about({"--modes", "pool,threads"})
        == "--modes=\"pool,threads\": expected some of pool,locked,spawn");
    BOOST_TEST(
        complaint_about({"--arguments", "[1]"}) == "--arguments=\"[1]\": expected a JSON object");
    BOOST_TEST(complaint_about({"--users"}) == "--users needs a value: N");
    BOOST_TEST(complaint_about({"--warm=yes"}) == "--warm takes no value");
    BOOST_TEST(complaint_about({"--fast"}) == "unknown option --fast");
    BOOST_TEST(complaint_about({"--"}) == "-- needs a command");
}

BOOST_AUTO_TEST_CASE(every_call_has_a_token_that_its_answer_must_contain)
{
    const json::object pattern =
        json::parse(R"({"message":"say {token}","list":[{"deep":"{token}"}],"n":1})").as_object();
    BOOST_TEST(has_token(pattern));
    BOOST_TEST(json::serialize(arguments_with(pattern, "t1"))
        == R"({"message":"say t1","list":[{"deep":"t1"}],"n":1})");

    token_source tokens;
    const std::string first = tokens.next();
    BOOST_TEST(first != tokens.next());
    BOOST_TEST(is_right(text_answer("Echo: " + first), first));
    BOOST_TEST(!is_right(text_answer("Echo: another"), first));
    BOOST_TEST(!is_right(text_answer(first, true), first));
    BOOST_TEST(is_right(text_answer("anything"), ""));
}

BOOST_AUTO_TEST_CASE(no_token_is_found_in_another)
{
    token_source tokens;
    const std::string first = tokens.next();
    for (int i = 0; i < 100; ++i)
        BOOST_TEST(tokens.next().find(first) == std::string::npos);
}

BOOST_AUTO_TEST_CASE(percentiles_are_ranks_of_what_was_recorded)
{
    recorder r;
    for (int i = 1; i <= 1000; ++i)
        r.record(std::chrono::microseconds(i));
    const percentiles p = r.summary();
    BOOST_TEST(p.count == 1000u);
    BOOST_TEST(p.p50 == 0.5, boost::test_tools::tolerance(1.0 / 32));
    BOOST_TEST(p.p99 == 0.99, boost::test_tools::tolerance(1.0 / 32));
    BOOST_TEST(p.max == 1.0);
    BOOST_TEST(p.p999 <= p.max);
    BOOST_TEST(recorder().summary().p50 == 0.0);
}

BOOST_AUTO_TEST_CASE(a_hit_of_nanoseconds_is_not_zero)
{
    recorder r;
    r.record(60ns);
    BOOST_TEST(r.summary().p50 == 60e-6, boost::test_tools::tolerance(1.0 / 32));
}

BOOST_AUTO_TEST_CASE(the_median_run_of_each_mode_is_shown)
{
    std::vector<outcome> runs;
    for (const std::uint64_t calls : {30u, 10u, 20u}) {
        runs.push_back(outcome_of(mode::pool, calls));
        runs.push_back(outcome_of(mode::locked, calls * 2));
    }
    const auto shown = medians(runs);
    BOOST_REQUIRE(shown.size() == 2u);
    BOOST_TEST(shown[0]->calls == 20u);
    BOOST_TEST(shown[1]->calls == 40u);
}

BOOST_AUTO_TEST_CASE(the_json_has_the_pinned_members)
{
    options asked = parse({});
    const std::vector<outcome> runs{outcome_of(mode::spawn, 10)};
    const json::object document = to_json(asked, runs);
    const json::object& run = document.at("runs").at(0).as_object();
    BOOST_TEST(run.at("mode").as_string() == "spawn");
    BOOST_TEST(run.at("calls_per_second").to_number<double>() == 5.0);
    for (const char* name :
        {"users", "size", "seconds", "calls", "errors", "sessions_started", "reuse_rate"})
        BOOST_TEST(run.at(name).is_number(), name);
    for (const char* group : {"acquire_ms", "call_ms"})
        for (const char* name : {"p50", "p90", "p99", "p999", "max"})
            BOOST_TEST(run.at(group).at(name).is_number(), group << "." << name);
    for (const char* group : {"cpu_seconds", "rss_mb"})
        for (const char* name : {"self", "children"})
            BOOST_TEST(run.at(group).at(name).is_number(), group << "." << name);
}

BOOST_AUTO_TEST_CASE(the_page_needs_nothing_from_outside_and_escapes_what_it_shows)
{
    options asked = parse({});
    asked.work.server.name = "<script>";
    outcome o = outcome_of(mode::pool, 10);
    o.add_error("<b>&");
    const std::string page = report_page(asked, {&o});
    BOOST_TEST(page.find("<script") == std::string::npos);
    BOOST_TEST(page.find("http") == std::string::npos);
    BOOST_TEST(page.find("&lt;script&gt;") != std::string::npos);
    BOOST_TEST(page.find("&lt;b&gt;&amp;") != std::string::npos);
    BOOST_TEST(page.find("nan") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(plots_of_nothing_are_empty_not_broken)
{
    bar b;
    line l;
    l.values = {0, 0};
    for (const std::string& svg : {log_bars("t", {b}), linear_bars("t", {b}), log_bars("t", {}),
             log_lines("t", {"p50", "max"}, {l})}) {
        BOOST_TEST(svg.find("nan") == std::string::npos);
        BOOST_TEST(svg.find("inf") == std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(numbers_read_well)
{
    BOOST_TEST(number(1234567) == "1,234,567");
    BOOST_TEST(number(-1234.5, 1) == "-1,234.5");
    BOOST_TEST(rate(17.25) == "17.2");
    BOOST_TEST(duration_text(0.00042) == "420 ns");
    BOOST_TEST(duration_text(0.0173) == "17.3 µs");
    BOOST_TEST(duration_text(2.05) == "2.05 ms");
    BOOST_TEST(duration_text(1250) == "1.25 s");
}

BOOST_AUTO_TEST_CASE(a_program_beside_this_one_ends_with_the_object)
{
    {
        const background_program server({"sh", "-c", "echo port 80; cat > /dev/null"});
        BOOST_TEST(server.first_line() == "port 80");
    }
    // Waited for as well.
    BOOST_TEST(::waitpid(-1, nullptr, WNOHANG) == -1);
    BOOST_TEST(errno == ECHILD);
}

BOOST_AUTO_TEST_CASE(a_program_that_ends_without_a_word_has_not_started)
{
    BOOST_CHECK_THROW(background_program({"sh", "-c", "printf half"}), std::runtime_error);
    BOOST_CHECK_THROW(background_program({"/nowhere/to/be/found"}), std::runtime_error);
    BOOST_TEST(::waitpid(-1, nullptr, WNOHANG) == -1);
}

BOOST_AUTO_TEST_CASE(what_a_program_prints_and_how_it_ends_is_known)
{
    const program_result fine = run_program({"sh", "-c", "cat; echo out; exit 3"});
    BOOST_TEST(fine.output == "out\n");
    BOOST_TEST(fine.status == 3);
    BOOST_TEST(run_program({"sh", "-c", "kill -TERM $$"}).status == 128 + SIGTERM);
    BOOST_TEST(run_program({"/nowhere/to/be/found"}).status == 127);
}

BOOST_AUTO_TEST_CASE(the_most_that_was_resident_is_never_less_than_what_is)
{
    BOOST_TEST(peak_resident_mib() > 0);
    BOOST_TEST(peak_resident_mib() >= resident_anonymous_mib());
}

BOOST_AUTO_TEST_CASE(the_lock_is_first_come_first_served)
{
    asio::io_context context;
    fifo_lock lock;
    std::vector<int> order;
    asio::co_spawn(context, lock.lock(), asio::detached);
    context.run();
    BOOST_TEST(lock.held());

    context.restart();
    for (int who = 0; who < 5; ++who)
        asio::co_spawn(context, take_the_lock(lock, order, who), asio::detached);
    context.poll();
    BOOST_TEST(order.empty());
    lock.unlock();
    context.restart();
    context.run();
    const std::vector<int> expected{0, 1, 2, 3, 4};
    BOOST_TEST(order == expected, boost::test_tools::per_element());
    BOOST_TEST(!lock.held());
}

BOOST_AUTO_TEST_SUITE_END()
