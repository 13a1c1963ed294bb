// A scripted MCP server inside this process, for tests of code that uses sessions and pools: no
// child process, no descriptor, every misbehaviour on demand.
//
//     mcp_pool::testing::scripted_server server(mcp_pool::testing::personality::legacy);
//     server.on_request([](const testing::call& c) -> std::optional<testing::reply> {
//         if (c.method == "tools/call")
//             return testing::reply::result(…).held();   // answered at server.release()
//         return std::nullopt;                            // what the personality does
//     });
//     … a pool or connection made with server.source() …
//     server.kill(1);                                     // the first session dies, as by SIGKILL
#pragma once

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/detail/namespaces.hpp>
#include <mcp_pool/error.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_pool {

namespace detail {
struct transport_source;
}

namespace testing {

// What a server does where its script says nothing.
enum class personality {
    // Speaks 2024-11-05 to 2025-11-25; `server/discover` is an unknown method.
    legacy,
    // Speaks 2026-07-28 only; `initialize` is refused with -32022. Subscriptions are acknowledged as
    // asked for.
    modern,
    // Speaks both.
    dual,
    // Legacy, and exits with status 1 when the first request is neither `initialize` nor `ping`, as
    // servers on the Rust SDK before 3.0 do.
    rmcp,
};

// A request or notification that a session received.
struct call
{
    // Number of the session in order of starts, from 1.
    std::size_t session = 0;
    std::string method;
    json::object params;
    // Null for a notification.
    json::value id;

    call() = default;
};

class scripted_process;
struct scripted_state;

// What the server does with one request.
class reply
{
public:
    // Answers with a result. In the modern era the script adds `resultType` where it wants one.
    static reply result(json::value content);
    static reply error(int code, std::string message, json::value data = nullptr);
    // Never answers.
    static reply silence();
    // Ends the process without an answer.
    static reply exit(int status = 0);
    // Dies by a signal without an answer.
    static reply die(int signal = 9);
    // Closes stdout and lives on.
    static reply close_output();
    // Writes these lines, as they are, instead of an answer.
    static reply raw(std::vector<std::string> lines);

    // Lines to write before or after what the reply does.
    reply before(std::string line) &&;
    reply after(std::string line) &&;
    // Does it when scripted_server::release() is called.
    reply held() &&;

private:
    friend class scripted_process;

    enum class kind { answer, silence, exit, die, close_output };

    kind what_ = kind::silence;
    int status_ = 0;
    bool held_ = false;
    // `"result":…` or `"error":…`.
    std::string body_;
    std::vector<std::string> before_;
    std::vector<std::string> after_;
};

// Called for each request, `initialize`, `server/discover` and `ping` included, on the strand of
// the session; may run for several sessions at a time. Nothing: what the personality does.
using script = std::function<std::optional<reply>(const call&)>;

// Thread safety: every member may be called from any thread. What a control does reaches the
// session through its execution context, which must exist.
//
// Lifetime: sessions may outlive the object.
class scripted_server
{
public:
    explicit scripted_server(personality p = personality::legacy);
    scripted_server(const scripted_server&) = delete;
    scripted_server& operator=(const scripted_server&) = delete;
    ~scripted_server();

    // What a pool or a connection starts its sessions from.
    [[nodiscard]] std::shared_ptr<detail::transport_source> source() const;

    // Replaces the script; counts for requests that arrive from now on.
    void on_request(script s);

    // The next `count` starts fail before there is a process.
    void fail_starts(std::size_t count, errc code, std::string message, bool permanent = false);

    // From now on sessions do not exit when their input is closed, or on SIGTERM either.
    void ignore_stop(bool close_input, bool terminate);

    // Carries out every reply that is held; returns how many there were.
    std::size_t release();

    // Each does nothing for a session that has ended.
    void kill(std::size_t session, int signal = 9);
    void exit(std::size_t session, int status = 0);
    void close_output(std::size_t session);
    // Writes a line to stdout; any bytes.
    void emit(std::size_t session, std::string line);
    void write_stderr(std::size_t session, std::string text);
    // From now on a session says that it occupies so much memory; 0, as it does at first: unknown.
    void occupy(std::size_t session, std::size_t bytes);
    // A session that does not read takes nothing: what is sent to it waits.
    void stop_reading(std::size_t session);
    void resume_reading(std::size_t session);

    [[nodiscard]] std::size_t sessions_started() const;
    [[nodiscard]] std::size_t sessions_alive() const;
    // The numbers of the sessions that live.
    [[nodiscard]] std::vector<std::size_t> alive() const;
    // Replies that wait for release().
    [[nodiscard]] std::size_t held() const;
    // Everything received so far, in order; how much of it had this method.
    [[nodiscard]] std::vector<call> received() const;
    [[nodiscard]] std::size_t count(std::string_view method) const;
    // Answers that sessions received to requests that the script had them send with emit(): objects
    // with `id` and `result` or `error`.
    [[nodiscard]] std::vector<json::object> answers() const;

    // Waits, by blocking this thread, until `done` is true; for programs whose context runs on
    // another thread. `done` is asked after every change. False after `limit`.
    bool wait_until(const std::function<bool(const scripted_server&)>& done, duration limit) const;

private:
    std::shared_ptr<scripted_state> state_;
};

} // namespace testing
} // namespace mcp_pool
