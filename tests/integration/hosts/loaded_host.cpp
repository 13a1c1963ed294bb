// A host application under load. Says "loaded" when calls go back and forth; after a byte on stdin it
// makes as many calls again, closes its pools and tells in one line of JSON what it has seen.
// arguments: how long calls, probes and resets may take, in milliseconds; the number of threads.
#include <mcp_pool/mcp_pool.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/strand.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace mcp_pool;
using namespace std::chrono_literals;

namespace {

// Each pool tells on its own strand.
struct counting_observer final : pool_observer
{
    std::atomic<std::uint64_t> stalls{0}, suspicions{0}, probes_answered{0}, probes_lost{0},
        losses{0};

    void stalled(const pool_event&) noexcept override { ++stalls; }
    void suspected(const pool_event&) noexcept override { ++suspicions; }
    void probed(const pool_event& e) noexcept override
    {
        ++(e.good ? probes_answered : probes_lost);
    }
    void replaced(const pool_event&) noexcept override { ++losses; }
};

class host
{
public:
    explicit host(duration patience)
        : busy_(context_.get_executor(), config("busy", patience))
        , idle_(context_.get_executor(), config("idle", patience))
        , input_(users_strand_, ::dup(STDIN_FILENO))
    {
        busy_.set_observer(seen_);
        idle_.set_observer(seen_);
    }

    int run(int threads)
    {
        idle_.start();
        for (int i = 0; i != users; ++i)
            asio::co_spawn(users_strand_, use(), asio::detached);
        input_.async_read_some(asio::buffer(&byte_, 1), [this](error_code, std::size_t) {
            // Whoever had to wait when the host stood still has had its turn after as many calls.
            enough_ = calls_ + enough_calls;
        });
        std::vector<std::thread> more;
        while (more.size() + 1 != static_cast<std::size_t>(threads))
            more.emplace_back([this] { context_.run(); });
        context_.run();
        for (std::thread& each : more)
            each.join();
        std::printf("%s\n", json::serialize(report()).c_str());
        return 0;
    }

private:
    static constexpr int users = 8;
    static constexpr std::size_t sessions = 4;
    static constexpr std::uint64_t enough_calls = 100;

    static server_config config(std::string name, duration patience)
    {
        stdio_server server;
        server.command = MCP_POOL_TEST_BIN "/mcp-pool-echo-server";
        server_config result(std::move(name), std::move(server));
        pool_overrides& o = result.pool;
        o.max_size = o.min_size = sessions;
        o.max_probing = sessions;
        o.call_timeout = o.write_timeout = o.probe_timeout = o.reset_timeout = patience;
        o.probe_interval = 20ms;
        return result;
    }

    // The server thinks for a while: there are always calls under way.
    asio::awaitable<void> use()
    {
        while (calls_ < enough_) {
            json::object arguments;
            arguments["seconds"] = 0.01;
            try {
                lease session = co_await busy_.acquire(1h);
                const tool_result answer = co_await session->call_tool(
                    "sleep", std::move(arguments));
                if (answer.is_error())
                    failures_.emplace_back(answer.text());
            } catch (const std::exception& e) {
                failures_.emplace_back(e.what());
            }
            if (++calls_ == enough_calls) {
                std::puts("loaded");
                std::fflush(stdout);
            }
        }
        if (--at_work_ != 0)
            co_return;
        (void)co_await busy_.close(10s);
        (void)co_await idle_.close(10s);
    }

    [[nodiscard]] json::object report() const
    {
        json::object result;
        result["calls"] = calls_;
        result["failures"] = failures_;
        result["replaced"] = seen_->losses.load();
        result["created"] = busy_.stats().created + idle_.stats().created;
        result["sessions"] = 2 * sessions;
        result["stalls"] = seen_->stalls.load();
        result["suspicions"] = seen_->suspicions.load();
        result["probes_answered"] = seen_->probes_answered.load();
        result["probes_lost"] = seen_->probes_lost.load();
        return result;
    }

    asio::io_context context_;
    // Of everything below but the pools.
    asio::strand<asio::any_io_executor> users_strand_{context_.get_executor()};
    const std::shared_ptr<counting_observer> seen_ = std::make_shared<counting_observer>();
    session_pool busy_, idle_;
    asio::posix::stream_descriptor input_;
    char byte_ = 0;
    std::uint64_t calls_ = 0, enough_ = ~std::uint64_t{0};
    json::array failures_;
    int at_work_ = users;
};

} // namespace

int main(int argc, char** argv)
{
    if (argc != 3)
        return 2;
    return host(std::chrono::milliseconds(std::atoi(argv[1]))).run(std::atoi(argv[2]));
}
