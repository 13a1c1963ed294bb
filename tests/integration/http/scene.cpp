#include "integration/http/scene.hpp"

#include <cstdio>
#include <filesystem>

namespace mcp_pool::transport::http::testing {

void recorder::note(const char* event)
{
    if (after) {
        // It may replace or destroy this function.
        const auto call = after;
        call(event);
    }
}

void recorder::on_head(answer_head came)
{
    BOOST_TEST(!head.has_value());
    BOOST_TEST(!over());
    head = std::move(came);
    note("head");
}

void recorder::on_body(std::string_view piece)
{
    BOOST_TEST(head.has_value());
    BOOST_TEST(!over());
    BOOST_TEST(!piece.empty());
    body += piece;
    ++pieces;
    note("body");
}

void recorder::on_end()
{
    BOOST_TEST(head.has_value());
    BOOST_TEST(!over());
    ended = true;
    note("end");
}

void recorder::on_failure(http_failure why)
{
    BOOST_TEST(!over());
    BOOST_TEST(why.code.failed());
    BOOST_TEST(!why.message.empty());
    failure = std::move(why);
    note("failure");
}

scene::scene()
    : context(std::make_unique<asio::io_context>())
    , strand(std::in_place, context->get_executor())
    , server(std::in_place, *context)
{
    options.origin.host = "127.0.0.1";
    options.origin.port = server->port();
}

scene::~scene()
{
    the_client.reset();
    server.reset();
    strand.reset();
}

http_client& scene::client()
{
    if (!the_client)
        the_client.emplace(*strand, options);
    return *the_client;
}

exchange scene::start(http_request request)
{
    auto made = std::make_unique<recorder>();
    made->handle = client().start(std::move(request), *made);
    BOOST_TEST(!made->told_anything());
    return made;
}

exchange scene::post(std::string body, exchange_limits limits)
{
    http_request request;
    request.method = "POST";
    request.target = "/mcp";
    request.body = std::move(body);
    request.limits = limits;
    return start(std::move(request));
}

exchange scene::get(exchange_limits limits)
{
    http_request request;
    request.method = "GET";
    request.target = "/mcp";
    request.limits = limits;
    return start(std::move(request));
}

void scene::until(const std::function<bool()>& predicate, std::source_location here)
{
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!predicate()) {
        context->restart();
        if (context->run_one_until(end) == 0)
            BOOST_FAIL((std::chrono::steady_clock::now() < end ? "nothing left to wait for"
                                                               : "did not happen in time")
                << ", waited for at line " << here.line());
    }
}

recorder& scene::finish(const exchange& what, std::source_location here)
{
    until([&] { return what->over(); }, here);
    return *what;
}

void scene::fails(
    const exchange& what, error_code code, std::string_view words, std::source_location here)
{
    finish(what, here);
    BOOST_TEST(what->code() == code,
        "line " << here.line() << ": " << what->code().message() << " (" << what->words()
                << "), wanted: " << code.message());
    BOOST_TEST(what->words().find(words) != std::string::npos,
        "line " << here.line() << ": " << what->words());
}

void scene::succeeds(const exchange& what, std::string_view body, std::source_location here)
{
    finish(what, here);
    BOOST_TEST_REQUIRE(what->ended, "line " << here.line() << ": " << what->words());
    BOOST_TEST(what->head->status == 200u);
    BOOST_TEST(what->body == body, "line " << here.line());
}

peer& scene::nth_peer(std::size_t n, std::source_location here)
{
    until([&] { return server->peers.size() > n; }, here);
    return *server->peers[n];
}

peer& scene::requested(std::size_t n, std::size_t requests, std::source_location here)
{
    peer& connection = nth_peer(n, here);
    until([&] { return connection.requests() >= requests; }, here);
    return connection;
}

std::string ok(const std::string& body, const std::string& fields)
{
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields
        + "\r\n" + body;
}

std::string chunked(const std::vector<std::string>& chunks)
{
    std::string text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const std::string& chunk : chunks) {
        char size[24];
        std::snprintf(size, sizeof size, "%zx\r\n", chunk.size());
        text.append(size).append(chunk).append("\r\n");
    }
    return text + "0\r\n\r\n";
}

std::size_t open_descriptors()
{
    namespace fs = std::filesystem;
    // One of them reads the directory.
    return static_cast<std::size_t>(
               std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()))
        - 1;
}

balance::balance()
    : before_(open_descriptors())
{}

balance::~balance()
{
    BOOST_TEST(open_descriptors() == before_);
}

} // namespace mcp_pool::transport::http::testing
