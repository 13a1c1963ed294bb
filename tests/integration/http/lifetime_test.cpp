// Exchanges, clients and contexts that end at any moment.
#include "integration/http/scene.hpp"

using namespace mcp_pool;
using namespace mcp_pool::transport::http;
using namespace mcp_pool::transport::http::testing;

namespace {

// What ends the life of an exchange before its time.
enum class ending { cancel, handle_destroyed, client_destroyed, context_destroyed };

constexpr ending endings[] = {
    ending::cancel, ending::handle_destroyed, ending::client_destroyed, ending::context_destroyed};

// Everything that an exchange can go through: a name, a proxy, a tunnel, TLS, chunks; a second one on
// the kept connection, and a third that waits for it.
struct long_way : scene
{
    explicit long_way(const identity& authority, const std::shared_ptr<tls_context>& trusting)
    {
        proxy through;
        through.host = "localhost";
        through.port = server->port();
        options.through = through;
        options.origin.secure = true;
        options.origin.host = "server.test";
        options.origin.port = 443;
        options.tls = trusting;
        options.max_connections = 1;
        server_tls how;
        how.shown = issue(&authority, "DNS:server.test");
        server->on_accept = [how](peer& connection) {
            connection.on_bytes = [how, in_tunnel = false](peer& self) mutable {
                if (std::exchange(in_tunnel, true)) {
                    self.send("HTTP/1.1 100 Continue\r\n\r\n");
                    self.send(chunked({"po", "ng"}));
                    return;
                }
                self.send("HTTP/1.1 200 OK\r\n\r\n");
                self.secure_when_sent(how);
            };
        };
        for (exchange& e : exchanges)
            e = post();
    }

    // True: everything was told.
    bool run(std::size_t handlers)
    {
        for (std::size_t i = 0; i < handlers && !complete(); ++i) {
            context->restart();
            if (context->run_one_for(deadline) == 0)
                BOOST_FAIL("nothing left to wait for");
        }
        return complete();
    }

    [[nodiscard]] bool complete() const
    {
        for (const exchange& e : exchanges)
            if (!e->over())
                return false;
        return true;
    }

    exchange exchanges[3];
};

} // namespace

BOOST_AUTO_TEST_SUITE(http_lifetimes)

BOOST_AUTO_TEST_CASE(everything_may_end_after_any_handler_and_nothing_is_told_after_that)
{
    const balance books;
    const identity authority = make_authority("Trusted");
    const temporary_file file(authority.certificate_pem());
    tls_options tls;
    tls.ca_file = file.path();
    std::string problem;
    const auto trusting = make_tls_context(tls, problem);
    BOOST_TEST_REQUIRE(!!trusting, problem);
    for (const ending how : endings) {
        std::size_t handlers = 0;
        for (bool complete = false; !complete; ++handlers) {
            BOOST_TEST_INFO_SCOPE(
                "ending " << static_cast<int>(how) << " after " << handlers << " handlers");
            const balance of_this_life;
            long_way s(authority, trusting);
            complete = s.run(handlers);
            std::vector<bool> over;
            for (exchange& e : s.exchanges) {
                over.push_back(e->over());
                e->after = [](const std::string& event) {
                    BOOST_ERROR("told afterwards: " << event);
                };
            }
            switch (how) {
            case ending::cancel:
                for (exchange& e : s.exchanges)
                    e->handle.cancel();
                BOOST_TEST(s.client().stats().queued == 0u);
                BOOST_TEST(s.client().stats().connections == s.client().stats().idle);
                break;
            case ending::handle_destroyed:
                for (exchange& e : s.exchanges)
                    e.reset();
                break;
            case ending::client_destroyed:
                s.the_client.reset();
                break;
            case ending::context_destroyed:
                s.server.reset();
                s.strand.reset();
                s.context.reset();
                BOOST_TEST(s.client().stats().connections == 0u);
                // The client goes on to be harmless.
                for (exchange& e : s.exchanges)
                    e->handle.cancel();
                BOOST_TEST(!s.post()->told_anything());
                s.client().close_idle();
                break;
            }
            if (s.context) {
                s.context->restart();
                s.context->poll();
            }
            for (std::size_t i = 0; i < over.size(); ++i)
                if (s.exchanges[i])
                    BOOST_TEST(s.exchanges[i]->over() == over[i]);
        }
        // A tunnel, a handshake and three exchanges are not done in a few steps.
        BOOST_TEST(handlers > 15u);
    }
}

BOOST_AUTO_TEST_CASE(everything_may_end_within_any_event)
{
    const balance books;
    for (const std::string when : {"head", "body", "end"}) {
        for (const ending how :
            {ending::cancel, ending::handle_destroyed, ending::client_destroyed}) {
            scene s;
            // Each part in a packet of its own, and all of them at once.
            s.server->answer_with({chunked({"one", "two", "three"})});
            exchange e = s.post();
            e->after = [&](const std::string& event) {
                if (event != when)
                    return;
                e->after = [](const std::string& later) {
                    BOOST_ERROR("told afterwards: " << later);
                };
                if (how == ending::cancel)
                    e->handle.cancel();
                else if (how == ending::handle_destroyed)
                    e->handle = http_exchange();
                else
                    s.the_client.reset();
            };
            s.requested(0, 1);
            if (when != "end" || how == ending::client_destroyed)
                s.until([&] { return s.server->peers[0]->ended; });
            else
                s.until([&] { return e->over(); });
            BOOST_TEST(e->ended == (when == "end"));
        }
    }
    // And within a failure.
    scene s;
    s.server->answer_with({"nonsense\r\n"});
    const exchange e = s.post();
    e->after = [&](const std::string&) { s.the_client.reset(); };
    s.until([&] { return e->over(); });
    BOOST_TEST(e->code() == make_error_code(http_errc::malformed));
}

BOOST_AUTO_TEST_CASE(a_cancelled_exchange_closes_its_connection_and_no_other)
{
    const balance books;
    scene s;
    const exchange cancelled = s.get();
    const exchange other = s.get();
    s.requested(0, 1).send("HTTP/1.1 200 OK\r\n\r\n");
    s.requested(1, 1);
    s.until([&] { return cancelled->head.has_value(); });
    cancelled->handle.cancel();
    s.until([&] { return s.nth_peer(0).ended; });
    BOOST_TEST(!s.nth_peer(1).ended);
    s.nth_peer(1).send(ok("pong"));
    s.succeeds(other, "pong");
    // Cancelled once more, and after its end: nothing happens.
    cancelled->handle.cancel();
    other->handle.cancel();
    BOOST_TEST(s.client().stats().idle == 1u);
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_complete_leaves_a_connection_that_its_handle_cannot_close)
{
    const balance books;
    scene s;
    s.server->answer_with({ok("pong")});
    const exchange first = s.post();
    s.succeeds(first, "pong");
    s.server->peers[0]->on_bytes = nullptr;
    const exchange second = s.post();
    first->handle.loosen(1, 1ns);
    first->handle.cancel();
    s.requested(0, 2).send(ok("pong, too"));
    s.succeeds(second, "pong, too");
}

BOOST_AUTO_TEST_CASE(handlers_of_a_client_that_is_gone_do_no_harm)
{
    const balance books;
    for (int events = 0; events < 3; ++events) {
        scene s;
        exchange e = s.get();
        if (events > 0)
            s.requested(0, 1).send("HTTP/1.1 200 OK\r\n\r\nx");
        if (events > 1)
            s.until([&] { return e->body == "x"; });
        // Destroyed while the context holds what it has begun, and the context after that.
        s.the_client.reset();
        e.reset();
        s.server.reset();
        s.strand.reset();
        s.context.reset();
    }
}

BOOST_AUTO_TEST_SUITE_END()
