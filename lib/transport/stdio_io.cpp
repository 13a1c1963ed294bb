// Reading and writing of stdio_link.
#include "transport/process_thread.hpp"
#include "transport/stdio_link.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include <array>
#include <new>

#include <unistd.h>

namespace mcp_pool::transport {

namespace {

// As much as a pipe holds by default; a session that never fills its first buffer keeps to that.
constexpr std::size_t largest_buffer = std::size_t{64} << 10;

// What can be in a pipe when its process has exited, unless somebody else goes on writing.
constexpr std::size_t largest_rest = std::size_t{1} << 20;

// Lines that are kept back until their burst ends: as much as a pipe takes at once.
constexpr std::size_t largest_burst = std::size_t{64} << 10;

// A server that floods stderr gets its turn like others.
constexpr std::size_t errors_at_a_time = std::size_t{64} << 10;

} // namespace

void stdio_link::read_output()
{
    reading_ = true;
    output_->async_read_some(asio::buffer(buffer_),
        [self = shared_from_this()](
            const error_code& code, std::size_t size) { self->on_output(code, size); });
}

void stdio_link::on_output(const error_code& code, std::size_t size)
{
    reading_ = false;
    if (!listened())
        return;
    take_output(std::string_view(buffer_.data(), size));
    if (!listened())
        return;
    if (exited_)
        return drain_output();
    if (code)
        return output_has_ended();
    if (size == buffer_.size() && size < largest_buffer)
        buffer_.resize(largest_buffer);
    read_output();
}

void stdio_link::take_output(std::string_view chunk)
{
    if (chunk.empty())
        return;
    note_output();
    if (deaf_ || !listened())
        return;
    // What the answers in one chunk make room for goes out together.
    begin_burst();
    deliver_lines(chunk);
    const bool told = !kept_back_;
    const std::size_t left = end_burst();
    if (!told && left != 0 && listened())
        events_->on_write_progress(left);
}

void stdio_link::deliver_lines(std::string_view chunk)
{
    lines_.feed(chunk);
    try {
        for (;;) {
            const auto line = lines_.next();
            if (!line)
                break;
            events_->on_line(*line);
            if (deaf_ || !listened())
                return;
        }
    } catch (const std::bad_alloc&) {
        return give_up_reading();
    }
    if (lines_.oversized())
        give_up_reading();
}

void stdio_link::give_up_reading()
{
    deaf_ = true;
    const std::size_t bytes = lines_.oversized() ? lines_.oversized_bytes() : lines_.kept();
    lines_ = rpc::line_assembler(0);
    events_->on_oversized_line(bytes);
}

// Told once, after the last line.
void stdio_link::output_has_ended()
{
    output_.reset();
    if (std::exchange(end_of_output_told_, true))
        return;
    if (!deaf_) {
        if (const auto line = lines_.finish())
            events_->on_line(*line);
        if (!listened())
            return;
    }
    request(process_request::output_ended);
    events_->on_end_of_output();
}

// The process has exited. Others may hold the other ends: their end is not waited for, what is in
// the pipes is read.
void stdio_link::drain_output()
{
    std::size_t left = largest_rest;
    while (output_ && left != 0) {
        const ssize_t size = ::read(output_->native_handle(), buffer_.data(), buffer_.size());
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            break;
        left -= std::min(left, static_cast<std::size_t>(size));
        take_output(std::string_view(buffer_.data(), static_cast<std::size_t>(size)));
        if (!listened())
            return;
    }
    if (drain_errors(largest_rest))
        errors_have_ended();
    if (!listened())
        return;
    const bool had_output = !buffer_.empty();
    close_pipes();
    writing_.clear();
    accepts_lines_ = false;
    if (had_output)
        output_has_ended();
    drained_ = true;
    conclude();
}

void stdio_link::watch_errors()
{
    errors_->async_wait(pipe_end::wait_read, [self = shared_from_this()](const error_code& code) {
        if (!code && self->errors_)
            self->on_errors();
    });
}

void stdio_link::on_errors()
{
    if (drain_errors(errors_at_a_time) && listened() && errors_)
        watch_errors();
}

// False: it has ended.
bool stdio_link::drain_errors(std::size_t at_most)
{
    std::array<char, std::size_t{16} << 10> bytes;
    while (errors_ && at_most != 0) {
        const ssize_t size = ::read(errors_->native_handle(), bytes.data(), bytes.size());
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            return true;
        if (size <= 0) {
            errors_.reset();
            errors_have_ended();
            return false;
        }
        const auto count = static_cast<std::size_t>(size);
        at_most -= std::min(at_most, count);
        take_errors(std::string_view(bytes.data(), count));
        if (!listened())
            return false;
    }
    return true;
}

void stdio_link::take_errors(std::string_view bytes)
{
    stderr_.append(bytes);
    note_output();
    error_appender_.append(bytes);
    if (limits_.stderr_to == stderr_policy::log)
        error_lines_.feed(bytes, stderr_lines::clock::now(), [this](std::string line) {
            if (listened())
                events_->on_stderr_line(std::move(line));
        });
}

void stdio_link::errors_have_ended()
{
    error_appender_.finish();
    error_lines_.finish(stderr_lines::clock::now(), [this](std::string line) {
        if (listened())
            events_->on_stderr_line(std::move(line));
    });
}

void stdio_link::note_output()
{
    if (!std::exchange(first_output_noted_, true))
        events_->on_first_output();
}

std::size_t stdio_link::send(std::string line)
{
    if (!accepts_lines_)
        return 0;
    if (!input_ || writing_.waiting() != 0 || bursts_ != 0) {
        writing_.push(std::move(line));
        if (bursts_ == 0 || !input_ || awaiting_writable_)
            return writing_.waiting();
        kept_back_ = true;
        return writing_.waiting() < largest_burst ? 0 : write_kept_back();
    }
    if (const int error = writing_.write(input_->native_handle(), std::move(line))) {
        fail_writing(error);
        return 0;
    }
    if (writing_.waiting() != 0)
        await_writable();
    return writing_.waiting();
}

std::size_t stdio_link::end_burst()
{
    --bursts_;
    if (!kept_back_)
        return writing_.waiting();
    return bursts_ == 0 ? write_kept_back() : 0;
}

std::size_t stdio_link::write_kept_back()
{
    kept_back_ = false;
    if (!input_)
        return writing_.waiting();
    if (const int error = writing_.flush(input_->native_handle())) {
        fail_writing(error);
        return 0;
    }
    if (writing_.waiting() != 0)
        await_writable();
    return writing_.waiting();
}

void stdio_link::await_writable()
{
    if (std::exchange(awaiting_writable_, true))
        return;
    input_->async_wait(pipe_end::wait_write, [self = shared_from_this()](const error_code& code) {
        self->awaiting_writable_ = false;
        if (!code && self->input_ && self->listened())
            self->on_writable();
    });
}

void stdio_link::on_writable()
{
    const std::size_t before = writing_.waiting();
    if (const int error = writing_.flush(input_->native_handle()))
        return fail_writing(error);
    const std::size_t left = writing_.waiting();
    if (left != 0)
        await_writable();
    if (left != before)
        events_->on_write_progress(left);
}

// Told later: the sender is in the middle of sending.
void stdio_link::fail_writing(int error)
{
    accepts_lines_ = false;
    writing_.clear();
    input_.reset();
    asio::post(*strand_, [self = shared_from_this(), error] {
        if (self->listened())
            self->events_->on_write_failed(error_code(error, boost::system::system_category()));
    });
}

} // namespace mcp_pool::transport
