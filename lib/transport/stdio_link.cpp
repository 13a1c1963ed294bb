#include "transport/stdio_link.hpp"

#include "transport/process_thread.hpp"
#include "transport/resident.hpp"

#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <array>

#include <poll.h>

namespace mcp_pool::transport {

stdio_link::stdio_link(connection_strand strand, transport_events& events,
    std::shared_ptr<const stdio_server> server, stdio_limits limits)
    : strand_(std::move(strand))
    , events_(&events)
    , server_(std::move(server))
    , limits_(limits)
    , lines_(limits.max_message_bytes)
    , stderr_(limits.stderr_tail_bytes)
    , error_appender_(limits.errors_file)
{
    // The first I/O object of an execution context makes the descriptors of its reactor.
    const low_descriptors_plug plug;
    const pipe_end first(*strand_);
}

stdio_link::~stdio_link()
{
    if (box_)
        box_->strike_off();
}

std::shared_ptr<stdio_link> stdio_link::make(connection_strand strand, transport_events& events,
    std::shared_ptr<const stdio_server> server, stdio_limits limits)
{
    auto link = std::make_shared<stdio_link>(std::move(strand), events, std::move(server), limits);
    link->box_ = mailbox::make(*link->strand_, link);
    return link;
}

void stdio_link::start()
{
    const environment host = host_environment();
    environment child = child_environment(*server_, host);
    start_hints_ = missing_variables_hint(host, child);
    try {
        process_thread& thread = process_thread::instance();
        process_ = std::make_shared<process>(
            server_, std::move(child), limits_.stderr_to == stderr_policy::inherit, box_);
        box_->open(*strand_);
        thread.request(process_, process_request::start);
    } catch (const boost::system::system_error& problem) {
        asio::post(*strand_, [self = shared_from_this(), error = problem.code().value()] {
            if (self->listened())
                self->fail_start(explain_exhaustion(error, "starting the process thread"));
        });
    }
}

void stdio_link::stop(stop_step step)
{
    if (!listened())
        return;
    const bool first = !std::exchange(stopping_, true);
    deaf_ = true;
    accepts_lines_ = false;
    writing_.clear();
    if (input_ && process_)
        process_->hand_over(0, descriptor(input_->release()));
    input_.reset();
    if (!process_) {
        if (first)
            post_end();
        return;
    }
    switch (step) {
    case stop_step::close_input:
        return request(process_request::close_input);
    case stop_step::terminate:
        return request(process_request::terminate);
    case stop_step::kill:
        return request(process_request::kill);
    }
}

std::function<void()> stdio_link::kill_switch() const
{
    if (!process_)
        return {};
    return [weak = std::weak_ptr<process>(process_)] {
        if (const auto who = weak.lock())
            process_thread::instance().request(who, process_request::kill);
    };
}

std::size_t stdio_link::resident_bytes() const
{
    // Once it has been reaped, its number may be a stranger's.
    if (pid_ == 0 || exited_)
        return 0;
    pollfd exit{pidfd_ ? pidfd_->get() : -1, POLLIN, 0};
    return ::poll(&exit, 1, 0) == 1 ? 0 : resident_bytes_of(pid_);
}

// Nothing is told any more, nothing is held any more.
void stdio_link::abandon() noexcept
{
    events_ = nullptr;
    accepts_lines_ = false;
    writing_.clear();
    process_news unread = box_->cut();
    if (process_)
        hand_over_pipes(unread);
    close_pipes();
    request(process_request::abandon);
    process_.reset();
}

void stdio_link::on_context_gone() noexcept
{
    abandon();
    strand_.reset();
}

void stdio_link::on_news(process_news news)
{
    if (news.failed && listened()) {
        // After a stop nothing was wanted but the end.
        if (stopping_)
            news.ended.emplace();
        else
            return fail_start(*std::move(news.failed));
    }
    if (news.started && !on_started(*std::move(news.started)))
        return;
    if (news.ended) {
        ended_ = std::move(news.ended);
        // Without a process there is nothing to drain; with a stuck one nothing is worth it.
        news.exited = true;
    }
    if (news.exited && listened())
        on_exited();
}

// False: it was given up.
bool stdio_link::on_started(process_news::started_process process)
{
    if (!listened())
        return false;
    error_code code;
    const bool adopted = (stopping_ || adopt(input_, std::move(process.input), code))
        && adopt(output_, std::move(process.output), code)
        && (!process.errors || adopt(errors_, std::move(process.errors), code));
    if (!adopted) {
        start_failure why = explain_exhaustion(code.value(), "watching the pipes of the process");
        fail_start(std::move(why));
        return false;
    }
    pid_ = process.pid;
    pidfd_ = std::move(process.pidfd);
    events_->on_started(process.pid);
    if (!listened())
        return false;
    if (input_ && writing_.waiting() != 0)
        on_writable();
    if (!listened())
        return false;
    buffer_.resize(std::size_t{8} << 10);
    read_output();
    if (errors_)
        watch_errors();
    return true;
}

// The descriptor is the strand's from here on, or closed.
bool stdio_link::adopt(std::optional<pipe_end>& end, descriptor fd, error_code& code)
{
    end.emplace(*strand_);
    end->assign(fd.get(), code);
    if (code) {
        end.reset();
        return false;
    }
    // Our ends do not block already: Asio need not find out by a further system call.
    error_code ignored;
    end->native_non_blocking(true, ignored);
    [[maybe_unused]] const int owned = fd.release();
    return true;
}

void stdio_link::on_exited()
{
    exited_ = true;
    if (drained_)
        return conclude();
    if (reading_) {
        // A completion on its way may hold bytes that come before those in the pipe.
        error_code ignored;
        output_->cancel(ignored);
        return;
    }
    drain_output();
}

// All that was to come has come; when it is known how the process ended, this is the last event.
void stdio_link::conclude()
{
    if (!ended_ || !drained_ || !listened())
        return;
    transport_events& events = *std::exchange(events_, nullptr);
    box_->cut();
    process_->close_handed_over();
    process_.reset();
    events.on_ended(*std::move(ended_));
}

void stdio_link::fail_start(start_failure why)
{
    if (why.message.empty())
        why = explain_exhaustion(ENOMEM, "starting the process");
    transport_events& events = *events_;
    abandon();
    events.on_start_failed(std::move(why));
}

// stop() before start().
void stdio_link::post_end()
{
    asio::post(*strand_, [self = shared_from_this()] {
        if (self->listened())
            std::exchange(self->events_, nullptr)->on_ended(end_report());
    });
}

// Closed here and now, they could end the server before its descendants are noted.
void stdio_link::hand_over_pipes(process_news& unread) noexcept
{
    const std::array<std::optional<pipe_end>*, 3> ends{&input_, &output_, &errors_};
    for (std::size_t stream = 0; stream != ends.size(); ++stream)
        if (std::optional<pipe_end>& end = *ends[stream])
            process_->hand_over(stream, descriptor(end->release()));
    if (unread.started) {
        process_->hand_over(0, std::move(unread.started->input));
        process_->hand_over(1, std::move(unread.started->output));
        process_->hand_over(2, std::move(unread.started->errors));
    }
}

void stdio_link::close_pipes() noexcept
{
    input_.reset();
    output_.reset();
    errors_.reset();
}

void stdio_link::request(process_request what) noexcept
{
    // There is a process only if there is a thread: this does not throw.
    if (process_)
        process_thread::instance().request(process_, what);
}

} // namespace mcp_pool::transport
