// Sequential tool calls through a minimal HTTP client on Boost.Beast: what the figure for a call over
// HTTP is quoted beside.
//
// One connection that is kept alive, one request at a time, no deadline, no session, nothing that a
// server could do wrong is handled; the answer is parsed by Boost.JSON and checked. A coroutine, because
// it is programs of coroutines that this library is for.

#include "micro/allocations.hpp"
#include "support/processes.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;
using asio::ip::tcp;
using clock_type = std::chrono::steady_clock;

constexpr std::string_view before_id = R"({"jsonrpc":"2.0","id":)";
constexpr std::string_view after_id =
    R"(,"method":"tools/call","params":{"_meta":{)"
    R"("io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
    R"("io.modelcontextprotocol/clientCapabilities":{},)"
    R"("io.modelcontextprotocol/clientInfo":{"name":"beast-client","version":"1.0.0"}},)"
    R"("name":"echo","arguments":)";

struct options
{
    unsigned short port = 0;
    std::size_t count = 10'000;
    std::size_t message_bytes = 24;
};

double microseconds(clock_type::duration d)
{
    return std::chrono::duration<double, std::micro>(d).count();
}

asio::awaitable<void> call(tcp::socket& socket, boost::beast::flat_buffer& buffer,
    http::request<http::string_body>& request, std::size_t id, const json::string& message)
{
    json::object arguments;
    arguments["message"] = message;
    std::string& body = request.body();
    body = before_id;
    body += std::to_string(id);
    body += after_id;
    body += json::serialize(arguments);
    body += "}}";
    request.prepare_payload();
    co_await http::async_write(socket, request, asio::use_awaitable);
    http::response<http::string_body> response;
    co_await http::async_read(socket, buffer, response, asio::use_awaitable);
    const json::value answer = json::parse(response.body());
    if (response.result() != http::status::ok || answer.at("id").to_number<std::size_t>() != id
        || answer.at("result").at("content").at(0).at("text").as_string() != message)
        throw std::runtime_error("a wrong answer: " + response.body());
}

asio::awaitable<void> make_calls(const options& asked)
{
    tcp::socket socket(co_await asio::this_coro::executor);
    const tcp::endpoint server(asio::ip::address_v4::loopback(), asked.port);
    co_await socket.async_connect(server, asio::use_awaitable);
    socket.set_option(tcp::no_delay(true));
    http::request<http::string_body> request(http::verb::post, "/mcp", 11);
    request.set(http::field::host, "127.0.0.1:" + std::to_string(asked.port));
    request.set(http::field::content_type, "application/json");
    request.set(http::field::accept, "application/json, text/event-stream");
    request.set("MCP-Protocol-Version", "2026-07-28");
    request.set("Mcp-Method", "tools/call");
    request.set("Mcp-Name", "echo");
    boost::beast::flat_buffer buffer;
    const json::string message(asked.message_bytes, 'x');

    std::vector<double> latencies(asked.count);
    const std::size_t unmeasured = asked.count / 10;
    double cpu_begin = 0;
    std::uint64_t allocations_begin = 0;
    clock_type::time_point begin;
    for (std::size_t i = 0; i < unmeasured + asked.count; ++i) {
        if (i == unmeasured) {
            cpu_begin = mcp_pool::bench::usage_of_self().cpu_seconds;
            allocations_begin = mcp_pool::bench::allocations_of_this_thread().all();
            begin = clock_type::now();
        }
        const auto sent = clock_type::now();
        co_await call(socket, buffer, request, i, message);
        if (i >= unmeasured)
            latencies[i - unmeasured] = microseconds(clock_type::now() - sent);
    }
    const double elapsed = microseconds(clock_type::now() - begin);
    const auto calls = static_cast<double>(asked.count);
    const auto allocations = static_cast<double>(
        mcp_pool::bench::allocations_of_this_thread().all() - allocations_begin);
    const double cpu = mcp_pool::bench::usage_of_self().cpu_seconds - cpu_begin;
    std::sort(latencies.begin(), latencies.end());
    json::object printed;
    printed["p50_us"] = latencies[asked.count / 2];
    printed["calls_per_second"] = calls * 1e6 / elapsed;
    printed["cpu_us_per_call"] = cpu * 1e6 / calls;
    printed["allocations_per_call"] = allocations / calls;
    std::cout << json::serialize(printed) << std::endl;
}

template <class Number>
bool read_number(std::string_view text, Number& number)
{
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    return failure == std::errc() && end == text.data() + text.size() && number > 0;
}

options options_from(int argc, char** argv)
{
    options result;
    bool right = argc % 2 == 1;
    for (int i = 1; right && i + 1 < argc; i += 2) {
        const std::string_view name = argv[i], value = argv[i + 1];
        right = (name == "--port" && read_number(value, result.port))
            || (name == "--count" && read_number(value, result.count))
            || (name == "--message-bytes" && read_number(value, result.message_bytes));
    }
    if (right && result.port != 0)
        return result;
    std::cerr << "Usage: beast_client --port N [--count N] [--message-bytes N]\n";
    std::exit(2);
}

} // namespace

int main(int argc, char** argv)
{
    const options asked = options_from(argc, argv);
    asio::io_context context{1};
    std::exception_ptr failure;
    const auto done = [&](const std::exception_ptr& e) { failure = e; };
    asio::co_spawn(context, make_calls(asked), done);
    try {
        mcp_pool::bench::check_the_allocation_counter();
        context.run();
        if (failure)
            std::rethrow_exception(failure);
    } catch (const std::exception& e) {
        std::cerr << "beast_client: " << e.what() << "\n";
        return 1;
    }
}
