// One process from its order to its end, as the process thread looks after it.
#pragma once

#include "transport/descriptor.hpp"
#include "transport/environment.hpp"
#include "transport/launch.hpp"
#include "transport/mailbox.hpp"
#include "transport/process_table.hpp"
#include "transport/spawn.hpp"

#include <boost/intrusive/list.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace mcp_pool::transport {

// What others ask the process thread to do about a process. Bits: asking twice is asking once.
enum class process_request : unsigned {
    start = 1,
    // Close the stdin that was handed over: it should end.
    close_input = 2,
    // Its stdout has ended, which is all that tells of its exit where there is no pidfd.
    output_ended = 4,
    // SIGTERM to the group.
    terminate = 8,
    // SIGKILL to the group and to descendants that left it.
    kill = 16,
    // The same, and nobody wants to hear of it.
    abandon = 32,
};

// What a process needs of the thread that looks after it.
class process_watch
{
public:
    // Whether process::on_exit_event() will be called when the pidfd becomes readable.
    virtual bool watch(const descriptor& pidfd, class process& who) noexcept = 0;
    virtual void unwatch(const descriptor& pidfd) noexcept = 0;
    virtual const child_stack& stack() const noexcept = 0;
    virtual void count_spawn(std::chrono::nanoseconds elapsed) noexcept = 0;

protected:
    ~process_watch() = default;
};

// Rules that keep signals from strangers: the group is signalled only while the leader is ours and
// unreaped, so that nobody else can have its number; when the leader exits, the group gets SIGKILL
// before the leader is reaped. If the host application reaps our child, what is left of the group
// is signalled one by one, by pidfd.
//
// Thread safety: on the process thread, but for requests and what is handed over.
class process
{
public:
    using clock = std::chrono::steady_clock;

    process(std::shared_ptr<const stdio_server> server, environment variables, bool inherit_stderr,
        std::shared_ptr<mailbox> box);
    process(const process&) = delete;
    process& operator=(const process&) = delete;
    ~process();

    // Gives our end of one of its standard streams (0, 1 or 2) away, to be closed with the next
    // request that ends it: when its descendants have been noted. A server that finds the end of its
    // input or a broken pipe exits at once, and they lose the parent by which they are found.
    //
    // Thread safety: any thread.
    void hand_over(std::size_t stream, descriptor end) noexcept;
    void close_handed_over() noexcept;

    // Does what `requests` (bits of process_request) say.
    void take_requests(unsigned requests, process_watch& watch) noexcept;
    // The pidfd has become readable.
    void on_exit_event(process_watch& watch) noexcept;
    // due() has passed.
    void on_due(process_watch& watch) noexcept;

    // When on_due() is wanted; clock::time_point::max() if never.
    [[nodiscard]] clock::time_point due() const noexcept { return due_; }
    // Nothing is left to do.
    [[nodiscard]] bool over() const noexcept;

private:
    friend class process_thread;

    enum class phase {
        // Ordered; not made yet, or to be tried again.
        waiting,
        // Made, and not reaped.
        running,
        // Reaped; what is left of its group is dying.
        lingering,
        over,
    };
    enum class exit_check { still_running, exited, taken };

    void try_start(process_watch& watch) noexcept;
    void started(spawned_process made, process_watch& watch);
    void fail_start(start_failure why) noexcept;

    void look_for_exit(process_watch& watch) noexcept;
    exit_check check_exit() noexcept;
    void on_exited(exit_check how, process_watch& watch) noexcept;
    void look_for_oom_kill() noexcept;
    void reap() noexcept;
    void linger() noexcept;

    void terminate() noexcept;
    void kill_everything() noexcept;
    void kill_stranded_group() noexcept;
    void remember_descendants() noexcept;
    void kill_descendants() noexcept;
    void reap_adopted() noexcept;
    bool group_may_remain() const noexcept;
    std::vector<process_entry> remaining() noexcept;

    void report_end(const std::vector<process_entry>& survivors) noexcept;
    template <class Fill>
    void tell(Fill fill) noexcept;
    void finish() noexcept;
    void await_exit() noexcept;

    const std::shared_ptr<const stdio_server> server_;
    const environment variables_;
    const bool inherit_stderr_;
    const std::shared_ptr<mailbox> box_;

    phase phase_ = phase::waiting;
    clock::time_point due_ = clock::time_point::max();
    int tries_ = 0;
    pid_t pid_ = 0;
    // Empty where the kernel has none; shared with the session, which polls it.
    std::shared_ptr<descriptor> pidfd_;
    // An event tells of the exit; without it there are looks from time to time.
    bool watched_ = false;
    // Who pid_ was at the start; only where there is no pidfd.
    std::optional<process_entry> identity_;
    // From one look to the next.
    clock::duration pause_{};
    // When those that outlived SIGKILL are reported; max() until it was sent.
    clock::time_point patience_ = clock::time_point::max();
    bool exit_expected_ = false;
    bool abandoned_ = false;
    bool end_reported_ = false;
    bool undelivered_ = false;
    end_report report_;
    // The kernel's count of processes killed for want of memory when this one was made.
    std::optional<std::uint64_t> oom_kills_before_;
    std::vector<process_entry> descendants_;

    std::array<std::atomic<int>, 3> handed_over_{-1, -1, -1};

    // Of process_thread.
    std::atomic<unsigned> requests_{0};
    std::shared_ptr<process> next_requested_;
    std::shared_ptr<process> self_;
    boost::intrusive::list_member_hook<> hook_;
};

} // namespace mcp_pool::transport
