// A connection to a scripted server on an io_context, with the test in the place of the pool.
#pragma once

#include "session/connection.hpp"
#include "session/lessee.hpp"
#include "session/transport_source.hpp"

#include <mcp_pool/testing/scripted_server.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <functional>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

namespace mcp_pool::test {

using namespace std::chrono_literals;

// Options under which nothing expires unless a test says so.
inline pool_options patient()
{
    pool_options o;
    o.call_timeout = duration::zero();
    o.write_timeout = std::chrono::hours(1);
    o.start_timeout = std::chrono::hours(1);
    o.era_timeout = std::chrono::hours(1);
    return o;
}

// What a request came to.
struct outcome
{
    bool done = false;
    error_code code;
    json::value result;
    diagnostics details;
    std::vector<double> progress;
};

// What the connection told its pool.
class recorder final : public detail::connection_events, public detail::session_owner
{
public:
    bool ready = false;
    std::optional<detail::failed_start> failed;
    std::optional<detail::broken_cause> broken;
    std::shared_ptr<const diagnostics> broken_details;
    std::optional<transport::end_report> ended;
    int broken_count = 0, ended_count = 0, reset_done = 0, probe_done = 0;
    // In the order in which their resets were done.
    std::vector<std::size_t> reset_grants, failed_resets;
    std::shared_ptr<const diagnostics> reset_failure;
    std::vector<std::string> stderr_lines;
    std::vector<std::size_t> measured;

    void on_ready(detail::session_state&) override { ready = true; }
    void on_failed(detail::session_state&, detail::failed_start why) override
    {
        failed = std::move(why);
    }
    void on_broken(detail::session_state&, detail::broken_cause cause,
        std::shared_ptr<const diagnostics> details) override
    {
        broken = cause;
        broken_details = std::move(details);
        ++broken_count;
    }
    void on_reset_done(detail::session_state&, std::size_t grant) override
    {
        ++reset_done;
        reset_grants.push_back(grant);
    }
    void on_reset_failed(detail::session_state&, std::size_t grant,
        std::shared_ptr<const diagnostics> details) override
    {
        failed_resets.push_back(grant);
        reset_failure = std::move(details);
    }
    void on_probe_done(detail::session_state&) override { ++probe_done; }
    void on_measured(detail::session_state&, std::size_t bytes) override
    {
        measured.push_back(bytes);
    }
    void on_stderr_line(detail::session_state&, std::string line) override
    {
        stderr_lines.push_back(std::move(line));
    }
    void on_warning(detail::session_state&, std::string) override {}
    void on_ended(detail::session_state&, const transport::end_report& report) override
    {
        ended = report;
        ++ended_count;
    }
    void give_back(detail::grant_record&) noexcept override {}
};

class rig
{
public:
    explicit rig(testing::personality p = testing::personality::legacy,
        pool_options options = patient(), era_choice choice = era_choice::auto_detect,
        std::size_t grants = 1, std::shared_ptr<const client_handlers> handlers = nullptr)
        : server(p)
        , config(make_config(choice, std::move(handlers)))
        , shared(std::make_shared<detail::server_state>(config, options, server.source()->make))
        , grants_(grants)
    {
        make_connection();
    }

    rig(const rig&) = delete;
    rig& operator=(const rig&) = delete;

    ~rig()
    {
        // As a pool does when its context ends.
        for (const auto& s : states)
            s->take_io();
    }

    // A new session of the same server; the former one stays as it is.
    void make_connection()
    {
        told = std::make_shared<recorder>();
        state = std::make_shared<detail::session_state>(*told, states.size() + 1, 1, grants_);
        tellers.push_back(told);
        states.push_back(state);
        io = detail::connection::make(context.get_executor(), shared, state, told);
        state->set_io(io);
    }

    // Runs the context until `done`; fails the test after half a minute.
    template <class Predicate>
    void until(Predicate done, std::source_location place = std::source_location::current())
    {
        const auto limit = std::chrono::steady_clock::now() + 30s;
        context.restart();
        while (!done()) {
            const bool in_time = std::chrono::steady_clock::now() < limit;
            BOOST_TEST_REQUIRE(in_time, "waited in vain at line " << place.line());
            context.run_one_for(100ms);
            if (context.stopped())
                context.restart();
        }
    }

    // Runs everything that can run without waiting.
    void settle()
    {
        context.restart();
        context.poll();
    }

    void start(std::source_location place = std::source_location::current())
    {
        io->start();
        until([&] { return told->ready || told->failed; }, place);
    }

    // Makes the session ready and lends all its grants.
    void lease(std::source_location place = std::source_location::current())
    {
        start(place);
        BOOST_TEST_REQUIRE(told->ready, "not ready at line " << place.line());
        for (std::size_t i = 0; i != state->grants(); ++i)
            lend(i);
    }

    // What a pool does at a grant and at a release.
    void lend(std::size_t grant = 0) { ++state->grant(grant).generation; }
    void release(std::size_t grant = 0) { ++state->grant(grant).generation; }

    session& view(std::size_t grant = 0) { return state->grant(grant).view; }
    std::uint32_t unanswered(std::size_t grant = 0) { return state->grant(grant).unanswered; }

    // Starts a request of the present lease of the first grant.
    std::shared_ptr<outcome> call(std::string method = "tools/call", json::object params = {},
        call_options options = {}, asio::cancellation_slot slot = {}, bool notification = false)
    {
        return call_of(
            0, std::move(method), std::move(params), std::move(options), slot, notification);
    }

    // Starts a request of the present lease of any grant.
    std::shared_ptr<outcome> call_of(std::size_t grant, std::string method = "tools/call",
        json::object params = {}, call_options options = {}, asio::cancellation_slot slot = {},
        bool notification = false)
    {
        auto out = std::make_shared<outcome>();
        options.diagnostics = &out->details;
        if (options.progress)
            options.progress = [out](const progress& p) { out->progress.push_back(p.value); };
        detail::request what(std::move(method), std::move(params), std::move(options));
        what.notification = notification;
        auto handler = asio::bind_cancellation_slot(slot, [out](error_code code, json::value v) {
            BOOST_TEST(!out->done);
            out->done = true;
            out->code = code;
            out->result = std::move(v);
        });
        detail::session_ref ref(std::shared_ptr<detail::grant_record>(state, &state->grant(grant)),
            state->grant(grant).generation.load(), detail::lessee_of(state->grant(grant)));
        detail::initiate_request<json::value> initiation(ref);
        initiation(std::move(handler), std::move(what));
        BOOST_TEST(!out->done);
        return out;
    }

    void finish(const std::shared_ptr<outcome>& o,
        std::source_location place = std::source_location::current())
    {
        until([&] { return o->done; }, place);
    }

    testing::scripted_server server;
    server_config config;
    asio::io_context context;
    std::shared_ptr<detail::server_state> shared;
    std::shared_ptr<recorder> told;
    std::shared_ptr<detail::session_state> state;
    std::shared_ptr<detail::connection> io;

private:
    const std::size_t grants_;

    static server_config make_config(
        era_choice choice, std::shared_ptr<const client_handlers> handlers)
    {
        stdio_server process;
        process.command = "scripted";
        server_config c("scripted", process);
        c.era = choice;
        c.handlers = std::move(handlers);
        return c;
    }

    std::vector<std::shared_ptr<recorder>> tellers;
    std::vector<std::shared_ptr<detail::session_state>> states;
};

} // namespace mcp_pool::test
