// A pool's life from the first start to the end of close(), one handler after another.
#pragma once

#include "unit/shutdown/ledger.hpp"

#include <mcp_pool/mcp_pool.hpp>
#include <mcp_pool/testing/scripted_server.hpp>

#include <boost/asio.hpp>

#include <future>
#include <memory>
#include <source_location>
#include <string_view>
#include <vector>

namespace mcp_pool::test {

using namespace std::chrono_literals;

// Where the users of the pool run.
enum class neighbours {
    // On the pool's own context.
    together,
    // On another one, run by the same thread.
    apart,
};

// Users that acquire, wait, call and give back; an unanswered call, whose session is reset; a suspect
// session, which is probed; a session that dies under a call; cancelled and losing acquires; resize,
// evict_all, close with somebody waiting. Nothing in it waits for time to pass: the deadlines of the
// pool are far away, and the server answers at once.
class scene
{
public:
    scene(ledger& books, testing::personality manner, neighbours place);
    scene(const scene&) = delete;
    scene& operator=(const scene&) = delete;
    ~scene();

    // Runs at most `handlers` handlers; true if there was nothing left to run before that.
    bool run(std::size_t handlers);

    // Destroys what the letters say, in their order: the pool (p), the leases that are held (l), the
    // pool's context (c), the users' context (u). In between, r runs what can run without them.
    void destroy(std::string_view order);

    [[nodiscard]] std::size_t handlers_run() const noexcept { return handlers_; }
    [[nodiscard]] const close_report& report() const noexcept { return report_; }
    [[nodiscard]] const pool_stats& last_stats() const noexcept { return last_stats_; }
    [[nodiscard]] const testing::scripted_server& server() const noexcept { return server_; }

private:
    enum class phase {
        // Start, users, a wait for two sessions, a future.
        users,
        // A call that the server does not answer is under way.
        calling_in_vain,
        // Its session is reset, another one is probed.
        repairing,
        // Two leases are out.
        lending,
        // The session of one of them dies under a call.
        dying,
        // All sessions are lent; some acquires wait.
        queueing,
        // The sessions come back to two acquires of which one wins.
        racing,
        // Every session is replaced; all are lent again and somebody waits.
        replacing,
        // Nobody waits any more.
        closing,
        // close() waits for the sessions that come back.
        returning,
        over,
    };

    asio::io_context& users() { return users_ ? *users_ : *home_; }
    template <class F>
    auto on_users(F f);
    void spawn(asio::awaitable<void> work, error_code expected = {});
    void acquire_to_keep(std::size_t leases);
    void call(lease& with, const char* tool);
    [[nodiscard]] bool is_settled() const;
    bool run_one();
    // Holds as long as nobody has ended the world.
    void expect(bool outcome, std::source_location where = std::source_location::current()) const;
    // Does what comes next as soon as what it waits for has happened.
    void advance();
    [[nodiscard]] bool may_go_on() const;
    void enter(phase next);

    ledger& books_;
    testing::scripted_server server_;
    std::unique_ptr<asio::io_context> home_ = std::make_unique<asio::io_context>();
    std::unique_ptr<asio::io_context> users_;
    std::unique_ptr<session_pool> pool_;
    std::vector<lease> leases_;
    std::future<lease> promised_;
    asio::cancellation_signal signal_;

    phase phase_ = phase::users;
    std::size_t handlers_ = 0;
    // Coroutines and callbacks that have not ended.
    std::size_t busy_ = 0;
    bool hanging_ = false;
    bool closed_ = false;
    bool cut_off_ = false;
    close_report report_;
    pool_stats last_stats_;
};

// Descriptors of this process.
std::size_t open_descriptors();

} // namespace mcp_pool::test
