// The pipes of one server process on their strand.
#pragma once

#include "rpc/line_assembler.hpp"
#include "transport/mailbox.hpp"
#include "transport/process.hpp"
#include "transport/stderr_lines.hpp"
#include "transport/stderr_ring.hpp"
#include "transport/stdio.hpp"
#include "transport/write_queue.hpp"

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mcp_pool::transport {

// What a stdio_transport holds and pending operations keep alive: the transport may be destroyed at
// any moment, in the middle of an event too.
//
// Thread safety: on the strand only; abandon() and on_context_gone() also while the execution
// context is shut down.
class stdio_link final : public process_watcher, public std::enable_shared_from_this<stdio_link>
{
public:
    static std::shared_ptr<stdio_link> make(connection_strand strand, transport_events& events,
        std::shared_ptr<const stdio_server> server, stdio_limits limits);
    // For make().
    stdio_link(connection_strand strand, transport_events& events,
        std::shared_ptr<const stdio_server> server, stdio_limits limits);
    ~stdio_link();

    void start();
    std::size_t send(std::string line);
    // See transport::begin_burst().
    void begin_burst() noexcept { ++bursts_; }
    std::size_t end_burst();
    void stop(stop_step step);
    // The transport is being destroyed.
    void abandon() noexcept;

    // See transport::kill_switch().
    [[nodiscard]] std::function<void()> kill_switch() const;
    [[nodiscard]] std::shared_ptr<const descriptor> pidfd() const { return pidfd_; }
    [[nodiscard]] std::string stderr_tail() const { return stderr_.text(); }
    [[nodiscard]] std::size_t resident_bytes() const;
    [[nodiscard]] const std::string& start_hints() const noexcept { return start_hints_; }

private:
    using pipe_end = asio::posix::basic_stream_descriptor<connection_strand>;

    void on_news(process_news news) override;
    void on_context_gone() noexcept override;
    bool on_started(process_news::started_process process);
    void on_exited();

    void read_output();
    void on_output(const error_code& code, std::size_t size);
    void take_output(std::string_view chunk);
    void deliver_lines(std::string_view chunk);
    void give_up_reading();
    void output_has_ended();
    void drain_output();

    void watch_errors();
    void on_errors();
    bool drain_errors(std::size_t at_most);
    void take_errors(std::string_view bytes);
    void errors_have_ended();
    void note_output();

    std::size_t write_kept_back();
    void await_writable();
    void on_writable();
    void fail_writing(int error);

    void fail_start(start_failure why);
    void post_end();
    void conclude();
    void hand_over_pipes(process_news& unread) noexcept;
    void close_pipes() noexcept;
    bool adopt(std::optional<pipe_end>& end, descriptor fd, error_code& code);
    void request(process_request what) noexcept;

    // Somebody listens to what comes; asked again after each event.
    [[nodiscard]] bool listened() const noexcept { return events_ != nullptr; }

    // Unset when the context is gone.
    std::optional<connection_strand> strand_;
    // nullptr: nobody wants to hear anything any more.
    transport_events* events_;
    const std::shared_ptr<const stdio_server> server_;
    const stdio_limits limits_;

    std::shared_ptr<mailbox> box_;
    std::shared_ptr<process> process_;
    pid_t pid_ = 0;
    std::shared_ptr<const descriptor> pidfd_;
    std::optional<pipe_end> input_;
    std::optional<pipe_end> output_;
    std::optional<pipe_end> errors_;

    write_queue writing_;
    bool accepts_lines_ = true;
    bool awaiting_writable_ = false;
    // Begun and not ended; lines wait for the end of the last, and their sender was told of none.
    std::size_t bursts_ = 0;
    bool kept_back_ = false;

    rpc::line_assembler lines_;
    std::vector<char> buffer_;
    bool reading_ = false;
    // What comes is read and thrown away.
    bool deaf_ = false;
    bool first_output_noted_ = false;
    bool end_of_output_told_ = false;

    stderr_ring stderr_;
    // Where the policy asks for them.
    stderr_lines error_lines_;
    stderr_appender error_appender_;
    std::string start_hints_;

    bool stopping_ = false;
    bool exited_ = false;
    // exited_, and everything that was in the pipes has been read.
    bool drained_ = false;
    std::optional<end_report> ended_;
};

} // namespace mcp_pool::transport
