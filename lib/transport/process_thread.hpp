// The one thread that starts, watches, signals and reaps all server processes.
#pragma once

#include "transport/process.hpp"

#include <chrono>
#include <memory>

namespace mcp_pool::transport {

// Started on first use and never ended: the kernel kills a child when the thread that made it ends.
// Never destroyed either, so that it may run until the process ends. All signals are blocked in it.
//
// Thread safety: everything.
class process_thread final : private process_watch
{
public:
    // Errors: throws boost::system::system_error if it cannot be started; a later call tries again.
    static process_thread& instance();

    // Asks for something. Never waits for the thread.
    void request(const std::shared_ptr<process>& who, process_request what) noexcept;

    // Time spent making processes, from clone() to its return, since the thread was started.
    [[nodiscard]] std::chrono::nanoseconds time_spawning() const noexcept
    {
        return std::chrono::nanoseconds(spawn_nanoseconds_.load(std::memory_order_relaxed));
    }
    [[nodiscard]] std::uint64_t spawns() const noexcept
    {
        return spawns_.load(std::memory_order_relaxed);
    }

    // Processes that it looks after: from the order to the end.
    [[nodiscard]] std::size_t processes() const noexcept { return looked_after_.load(); }

private:
    using process_list = boost::intrusive::list<process,
        boost::intrusive::member_hook<process, boost::intrusive::list_member_hook<>,
            &process::hook_>>;

    process_thread();

    [[noreturn]] void run() noexcept;
    void take_queue() noexcept;
    void run_due(process::clock::time_point now) noexcept;
    [[nodiscard]] int milliseconds_to_next_due() const noexcept;
    void release(process& who) noexcept;

    bool watch(const descriptor& pidfd, process& who) noexcept override;
    void unwatch(const descriptor& pidfd) noexcept override;
    const child_stack& stack() const noexcept override { return stack_; }
    void count_spawn(std::chrono::nanoseconds elapsed) noexcept override;

    const child_stack stack_;
    descriptor epoll_;
    descriptor wake_;

    std::mutex mutex_;
    // Processes with requests, in order; guarded by mutex_.
    std::shared_ptr<process> first_requested_;
    process* last_requested_ = nullptr;

    // Those that are looked after; of the thread alone.
    process_list processes_;
    std::atomic<std::size_t> looked_after_{0};

    std::atomic<std::int64_t> spawn_nanoseconds_{0};
    std::atomic<std::uint64_t> spawns_{0};
};

} // namespace mcp_pool::transport
